//! Accounts of SMPP applications.

use axum::http::StatusCode;
use serde_json::json;

use super::paged;
use crate::dto::smpp_account::{AccountIn, AccountOut};
use crate::openapi::Operation;
use crate::openapi::schema::{self, Schema, data, list, shown};

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
