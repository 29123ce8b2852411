//! What may be said of a message, and how its charge may end.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::message::Message;
use crate::receipt::{NetworkError, On};
use crate::retry::schedule::{ErrorClass, Schedules};
use crate::smpp::Awaited;
use crate::status::FinalStatus;

/// What somebody says became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It was delivered (`mark_delivered`).
    Delivered {
        /// The frontend that did it; takes over `dest_smsc`.
        by: Option<FrontendName>,
        /// When, as far as the reporter knows; now otherwise.
        at: Option<Timestamp>,
    },
    /// An attempt failed and may be repeated (PUT, `mark_failed` with `permanent: false`).
    AttemptFailed {
        /// Why, in the frontend's words.
        reason: Option<String>,
        /// The frontend's own wait instead of the schedule.
        retry_after: Option<Duration>,
        /// The frontend that reports it, if it says.
        by: Option<FrontendName>,
        /// What kind of failure it was, if the reporter says.
        class: Option<ErrorClass>,
        /// The waits in force.
        schedules: Arc<Schedules>,
    },
    /// It ended undelivered (`mark_failed` with `permanent: true`, a status set by PATCH).
    Ended {
        /// In which way: not [`FinalStatus::Delivered`].
        how: FinalStatus,
        /// Why.
        reason: Option<String>,
    },
    /// A frontend will never deliver it (`mark_failed` with `permanent: true`): the next one gets
    /// its turn (D12), or it ends.
    Refused {
        /// The frontend that refuses, if it says: the turn of another is not its to end.
        by: Option<FrontendName>,
        /// Why, in the frontend's words.
        reason: Option<String>,
    },
    /// A network beyond ours has taken it and will say later how it ended: it is offered to nobody
    /// until then.
    Taken {
        /// The frontend that handed it over.
        by: Option<FrontendName>,
        /// When it is offered again if nothing was said.
        until: Timestamp,
        /// As what, in the frontend's words.
        told: String,
        /// What receipts are waited for from now on, if they name it by ids.
        parts: Option<Awaited>,
    },
    /// What a network beyond ours says of what it has taken. Nothing once the message is not held
    /// any more by that very [`Report::Taken`]: of what says the same end twice, one counts, and
    /// what comes late leaves the next attempt alone.
    Heard {
        /// Until when it was held.
        held_until: Timestamp,
        /// What it says.
        says: Box<Report>,
    },
    /// A failure, and the code that the network gave for it.
    Because {
        /// The code, for receipts.
        error: NetworkError,
        /// What is said of the message.
        says: Box<Report>,
    },
    /// The charging system has answered for a message that waits for that.
    Charged(Settlement),
    /// Time has passed: the sweep's report. The life is over (S9.1), the frontend has had its turn
    /// (D12), or charging was never answered (D14). Nothing happens before
    /// [`Message::next_turn`](crate::message::Message::next_turn).
    Overdue,
    /// An operator or client removed it.
    Removed,
}

impl Report {
    /// This, for the reason that the network gave, if it gave one.
    #[must_use]
    pub fn because(self, error: Option<NetworkError>) -> Self {
        match error {
            None => self,
            Some(error) => Self::Because {
                error,
                says: Box::new(self),
            },
        }
    }

    /// What is to be kept of why it failed; none when it does not say whether or why.
    fn cause(&self) -> Option<Option<NetworkError>> {
        match self {
            Self::AttemptFailed {
                class: Some(ErrorClass::Congestion),
                ..
            } => None,
            Self::AttemptFailed { class, .. } => Some(class.and_then(NetworkError::of)),
            Self::Ended { .. } | Self::Refused { .. } => Some(None),
            _ => None,
        }
    }

    /// Keeps why it failed, where a receipt will tell.
    pub(super) fn keep_cause(&self, message: &mut Message, told: Option<NetworkError>) {
        let Some(cause) = told.map(Some).or_else(|| self.cause()) else {
            return;
        };
        if let Some(origin) = message.arranged.origin.as_deref_mut()
            && (origin.intermediate || origin.receipt != On::Never)
        {
            origin.error = cause;
        }
    }

    /// What it says, for the log of a message that it comes too late for.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Heard { says, .. } | Self::Because { says, .. } => says.word(),
            Self::Delivered { .. } => "delivered",
            Self::AttemptFailed { .. } => "attempt failed",
            Self::Ended { .. } => "ended",
            Self::Refused { .. } => "refused",
            Self::Taken { .. } => "taken",
            Self::Charged(_) => "charged",
            Self::Overdue => "overdue",
            Self::Removed => "removed",
        }
    }
}

/// How charging ended for a message (S7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It may go on; its price was taken for so many parts, or will be later.
    Granted {
        /// The parts whose price was taken.
        debited: Option<NonZeroU32>,
    },
    /// It goes on unpaid.
    Uncharged {
        /// Why, for the operator.
        why: String,
    },
    /// It is rejected.
    Rejected {
        /// Why, for the operator.
        why: String,
    },
}
