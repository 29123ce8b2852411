//! The null SMPP server: a submit is decoded and answered, and stored nowhere.
//!
//! It stands on the same codec and the same runtime as the real door. Whoever binds is welcome,
//! every `submit_sm` is read into its typed form and answered with a counter of ten digits, and the
//! answers to what came at once leave at once. Asked to, it sends the receipt behind the response:
//! then it is a carrier that costs next to nothing. It checks, counts and remembers nothing.

use std::collections::VecDeque;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use smpp_codec::flags::EsmClass;
use smpp_codec::frame;
use smpp_codec::pdu::{Bare, BindResp, Sm, SmResp, Tolerance};
use smpp_codec::receipt::Receipt;
use smpp_codec::state::MessageState;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::{Header, Pdu, Status};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::listen;

const LONGEST: usize = 128 * 1024;
const READ_AT_ONCE: usize = 64 * 1024;
/// More connections wait until one closes.
const MOST_CONNECTIONS: usize = 20_000;
/// 2027-01-15 08:00 UTC: every receipt is of then.
const DONE_MS: i64 = 1_800_000_000_000;

/// What it sends of its own.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Receipts {
    #[default]
    Never,
    /// Behind the response to a submit that asks for one.
    AtOnce,
    /// So long after it.
    After(Duration),
}

/// How it treats its peers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    pub receipts: Receipts,
    /// What comes is acknowledged at once (`TCP_QUICKACK`), for peers whose next segment waits for
    /// that.
    pub quick_ack: bool,
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, ways: Ways) -> io::Result<()> {
    let last = Arc::new(AtomicU64::new(0));
    let mut sessions = JoinSet::new();
    loop {
        while sessions.try_join_next().is_some() {}
        if sessions.len() >= MOST_CONNECTIONS {
            sessions.join_next().await;
        }
        let (stream, _) = listener.accept().await?;
        let session = Session {
            last: Arc::clone(&last),
            ways,
            out: BytesMut::new(),
            behind: BytesMut::new(),
            later: VecDeque::new(),
            sequence: 0,
        };
        sessions.spawn(session.run(stream));
    }
}

/// Serves on `address` with one worker per core; `ready` is told the real address.
pub fn run(
    address: SocketAddr,
    ways: Ways,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> io::Result<()> {
    listen::on(address, ready, |listener| serve(listener, ways))
}

/// Returns when the first of them is due; never, where there is none.
async fn due(later: &VecDeque<(Instant, BytesMut)>) {
    match later.front() {
        Some((at, _)) => sleep_until(*at).await,
        None => std::future::pending().await,
    }
}

struct Session {
    last: Arc<AtomicU64>,
    ways: Ways,
    out: BytesMut,
    /// Receipts, which leave after the responses of the same turn.
    behind: BytesMut,
    /// And those whose time has not come: their peer bounds them by its window and its rate.
    later: VecDeque<(Instant, BytesMut)>,
    sequence: u32,
}

impl Session {
    /// A peer that breaks the protocol loses its connection, and nobody is told.
    async fn run(mut self, mut stream: TcpStream) {
        // Failing is harmless: the answer leaves a little later.
        stream.set_nodelay(true).ok();
        let mut input = BytesMut::new();
        loop {
            input.reserve(READ_AT_ONCE / 4);
            tokio::select! {
                read = stream.read_buf(&mut input) => match read {
                    Ok(count) if count > 0 => {}
                    _ => return,
                },
                () = due(&self.later) => {}
            }
            if self.ways.quick_ack {
                // Linux forgets it in time; failing is harmless.
                SockRef::from(&stream).set_tcp_quickack(true).ok();
            }
            let goes_on = self.answer_all(&mut input);
            self.put_behind();
            if stream.write_all_buf(&mut self.out).await.is_err() || !goes_on {
                return;
            }
        }
    }

    /// What leaves behind the responses: the receipts of this turn, or those that are due.
    fn put_behind(&mut self) {
        let Receipts::After(delay) = self.ways.receipts else {
            return self.out.unsplit(self.behind.split());
        };
        let now = Instant::now();
        if !self.behind.is_empty() {
            self.later.push_back((now + delay, self.behind.split()));
        }
        while let Some((_, receipts)) = self.later.pop_front_if(|(at, _)| *at <= now) {
            self.out.extend_from_slice(&receipts);
        }
    }

    /// Everything that has come whole; `false` when the session is over.
    fn answer_all(&mut self, input: &mut BytesMut) -> bool {
        loop {
            let frame = match frame::cut(input, LONGEST) {
                Ok(Some(frame)) => frame,
                Ok(None) => return true,
                Err(_) => return false,
            };
            let Ok(pdu) = Pdu::read_frame(&frame, Tolerance::Lenient) else {
                return false;
            };
            if !self.answer(frame.header, pdu) {
                return false;
            }
        }
    }

    fn answer(&mut self, header: Header, pdu: Pdu) -> bool {
        let welcome = || BindResp {
            system_id: Text::until_zero(&b"null"[..]),
            ..BindResp::default()
        };
        let goes_on = !matches!(pdu, Pdu::Unbind(_));
        let response = match pdu {
            Pdu::SubmitSm(sm) => return self.submit(header, black_box(&sm)),
            Pdu::BindTransmitter(_) => Pdu::BindTransmitterResp(welcome()),
            Pdu::BindReceiver(_) => Pdu::BindReceiverResp(welcome()),
            Pdu::BindTransceiver(_) => Pdu::BindTransceiverResp(welcome()),
            Pdu::EnquireLink(_) => Pdu::EnquireLinkResp(Bare::default()),
            Pdu::Unbind(_) => Pdu::UnbindResp(Bare::default()),
            _ if header.command_id.is_response() => return true,
            _ => Pdu::refusal(header.command_id),
        };
        response.encode(Status::ROK, header.sequence, &mut self.out);
        goes_on
    }

    fn submit(&mut self, header: Header, sm: &Sm) -> bool {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{id:010}");
        if self.ways.receipts != Receipts::Never && sm.registered_delivery.0 & 3 != 0 {
            self.receipt(&id, sm);
        }
        let response = Pdu::SubmitSmResp(SmResp {
            message_id: Text::until_zero(id),
            ..SmResp::default()
        });
        response.encode(Status::ROK, header.sequence, &mut self.out);
        true
    }

    fn receipt(&mut self, id: &str, sm: &Sm) {
        let text = Receipt {
            id,
            submitted: 1,
            delivered: 1,
            submit_ms: DONE_MS,
            done_ms: DONE_MS,
            state: MessageState::Delivered,
            error: 0,
            text: sm.short_message.octets(),
        };
        let receipt = Pdu::DeliverSm(Sm {
            source_addr: sm.destination_addr.clone(),
            destination_addr: sm.source_addr.clone(),
            esm_class: EsmClass(EsmClass::RECEIPT),
            short_message: ShortMessage::new(text.write()).unwrap_or_default(),
            ..Sm::default()
        });
        self.sequence = self.sequence % 0x7FFF_FFFF + 1;
        receipt.encode(Status::ROK, self.sequence, &mut self.behind);
    }
}
