//! `/api/webhooks`: subscriptions to events, their secrets, and what could not be delivered.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::webhook::Webhooks;

use crate::dto::webhook::{DeadOut, PingedOut, ReplayIn, WebhookIn, WebhookOut};
use crate::query::Parameters;
use crate::router::{Api, Shared};
use crate::{body, json, query};

/// `GET /api/webhooks`.
pub(crate) async fn list(api: Shared, _: Request) -> Result<Response, Refusal> {
    let all = book(&api)?.list().await?;
    let shown: Vec<_> = all.iter().map(|one| WebhookOut::new(one, None)).collect();
    json::data(StatusCode::OK, shown)
}

/// `POST /api/webhooks`: answers with the secret, which is never shown again.
pub(crate) async fn create(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (_, payload) = split(&api, request).await?;
    let terms = body::object::<WebhookIn<'_>>(&payload)?.into_terms()?;
    let (webhook, secret) = book(&api)?.create(terms).await?;
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
    let webhook = book(&api)?.change(id, change).await?;
    json::data(StatusCode::OK, WebhookOut::new(&webhook, None))
}

/// `DELETE /api/webhooks/{id}`: with all that waits for it.
pub(crate) async fn remove(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, _) = named(request).await?;
    book(&api)?.remove(id).await?;
    Ok(json::removed())
}

/// `POST /api/webhooks/{id}/rotate`: a new secret; the former one signs too for a day.
pub(crate) async fn rotate(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, _) = named(request).await?;
    let (webhook, secret) = book(&api)?.rotate(id).await?;
    json::data(StatusCode::OK, WebhookOut::new(&webhook, Some(&secret)))
}

/// `POST /api/webhooks/{id}/test`: sends a test event and says what came of it.
pub(crate) async fn test(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (id, _) = named(request).await?;
    let pinged = book(&api)?.ping(id).await?;
    json::data(StatusCode::OK, PingedOut::new(&pinged))
}

/// `GET /api/webhooks/{id}/dead`: the newest first; `next` is the `before` of the next page.
pub(crate) async fn dead(api: Shared, request: Request) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Page<'a> {
        data: Vec<DeadOut<'a>>,
        next: Option<u64>,
    }
    let (id, parts) = named(request).await?;
    let parameters = Parameters::of(&parts)?;
    let before = parameters.row("before")?.map(i64::unsigned_abs);
    let limit = parameters.limit()?;
    let found = book(&api)?.dead(id, before, limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|count| count >= limit);
    let page = Page {
        next: found.last().filter(|_| full).map(|last| last.id),
        data: found.iter().map(DeadOut::new).collect(),
    };
    json::bare(StatusCode::OK, &page)
}

/// `POST /api/webhooks/{id}/replay`: tries what was given up anew, all or `deliveries`.
pub(crate) async fn replay(api: Shared, request: Request) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Replayed {
        replayed: u64,
    }
    let (mut parts, payload) = split(&api, request).await?;
    let id = query::record_id(&mut parts, "webhook").await?;
    let chosen = body::object_or_nothing::<ReplayIn<'_>>(&payload)?.into_deliveries()?;
    let replayed = book(&api)?.replay(id, chosen).await?;
    json::data(StatusCode::OK, Replayed { replayed })
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
