//! Why a request is refused: the closed list that every door maps to its own status (D18).

use std::fmt;

use crate::id::MessageId;

/// Why a request was refused. Each door owns one exhaustive `match` from this to its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request cannot be read at all: not JSON, not UTF-8, a broken PDU.
    Malformed,
    /// A field breaks a rule; the detail names both.
    Invalid,
    /// Nobody that the door knows: no key or token, or none that is valid (S3.8).
    Unauthenticated,
    /// The caller is known, and may not do this, or not from there (S3.8).
    Forbidden,
    /// More calls than are allowed: try again later (S3.7).
    RateLimited,
    /// The request is larger than the door allows.
    TooLarge,
    /// The frontend named is not known here.
    UnknownFrontend,
    /// An idempotency key came back with another body (D6).
    KeyReused,
    /// No such message, route, rule, location or page.
    NotFound,
    /// The door knows the place but not this verb.
    NotAllowed,
    /// The message has ended; its state is written once (D11).
    AlreadyFinal,
    /// The sender's account cannot pay for every part (S7.2).
    NoCredit,
    /// The charging system does not know the sender's account.
    UnknownAccount,
    /// The sender's account is disabled.
    DisabledAccount,
    /// The sender's account may not reach this destination.
    BarredDestination,
    /// The charging system has no price for the message.
    NoTariff,
    /// Something else with this name or number exists.
    Conflict,
    /// A queue of ours is full: try again.
    Overloaded,
    /// The door has as many connections as it may, in all or of one address: try again.
    TooManyConnections,
    /// The disk or the database has no room: try again when there is.
    StorageFull,
    /// The store is away or broken: try again.
    StorageDown,
    /// The charging system did not answer, and uncharged messages are denied: try again.
    ChargingDown,
    /// The keys of the token issuer are not known yet: try again (S3.8).
    IssuerDown,
    /// The node is stopping: try another, or again.
    Stopping,
    /// A bug on our side, caught and counted.
    Internal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 25] = [
        Self::Malformed,
        Self::Invalid,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::RateLimited,
        Self::TooLarge,
        Self::UnknownFrontend,
        Self::KeyReused,
        Self::NotFound,
        Self::NotAllowed,
        Self::AlreadyFinal,
        Self::NoCredit,
        Self::UnknownAccount,
        Self::DisabledAccount,
        Self::BarredDestination,
        Self::NoTariff,
        Self::Conflict,
        Self::Overloaded,
        Self::TooManyConnections,
        Self::StorageFull,
        Self::StorageDown,
        Self::ChargingDown,
        Self::IssuerDown,
        Self::Stopping,
        Self::Internal,
    ];

    /// The stable code: in metrics, logs and the pages under `docs/errors/`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::UnknownFrontend => "unknown_frontend",
            Self::KeyReused => "key_reused",
            Self::NotFound => "not_found",
            Self::NotAllowed => "not_allowed",
            Self::AlreadyFinal => "already_final",
            Self::NoCredit => "no_credit",
            Self::UnknownAccount => "unknown_account",
            Self::DisabledAccount => "disabled_account",
            Self::BarredDestination => "barred_destination",
            Self::NoTariff => "no_tariff",
            Self::Conflict => "conflict",
            Self::Overloaded => "overloaded",
            Self::TooManyConnections => "too_many_connections",
            Self::StorageFull => "storage_full",
            Self::StorageDown => "storage_down",
            Self::ChargingDown => "charging_down",
            Self::IssuerDown => "issuer_down",
            Self::Stopping => "stopping",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::TooManyConnections
            | Self::StorageFull
            | Self::StorageDown
            | Self::ChargingDown
            | Self::IssuerDown
            | Self::Stopping => true,
            Self::Malformed
            | Self::Invalid
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::TooLarge
            | Self::UnknownFrontend
            | Self::KeyReused
            | Self::NotFound
            | Self::NotAllowed
            | Self::AlreadyFinal
            | Self::NoCredit
            | Self::UnknownAccount
            | Self::DisabledAccount
            | Self::BarredDestination
            | Self::NoTariff
            | Self::Conflict
            | Self::Internal => false,
        }
    }
}

/// A refusal: the reason, and a sentence for the client that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What kind of refusal it is.
    pub reason: Reason,
    /// A sentence for the client: names the field and the rule, and nothing internal.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    /// A field that breaks a rule: `field` and the rest of a sentence, "must …".
    pub fn field(field: &str, rule: impl fmt::Display) -> Self {
        Self::new(Reason::Invalid, format!("{field} {rule}"))
    }

    /// No message has this id.
    #[must_use]
    pub fn no_message(id: MessageId) -> Self {
        Self::new(Reason::NotFound, format!("message {id} not found"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_stable_words() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(
            codes
                .iter()
                .all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        );
    }
}
