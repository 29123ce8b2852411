//! What happened in a run, in order, as seen from outside the engines: what the checker judges.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::outcome::Reason;
use zajil_core::status::FinalStatus;

use crate::time::TrueTime;

/// One submit of a client, whatever becomes of it; the text of the message names it.
pub(crate) type Token = u32;
/// One life of a node, from a start to a crash or stop.
pub(crate) type LifeNumber = u32;

/// How a submit came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Sync,
    Async,
}

/// A message as somebody got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) id: MessageId,
    pub(crate) attempts: u32,
    pub(crate) not_before: Timestamp,
    pub(crate) expires: Timestamp,
    /// When the node set about asking the store.
    pub(crate) asked: Timestamp,
    /// For how long it is held.
    pub(crate) lease: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A client was told that its message is taken.
    Taken {
        token: Token,
        id: MessageId,
        door: Door,
        life: LifeNumber,
    },
    /// A client was told that it is not.
    Refused { token: Token, reason: Reason },
    /// A client heard nothing.
    Lost(Token),
    /// The store gave a message to a poller.
    Gave(Got),
    /// A report, an edit or a removal took effect in the store: nobody holds the message now.
    Let(MessageId),
    /// A message ended in the store.
    Ended(MessageId, FinalStatus),
    /// A frontend was told that its report ended a message.
    Told(MessageId, FinalStatus),
    /// An id was used again.
    IdTaken(MessageId),
    /// An outbox entry was read.
    Outbox { place: u64, message: i64 },
    /// A row was written, or found there already.
    Row(Box<Cdr>),
    /// Money was taken for a message.
    Debit(MessageId),
    /// Money was given back.
    Refund(MessageId),
    /// A process died.
    Crashed(LifeNumber),
    /// A process was asked to stop, and has.
    Stopped { life: LifeNumber, took: Duration },
    /// Nothing fails from now on.
    Calm,
}

impl What {
    /// Whether a story of this message would leave something out without it.
    pub(crate) fn is_about(&self, message: MessageId) -> bool {
        match self {
            Self::Taken { id, .. }
            | Self::Let(id)
            | Self::Ended(id, _)
            | Self::Told(id, _)
            | Self::IdTaken(id)
            | Self::Debit(id)
            | Self::Refund(id) => *id == message,
            Self::Gave(got) => got.id == message,
            Self::Outbox { message: id, .. } => *id == message.as_i64(),
            Self::Row(row) => row.message_id == message.as_i64(),
            Self::Refused { .. } | Self::Lost(_) => false,
            Self::Crashed(_) | Self::Stopped { .. } | Self::Calm => true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// True time.
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) struct History {
    time: TrueTime,
    entries: Mutex<Vec<Entry>>,
}

impl History {
    pub(crate) fn new(time: TrueTime) -> Self {
        let entries = Mutex::default();
        Self { time, entries }
    }

    pub(crate) fn add(&self, what: What) {
        let at = self.time.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(Entry { at, what });
    }

    pub(crate) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
