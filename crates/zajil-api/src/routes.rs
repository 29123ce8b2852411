//! `/api/routes`: the routing table, edited at run time (S4.1, S4.4).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::route::{Route, RouteId};

use crate::dto::At;
use crate::dto::route::{ImportIn, RouteIn, RouteOut};
use crate::dto::simulation::{QuestionIn, SimulationOut};
use crate::router::{Api, Shared};
use crate::{body, error, json, query};

const KIND: &str = "route";

/// `GET /api/routes`.
pub(crate) async fn list(api: Shared, _: Request) -> Result<Response, Refusal> {
    json::data(StatusCode::OK, rows(&api.control.routing()))
}

/// `GET /api/routes/{id}`.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    answer(StatusCode::OK, &api.control.routing(), id)
}

/// `POST /api/routes`.
pub(crate) async fn create(api: Shared, request: Request) -> Result<Response, Refusal> {
    let payload = read(&api, request).await?;
    let terms = body::object::<RouteIn<'_>>(&payload)?.into_terms(None)?;
    let (routing, id) = api
        .control
        .change_routing(RoutingChange::AddRoute(terms))
        .await?;
    let id = id.ok_or_else(|| Refusal::new(Reason::Internal, "internal error"))?;
    answer(StatusCode::CREATED, &routing, id)
}

/// `PUT /api/routes/{id}`: fields that are absent take their defaults.
pub(crate) async fn replace(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let payload = read(&api, Request::from_parts(parts, payload)).await?;
    let _turn = api.tables.lock().await;
    find(&api.control.routing(), id)?;
    let terms = body::object::<RouteIn<'_>>(&payload)?.into_terms(None)?;
    set(&api, RoutingChange::SetRoute(RouteId(id), terms), id).await
}

/// `PATCH /api/routes/{id}`: fields that are absent stay.
pub(crate) async fn update(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let payload = read(&api, Request::from_parts(parts, payload)).await?;
    let _turn = api.tables.lock().await;
    let routing = api.control.routing();
    let base = &find(&routing, id)?.terms;
    let terms = body::object::<RouteIn<'_>>(&payload)?.into_terms(Some(base))?;
    set(&api, RoutingChange::SetRoute(RouteId(id), terms), id).await
}

async fn set(api: &Api, change: RoutingChange, id: u64) -> Result<Response, Refusal> {
    let (routing, _) = api.control.change_routing(change).await?;
    answer(StatusCode::OK, &routing, id)
}

/// `DELETE /api/routes/{id}`.
pub(crate) async fn remove(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, KIND).await?;
    let _turn = api.tables.lock().await;
    find(&api.control.routing(), id)?;
    api.control
        .change_routing(RoutingChange::RemoveRoute(RouteId(id)))
        .await?;
    Ok(json::removed())
}

/// A backup of the table.
#[derive(Debug, Serialize)]
struct Export<'a> {
    version: u64,
    exported_at: At,
    routes: Vec<RouteOut<'a>>,
}

/// `GET /api/routes/export`: what `import` takes back as it is.
pub(crate) async fn export(api: Shared, _: Request) -> Result<Response, Refusal> {
    let routing = api.control.routing();
    let export = Export {
        version: routing.version,
        exported_at: At(api.now()),
        routes: rows(&routing),
    };
    json::data(StatusCode::OK, export)
}

/// What an import did.
#[derive(Debug, Serialize)]
struct Imported {
    imported: usize,
    total: usize,
    version: u64,
}

/// `POST /api/routes/import`: all of it or nothing.
pub(crate) async fn import(api: Shared, request: Request) -> Result<Response, Refusal> {
    let limit = api.options.max_import_bytes;
    let payload = body::read(request.into_body(), limit, &api.options).await?;
    let import = body::object::<ImportIn<'_>>(&payload)
        .map_err(|refusal| import_frame(&payload, refusal))?
        .into_import()?;
    let imported = import.routes.len();
    let change = RoutingChange::ImportRoutes {
        routes: import.routes,
        replace: import.replace,
    };
    let _turn = api.tables.lock().await;
    let (routing, _) = api.control.change_routing(change).await?;
    let done = Imported {
        imported,
        total: routing.routes.len(),
        version: routing.version,
    };
    json::data(StatusCode::OK, done)
}

/// `POST /api/routes/simulate`: what would become of a message (S4.5). Nothing is stored.
pub(crate) async fn simulate(api: Shared, request: Request) -> Result<Response, Refusal> {
    let payload = read(&api, request).await?;
    let (question, limit) = body::object::<QuestionIn<'_>>(&payload)?.into_question()?;
    let simulation = api.control.simulate(question).await?;
    json::data(StatusCode::OK, SimulationOut::new(&simulation, limit))
}

/// All other fields take any value: what cannot be used is the list or an item of it.
fn import_frame(payload: &[u8], refusal: Refusal) -> Refusal {
    if refusal.reason == Reason::Invalid && payload.trim_ascii_start().starts_with(b"{") {
        let rule = "must be an array of objects, with no field given twice";
        return Refusal::field("routes", rule);
    }
    refusal
}

fn rows(routing: &Routing) -> Vec<RouteOut<'_>> {
    routing.routes.iter().map(RouteOut::from).collect()
}

fn find(routing: &Routing, id: u64) -> Result<&Route, Refusal> {
    let route = routing.routes.iter().find(|route| route.id.0 == id);
    route.ok_or_else(|| error::unknown(KIND, &id.to_string()))
}

fn answer(status: StatusCode, routing: &Routing, id: u64) -> Result<Response, Refusal> {
    json::data(status, RouteOut::from(find(routing, id)?))
}

async fn read(api: &Api, request: Request) -> Result<bytes::Bytes, Refusal> {
    body::read(
        request.into_body(),
        api.options.max_body_bytes,
        &api.options,
    )
    .await
}
