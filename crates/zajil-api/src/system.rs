//! The state of the node: `/api/status`, `/healthz`, `/readyz`.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use zajil_core::outcome::{Reason, Refusal};

use crate::dto::At;
use crate::json;
use crate::router::Shared;

#[derive(Debug, Serialize)]
struct Status<'a> {
    status: &'static str,
    application: &'a str,
    timestamp: At,
}

/// `GET /api/status` (S3): without `data`, as the reference answers.
pub(crate) async fn status(api: Shared, _: Request) -> Result<Response, Refusal> {
    let application = &api.options.application;
    json::bare(
        StatusCode::OK,
        &Status {
            status: "ok",
            application,
            timestamp: At(api.now()),
        },
    )
}

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn alive(_: Shared, _: Request) -> Result<Response, Refusal> {
    json::bare(StatusCode::OK, &Health { status: "ok" })
}

/// `GET /readyz`: the node can take and hand out messages.
pub(crate) async fn ready(api: Shared, _: Request) -> Result<Response, Refusal> {
    match api.options.ready.check() {
        Ok(()) => json::bare(StatusCode::OK, &Health { status: "ready" }),
        Err(why) => Err(Refusal::new(Reason::Stopping, format!("not ready: {why}"))),
    }
}
