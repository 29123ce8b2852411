//! Keys, and the audit log.

use axum::http::StatusCode;
use serde_json::json;

use crate::audit::Log;
use crate::dto::key::{KeyIn, KeyOut};
use crate::openapi::Operation;
use crate::openapi::schema::{self, data, list, shown};

pub(crate) fn keys() -> Operation {
    let rows = data(list(schema::of::<KeyOut<'_>>(), None));
    Operation::new("listKeys", "Lists the keys, without their secrets").answer(
        StatusCode::OK,
        "The keys.",
        rows,
    )
}

pub(crate) fn key_create() -> Operation {
    Operation::new("createKey", "Makes a key")
        .detail("`key` of the answer is the key itself: it is shown this once.")
        .body::<KeyIn<'_>>(json!({ "name": "billing", "scopes": ["read"] }))
        .answer(
            StatusCode::CREATED,
            "The key.",
            data(schema::of::<KeyOut<'_>>()),
        )
        .leads_to("showKey", "id", "/data/id")
        .leads_to("revokeKey", "id", "/data/id")
}

pub(crate) fn key() -> Operation {
    Operation::new("showKey", "Shows a key, without its secret")
        .path("id", shown::text(), "unknown")
        .answer(StatusCode::OK, "The key.", data(schema::of::<KeyOut<'_>>()))
}

pub(crate) fn key_revoke() -> Operation {
    Operation::new("revokeKey", "Revokes a key")
        .detail("It opens nothing from now on; on other nodes within a second.")
        .path("id", shown::text(), "unknown")
        .empty("It is revoked.")
}

pub(crate) fn audit() -> Operation {
    Operation::new("listAudit", "Shows who changed what, newest first")
        .query("what", shown::text(), "Only changes of these, as `route`.")
        .query("id", shown::text(), "Only changes of this one.")
        .query(
            "who",
            shown::text(),
            "A part of the name of who changed it.",
        )
        .query("before", shown::row(), "`next` of the page before.")
        .query(
            "limit",
            shown::integer(1, 1_000).default(100),
            "At most this many.",
        )
        .answer(StatusCode::OK, "A page.", schema::of::<Log>())
}
