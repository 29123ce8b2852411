//! What each page does, in the order of the router.

pub(crate) mod access;
pub(crate) mod delivery;
pub(crate) mod messages;
pub(crate) mod shelf;
pub(crate) mod smpp;
pub(crate) mod system;
pub(crate) mod tables;
pub(crate) mod webhooks;

use zajil_core::message::Message;

use super::Operation;
use super::schema::{self, Schema, given, list, shown, success};

/// The first id that a node of the tests hands out.
const MESSAGE: &str = "264905533947904";

/// An operation on one message.
fn on_message(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).path("id", shown::id(), MESSAGE)
}

fn one_message() -> Schema {
    success(schema::of::<Message>())
}

fn messages() -> Schema {
    success(list(schema::of::<Message>(), None))
}

/// `limit` and `offset`.
fn paged(operation: Operation) -> Operation {
    operation
        .query(
            "limit",
            shown::integer(1, 1_000).default(100),
            "At most this many.",
        )
        .query(
            "offset",
            shown::integer(0, 10_000_000).default(0),
            "After skipping this many.",
        )
}

/// `Idempotency-Key` (D6).
fn keyed(operation: Operation) -> Operation {
    let key = given::header_text(255);
    operation.header(
        "Idempotency-Key",
        key,
        "The same key and body of the same caller get the first answer again; another body is \
         refused (D6).",
    )
}
