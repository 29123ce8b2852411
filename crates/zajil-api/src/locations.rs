//! `/api/locations`: where subscribers are (S3.3).

use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use serde_json::Value;
use zajil_core::location::Location;
use zajil_core::number;
use zajil_core::outcome::Refusal;

use crate::access::{Client, Mode};
use crate::audit::{self, Begun, Told};
use crate::dto::location::{LocationOut, SightingIn, check_patch};
use crate::query::{self, Parameters};
use crate::router::{Api, Shared};
use crate::{body, error, json};

const KIND: &str = "location";

/// `GET /api/locations`.
pub(crate) async fn list(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let page = api
        .store
        .locations(parameters.limit()?, parameters.offset()?);
    let locations = page.await.map_err(error::from_store)?;
    json::data(
        StatusCode::OK,
        locations.iter().map(LocationOut::from).collect::<Vec<_>>(),
    )
}

/// `POST /api/locations`: 201 for a new IMSI, 200 for a known one. It states a presence anew:
/// without `expires` it holds until told otherwise, whatever ran out before.
pub(crate) async fn create(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let extensions = parts.extensions.clone();
    let payload = read(&api, Request::from_parts(parts, payload)).await?;
    let mut sighting = body::object::<SightingIn<'_>>(&payload)?.into_sighting()?;
    sighting.expires.get_or_insert(None);
    if sighting.imsi.is_none() {
        return Err(Refusal::field("imsi", "is required"));
    }
    let begun = begin(&api, &extensions, ("create", None)).await?;
    let located = api.desk.locate(None, sighting).await;
    let (location, new) = ended(&api, begun, located, |(location, _)| value(location)).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    json::data(status, LocationOut::from(&location))
}

/// `GET /api/locations/{key}`: digits alone are first tried as the id of a record, then, like
/// everything else, as a subscriber's number.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let key = query::path(&mut parts).await?;
    let found = find(&api, &key).await?;
    let found = found.ok_or_else(|| error::unknown(KIND, &query::shown(&key)))?;
    json::data(StatusCode::OK, LocationOut::from(&found))
}

async fn find(api: &Api, key: &str) -> Result<Option<Location>, Refusal> {
    if let Some(id) = query::number(key) {
        let record = api.store.location(id).await.map_err(error::from_store)?;
        if record.is_some() {
            return Ok(record);
        }
    }
    if key.chars().count() > number::LONGEST {
        return Ok(None);
    }
    api.store
        .location_of(key.to_owned())
        .await
        .map_err(error::from_store)
}

/// `PATCH /api/locations/{id}`: fields that are absent stay.
pub(crate) async fn update(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let extensions = parts.extensions.clone();
    let payload = read(&api, Request::from_parts(parts, payload)).await?;
    let given = body::object::<SightingIn<'_>>(&payload)?;
    let emptied = given.emptied();
    let sighting = given.into_sighting()?;
    let record = api.store.location(id).await.map_err(error::from_store)?;
    let record = record.ok_or_else(|| error::unknown(KIND, &id.to_string()))?;
    check_patch(&record, &sighting, &emptied)?;
    let begun = begin(&api, &extensions, ("update", Some(&record))).await?;
    let located = api.desk.locate(Some(id), sighting).await;
    let (location, _) = ended(&api, begun, located, |(location, _)| value(location)).await?;
    json::data(StatusCode::OK, LocationOut::from(&location))
}

/// `DELETE /api/locations/{id}`.
pub(crate) async fn forget(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let record = api.store.location(id).await.map_err(error::from_store)?;
    let begun = begin(&api, &parts.extensions, ("remove", record.as_ref())).await?;
    let forgotten = api.desk.forget_location(id).await;
    ended(&api, begun, forgotten, |()| Value::Null).await?;
    Ok(json::removed())
}

/// Writes down that an administrator says where somebody is. The network says so at the rate of the
/// traffic, with the scope `locations`, and that is no decision of anybody.
async fn begin(
    api: &Api,
    extensions: &Extensions,
    (action, record): (&'static str, Option<&Location>),
) -> Result<Option<Begun>, Refusal> {
    let is_admin = Client::of(extensions)?.caller.scopes.is_admin();
    if api.options.access.mode() == Mode::Open || !is_admin {
        return Ok(None);
    }
    let told = Told {
        action,
        what: KIND,
        id: record.map(|record| record.id.to_string()),
        before: record.map_or(Value::Null, value),
        after: Value::Null,
    };
    audit::begin(api, extensions, told).await.map(Some)
}

async fn ended<T>(
    api: &Api,
    begun: Option<Begun>,
    outcome: Result<T, Refusal>,
    after: impl FnOnce(&T) -> Value,
) -> Result<T, Refusal> {
    match begun {
        Some(begun) => begun.ended(api, outcome, after).await,
        None => outcome,
    }
}

fn value(location: &Location) -> Value {
    serde_json::to_value(LocationOut::from(location)).unwrap_or_default()
}

async fn read(api: &Api, request: Request) -> Result<bytes::Bytes, Refusal> {
    body::read(
        request.into_body(),
        api.options.max_body_bytes,
        &api.options,
    )
    .await
}
