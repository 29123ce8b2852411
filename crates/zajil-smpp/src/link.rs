//! One connection of two SMPP peers, for either side, from its first octet to its last.
//!
//! A link is one future that somebody polls; it spawns nothing. What it holds is bounded: requests
//! of the peer that are being worked on (the window towards us), requests of ours without a
//! response (the window towards the peer), and octets that wait to be sent. While a bound is
//! reached nothing more is read, so the peer's own window or its connection holds it back.

mod handle;
mod run;
mod timers;
mod window;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use smpp_codec::pdu::Tolerance;
use smpp_codec::session::{Side, State};
use smpp_codec::{Header, Pdu, Status};
use tokio_util::sync::CancellationToken;

pub use self::handle::Handle;
use self::run::Running;
pub use self::timers::Limits;
pub use self::window::{Lost, Response};
use crate::tap::{Closed, Tap};

/// How a link behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which side we are.
    pub side: Side,
    /// The timers.
    pub limits: Limits,
    /// How many requests of the peer are worked on at a time, at least 1.
    pub window_in: usize,
    /// How many requests of ours wait for their response at a time, at least 1.
    pub window_out: usize,
    /// The longest PDU that is read, in octets, at least 16.
    pub longest_pdu: usize,
    /// Whether lengths of the standard are insisted on.
    pub tolerance: Tolerance,
}

impl Options {
    /// The defaults for a side.
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self {
            side,
            limits: Limits::default(),
            window_in: 100,
            window_out: 10,
            longest_pdu: 128 * 1_024,
            tolerance: Tolerance::Lenient,
        }
    }
}

/// Whether the link goes on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It does.
    Stay,
    /// It ends once the answer is sent.
    Close,
}

/// An answer to a request of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub status: Status,
    /// The response.
    pub pdu: Pdu,
    /// Whether the link goes on.
    pub next: Next,
}

impl Answer {
    /// It was done.
    #[must_use]
    pub const fn done(pdu: Pdu) -> Self {
        Self {
            status: Status::ROK,
            pdu,
            next: Next::Stay,
        }
    }

    /// It was not done, for this reason.
    #[must_use]
    pub fn refusal(request: Header, status: Status) -> Self {
        Self {
            status,
            pdu: Pdu::refusal(request.command_id),
            next: Next::Stay,
        }
    }
}

/// What a side makes of a request of its peer.
#[expect(clippy::large_enum_variant, reason = "made, returned and used at once")]
pub enum Reaction {
    /// The answer.
    Now(Answer),
    /// The answer will come; meanwhile others are worked on. Their answers may overtake it.
    Later(Coming),
    /// The same, with those of others that came at the same time: [`Handler::gathered`] works on
    /// all of them at once.
    Together,
    /// There is none: `outbind` and `alert_notification`.
    Never,
}

impl fmt::Debug for Reaction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => write!(out, "Now({answer:?})"),
            Self::Later(_) => out.write_str("Later"),
            Self::Together => out.write_str("Together"),
            Self::Never => out.write_str("Never"),
        }
    }
}

/// An answer that will come.
pub type Coming = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What became of requests that were gathered: each of them has one answer.
#[derive(Default)]
pub struct Answered {
    /// The answers that are there.
    pub now: Vec<(Header, Answer)>,
    /// Those that take longer, each for itself: nobody waits for them who need not.
    pub later: Vec<(Header, Coming)>,
}

impl fmt::Debug for Answered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Answered")
            .field("now", &self.now)
            .field("later", &self.later.len())
            .finish()
    }
}

impl FromIterator<(Header, Answer)> for Answered {
    fn from_iter<I: IntoIterator<Item = (Header, Answer)>>(all: I) -> Self {
        Self {
            now: all.into_iter().collect(),
            later: Vec::new(),
        }
    }
}

/// The answers to requests that were gathered.
pub type Answers = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// What a side does. Called by the link one call at a time, and must not block.
pub trait Handler: Send {
    /// A request that the state of the session allows. `unbind` and `enquire_link` do not come
    /// here: the link answers them.
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction;

    /// Everything that has come was handed over: works on the requests that [`Self::request`] has
    /// gathered since the last call; none when there are none.
    fn gathered(&mut self) -> Option<Answers> {
        None
    }

    /// The session is in another state; the PDU that led there has been sent or has come.
    fn state(&mut self, state: State) {
        let _ = state;
    }

    /// An answer is about to be sent; `load` is how much of the window towards us is in use, in
    /// percent.
    fn answers(&mut self, answer: &mut Answer, load: u8) {
        let _ = (answer, load);
    }

    /// A PDU that was refused without asking [`Self::request`], and why.
    fn refused(&mut self, header: Header, status: Status, why: &str) {
        let _ = (header, status, why);
    }
}

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// One side took leave, and the other answered.
    #[error("unbound")]
    Unbound,
    /// The peer closed the connection.
    #[error("closed by the peer")]
    Closed,
    /// An answer of ours ended it, such as that of a failed bind.
    #[error("refused")]
    Refused,
    /// The peer did not bind in time.
    #[error("not bound in time")]
    NotBound,
    /// The peer was silent for too long, and did not answer when it was asked.
    #[error("the peer is silent")]
    Inactive,
    /// The peer does not read what it is sent.
    #[error("the peer does not read")]
    Stalled,
    /// What comes makes no sense any more.
    #[error("garbage: {0}")]
    Garbage(String),
    /// The peer left too many requests unanswered, one after the other.
    #[error("the peer does not answer requests")]
    Unanswered,
    /// The connection failed.
    #[error("connection failed: {0}")]
    Failed(String),
}

/// A link that has not begun.
#[derive(Debug)]
pub struct Link {
    options: Options,
    tap: Arc<dyn Tap>,
    requests: handle::Requests,
    leave: CancellationToken,
    /// Cancelled when the link has ended; whoever holds a handle can wait for it.
    ended: CancellationToken,
}

impl Link {
    /// A link and its handle.
    #[must_use]
    pub fn new(options: Options) -> (Self, Handle) {
        let (requests, handle) = handle::channel(options.window_out);
        let link = Self {
            options,
            tap: Arc::new(Closed),
            requests,
            leave: handle.leave_token(),
            ended: handle.ended_token(),
        };
        (link, handle)
    }

    /// The same with somebody who looks at its PDUs.
    #[must_use]
    pub fn with_tap(mut self, tap: Arc<dyn Tap>) -> Self {
        self.tap = tap;
        self
    }

    /// Runs until the connection is of no use any more. Dropping the future cuts the connection
    /// without a word; [`Handle::leave`] ends it in order.
    pub async fn run<S, H>(self, stream: S, handler: H) -> Ended
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
        H: Handler,
    {
        let ended = self.ended.clone();
        let guard = ended.drop_guard();
        let why = Running::new(self, handler).run(stream).await;
        drop(guard);
        why
    }
}

#[cfg(test)]
mod tests;
