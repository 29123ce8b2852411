//! `command_id`: which operation a PDU is (SMPP 5.0, 4.7.5; 3.4, 5.1.2).

use std::fmt;

/// A `command_id` as it is on the wire; the constants stand with [`Pdu`](crate::Pdu).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u32);

/// The bit that makes a response of a request.
const RESPONSE: u32 = 0x8000_0000;

impl CommandId {
    /// The `command_id` of the response to this request.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | RESPONSE)
    }

    /// Whether it answers another PDU.
    #[must_use]
    pub const fn is_response(self) -> bool {
        self.0 & RESPONSE != 0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => out.write_str(name),
            None => write!(out, "{:#010x}", self.0),
        }
    }
}
