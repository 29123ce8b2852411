//! A carrier that is not there: takes messages, and treats us as carriers do, for tests and demos.

mod courier;
mod session;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use smpp_codec::pdu::Sm;
use smpp_codec::session::Side;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock;

use self::courier::Parcel;
use self::session::Session;
use crate::duplex::{Duplex, Secure};
use crate::link::{self, Handle, Link};

/// Connections at a time; more are closed at once.
const MOST_CONNECTIONS: usize = 1_000;
/// A client has so long to agree on keys.
const SECURED_WITHIN: Duration = Duration::from_secs(10);
/// Deliveries that wait to be sent; while there are more, submits are refused.
const MOST_PARCELS: usize = 100_000;
/// So many of the messages that were taken are kept to be looked at.
const MOST_SEEN: usize = 100_000;

/// How it treats submits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes all at once.
    Healthy,
    /// Cuts the connection at every so many submits, which it has taken and does not answer.
    Flaky(NonZeroU32),
    /// Answers after so long.
    Slow(Duration),
    /// `ESME_RTHROTTLED` above so many in a second.
    Throttling(NonZeroU32),
    /// Binds, and answers no submit.
    Dead,
    /// `ESME_RMSGQFUL` after so many.
    Capped(u32),
}

/// How an id is written in the response, and how in the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    /// Both times in decimal.
    Same,
    /// In hexadecimal, then in decimal with ten digits.
    HexThenDecimal,
    /// In decimal, then in hexadecimal.
    DecimalThenHex,
    /// With leading zeros, then without.
    Zeros,
    /// In small letters, then in capitals.
    Upper,
}

impl IdForm {
    /// Every form with its word.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Same, "same"),
        (Self::HexThenDecimal, "hex-decimal"),
        (Self::DecimalThenHex, "decimal-hex"),
        (Self::Zeros, "zeros"),
        (Self::Upper, "upper"),
    ];

    /// The id of the response.
    #[must_use]
    pub fn in_response(self, id: u64) -> String {
        match self {
            Self::Same | Self::DecimalThenHex => id.to_string(),
            Self::HexThenDecimal | Self::Upper => format!("{id:x}"),
            Self::Zeros => format!("{id:012}"),
        }
    }

    /// The id of the receipt.
    #[must_use]
    pub fn in_receipt(self, id: u64) -> String {
        match self {
            Self::Same | Self::Zeros => id.to_string(),
            Self::HexThenDecimal => format!("{id:010}"),
            Self::DecimalThenHex => format!("{id:x}"),
            Self::Upper => format!("{id:X}"),
        }
    }
}

/// How it writes receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipts {
    /// After the submit.
    pub delay: Duration,
    /// How ids look.
    pub ids: IdForm,
    /// They are sent, and answered, before the response to the submit is.
    pub early: bool,
    /// They are sent twice.
    pub doubled: bool,
    /// Every so manieth message is undeliverable.
    pub failing_every: Option<NonZeroU32>,
    /// Ids also stand in `receipted_message_id`, states in `message_state`.
    pub parameters: bool,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            ids: IdForm::Same,
            early: false,
            doubled: false,
            failing_every: None,
            parameters: false,
        }
    }
}

/// A simulated carrier's ways.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What becomes of submits.
    pub behaviour: Behaviour,
    /// What becomes of what was taken, where a receipt is asked for.
    pub receipts: Receipts,
    /// It delivers a message of a mobile to every session that receives, so often.
    pub message_every: Option<Duration>,
    /// The first id that it gives; ids rise by one.
    pub first_id: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            behaviour: Behaviour::Healthy,
            receipts: Receipts::default(),
            message_every: None,
            first_id: 1,
        }
    }
}

/// A carrier.
#[derive(Debug)]
pub struct Carrier {
    options: Options,
    clock: Arc<dyn Clock>,
    last_id: AtomicU64,
    submits: AtomicU64,
    receipted: AtomicU64,
    seen: Mutex<Vec<Sm>>,
    bucket: Mutex<(Instant, u32)>,
    sessions: Mutex<Vec<Seat>>,
    parcels: mpsc::Sender<Parcel>,
    waiting: Mutex<Option<mpsc::Receiver<Parcel>>>,
}

/// A session that may be delivered to.
#[derive(Debug, Clone)]
struct Seat {
    number: u64,
    system_id: String,
    handle: Handle,
}

impl Carrier {
    /// A carrier that listens to nobody yet. Any `system_id` and password may bind.
    #[must_use]
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Arc<Self> {
        let (parcels, waiting) = mpsc::channel(MOST_PARCELS);
        Arc::new(Self {
            options,
            clock,
            last_id: AtomicU64::new(options.first_id.saturating_sub(1)),
            submits: AtomicU64::new(0),
            receipted: AtomicU64::new(0),
            seen: Mutex::default(),
            bucket: Mutex::new((Instant::now(), 0)),
            sessions: Mutex::default(),
            parcels,
            waiting: Mutex::new(Some(waiting)),
        })
    }

    /// The messages that it took, in order, as far as they are kept.
    #[must_use]
    pub fn seen(&self) -> Vec<Sm> {
        lock(&self.seen).clone()
    }

    /// How many submits have come, taken or not.
    #[must_use]
    pub fn submits(&self) -> u64 {
        self.submits.load(Ordering::Relaxed)
    }

    /// How many receipts were answered with success.
    #[must_use]
    pub fn receipted(&self) -> u64 {
        self.receipted.load(Ordering::Relaxed)
    }

    /// How many sessions may be delivered to now.
    #[must_use]
    pub fn receivers(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Serves until `stop`, and cuts every connection then; over TLS where it is given what that
    /// needs.
    pub async fn serve(
        self: Arc<Self>,
        (listener, secure): (TcpListener, Option<Arc<dyn Secure>>),
        stop: CancellationToken,
    ) {
        let Some(waiting) = lock(&self.waiting).take() else {
            return;
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self).carry(waiting));
        if let Some(every) = self.options.message_every {
            tasks.spawn(Arc::clone(&self).chatter(every));
        }
        let mut number = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = tasks.join_next() => {}
                accepted = listener.accept(), if tasks.len() < MOST_CONNECTIONS => {
                    let Ok((stream, _)) = accepted else {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    number += 1;
                    let carrier = Arc::clone(&self);
                    tasks.spawn(carrier.connection((stream, secure.clone()), number));
                }
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        (stream, secure): (TcpStream, Option<Arc<dyn Secure>>),
        number: u64,
    ) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let stream: Box<dyn Duplex> = match secure {
            None => Box::new(stream),
            Some(secure) => match timeout(SECURED_WITHIN, secure.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    return tracing::info!(number, %error, "simulated carrier: no TLS");
                }
                Err(_) => return,
            },
        };
        let options = link::Options {
            window_out: 100,
            window_in: 1_000,
            ..link::Options::new(Side::Centre)
        };
        let (link, handle) = Link::new(options);
        let cut = CancellationToken::new();
        let session = Session::new(Arc::clone(&self), number, handle, cut.clone());
        let ended = tokio::select! {
            ended = link.run(stream, session) => ended.to_string(),
            () = cut.cancelled() => "cut by us".to_owned(),
        };
        lock(&self.sessions).retain(|seat| seat.number != number);
        tracing::info!(number, ended, "simulated carrier: session ended");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for IdForm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.iter().find(|(form, _)| form == self);
        out.write_str(known.map_or("", |(_, word)| word))
    }
}
