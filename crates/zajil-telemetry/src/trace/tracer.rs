//! Spans, made of facts. Whoever tells a fact never waits: spans beyond [`QUEUE`] are dropped and
//! counted.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus::IntCounter;
use zajil_core::id::MessageId;

use crate::fact::{ChargeFact, Fact};
use crate::metric::Metrics;

use super::{Options, send};

/// Spans that wait to be sent.
pub(super) const QUEUE: usize = 8_192;
/// How long the end of the process waits for the last spans.
const LAST: Duration = Duration::from_secs(2);

/// A step of a message's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) message: MessageId,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: &'static str,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    /// What went wrong; empty when nothing did.
    pub(super) wrong: &'static str,
    /// A number that belongs to the step, with its name.
    pub(super) number: Option<(&'static str, u64)>,
}

/// Makes spans of facts.
#[derive(Debug)]
pub(crate) struct Tracer {
    /// Messages whose chance is not above it are traced.
    most: u64,
    seed: u64,
    next: AtomicU64,
    queue: Option<SyncSender<Span>>,
    /// Disconnected when the last span was sent.
    ended: Mutex<Receiver<()>>,
    dropped: IntCounter,
}

impl Tracer {
    /// Starts the thread that sends.
    pub(crate) fn start(options: &Options, metrics: &Metrics) -> std::io::Result<Self> {
        let (queue, spans) = mpsc::sync_channel(QUEUE);
        let (end, ended) = mpsc::sync_channel(0);
        let sender = send::Sender::new(options, metrics);
        std::thread::Builder::new()
            .name("zajil-traces".to_owned())
            .spawn(move || {
                sender.run(&spans);
                drop::<SyncSender<()>>(end);
            })?;
        Ok(Self {
            most: most(options.sampling),
            seed: RandomState::new().hash_one(0_u8),
            next: AtomicU64::new(0),
            queue: Some(queue),
            ended: Mutex::new(ended),
            dropped: metrics.spans("dropped"),
        })
    }

    /// Makes a span, if the fact is one of a message that is traced.
    pub(crate) fn tell(&self, fact: &Fact<'_>) {
        let Some((message, step)) = step(fact) else {
            return;
        };
        if chance(message) > self.most {
            return;
        }
        let end = now();
        let took = u64::try_from(step.took.as_nanos()).unwrap_or(u64::MAX);
        let (id, parent) = match step.root {
            true => (root(message), None),
            false => (self.fresh(), Some(root(message))),
        };
        let span = Span {
            message,
            id,
            parent,
            name: step.name,
            start: end.saturating_sub(took),
            end,
            wrong: step.wrong,
            number: step.number,
        };
        let queue = self.queue.as_ref();
        if queue.is_none_or(|queue| queue.try_send(span).is_err()) {
            self.dropped.inc();
        }
    }

    /// An id that no other span has, on no node.
    fn fresh(&self) -> u64 {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        mixed(self.seed ^ mixed(count)).max(1)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.queue = None;
        // Disconnected, or too slow: either way it is over.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _disconnected = ended.recv_timeout(LAST);
    }
}

/// What a fact says of a step.
struct Step {
    name: &'static str,
    took: Duration,
    root: bool,
    wrong: &'static str,
    number: Option<(&'static str, u64)>,
}

fn plain(name: &'static str, took: Duration) -> Step {
    Step {
        name,
        took,
        root: false,
        wrong: "",
        number: None,
    }
}

/// The end of a message that was not delivered.
fn ended(wrong: &'static str) -> Step {
    Step {
        wrong,
        ..plain("end", Duration::ZERO)
    }
}

fn step(fact: &Fact<'_>) -> Option<(MessageId, Step)> {
    Some(match *fact {
        Fact::Accepted { message, took, .. } => {
            let accepted = Step {
                root: true,
                ..plain("accept", took)
            };
            (message.id, accepted)
        }
        Fact::Decided {
            message,
            took,
            route,
        } => {
            let routed = Step {
                number: route.map(|route| ("zajil.route_id", route)),
                ..plain("route", took)
            };
            (message.id, routed)
        }
        Fact::Stored { id, took } => (id, plain("store", took)),
        Fact::Offered { id, took } => (id, plain("offer", took)),
        Fact::Reported { id, took } => (id, plain("report", took)),
        Fact::Charge(ChargeFact::Granted { id, took }) => (id, plain("charge", took)),
        Fact::Charge(ChargeFact::Failed {
            id, took, refused, ..
        }) => {
            let wrong = if refused { "refused" } else { "failed" };
            let charge = plain("charge", took);
            (id, Step { wrong, ..charge })
        }
        Fact::Delivered { message, after } => {
            let attempts = message.attempts.next().get();
            let delivered = Step {
                number: Some(("zajil.attempts", attempts.into())),
                ..plain("deliver", after)
            };
            (message.id, delivered)
        }
        Fact::DeadLetter { message } => (message.id, ended("expired undelivered")),
        Fact::Failed { message } => (message.id, ended("ended undelivered")),
        Fact::RoutingFailed { .. }
        | Fact::Replied { .. }
        | Fact::Enum(_)
        | Fact::Charge(_)
        | Fact::Handed(_)
        | Fact::AttemptFailed { .. }
        | Fact::LateReport { .. }
        | Fact::FrontendUp { .. }
        | Fact::FrontendDown { .. }
        | Fact::EndedAtOnce { .. }
        | Fact::Held(_)
        | Fact::RoutesInForce { .. }
        | Fact::Cdr(_)
        | Fact::NodeStarted
        | Fact::NodeStopping
        | Fact::PartTurned { .. }
        | Fact::Webhook(_)
        | Fact::Refused { .. } => return None,
    })
}

/// A number in which every bit depends on every bit of the other (SplitMix64's last step).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The largest chance of a message that is traced.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "it saturates, which is what a share of all needs"
)]
pub(super) fn most(sampling: f64) -> u64 {
    (sampling * u64::MAX as f64) as u64
}

/// Of every message anew, and of one the same on every node.
fn chance(message: MessageId) -> u64 {
    // Not 0, so that a sampling of 0 traces none.
    mixed(message.get()).max(1)
}

fn root(message: MessageId) -> u64 {
    mixed(!message.get()).max(1)
}

/// Sixteen octets, never all zero.
pub(super) fn trace(message: MessageId) -> [u8; 16] {
    let first = mixed(message.get().rotate_left(32)).max(1);
    let both = (u128::from(first) << 64) | u128::from(message.get());
    both.to_be_bytes()
}

#[expect(
    clippy::disallowed_methods,
    reason = "for figures, not rules: spans of nodes are laid side by side by the wall clock, in \
              nanoseconds"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    u64::try_from(nanos).unwrap_or(u64::MAX)
}
