//! Texts between SMPP and the SMS centre: what `data_coding` means, headers, parts.

mod incoming;
mod outgoing;
mod plain;

pub use incoming::{Carried, Incoming, Unusable, read};
pub use outgoing::{Piece, write};
pub use plain::plain;

#[cfg(test)]
mod tests;
