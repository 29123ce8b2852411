//! Texts between SMPP and the SMS centre: what `data_coding` means, headers, parts.

mod incoming;
mod outgoing;

pub use incoming::{Carried, Incoming, Unusable, read};
pub use outgoing::{Piece, write};

#[cfg(test)]
mod tests;
