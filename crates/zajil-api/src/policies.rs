//! `/api/frontends/{name}/…`: pausing a frontend, and its own retry schedules (D10).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::Value;
use zajil_core::frontend::FrontendName;
use zajil_core::outcome::Refusal;
use zajil_core::policy::Policy;

use crate::audit::{self, Told};
use crate::dto::policy::{PauseIn, PolicyOut, RetryIn};
use crate::router::{Api, Shared};
use crate::{body, json, query};

/// `GET /api/frontends/{name}/policy`.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, ..) = read(&api, request).await?;
    answer(&api, &name)
}

/// `PUT /api/frontends/{name}/policy`: the waits by error class; those left out have the defaults.
pub(crate) async fn replace(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, parts, payload) = read(&api, request).await?;
    let retry = body::object::<RetryIn<'_>>(&payload)?.into_schedules()?;
    let mut policy = api.control.policy(&name);
    policy.retry = retry;
    set(&api, &parts, ("update", policy)).await
}

/// `POST /api/frontends/{name}/pause`: it gets nothing until it is resumed, or for `seconds`. Its
/// messages keep their place.
pub(crate) async fn pause(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, parts, payload) = read(&api, request).await?;
    let pause = body::object_or_nothing::<PauseIn<'_>>(&payload)?.into_pause(api.now())?;
    let mut policy = api.control.policy(&name);
    policy.pause = Some(pause);
    set(&api, &parts, ("pause", policy)).await
}

/// `POST /api/frontends/{name}/resume`.
pub(crate) async fn resume(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, parts, _) = read(&api, request).await?;
    let mut policy = api.control.policy(&name);
    policy.pause = None;
    set(&api, &parts, ("resume", policy)).await
}

/// Decides, and writes down who did.
async fn set(
    api: &Api,
    parts: &Parts,
    (action, policy): (&'static str, Policy),
) -> Result<Response, Refusal> {
    let name = policy.frontend.clone();
    let told = Told {
        action,
        what: "frontend",
        id: Some(name.to_string()),
        before: value(api, &name),
        after: Value::Null,
    };
    let begun = audit::begin(api, &parts.extensions, told).await?;
    let outcome = api.control.set_policy(policy).await;
    begun.ended(api, outcome, |_| value(api, &name)).await?;
    answer(api, &name)
}

fn value(api: &Api, name: &FrontendName) -> Value {
    let policy = api.control.policy(name);
    let pause = api.control.pause(name);
    serde_json::to_value(PolicyOut::new(&policy, pause.as_ref())).unwrap_or_default()
}

async fn read(api: &Api, request: Request) -> Result<(FrontendName, Parts, bytes::Bytes), Refusal> {
    let (mut parts, payload) = request.into_parts();
    let name = query::path(&mut parts).await?;
    let name = FrontendName::parse(&name).map_err(|rule| Refusal::field("frontend_name", rule))?;
    let payload = body::read(payload, api.options.max_body_bytes, &api.options).await?;
    Ok((name, parts, payload))
}

fn answer(api: &Api, name: &FrontendName) -> Result<Response, Refusal> {
    let policy = api.control.policy(name);
    let pause = api.control.pause(name);
    json::data(StatusCode::OK, PolicyOut::new(&policy, pause.as_ref()))
}
