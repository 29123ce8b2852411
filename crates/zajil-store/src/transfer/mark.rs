//! The mark of a move: which one it is, how far it came, and what a node that wants to start hears.

use zajil_core::civil;
use zajil_core::clock::Timestamp;

use super::{Row, Table};

/// Which side of a move a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything is read from it.
    Source,
    /// Everything is written to it.
    Target,
}

/// What a store says of a move that it is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Drawn when the move began, and the same on both sides.
    pub id: String,
    /// Which side this store is.
    pub role: Role,
    /// Where the other side is, without passwords.
    pub other: String,
    /// When it began; once it is over, when it was.
    pub at: Timestamp,
    /// Whether everything has been carried and compared.
    pub done: bool,
    /// Of a target: the table and the key that came last; none before the first row.
    pub reached: Option<(Table, Row)>,
}

impl Mark {
    /// Why no node may start on a store with this mark; none when it may.
    #[must_use]
    pub fn keeps_out(&self) -> Option<String> {
        let (other, at) = (&self.other, civil::to_the_second(self.at));
        match (self.role, self.done) {
            (Role::Source, false) => Some(format!(
                "its data are on their way to {other} since {at}: run the same zajil migrate again \
                 to go on, or with --undo to give it up"
            )),
            (Role::Source, true) => Some(format!(
                "its data were moved to {other} at {at}; zajil migrate --undo lets it start again, \
                 with what it held then"
            )),
            (Role::Target, false) => Some(format!(
                "it holds a part of what is moved here from {other} since {at}: run the same zajil \
                 migrate again to go on; if the move was given up, empty it"
            )),
            (Role::Target, true) => None,
        }
    }
}
