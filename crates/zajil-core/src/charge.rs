//! Charging: what is asked of the charging system, and what its answer means for a message (S7).

use std::fmt;
use std::num::NonZeroU32;

use crate::clock::Timestamp;
use crate::id::MessageId;
use crate::message::Message;
use crate::outcome::Reason;
use crate::route::Charged;
use crate::status::FinalStatus;

/// How the charging system is used (D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It is asked whether the account could pay; no money moves (S7.2).
    Authorize,
    /// It takes the price at once, all or nothing.
    Debit,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Authorize, Self::Debit];

    /// The word in the configuration and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Debit => "debit",
        }
    }

    /// The mode that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// `charging_failure_action`: what becomes of a message that could not be charged because the
/// charging system failed (S7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureAction {
    /// It goes on, marked `charge_failed`.
    Allow,
    /// It is rejected.
    Deny,
}

impl FailureAction {
    /// Every action.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Deny];

    /// The word in the configuration and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// The action that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

/// Whether a message is charged: its route decides, or `default_charging_enabled` (S7.1).
#[must_use]
pub fn is_charged(route: Option<Charged>, charged_by_default: bool) -> bool {
    match route {
        Some(Charged::Yes) => true,
        Some(Charged::No) => false,
        Some(Charged::AsConfigured) | None => charged_by_default,
    }
}

/// What the charging system is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The message: every attempt at charging it carries the same identifiers.
    pub message: MessageId,
    /// The sender, after translation; who pays, unless configured otherwise.
    pub calling: String,
    /// The destination, after translation.
    pub called: String,
    /// `source_smsc`.
    pub source_smsc: Option<String>,
    /// What is paid for.
    pub parts: NonZeroU32,
    /// When: picks the tariff.
    pub at: Timestamp,
}

/// Why the charging system will not let the account pay: permanent until somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Not enough balance for every part.
    NoCredit,
    /// No such account.
    UnknownAccount,
    /// The account is switched off.
    DisabledAccount,
    /// The account may not reach this destination.
    BarredDestination,
    /// There is no price for it.
    NoTariff,
}

impl Refused {
    /// Every refusal.
    pub const ALL: [Self; 5] = [
        Self::NoCredit,
        Self::UnknownAccount,
        Self::DisabledAccount,
        Self::BarredDestination,
        Self::NoTariff,
    ];

    /// What a client of any door is told.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::NoCredit => Reason::NoCredit,
            Self::UnknownAccount => Reason::UnknownAccount,
            Self::DisabledAccount => Reason::DisabledAccount,
            Self::BarredDestination => Reason::BarredDestination,
            Self::NoTariff => Reason::NoTariff,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredit => "insufficient balance",
            Self::UnknownAccount => "the account is not known",
            Self::DisabledAccount => "the account is disabled",
            Self::BarredDestination => "the account may not reach this destination",
            Self::NoTariff => "there is no tariff for this message",
        })
    }
}

/// Whether money may have moved in a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Money {
    /// No: it was never asked, or said that nothing happened.
    Untouched,
    /// Perhaps: the answer did not come, or was not understood. Never ask again.
    Unknown,
}

/// A call that led to no answer about the account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failed {
    /// Whether money may have moved.
    pub money: Money,
    /// A sentence for the operator.
    pub why: String,
}

/// What the charging system said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The account can pay for every part; in [`Mode::Debit`] it has.
    Granted,
    /// It cannot.
    Refused(Refused),
    /// It said nothing that can be used.
    Failed(Failed),
}

/// What becomes of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It goes on, paid for or payable.
    Go,
    /// It goes on unpaid, marked `charge_failed`.
    GoUncharged,
    /// It is rejected, for this reason.
    Reject(Reason),
}

/// What an answer means for a message (S7.2).
#[must_use]
pub fn decide(verdict: &Verdict, on_failure: FailureAction) -> Decision {
    match (verdict, on_failure) {
        (Verdict::Granted, _) => Decision::Go,
        (Verdict::Refused(refused), _) => Decision::Reject(refused.reason()),
        (Verdict::Failed(_), FailureAction::Allow) => Decision::GoUncharged,
        (Verdict::Failed(_), FailureAction::Deny) => Decision::Reject(Reason::ChargingDown),
    }
}

/// What is to be given back of a message: the price of one that was debited and has ended
/// undelivered. Whether it is given back is the operator's to say.
#[must_use]
pub fn to_refund(message: &Message) -> Option<Call> {
    let how = message.ending()?.how;
    let parts = message.arranged.debited?;
    (how != FinalStatus::Delivered).then(|| Call::of(message, parts))
}

impl Call {
    /// The call for so many parts of a message.
    #[must_use]
    pub fn of(message: &Message, parts: NonZeroU32) -> Self {
        let content = &message.content;
        Self {
            message: message.id,
            calling: content.source.as_str().to_owned(),
            called: content.destination.as_str().to_owned(),
            source_smsc: content.source_smsc.as_ref().map(ToString::to_string),
            parts,
            at: message.inserted_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_1_the_route_overrides_the_default() {
        for default in [false, true] {
            assert!(is_charged(Some(Charged::Yes), default));
            assert!(!is_charged(Some(Charged::No), default));
            assert_eq!(is_charged(Some(Charged::AsConfigured), default), default);
            assert_eq!(is_charged(None, default), default);
        }
    }

    #[test]
    fn s7_2_a_refusal_rejects_whatever_the_failure_action_and_a_failure_obeys_it() {
        let failed = |money| {
            Verdict::Failed(Failed {
                money,
                why: "no answer".into(),
            })
        };
        for action in FailureAction::ALL {
            assert_eq!(decide(&Verdict::Granted, action), Decision::Go);
            for refused in Refused::ALL {
                let verdict = Verdict::Refused(refused);
                let decision = Decision::Reject(refused.reason());
                assert_eq!(decide(&verdict, action), decision);
            }
        }
        for money in [Money::Untouched, Money::Unknown] {
            let allowed = decide(&failed(money), FailureAction::Allow);
            assert_eq!(allowed, Decision::GoUncharged);
            let denied = decide(&failed(money), FailureAction::Deny);
            assert_eq!(denied, Decision::Reject(Reason::ChargingDown));
        }
    }
}
