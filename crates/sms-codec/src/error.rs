//! What can be wrong with octets or with a value, and where.

/// Why octets cannot be decoded, or a value cannot be encoded.
///
/// Decoding errors carry the octet offset, counted from the first octet given to the decoder,
/// and the name of the field as the standard writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The octets end inside a field.
    #[error("{field} at octet {offset} ends {missing} octets too early")]
    Truncated {
        /// The field that is incomplete.
        field: &'static str,
        /// Where the field begins.
        offset: usize,
        /// How many octets are missing.
        missing: usize,
    },
    /// Octets are left over after the last field.
    #[error("{count} octets are left over at octet {offset}")]
    Trailing {
        /// Where the surplus begins.
        offset: usize,
        /// How many octets are left over.
        count: usize,
    },
    /// A length octet says something that the standard does not allow.
    #[error("{field} at octet {offset} has the forbidden length {length}")]
    Length {
        /// The field whose length it is.
        field: &'static str,
        /// Where the length octet is.
        offset: usize,
        /// The length as written.
        length: usize,
    },
    /// An octet has a value with which decoding cannot go on.
    #[error("{field} at octet {offset} has the impossible value {value:#04x}")]
    Value {
        /// The field that holds the octet.
        field: &'static str,
        /// Where the octet is.
        offset: usize,
        /// The octet.
        value: u8,
    },
    /// A character has no code in the alphabet that was asked for.
    #[error("the character {character:?} at byte {index} is not in the alphabet")]
    Character {
        /// Byte position in the text.
        index: usize,
        /// The character.
        character: char,
    },
    /// A value does not fit the field it is meant for.
    #[error("{field} cannot hold {length}, the limit is {limit}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// What was asked for, in the unit of the field.
        length: usize,
        /// The most that fits.
        limit: usize,
    },
    /// A value is outside what its field can express.
    #[error("{field} cannot express {value}")]
    Range {
        /// The field.
        field: &'static str,
        /// The value that was asked for.
        value: i64,
    },
}

impl Error {
    /// The same error, seen from `octets` octets further ahead.
    pub(crate) const fn moved(self, octets: usize) -> Self {
        match self {
            Self::Truncated {
                field,
                offset,
                missing,
            } => Self::Truncated {
                field,
                offset: offset + octets,
                missing,
            },
            Self::Trailing { offset, count } => Self::Trailing {
                offset: offset + octets,
                count,
            },
            Self::Length {
                field,
                offset,
                length,
            } => Self::Length {
                field,
                offset: offset + octets,
                length,
            },
            Self::Value {
                field,
                offset,
                value,
            } => Self::Value {
                field,
                offset: offset + octets,
                value,
            },
            other => other,
        }
    }
}
