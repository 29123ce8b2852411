//! The tables that operators edit at run time, routes and translation rules: the same pages over
//! both (S4.1, S4.4, S5.1).

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Routing, RoutingChange};

use crate::audit::{self, Told};
use crate::dto::At;
use crate::openapi::says::tables::Names;
use crate::openapi::schema::{self, Described, Schema, given, shown};
use crate::router::{Api, Shared};
use crate::{body, error, json, query};

/// One of the tables.
pub(crate) trait Table {
    /// What an entry is called in a refusal.
    const ENTRY: &'static str;
    /// What the entries are called in an import and an export.
    const ENTRIES: &'static str;
    /// What the operations are called in the description of the API.
    const NAMES: Names;
    /// An entry as it is shown.
    type Row<'a>: Serialize;
    /// How an entry is written, for the description.
    type Given: Described;
    /// How an entry is shown, for the description.
    type Shown: Described;

    /// An entry as somebody may write it.
    fn example() -> Value;

    /// Every entry, by id.
    fn rows(routing: &Routing) -> Vec<Self::Row<'_>>;
    /// One entry.
    fn row(routing: &Routing, id: u64) -> Option<Self::Row<'_>>;
    /// A new entry.
    fn add(payload: &[u8]) -> Result<RoutingChange, Refusal>;
    /// An entry in place of `id`: fields that are absent are as in `base`, or have their defaults
    /// without it.
    fn set(payload: &[u8], id: u64, base: Option<&Routing>) -> Result<RoutingChange, Refusal>;
    /// One entry less.
    fn remove(id: u64) -> RoutingChange;
    /// Many entries, and how many.
    fn import(payload: &[u8]) -> Result<(RoutingChange, usize), Refusal>;
}

/// `GET /api/{table}`.
pub(crate) async fn list<T: Table>(api: Shared, _: Request) -> Result<Response, Refusal> {
    json::data(StatusCode::OK, T::rows(&api.control.routing()))
}

/// `GET /api/{table}/{id}`.
pub(crate) async fn show<T: Table>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, T::ENTRY).await?;
    answer::<T>(StatusCode::OK, &api.control.routing(), id)
}

/// `POST /api/{table}`.
pub(crate) async fn create<T: Table>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let change = T::add(&read(&api, payload).await?)?;
    let told = told::<T>("create", None, Value::Null);
    let begun = audit::begin(&api, &parts.extensions, told).await?;
    let outcome = api.control.change_routing(change, None).await;
    let after = |(routing, id): &Changed| id.map_or(Value::Null, |id| value::<T>(routing, id));
    let (routing, id) = begun.ended(&api, outcome, after).await?;
    api.control.in_force(routing.version).await?;
    let id = id.ok_or_else(|| Refusal::new(Reason::Internal, "internal error"))?;
    answer::<T>(StatusCode::CREATED, &routing, id)
}

/// `PUT /api/{table}/{id}`: fields that are absent take their defaults.
pub(crate) async fn replace<T: Table>(api: Shared, request: Request) -> Result<Response, Refusal> {
    edit::<T>(api, request, |_| None).await
}

/// `PATCH /api/{table}/{id}`: fields that are absent stay.
pub(crate) async fn update<T: Table>(api: Shared, request: Request) -> Result<Response, Refusal> {
    edit::<T>(api, request, |former| Some(former)).await
}

/// How often an edit is tried while others come between what it read and what it writes.
const TRIES: usize = 10;

/// Reads what is there, changes just that, and answers once the change is in force.
async fn edit<T: Table>(
    api: Shared,
    request: Request,
    base: fn(&Routing) -> Option<&Routing>,
) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let id = query::record_id(&mut parts, T::ENTRY).await?;
    let payload = read(&api, payload).await?;
    for _ in 0..TRIES {
        let former = api.control.routing();
        T::row(&former, id).ok_or_else(|| unknown::<T>(id))?;
        let change = T::set(&payload, id, base(&former))?;
        let told = told::<T>("update", Some(id), value::<T>(&former, id));
        let begun = audit::begin(&api, &parts.extensions, told).await?;
        let changed = api.control.change_routing(change, Some(former.version));
        let after = |(routing, _): &Changed| value::<T>(routing, id);
        match begun.ended(&api, changed.await, after).await {
            Ok((routing, _)) => {
                api.control.in_force(routing.version).await?;
                return answer::<T>(StatusCode::OK, &routing, id);
            }
            Err(refusal) if refusal.reason == Reason::Conflict => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let detail = "too many others edit the table: try again";
    Err(Refusal::new(Reason::Overloaded, detail))
}

/// What a change of the tables answers with.
type Changed = (Arc<Routing>, Option<u64>);

/// A change for the audit log.
fn told<T: Table>(action: &'static str, id: Option<u64>, before: Value) -> Told {
    Told {
        action,
        what: T::ENTRY,
        id: id.map(|id| id.to_string()),
        before,
        after: Value::Null,
    }
}

/// An entry for the audit log; null when there is none.
fn value<T: Table>(routing: &Routing, id: u64) -> Value {
    serde_json::to_value(T::row(routing, id)).unwrap_or_default()
}

/// `DELETE /api/{table}/{id}`.
pub(crate) async fn remove<T: Table>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, T::ENTRY).await?;
    let told = told::<T>("remove", Some(id), value::<T>(&api.control.routing(), id));
    let begun = audit::begin(&api, &parts.extensions, told).await?;
    let outcome = api.control.change_routing(T::remove(id), None).await;
    let (routing, _) = begun.ended(&api, outcome, |_| Value::Null).await?;
    api.control.in_force(routing.version).await?;
    Ok(json::removed())
}

