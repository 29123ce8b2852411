//! Multimedia messages and SS7 events.

use axum::http::StatusCode;
use serde_json::json;

use super::paged;
use crate::openapi::Operation;
use crate::openapi::schema::{self, list, shown, success};
use crate::shelf::Shelved;

/// The names of the operations under one path.
pub(crate) trait Named {
    const LIST: &'static str;
    const CREATE: &'static str;
    const SHOW: &'static str;
    const UPDATE: &'static str;
    const REMOVE: &'static str;
}

/// `/api/mms_messages`.
#[derive(Debug)]
pub(crate) struct MmsMessages;

impl Named for MmsMessages {
    const LIST: &'static str = "listMmsMessages";
    const CREATE: &'static str = "createMmsMessage";
    const SHOW: &'static str = "showMmsMessage";
    const UPDATE: &'static str = "updateMmsMessage";
    const REMOVE: &'static str = "removeMmsMessage";
}

/// `/api/mms_message_queues`.
#[derive(Debug)]
pub(crate) struct MmsQueues;

impl Named for MmsQueues {
    const LIST: &'static str = "listMmsMessageQueues";
    const CREATE: &'static str = "createMmsMessageQueue";
    const SHOW: &'static str = "showMmsMessageQueue";
    const UPDATE: &'static str = "updateMmsMessageQueue";
    const REMOVE: &'static str = "removeMmsMessageQueue";
}

/// `/api/ss7_events`.
#[derive(Debug)]
pub(crate) struct Ss7Events;

impl Named for Ss7Events {
    const LIST: &'static str = "listSs7Events";
    const CREATE: &'static str = "createSs7Event";
    const SHOW: &'static str = "showSs7Event";
    const UPDATE: &'static str = "updateSs7Event";
    const REMOVE: &'static str = "removeSs7Event";
}

pub(crate) fn all<T: Shelved, N: Named>() -> Operation {
    paged(Operation::new(N::LIST, "Lists records, newest first")).answer(
        StatusCode::OK,
        "The records.",
        success(list(schema::of::<T::Shown<'static>>(), None)),
    )
}

pub(crate) fn create<T: Shelved, N: Named>() -> Operation {
    Operation::new(N::CREATE, "Adds a record")
        .body::<T::Given>(T::example())
        .answer(
            StatusCode::CREATED,
            "The record.",
            success(schema::of::<T::Shown<'static>>()),
        )
        .leads_to(N::SHOW, "id", "/data/id")
        .leads_to(N::UPDATE, "id", "/data/id")
        .leads_to(N::REMOVE, "id", "/data/id")
}

fn on_record(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).path("id", shown::id(), "1")
}

pub(crate) fn show<T: Shelved, N: Named>() -> Operation {
    let row = success(schema::of::<T::Shown<'static>>());
    on_record(N::SHOW, "Shows a record").answer(StatusCode::OK, "The record.", row)
}

pub(crate) fn update<T: Shelved, N: Named>() -> Operation {
    on_record(N::UPDATE, "Changes a record")
        .detail("Fields that are absent stay.")
        .body::<T::Given>(json!({}))
        .answer(
            StatusCode::OK,
            "The record as it is now.",
            success(schema::of::<T::Shown<'static>>()),
        )
}

pub(crate) fn remove<T: Shelved, N: Named>() -> Operation {
    on_record(N::REMOVE, "Removes a record").empty("It is gone.")
}
