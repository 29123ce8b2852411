//! What is wrong with a PDU, where, and which status says so.

use crate::Status;

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} at octet {offset} {problem}")]
pub struct Fault {
    /// The field, as the standard writes it; for an optional parameter its name too.
    pub field: &'static str,
    /// Where the field begins, counted from the first octet of the body.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
    /// What the answer says.
    pub status: Status,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The body ends inside it.
    #[error("is cut off")]
    Truncated,
    /// No zero octet ends the string.
    #[error("is not terminated by a zero octet")]
    Unterminated,
    /// It has more octets than the standard allows.
    #[error("is longer than {limit} octets")]
    TooLong {
        /// The limit, the zero octet of a string included.
        limit: usize,
    },
    /// An optional parameter has a length that its type does not have.
    #[error("has the impossible length {length}")]
    Length {
        /// The length as written.
        length: usize,
    },
    /// It has a value with which reading cannot go on.
    #[error("has the impossible value {value:#04x}")]
    Value {
        /// The octet.
        value: u8,
    },
}
