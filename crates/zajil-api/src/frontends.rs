//! `/api/frontends`: who is there to deliver (S3.4).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use zajil_core::frontend::{FrontendName, Presence};
use zajil_core::outcome::Refusal;

use crate::access::Client;
use crate::dto::frontend::{FrontendOut, RegistrationIn, StatsOut};
use crate::router::{Api, Shared};
use crate::{body, error, json, query};

const KIND: &str = "frontend";

/// `GET /api/frontends`: the latest stretch of each.
pub(crate) async fn list(api: Shared, _: Request) -> Result<Response, Refusal> {
    let frontends = api.store.frontends().await.map_err(error::from_store)?;
    shown(&api, &frontends)
}

/// `GET /api/frontends/active`.
pub(crate) async fn active(api: Shared, _: Request) -> Result<Response, Refusal> {
    let mut frontends = api.store.frontends().await.map_err(error::from_store)?;
    let now = api.now();
    frontends.retain(|presence| presence.is_active(now));
    shown(&api, &frontends)
}

/// `GET /api/frontends/history/{name}`: all stretches of one, newest first.
pub(crate) async fn history(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let segment = query::path(&mut parts).await?;
    let name =
        FrontendName::parse(&segment).map_err(|_| error::unknown(KIND, &query::shown(&segment)))?;
    let stretches = api
        .store
        .frontend_history(name)
        .await
        .map_err(error::from_store)?;
    shown(&api, &stretches)
}

fn shown(api: &Api, frontends: &[Presence]) -> Result<Response, Refusal> {
    let now = api.now();
    let pause = |presence: &Presence| api.control.pause(&presence.registration.name);
    let pauses: Vec<_> = frontends.iter().map(pause).collect();
    let rows: Vec<_> = frontends
        .iter()
        .zip(&pauses)
        .map(|(presence, pause)| FrontendOut::new(presence, pause.as_ref(), now))
        .collect();
    json::data(StatusCode::OK, rows)
}

/// `GET /api/frontends/stats`.
pub(crate) async fn stats(api: Shared, _: Request) -> Result<Response, Refusal> {
    let stats = api
        .store
        .frontend_stats(api.now())
        .await
        .map_err(error::from_store)?;
    json::data(StatusCode::OK, StatsOut::from(stats))
}

/// `GET /api/frontends/{id}`.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let found = api.store.frontend(id).await.map_err(error::from_store)?;
    let found = found.ok_or_else(|| error::unknown(KIND, &id.to_string()))?;
    let pause = api.control.pause(&found.registration.name);
    json::data(
        StatusCode::OK,
        FrontendOut::new(&found, pause.as_ref(), api.now()),
    )
}

/// `POST /api/frontends` and `/api/frontends/register`: 201 when a stretch begins, 200 when one
/// goes on.
pub(crate) async fn register(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, api.options.max_body_bytes, &api.options).await?;
    let mut registration = body::object::<RegistrationIn<'_>>(&payload)?.into_registration()?;
    let client = Client::of(&parts.extensions)?;
    client.check_acts_for(&registration.name)?;
    if registration.ip_address.is_none() {
        registration.ip_address = client.address.map(|address| address.to_string());
    }
    let (presence, began) = api.desk.register(registration).await?;
    let status = if began {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let pause = api.control.pause(&presence.registration.name);
    json::data(
        status,
        FrontendOut::new(&presence, pause.as_ref(), api.now()),
    )
}