/// `GET /api/{table}/export`: what `import` takes back as it is.
pub(crate) async fn export<T: Table>(api: Shared, _: Request) -> Result<Response, Refusal> {
    let routing = api.control.routing();
    json::data(StatusCode::OK, exported::<T>(&routing, api.now())?)
}

/// What `export` answers with, and `import` takes.
pub(crate) fn exported<T: Table>(
    routing: &Routing,
    at: Timestamp,
) -> Result<Map<String, Value>, Refusal> {
    let mut export = Map::new();
    let value = |entry: Result<Value, serde_json::Error>| {
        entry.map_err(|error| {
            tracing::error!(%error, "a table cannot be written");
            Refusal::new(Reason::Internal, "internal error")
        })
    };
    let at = serde_json::to_value(At(at));
    export.insert("version".to_owned(), routing.version.into());
    export.insert("exported_at".to_owned(), value(at)?);
    let rows = serde_json::to_value(T::rows(routing));
    export.insert(T::ENTRIES.to_owned(), value(rows)?);
    Ok(export)
}

/// What an import did.
#[derive(Debug, Serialize)]
pub(crate) struct ImportedOut {
    imported: usize,
    total: usize,
    version: u64,
}

impl Described for ImportedOut {
    const NAME: &'static str = "Imported";

    fn schema() -> Schema {
        schema::record([
            ("imported", shown::count()),
            (
                "total",
                shown::count().says("Entries that the table has now."),
            ),
            (
                "version",
                shown::count().says("Of the tables; rises with each change."),
            ),
        ])
    }
}

/// An export, for the description.
#[derive(Debug)]
pub(crate) struct ExportedOut<T>(PhantomData<T>);

impl<T: Table> Described for ExportedOut<T> {
    const NAME: &'static str = T::NAMES.exported;

    fn schema() -> Schema {
        schema::record([
            ("version", shown::count()),
            ("exported_at", shown::time()),
            (T::ENTRIES, schema::list(schema::of::<T::Shown>(), None)),
        ])
    }
}

/// The body of an import, for the description: the entries, or an export as it came.
#[derive(Debug)]
pub(crate) struct ImportFrame<T>(PhantomData<T>);

impl<T: Table> Described for ImportFrame<T> {
    const NAME: &'static str = T::NAMES.imported;

    fn schema() -> Schema {
        let entries = || schema::list(schema::of::<T::Given>(), None);
        let exported = schema::object(&[], [(T::ENTRIES, entries().or_null())]);
        schema::object(
            &[],
            [
                ("mode", given::word(["merge", "replace"]).default("merge")),
                (T::ENTRIES, entries().or_null()),
                ("data", exported.or_null().says("An export as it came.")),
            ],
        )
        .one_of(&[T::ENTRIES, "data"])
    }
}

/// `POST /api/{table}/import`: all of it or nothing.
pub(crate) async fn import<T: Table>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let limit = api.options.max_import_bytes;
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, limit, &api.options).await?;
    let (change, imported) = T::import(&payload)?;
    // Which entries there were, an export says: each has its version.
    let size = |routing: &Routing, imported| ImportedOut {
        imported,
        total: T::rows(routing).len(),
        version: routing.version,
    };
    let before = serde_json::to_value(size(&api.control.routing(), 0)).unwrap_or_default();
    let begun = audit::begin(&api, &parts.extensions, told::<T>("import", None, before)).await?;
    let outcome = api.control.change_routing(change, None).await;
    let after =
        |(routing, _): &Changed| serde_json::to_value(size(routing, imported)).unwrap_or_default();
    let (routing, _) = begun.ended(&api, outcome, after).await?;
    api.control.in_force(routing.version).await?;
    json::data(StatusCode::OK, size(&routing, imported))
}

/// Reads the frame of an import. All its other fields take any value: what cannot be read is the
/// list or an item of it.
pub(crate) fn import_frame<'a, I: Deserialize<'a>>(
    entries: &str,
    payload: &'a [u8],
) -> Result<I, Refusal> {
    body::object(payload).map_err(|refusal| {
        if refusal.reason == Reason::Invalid && payload.trim_ascii_start().starts_with(b"{") {
            let rule = "must be an array of objects, with no field given twice";
            return Refusal::field(entries, rule);
        }
        refusal
    })
}

fn answer<T: Table>(status: StatusCode, routing: &Routing, id: u64) -> Result<Response, Refusal> {
    json::data(status, T::row(routing, id).ok_or_else(|| unknown::<T>(id))?)
}

fn unknown<T: Table>(id: u64) -> Refusal {
    error::unknown(T::ENTRY, &id.to_string())
}

pub(crate) async fn read(api: &Api, payload: Body) -> Result<bytes::Bytes, Refusal> {
    body::read(payload, api.options.max_body_bytes, &api.options).await
}
