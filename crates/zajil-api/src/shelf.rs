//! Records that are kept and read, and that no rule reads: multimedia messages (S3.5) and SS7
//! events (S3.6). The same pages over both.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};

use crate::access::Need;
use crate::audit::{self, Told};
use crate::openapi::schema::Described;
use crate::query::{self, Parameters};
use crate::router::{Api, Shared};
use crate::{body, error, json};

/// How often an edit is tried while others come between what it read and what it writes.
const TRIES: usize = 10;

/// A kind of records.
pub(crate) trait Shelved:
    Serialize + DeserializeOwned + Send + Sync + Sized + 'static
{
    /// Where they lie.
    const KIND: Kind;
    /// What one is called in a refusal.
    const ENTRY: &'static str;
    /// What it takes to add one; to change or remove one takes an administrator.
    const WRITES: Need;
    /// How one is written, for the description.
    type Given: Described;
    /// How one is shown.
    type Shown<'a>: Serialize + Described;

    /// A record of a request; fields that are absent are as in `base`, or have their defaults.
    fn read(payload: &[u8], base: Option<&Self>, now: Timestamp) -> Result<Self, Refusal>;
    /// As it is shown.
    fn shown<'a>(&'a self, record: &'a Record) -> Self::Shown<'a>;
    /// One as somebody may write it.
    fn example() -> Value;
}

/// `GET /api/{kind}`: newest first.
pub(crate) async fn list<T: Shelved>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let page = Page {
        kind: T::KIND,
        from: Start::Newest,
        offset: parameters.offset()?,
        limit: parameters.limit()?,
    };
    let records = api.store.shelf(page).await.map_err(error::from_store)?;
    let kept: Result<Vec<T>, Refusal> = records.iter().map(kept).collect();
    let kept = kept?;
    let rows = kept.iter().zip(&records);
    let rows: Vec<_> = rows.map(|(kept, record)| kept.shown(record)).collect();
    json::success(StatusCode::OK, rows)
}

/// `POST /api/{kind}`.
pub(crate) async fn create<T: Shelved>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let payload = read(&api, request).await?;
    let new = T::read(&payload, None, api.now())?;
    let add = Change::Add {
        kind: T::KIND,
        name: None,
        body: written(&new)?,
    };
    let record = change(&api, vec![add]).await?;
    json::success(StatusCode::CREATED, new.shown(&record))
}

/// `GET /api/{kind}/{id}`.
pub(crate) async fn show<T: Shelved>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let record = found::<T>(&api, query::record_id(&mut parts, T::ENTRY).await?).await?;
    json::success(StatusCode::OK, kept::<T>(&record)?.shown(&record))
}

/// `PATCH /api/{kind}/{id}`: fields that are absent stay.
pub(crate) async fn update<T: Shelved>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let id = query::record_id(&mut parts, T::ENTRY).await?;
    let extensions = parts.extensions.clone();
    let payload = read(&api, Request::from_parts(parts, payload)).await?;
    for _ in 0..TRIES {
        let former = found::<T>(&api, id).await?;
        let new = T::read(&payload, Some(&kept::<T>(&former)?), api.now())?;
        let set = Change::Set {
            kind: T::KIND,
            id,
            base: Some(former.revision),
            body: written(&new)?,
        };
        let entry = audit::entry(&extensions, told::<T>("update", &former, &new)?)?;
        match change(&api, vec![set, entry]).await {
            Ok(record) => return json::success(StatusCode::OK, new.shown(&record)),
            Err(refusal) if refusal.reason == Reason::Conflict => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let detail = "too many others edit the record: try again";
    Err(Refusal::new(Reason::Overloaded, detail))
}

/// `DELETE /api/{kind}/{id}`.
pub(crate) async fn remove<T: Shelved>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::record_id(&mut parts, T::ENTRY).await?;
    let former = found::<T>(&api, id).await?;
    let told = Told {
        after: Value::Null,
        ..told::<T>("remove", &former, &kept(&former)?)?
    };
    let remove = Change::Remove {
        kind: T::KIND,
        id,
        base: None,
    };
    change(&api, vec![remove, audit::entry(&parts.extensions, told)?]).await?;
    Ok(json::removed())
}

/// For the audit log, in one transaction with the change: who, and what, without the text (S10.4).
fn told<T: Shelved>(action: &'static str, former: &Record, new: &T) -> Result<Told, Refusal> {
    let silent = |body: &str| {
        let mut fields: Value = serde_json::from_str(body).unwrap_or_default();
        if let Some(text) = fields
            .get_mut("message_body")
            .filter(|text| !text.is_null())
        {
            *text = Value::from("****");
        }
        fields
    };
    Ok(Told {
        action,
        what: T::KIND.as_str(),
        id: Some(former.id.to_string()),
        before: silent(&former.body),
        after: silent(&written(new)?),
    })
}

/// Applies changes together; answers the record of the first.
async fn change(api: &Api, changes: Vec<Change>) -> Result<Record, Refusal> {
    let changed = api.store.change_shelf(changes, api.now()).await;
    let record = changed.map_err(error::from_store)?.into_iter().next();
    record.ok_or_else(|| Refusal::new(Reason::Internal, "internal error"))
}

async fn found<T: Shelved>(api: &Api, id: u64) -> Result<Record, Refusal> {
    let record = api.store.shelf_record(T::KIND, id).await;
    let record = record.map_err(error::from_store)?;
    record.ok_or_else(|| error::unknown(T::ENTRY, &id.to_string()))
}

/// What lies on the shelf, as it was written.
fn kept<T: Shelved>(record: &Record) -> Result<T, Refusal> {
    serde_json::from_str(&record.body).map_err(|error| {
        tracing::error!(%error, kind = %record.kind, id = record.id, "a record cannot be read");
        Refusal::new(Reason::Internal, "internal error")
    })
}

fn written<T: Shelved>(value: &T) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "a record cannot be written");
        Refusal::new(Reason::Internal, "internal error")
    })
}

async fn read(api: &Api, request: Request) -> Result<bytes::Bytes, Refusal> {
    let limit = api.options.max_body_bytes;
    body::read(request.into_body(), limit, &api.options).await
}
