//! `/api/translations`: the number translation rules, edited at run time (S5.1).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::translate::{Rule, RuleId};

use crate::dto::rule::{RuleIn, RuleOut};
use crate::router::{Api, Shared};
use crate::{body, error, json, query};

const KIND: &str = "translation rule";

/// `GET /api/translations`.
pub(crate) async fn list(api: Shared, _: Request) -> Result<Response, Refusal> {
    json::data(StatusCode::OK, rows(&api.control.routing()))
}

/// `GET /api/translations/{id}`.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    answer(StatusCode::OK, &api.control.routing(), id)
}

/// `POST /api/translations`.
pub(crate) async fn create(api: Shared, request: Request) -> Result<Response, Refusal> {
    let payload = read(&api, request).await?;
    let terms = body::object::<RuleIn<'_>>(&payload)?.into_terms(None)?;
    let (routing, id) = api
        .control
        .change_routing(RoutingChange::AddRule(terms))
        .await?;
    let id = id.ok_or_else(|| Refusal::new(Reason::Internal, "internal error"))?;
    answer(StatusCode::CREATED, &routing, id)
}

/// `PUT /api/translations/{id}`: fields that are absent take their defaults.
pub(crate) async fn replace(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let payload = read(&api, Request::from_parts(parts, payload)).await?;
    let _turn = api.tables.lock().await;
    find(&api.control.routing(), id)?;
    let terms = body::object::<RuleIn<'_>>(&payload)?.into_terms(None)?;
    set(&api, RoutingChange::SetRule(RuleId(id), terms), id).await
}

/// `PATCH /api/translations/{id}`: fields that are absent stay.
pub(crate) async fn update(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let payload = read(&api, Request::from_parts(parts, payload)).await?;
    let _turn = api.tables.lock().await;
    let routing = api.control.routing();
    let base = &find(&routing, id)?.terms;
    let terms = body::object::<RuleIn<'_>>(&payload)?.into_terms(Some(base))?;
    set(&api, RoutingChange::SetRule(RuleId(id), terms), id).await
}

async fn set(api: &Api, change: RoutingChange, id: u64) -> Result<Response, Refusal> {
    let (routing, _) = api.control.change_routing(change).await?;
    answer(StatusCode::OK, &routing, id)
}

/// `DELETE /api/translations/{id}`.
pub(crate) async fn remove(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let _turn = api.tables.lock().await;
    find(&api.control.routing(), id)?;
    api.control
        .change_routing(RoutingChange::RemoveRule(RuleId(id)))
        .await?;
    Ok(json::removed())
}

fn rows(routing: &Routing) -> Vec<RuleOut<'_>> {
    routing.rules.iter().map(RuleOut::from).collect()
}

fn find(routing: &Routing, id: u64) -> Result<&Rule, Refusal> {
    let rule = routing.rules.iter().find(|rule| rule.id.0 == id);
    rule.ok_or_else(|| error::unknown(KIND, &id.to_string()))
}

fn answer(status: StatusCode, routing: &Routing, id: u64) -> Result<Response, Refusal> {
    json::data(status, RuleOut::from(find(routing, id)?))
}

async fn read(api: &Api, request: Request) -> Result<bytes::Bytes, Refusal> {
    body::read(
        request.into_body(),
        api.options.max_body_bytes,
        &api.options,
    )
    .await
}
