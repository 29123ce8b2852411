//! `/api/webhooks`: subscriptions to events, their secrets, and what could not be delivered.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::Answer;
use zajil_core::webhook::{Webhook, Webhooks};

use crate::audit::{self, Told};
use crate::dto::webhook::{DeadOut, PingedOut, ReplayIn, WebhookIn, WebhookOut};
use crate::openapi::schema::{self, Described, Schema, shown};
use crate::query::Parameters;
use crate::router::{Api, Shared};
use crate::{body, json, query};

/// A page of what was given up.
#[derive(Debug, Serialize)]
pub(crate) struct DeadPage<'a> {
    data: Vec<DeadOut<'a>>,
    next: Option<u64>,
}

impl Described for DeadPage<'_> {
    const NAME: &'static str = "DeadPage";

    fn schema() -> Schema {
        schema::record([
            ("data", schema::list(schema::of::<DeadOut<'_>>(), None)),
            ("next", shown::id().or_null()),
        ])
    }
}

/// What a replay did.
#[derive(Debug, Serialize)]
pub(crate) struct Replayed {
    replayed: u64,
}

impl Described for Replayed {
    const NAME: &'static str = "Replayed";

    fn schema() -> Schema {
        schema::record([("replayed", shown::count())])
    }
}

/// `GET /api/webhooks`.
pub(crate) async fn list(api: Shared, _: Request) -> Result<Response, Refusal> {
    let all = book(&api)?.list().await?;
    let shown: Vec<_> = all.iter().map(|one| WebhookOut::new(one, None)).collect();
    json::data(StatusCode::OK, shown)
}

/// `POST /api/webhooks`: answers with the secret, which is never shown again.
pub(crate) async fn create(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = split(&api, request).await?;
    let terms = body::object::<WebhookIn<'_>>(&payload)?.into_terms()?;
    let work = book(&api)?.create(terms);
    let told = told("create", None, Value::Null);
    let made = noted(&api, &parts, told, work, |(webhook, _)| value(webhook));
    let (webhook, secret) = made.await?;
    json::data(
        StatusCode::CREATED,
        WebhookOut::new(&webhook, Some(&secret)),
    )
}

/// `GET /api/webhooks/{id}`.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, _) = named(request).await?;
    let webhook = book(&api)?.show(id).await?;
    json::data(StatusCode::OK, WebhookOut::new(&webhook, None))
}

/// `PATCH /api/webhooks/{id}`.
pub(crate) async fn change(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    let id = query::record_id(&mut parts, "webhook").await?;
    let change = body::object::<WebhookIn<'_>>(&payload)?.into_change()?;
    let book = book(&api)?;
    let told = told("update", Some(id), value(&book.show(id).await?));
    let webhook = noted(&api, &parts, told, book.change(id, change), value).await?;
    json::data(StatusCode::OK, WebhookOut::new(&webhook, None))
}

/// `DELETE /api/webhooks/{id}`: with all that waits for it.
pub(crate) async fn remove(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, parts) = named(request).await?;
    let book = book(&api)?;
    let told = told("remove", Some(id), value(&book.show(id).await?));
    noted(&api, &parts, told, book.remove(id), |()| Value::Null).await?;
    Ok(json::removed())
}

/// `POST /api/webhooks/{id}/rotate`: a new secret; the former one signs too for a day.
pub(crate) async fn rotate(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, parts) = named(request).await?;
    let book = book(&api)?;
    // The secrets are in neither.
    let told = told("rotate", Some(id), value(&book.show(id).await?));
    let rotated = noted(&api, &parts, told, book.rotate(id), |(webhook, _)| {
        value(webhook)
    });
    let (webhook, secret) = rotated.await?;
    json::data(StatusCode::OK, WebhookOut::new(&webhook, Some(&secret)))
}

/// `POST /api/webhooks/{id}/test`: sends a test event and says what came of it.
pub(crate) async fn test(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, parts) = named(request).await?;
    if parts.headers.contains_key("webhook-id") {
        // Or one that leads here would test itself without end.
        let detail = "a webhook cannot have webhooks tested";
        return Err(Refusal::new(Reason::Conflict, detail));
    }
    let pinged = book(&api)?.ping(id).await?;
    json::data(StatusCode::OK, PingedOut::new(&pinged))
}

/// `GET /api/webhooks/{id}/dead`: the newest first; `next` is the `before` of the next page.
pub(crate) async fn dead(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, parts) = named(request).await?;
    let parameters = Parameters::of(&parts)?;
    let before = parameters.row("before")?.map(i64::unsigned_abs);
    let limit = parameters.limit()?;
    let found = book(&api)?.dead(id, before, limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|count| count >= limit);
    let page = DeadPage {
        next: found.last().filter(|_| full).map(|last| last.id),
        data: found.iter().map(DeadOut::new).collect(),
    };
    json::bare(StatusCode::OK, &page)
}

/// `POST /api/webhooks/{id}/replay`: tries what was given up anew, all or `deliveries`.
pub(crate) async fn replay(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    let id = query::record_id(&mut parts, "webhook").await?;
    let chosen = body::object_or_nothing::<ReplayIn<'_>>(&payload)?.into_deliveries()?;
    let book = book(&api)?;
    let told = told("replay", Some(id), Value::Null);
    let work = book.replay(id, chosen);
    let replayed = noted(
        &api,
        &parts,
        told,
        work,
        |count| serde_json::json!({ "replayed": count }),
    )
    .await?;
    json::data(StatusCode::OK, Replayed { replayed })
}

/// Does something to a subscription, and writes down who did.
async fn noted<T>(
    api: &Api,
    parts: &Parts,
    told: Told,
    work: Answer<'_, T>,
    after: impl FnOnce(&T) -> Value,
) -> Result<T, Refusal> {
    let begun = audit::begin(api, &parts.extensions, told).await?;
    begun.ended(api, work.await, after).await
}

fn told(action: &'static str, id: Option<u64>, before: Value) -> Told {
    Told {
        action,
        what: "webhook",
        id: id.map(|id| id.to_string()),
        before,
        after: Value::Null,
    }
}

/// A subscription for the audit log, without its secret.
fn value(webhook: &Webhook) -> Value {
    serde_json::to_value(WebhookOut::new(webhook, None)).unwrap_or_default()
}

fn book(api: &Api) -> Result<&dyn Webhooks, Refusal> {
    api.webhooks.as_deref().ok_or_else(|| {
        let detail =
            "there are no webhooks here: webhooks.enabled is false, or nodes share the store";
        Refusal::new(Reason::NotFound, detail)
    })
}

async fn named(request: Request) -> Result<(u64, Parts), Refusal> {
    let (mut parts, _) = request.into_parts();
    Ok((query::record_id(&mut parts, "webhook").await?, parts))
}

async fn split(api: &Api, request: Request) -> Result<(Parts, Bytes), Refusal> {
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, api.options.max_body_bytes, &api.options).await?;
    Ok((parts, payload))
}
