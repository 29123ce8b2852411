//! The state of the node: `/api/status`, `/healthz`, `/readyz`.

use std::collections::BTreeMap;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use zajil_core::outcome::{Reason, Refusal};

use crate::dto::At;
use crate::json;
use crate::options::Part;
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

#[derive(Debug, Serialize)]
struct Ready {
    status: &'static str,
    /// `ok`, or what is wrong.
    parts: BTreeMap<&'static str, String>,
}

/// `GET /readyz`: the node can take and hand out messages. A part that it can do without is shown,
/// and does not make it unready.
pub(crate) async fn ready(api: Shared, _: Request) -> Result<Response, Refusal> {
    let parts = api.options.ready.check().await;
    let broken = parts.iter().find_map(|part| match &part.state {
        Err(why) if part.needed => Some(format!("not ready: {}: {why}", part.name)),
        Ok(()) | Err(_) => None,
    });
    if let Some(detail) = broken {
        return Err(Refusal::new(Reason::Stopping, detail));
    }
    let told = |part: &Part| match &part.state {
        Ok(()) => "ok".to_owned(),
        Err(why) => why.clone(),
    };
    let ready = Ready {
        status: "ready",
        parts: parts.iter().map(|part| (part.name, told(part))).collect(),
    };
    json::bare(StatusCode::OK, &ready)
}
