//! What a client hears when the store did not do it: what it can do, and nothing internal.

use zajil_core::outcome::{Reason, Refusal};

use crate::Error;

impl Error {
    /// The refusal that says so. What is broken is for the log, which is the caller's.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let (reason, detail) = match self {
            Self::Busy => (
                Reason::Overloaded,
                "the store has as much work as it can hold: try again",
            ),
            Self::Full(_) => (
                Reason::StorageFull,
                "the store has no room left: try again later",
            ),
            Self::Down(_) => (
                Reason::StorageDown,
                "the store cannot be used now: try again later",
            ),
            Self::Unknown(_) => (
                Reason::StorageDown,
                "the store failed and the change may have been made: check, or try again",
            ),
            Self::Closed => (
                Reason::Stopping,
                "this node is stopping: try another, or try again",
            ),
            Self::Conflict(detail) => return Refusal::new(Reason::Conflict, detail.clone()),
            Self::NotFound => (Reason::NotFound, "no such record"),
            Self::Damaged(_) => (Reason::Internal, "internal error"),
        };
        Refusal::new(reason, detail)
    }
}
