//! Subscriptions to events.

use axum::http::StatusCode;
use serde_json::json;

use crate::dto::webhook::{PingedOut, ReplayIn, WebhookIn, WebhookOut};
use crate::openapi::Operation;
use crate::openapi::schema::{self, Schema, data, list, shown};
use crate::webhooks::{DeadPage, Replayed};

fn webhook() -> Schema {
    data(schema::of::<WebhookOut<'_>>())
}

pub(crate) fn all() -> Operation {
    let rows = data(list(schema::of::<WebhookOut<'_>>(), None));
    Operation::new("listWebhooks", "Lists subscriptions")
        .answer(StatusCode::OK, "The subscriptions.", rows)
        .refuses(404)
}

pub(crate) fn create() -> Operation {
    Operation::new("createWebhook", "Subscribes to events")
        .detail("`secret` of the answer signs every call: it is shown this once.")
        .body::<WebhookIn<'_>>(json!({
            "url": "https://example.com/hook", "events": ["message_delivered"],
        }))
        .answer(StatusCode::CREATED, "The subscription.", webhook())
        .refuses(404)
        .leads_to("showWebhook", "id", "/data/id")
        .leads_to("removeWebhook", "id", "/data/id")
}

fn on_one(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).path("id", shown::id(), "1")
}

pub(crate) fn show() -> Operation {
    on_one("showWebhook", "Shows a subscription, without its secret").answer(
        StatusCode::OK,
        "The subscription.",
        webhook(),
    )
}

pub(crate) fn change() -> Operation {
    on_one("changeWebhook", "Changes a subscription")
        .detail("Fields that are absent stay.")
        .body::<WebhookIn<'_>>(json!({ "enabled": false }))
        .answer(StatusCode::OK, "The subscription as it is now.", webhook())
}

pub(crate) fn remove() -> Operation {
    on_one(
        "removeWebhook",
        "Ends a subscription, with all that waits for it",
    )
    .empty("It is gone.")
}

pub(crate) fn rotate() -> Operation {
    on_one(
        "rotateWebhook",
        "Makes a new secret; the former one signs too for a day",
    )
    .answer(
        StatusCode::OK,
        "The subscription, with its secret.",
        webhook(),
    )
}

pub(crate) fn test() -> Operation {
    on_one("testWebhook", "Sends a test event and says what came of it")
        .refuses(422)
        .answer(
            StatusCode::OK,
            "What came of it.",
            data(schema::of::<PingedOut<'_>>()),
        )
}

pub(crate) fn dead() -> Operation {
    on_one(
        "listDeadDeliveries",
        "Lists what was given up, newest first",
    )
    .query("before", shown::row(), "`next` of the page before.")
    .query(
        "limit",
        shown::integer(1, 1_000).default(100),
        "At most this many.",
    )
    .answer(StatusCode::OK, "A page.", schema::of::<DeadPage<'_>>())
}

pub(crate) fn replay() -> Operation {
    on_one(
        "replayDeliveries",
        "Tries what was given up anew: all, or `deliveries`",
    )
    .optional_body::<ReplayIn<'_>>(json!({}))
    .answer(StatusCode::OK, "How many.", data(schema::of::<Replayed>()))
}
