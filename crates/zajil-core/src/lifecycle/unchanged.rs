//! Why a report or edit of a message changed nothing.

use crate::status::FinalStatus;

/// Why a report or edit changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unchanged {
    /// The message has ended.
    #[error("the message is already {0}")]
    AlreadyFinal(FinalStatus),
    /// [`Overdue`](super::Report::Overdue) came before the turn of the message, or
    /// [`Charged`](super::Report::Charged) for one that waits for no charge.
    #[error("nothing about the message is due")]
    NotYet,
    /// The message waits for its charge: until that is answered nothing else may end it, or money
    /// would be taken for nothing.
    #[error("the message is still being charged")]
    Charging,
    /// The report is of a frontend that does not have the message any more, or the edit of somebody
    /// who must leave alone what a frontend has.
    #[error("the message is with another frontend now")]
    NotTheirs,
}
