//! `/api/events`: the log of each message (S8).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use zajil_core::event::Scene;
use zajil_core::outcome::Refusal;

use crate::access::{Client, check_own};
use crate::dto::event::{EventOut, NewEvent};
use crate::router::Shared;
use crate::{body, error, json, query};

/// `GET /api/events/{message_id}`. The log outlives its message (`event_ttl_days`).
pub(crate) async fn list(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::message_id(&mut parts).await?;
    let events = api.store.events(id).await.map_err(error::from_store)?;
    if events.is_empty() {
        let found = api.store.message(id).await.map_err(error::from_store)?;
        found.ok_or_else(|| Refusal::no_message(id))?;
    }
    let lines: Vec<_> = events
        .iter()
        .map(|event| EventOut::new(id, event))
        .collect();
    json::data(StatusCode::OK, lines)
}

/// `POST /api/events`: an outside system adds a line of its own.
pub(crate) async fn add(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, api.options.max_body_bytes, &api.options).await?;
    let scene = Scene {
        now: api.now(),
        node: api.options.node.clone(),
    };
    let (id, event) = body::object::<NewEvent<'_>>(&payload)?.into_event(&scene)?;
    let client = Client::of(&parts.extensions)?;
    if !client.caller.scopes.is_admin() {
        let found = api.store.message(id).await.map_err(error::from_store)?;
        let found = found.ok_or_else(|| Refusal::no_message(id))?;
        check_own(&api, client, &found).await?;
    }
    let added = api
        .store
        .add_event(id, event.clone())
        .await
        .map_err(error::from_store)?;
    if !added {
        return Err(Refusal::no_message(id));
    }
    json::data(StatusCode::CREATED, EventOut::new(id, &event))
}
