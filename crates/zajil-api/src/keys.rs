//! `/api/keys`: who may call the API, and what they may do (S3.8).

use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use serde_json::Value;
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};
use zajil_store::Store;
use zajil_store::shelf::{Change, Kind, Record};

use crate::access::{Key, MOST_KEYS, Proof, all_keys, issue};
use crate::audit::{self, Told};
use crate::dto::key::{Asked, KeyIn, KeyOut};
use crate::router::{Api, Shared};
use crate::{body, error, json, query};

const WHAT: &str = "api_key";

/// `GET /api/keys`: all of them, without their secrets.
pub(crate) async fn list(api: Shared, _: Request) -> Result<Response, Refusal> {
    let records = all_keys(&*api.store).await.map_err(error::from_store)?;
    let read: Vec<_> = records.iter().filter_map(readable).collect();
    let rows: Vec<_> = read
        .iter()
        .map(|(record, key)| KeyOut::new(record, key))
        .collect();
    json::data(StatusCode::OK, rows)
}

/// `GET /api/keys/{id}`.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let record = found(&api, &query::path(&mut parts).await?).await?;
    let (record, key) = readable(&record).ok_or_else(damaged)?;
    json::data(StatusCode::OK, KeyOut::new(record, &key))
}

/// `POST /api/keys`: the answer holds the key, this once.
pub(crate) async fn create(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, api.options.max_body_bytes, &api.options).await?;
    let asked = body::object::<KeyIn<'_>>(&payload)?.into_asked(api.now())?;
    let made = add(&*api.store, asked, api.now(), Some(&parts.extensions)).await?;
    api.options
        .access
        .refresh(&*api.store)
        .await
        .map_err(error::from_store)?;
    let shown = KeyOut::new(&made.record, &made.key);
    match &made.secret {
        Some(secret) => json::data(StatusCode::CREATED, shown.with_secret(secret)),
        None => json::data(StatusCode::CREATED, shown),
    }
}

/// `DELETE /api/keys/{id}`: it opens nothing from now on; on other nodes within a second.
pub(crate) async fn revoke(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let record = found(&api, &query::path(&mut parts).await?).await?;
    let told = Told {
        action: "remove",
        what: WHAT,
        id: record.name.clone(),
        before: terms(&record),
        after: Value::Null,
    };
    let remove = Change::Remove {
        kind: Kind::ApiKey,
        id: record.id,
        base: None,
    };
    let changes = vec![remove, audit::entry(&parts.extensions, told)?];
    let removed = api.store.change_shelf(changes, api.now()).await;
    removed.map_err(error::from_store)?;
    api.options
        .access
        .refresh(&*api.store)
        .await
        .map_err(error::from_store)?;
    Ok(json::removed())
}

struct Made {
    record: Record,
    key: Key,
    secret: Option<String>,
}

/// Stores a new key, with its audit entry when somebody asked for it over the door.
async fn add(
    store: &dyn Store,
    asked: Asked,
    now: Timestamp,
    asker: Option<&Extensions>,
) -> Result<Made, Refusal> {
    let known = all_keys(store).await.map_err(error::from_store)?;
    if known.len() >= MOST_KEYS {
        let detail = format!("there are {MOST_KEYS} keys: revoke those that nobody uses");
        return Err(Refusal::new(Reason::Conflict, detail));
    }
    let issued = issue().map_err(|error| {
        tracing::error!(%error, "no key can be made");
        Refusal::new(Reason::Internal, "internal error")
    })?;
    let (proof, secret) = match asked.certificate {
        None => (Proof::Secret(issued.hash), Some(issued.key)),
        Some(name) => {
            let mut taken = known.iter().filter_map(readable);
            let named = Proof::Certificate(name);
            if taken.any(|(_, key)| key.proof == named) {
                return Err(Refusal::field(
                    "certificate",
                    "has a key already: revoke it first",
                ));
            }
            (named, None)
        }
    };
    let key = Key {
        label: asked.label,
        proof,
        scopes: asked.scopes,
        networks: asked.networks,
        rate: asked.rate,
        expires: asked.expires,
        last_used: None,
    };
    let body = key.write().map_err(|_| damaged())?;
    let mut changes = vec![Change::Add {
        kind: Kind::ApiKey,
        name: Some(issued.id.clone()),
        body: body.clone(),
    }];
    if let Some(extensions) = asker {
        let told = Told {
            action: "create",
            what: WHAT,
            id: Some(issued.id),
            before: Value::Null,
            after: without_hash(&body),
        };
        changes.push(audit::entry(extensions, told)?);
    }
    let added = store.change_shelf(changes, now).await;
    let added = added.map_err(error::from_store)?;
    let record = added.into_iter().next().ok_or_else(damaged)?;
    Ok(Made {
        record,
        key,
        secret,
    })
}

/// Makes a key in the store of a server that is not running: how its operator gets the first one.
///
/// `body` is what `POST /api/keys` takes. Answers the key's id and the key itself.
///
/// # Errors
/// A sentence: a field and its rule, or what the store said.
pub async fn create_offline(
    store: &dyn Store,
    body: &[u8],
    now: Timestamp,
) -> Result<(String, Option<String>), String> {
    let asked = body::object::<KeyIn<'_>>(body).and_then(|key| key.into_asked(now));
    let made = match asked {
        Ok(asked) => add(store, asked, now, None).await,
        Err(refusal) => Err(refusal),
    };
    let made = made.map_err(|refusal| refusal.detail)?;
    Ok((made.record.name.unwrap_or_default(), made.secret))
}

async fn found(api: &Api, id: &str) -> Result<Record, Refusal> {
    let record = api.store.shelf_named(Kind::ApiKey, id.to_owned()).await;
    let record = record.map_err(error::from_store)?;
    record.ok_or_else(|| error::unknown("key", &query::shown(id)))
}

fn readable(record: &Record) -> Option<(&Record, Key)> {
    match Key::read(&record.body) {
        Ok(key) => Some((record, key)),
        Err(why) => {
            tracing::error!(key = record.name, why, "a stored API key cannot be read");
            None
        }
    }
}

fn damaged() -> Refusal {
    Refusal::new(Reason::Internal, "the stored key cannot be read")
}

fn terms(record: &Record) -> Value {
    without_hash(&record.body)
}

/// The terms of a key for the audit log.
fn without_hash(body: &str) -> Value {
    let mut terms: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(fields) = terms.as_object_mut() {
        fields.remove("hash");
    }
    terms
}
