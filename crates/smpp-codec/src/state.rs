//! How far a message has come: `message_state` and the word of a receipt (SMPP 5.0, 4.7.15).

use std::fmt;

/// `message_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// Waits for its time (5.0).
    Scheduled,
    /// On its way.
    Enroute,
    /// At its destination.
    Delivered,
    /// Its validity is over.
    Expired,
    /// Taken out.
    Deleted,
    /// Cannot be delivered.
    Undeliverable,
    /// Taken by somebody on behalf of the subscriber.
    Accepted,
    /// Not known.
    Unknown,
    /// Refused.
    Rejected,
    /// Was not tried (5.0).
    Skipped,
    /// A value that no standard has.
    Other(u8),
}

/// Each state, its octet and its word.
const STATES: [(MessageState, u8, &str); 10] = [
    (MessageState::Scheduled, 0, "SCHEDLD"),
    (MessageState::Enroute, 1, "ENROUTE"),
    (MessageState::Delivered, 2, "DELIVRD"),
    (MessageState::Expired, 3, "EXPIRED"),
    (MessageState::Deleted, 4, "DELETED"),
    (MessageState::Undeliverable, 5, "UNDELIV"),
    (MessageState::Accepted, 6, "ACCEPTD"),
    (MessageState::Unknown, 7, "UNKNOWN"),
    (MessageState::Rejected, 8, "REJECTD"),
    (MessageState::Skipped, 9, "SKIPPED"),
];

impl MessageState {
    /// Of an octet.
    #[must_use]
    pub fn from_octet(octet: u8) -> Self {
        let known = STATES.iter().find(|(_, value, _)| *value == octet);
        known.map_or(Self::Other(octet), |(state, _, _)| *state)
    }

    /// As an octet.
    #[must_use]
    pub fn octet(self) -> u8 {
        if let Self::Other(octet) = self {
            return octet;
        }
        let known = STATES.iter().find(|(state, _, _)| *state == self);
        known.map_or(0, |(_, octet, _)| *octet)
    }

    /// The word of seven letters in a receipt.
    #[must_use]
    pub fn word(self) -> &'static str {
        let known = STATES.iter().find(|(state, _, _)| *state == self);
        known.map_or("UNKNOWN", |(_, _, word)| *word)
    }

    /// The state that a word means, in any case; longer forms such as `DELIVERED` too.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_uppercase();
        let longer = [
            ("DELIVERED", Self::Delivered),
            ("UNDELIVERABLE", Self::Undeliverable),
            ("UNDELIVERED", Self::Undeliverable),
            ("ACCEPTED", Self::Accepted),
            ("REJECTED", Self::Rejected),
            ("SCHEDULED", Self::Scheduled),
            ("UNDELIVRD", Self::Undeliverable),
        ];
        let canonical = STATES.iter().map(|(state, _, word)| (*word, *state));
        let mut all = canonical.chain(longer);
        all.find(|(known, _)| *known == word)
            .map(|(_, state)| state)
    }

    /// Whether nothing follows it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Scheduled | Self::Enroute | Self::Other(_) => false,
            Self::Delivered
            | Self::Expired
            | Self::Deleted
            | Self::Undeliverable
            | Self::Accepted
            | Self::Unknown
            | Self::Rejected
            | Self::Skipped => true,
        }
    }
}

impl fmt::Display for MessageState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}
