//! Delivery receipts: who is owed one for what has just become of a message (D19).
//!
//! Every store asks [`owed`] inside the transaction that changes the message, so a receipt is
//! neither lost nor made twice.

use crate::clock::Timestamp;
use crate::event::{Event, EventName};
use crate::frontend::FrontendName;
use crate::id::MessageId;
use crate::message::Message;
use crate::retry::schedule::ErrorClass;
use crate::smpp::{Named, Origin};
use crate::status::FinalStatus;

/// The most characters of a text that its receipt repeats.
const TEXT_CHARACTERS: usize = 20;

/// Which endings a receipt is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum On {
    /// For none.
    #[default]
    Never,
    /// For every one.
    Always,
    /// For those without a delivery.
    Failure,
    /// For deliveries.
    Success,
}

impl On {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Never, Self::Always, Self::Failure, Self::Success];

    /// The stored spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
            Self::Failure => "failure",
            Self::Success => "success",
        }
    }

    /// The choice that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    const fn wants(self, delivered: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Failure => !delivered,
            Self::Success => delivered,
        }
    }
}

/// What a receipt says of its message: the states that the applications' protocols know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// An attempt has failed; others follow.
    Enroute,
    /// It was delivered.
    Delivered,
    /// Its life was over before.
    Expired,
    /// It was taken out before, by its sender, an operator or a drop route.
    Deleted,
    /// It can never be delivered.
    Undeliverable,
    /// It was refused after it had been accepted.
    Rejected,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Enroute,
        Self::Delivered,
        Self::Expired,
        Self::Deleted,
        Self::Undeliverable,
        Self::Rejected,
    ];

    /// The word in stored receipts and in the log of the message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enroute => "ENROUTE",
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Undeliverable => "UNDELIV",
            Self::Rejected => "REJECTD",
        }
    }

    /// The state that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether nothing follows it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Enroute)
    }

    /// Whether it may come of what a network said.
    #[must_use]
    pub const fn has_cause(self) -> bool {
        matches!(self, Self::Enroute | Self::Expired | Self::Undeliverable)
    }

    /// How a message ended, with the log of its end, or of its life.
    #[must_use]
    pub fn of(how: FinalStatus, events: &[Event]) -> Self {
        match how {
            FinalStatus::Delivered => Self::Delivered,
            FinalStatus::Expired => Self::Expired,
            FinalStatus::Failed if events.iter().any(|e| e.name == EventName::Deleted) => {
                Self::Deleted
            }
            FinalStatus::Failed => Self::Undeliverable,
            FinalStatus::Rejected => Self::Rejected,
            FinalStatus::Dropped => Self::Deleted,
        }
    }
}

/// Why a delivery failed, as the network said it: `network_error_code` (SMPP 5.0, 4.8.4.42).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkError {
    /// Whose code it is: 1 ANSI-136, 2 IS-95, 3 GSM, 8 a message centre's own.
    pub network: u8,
    /// The code.
    pub code: u16,
}

impl NetworkError {
    /// GSM: the errors of MAP (29.002, 17.6.6).
    pub const GSM: u8 = 3;
    /// A message centre's own.
    pub const CENTRE: u8 = 8;
    /// Those that have a number (SMPP 5.0, 4.8.4.42).
    pub const NETWORKS: std::ops::RangeInclusive<u8> = 1..=8;

    /// What a GSM network says of failures of this class; none where it may be anything.
    #[must_use]
    pub const fn of(class: ErrorClass) -> Option<Self> {
        let code = match class {
            ErrorClass::Absent => 27,
            ErrorClass::Busy => 31,
            ErrorClass::MemoryFull => 32,
            ErrorClass::Temporary | ErrorClass::Congestion => return None,
        };
        Some(Self {
            network: Self::GSM,
            code,
        })
    }
}

/// A receipt: all that its application is told, which no longer depends on the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The message that it is about; it has one receipt at a time.
    pub message: MessageId,
    /// Who is owed it.
    pub account: FrontendName,
    /// The id under which the account knows the message.
    pub known_as: MessageId,
    /// Whom it comes from: the destination, as the account named it.
    pub from: Named,
    /// Whom it goes to: the sender, as the account named it.
    pub to: Named,
    /// `user_message_reference` of the submit.
    pub reference: Option<u16>,
    /// What has become of the message.
    pub state: State,
    /// Why, if it was not delivered and somebody said so.
    pub error: Option<NetworkError>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it came to this state.
    pub done_at: Timestamp,
    /// The beginning of its text.
    pub text: String,
}

/// The receipt that is owed for a message which has just changed; `events` are the lines that the
/// change adds to its log.
///
/// None for a message whose submit was refused: its sender has never had an id for it.
#[must_use]
pub fn owed(message: &Message, events: &[Event]) -> Option<Receipt> {
    let origin = message.arranged.origin.as_deref()?;
    let has = |name: fn(&EventName) -> bool| events.iter().any(|event| name(&event.name));
    let (state, done_at) = match message.ending() {
        Some(ending) => {
            let refused = ending.how == FinalStatus::Rejected
                && has(|name| *name == EventName::ChargingFailed);
            let delivered = ending.how == FinalStatus::Delivered;
            if refused || !origin.receipt.wants(delivered) {
                return None;
            }
            (State::of(ending.how, events), ending.at)
        }
        None => {
            let failed = has(|name| matches!(name, EventName::DeliveryAttempt(_)));
            if !failed || !origin.intermediate {
                return None;
            }
            (State::Enroute, message.updated_at)
        }
    };
    receipt(message, origin, state, done_at)
}

fn receipt(
    message: &Message,
    origin: &Origin,
    state: State,
    done_at: Timestamp,
) -> Option<Receipt> {
    let content = &message.content;
    Some(Receipt {
        message: message.id,
        account: content.source_smsc.clone()?,
        known_as: origin.known_as.unwrap_or(message.id),
        from: origin.destination.clone(),
        to: origin.source.clone(),
        reference: origin.reference,
        state,
        error: origin.error.filter(|_| state.has_cause()),
        submitted_at: message.inserted_at,
        done_at,
        text: content.body.chars().take(TEXT_CHARACTERS).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_what_they_are_the_word_of() {
        for on in On::ALL {
            assert_eq!(On::parse(on.as_str()), Some(on));
        }
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
            assert_eq!(state.is_final(), state != State::Enroute);
        }
        assert_eq!(
            (On::parse("Always"), State::parse("DELIVERED")),
            (None, None)
        );
    }
}
