//! Accounts of SMPP applications, and carriers.

use axum::http::StatusCode;
use serde_json::json;

use super::paged;
use crate::dto::smpp_account::{AccountIn, AccountOut};
use crate::dto::smpp_carrier::{CarrierIn, CarrierOut};
use crate::openapi::Operation;
use crate::openapi::schema::{self, Schema, data, list, shown};
use crate::smpp_unmatched::UnmatchedOut;

fn account() -> Schema {
    data(schema::of::<AccountOut<'_>>())
}

fn on_account(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).path("system_id", shown::text(), "shop")
}

pub(crate) fn accounts() -> Operation {
    let rows = data(list(schema::of::<AccountOut<'_>>(), None));
    paged(Operation::new("listSmppAccounts", "Lists SMPP accounts")).answer(
        StatusCode::OK,
        "The accounts.",
        rows,
    )
}

pub(crate) fn account_create() -> Operation {
    Operation::new("createSmppAccount", "Lets an application bind over SMPP")
        .detail("In force within a second.")
        .body::<AccountIn<'_>>(json!({ "system_id": "shop", "password": "secret08" }))
        .answer(StatusCode::CREATED, "The account.", account())
}

pub(crate) fn account_show() -> Operation {
    on_account(
        "showSmppAccount",
        "Shows an SMPP account, without its password",
    )
    .answer(StatusCode::OK, "The account.", account())
}

pub(crate) fn account_update() -> Operation {
    on_account("updateSmppAccount", "Changes an SMPP account")
        .detail("Fields that are absent stay. Sessions that are bound stay as they are.")
        .body::<AccountIn<'_>>(json!({ "max_binds": 2 }))
        .answer(StatusCode::OK, "The account as it is now.", account())
}

pub(crate) fn account_remove() -> Operation {
    on_account("removeSmppAccount", "Removes an SMPP account").empty("It is removed.")
}

fn carrier() -> Schema {
    data(schema::of::<CarrierOut<'_>>())
}

fn on_carrier(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).path("name", shown::text(), "upstream")
}

pub(crate) fn carriers() -> Operation {
    let rows = data(list(schema::of::<CarrierOut<'_>>(), None));
    paged(Operation::new("listSmppCarriers", "Lists SMPP carriers")).answer(
        StatusCode::OK,
        "The carriers.",
        rows,
    )
}

pub(crate) fn carrier_create() -> Operation {
    Operation::new(
        "createSmppCarrier",
        "Binds to a message centre as its client",
    )
    .detail("In force within a second. Messages routed to its name are submitted to it.")
    .body::<CarrierIn<'_>>(json!({
        "name": "upstream",
        "hosts": ["192.0.2.1:2775"],
        "system_id": "zajil",
        "password": "secret08",
        "enabled": false,
    }))
    .answer(StatusCode::CREATED, "The carrier.", carrier())
}

pub(crate) fn carrier_show() -> Operation {
    on_carrier(
        "showSmppCarrier",
        "Shows an SMPP carrier, without its password",
    )
    .answer(StatusCode::OK, "The carrier.", carrier())
}

pub(crate) fn carrier_update() -> Operation {
    on_carrier("updateSmppCarrier", "Changes an SMPP carrier")
        .detail("Fields that are absent stay. Its sessions are left in order, and bound anew.")
        .body::<CarrierIn<'_>>(json!({ "messages_per_second": 50 }))
        .answer(StatusCode::OK, "The carrier as it is now.", carrier())
}

pub(crate) fn carrier_remove() -> Operation {
    on_carrier("removeSmppCarrier", "Removes an SMPP carrier").empty("It is removed.")
}

pub(crate) fn unmatched() -> Operation {
    let rows = data(list(schema::of::<UnmatchedOut<'_>>(), None));
    let summary = "Lists receipts of carriers that match no message";
    paged(Operation::new("listSmppUnmatched", summary))
        .detail("Newest first. They are kept for seven days.")
        .answer(StatusCode::OK, "The receipts.", rows)
}
