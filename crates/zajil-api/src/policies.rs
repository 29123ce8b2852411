//! `/api/frontends/{name}/…`: pausing a frontend, and its own retry schedules (D10).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use zajil_core::frontend::FrontendName;
use zajil_core::outcome::Refusal;

use crate::dto::policy::{PauseIn, PolicyOut, RetryIn};
use crate::router::{Api, Shared};
use crate::{body, json, query};

/// `GET /api/frontends/{name}/policy`.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, _) = read(&api, request).await?;
    answer(&api, &name)
}

/// `PUT /api/frontends/{name}/policy`: the waits by error class; those left out have the defaults.
pub(crate) async fn replace(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, payload) = read(&api, request).await?;
    let retry = body::object::<RetryIn<'_>>(&payload)?.into_schedules()?;
    let mut policy = api.control.policy(&name);
    policy.retry = retry;
    api.control.set_policy(policy).await?;
    answer(&api, &name)
}

/// `POST /api/frontends/{name}/pause`: it gets nothing until it is resumed, or for `seconds`. Its
/// messages keep their place.
pub(crate) async fn pause(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, payload) = read(&api, request).await?;
    let pause = body::object_or_nothing::<PauseIn<'_>>(&payload)?.into_pause(api.now())?;
    let mut policy = api.control.policy(&name);
    policy.pause = Some(pause);
    api.control.set_policy(policy).await?;
    answer(&api, &name)
}

/// `POST /api/frontends/{name}/resume`.
pub(crate) async fn resume(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (name, _) = read(&api, request).await?;
    let mut policy = api.control.policy(&name);
    policy.pause = None;
    api.control.set_policy(policy).await?;
    answer(&api, &name)
}

async fn read(api: &Api, request: Request) -> Result<(FrontendName, bytes::Bytes), Refusal> {
    let (mut parts, payload) = request.into_parts();
    let name = query::path(&mut parts).await?;
    let name = FrontendName::parse(&name).map_err(|rule| Refusal::field("frontend_name", rule))?;
    let payload = body::read(payload, api.options.max_body_bytes, &api.options).await?;
    Ok((name, payload))
}

fn answer(api: &Api, name: &FrontendName) -> Result<Response, Refusal> {
    let policy = api.control.policy(name);
    let pause = api.control.pause(name);
    json::data(StatusCode::OK, PolicyOut::new(&policy, pause.as_ref()))
}
