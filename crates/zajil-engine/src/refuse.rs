//! What the store's failures mean to clients. Internal detail goes to the log, never to the wire.

use zajil_core::outcome::{Reason, Refusal};
use zajil_store::contract::Error;

/// The refusal for a failure; `missing` completes "… not found".
pub(crate) fn failed(error: Error, missing: &str) -> Refusal {
    match &error {
        Error::NotFound => {
            return Refusal::new(Reason::NotFound, format!("{missing} not found"));
        }
        Error::Unknown(_) | Error::Damaged(_) => tracing::error!(%error, "the store failed"),
        Error::Busy | Error::Full(_) | Error::Down(_) | Error::Closed | Error::Conflict(_) => {}
    }
    error.refusal()
}

pub(crate) fn stopping() -> Refusal {
    Error::Closed.refusal()
}

pub(crate) fn key_reused() -> Refusal {
    let detail = "this idempotency key came with another request before: use a new key";
    Refusal::new(Reason::KeyReused, detail)
}

pub(crate) fn internal() -> Refusal {
    Refusal::new(Reason::Internal, "internal error")
}
