//! What the store's failures mean to clients. Internal detail goes to the log, never to the wire.

use zajil_core::outcome::{Reason, Refusal};
use zajil_store::contract::Error;

/// The refusal for a failure; `missing` completes "… not found".
pub(crate) fn failed(error: Error, missing: &str) -> Refusal {
    match error {
        Error::Busy => Refusal::new(Reason::Overloaded, "too many requests at once: try again"),
        Error::Full(_) => Refusal::new(
            Reason::StorageFull,
            "the storage has no room left: try again later",
        ),
        Error::Down(_) => Refusal::new(
            Reason::StorageDown,
            "the storage is not available: try again later",
        ),
        Error::Unknown(detail) => {
            tracing::error!(%detail, "a change may or may not have been stored");
            let told = "the storage failed and the change may have been made: check, or try again";
            Refusal::new(Reason::StorageDown, told)
        }
        Error::Closed => stopping(),
        Error::Conflict(sentence) => Refusal::new(Reason::Conflict, sentence),
        Error::NotFound => Refusal::new(Reason::NotFound, format!("{missing} not found")),
        Error::Damaged(detail) => {
            tracing::error!(%detail, "stored data is damaged");
            Refusal::new(Reason::Internal, "internal error")
        }
    }
}

pub(crate) fn stopping() -> Refusal {
    Refusal::new(
        Reason::Stopping,
        "this node is stopping: try another, or try again",
    )
}

pub(crate) fn key_reused() -> Refusal {
    let detail = "this idempotency key came with another request before: use a new key";
    Refusal::new(Reason::KeyReused, detail)
}

pub(crate) fn internal() -> Refusal {
    Refusal::new(Reason::Internal, "internal error")
}
