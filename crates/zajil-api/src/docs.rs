//! `/api/openapi.json` and `/api/docs`: the description of the API, for programs and for people.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use zajil_core::outcome::Refusal;

use crate::router::{self, Shared};
use crate::{json, openapi};

/// Reads the description and shows it; asks for nothing else.
const PAGE: &str = include_str!("docs/page.html");

/// What the page may do: its own style and script, and questions to this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi_json()));

/// The description of the API as it is committed: an OpenAPI 3.1 document.
#[must_use]
pub fn openapi_json() -> String {
    let document = openapi::document(router::listed());
    format!("{document:#}\n")
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi(_: Shared, _: Request) -> Result<Response, Refusal> {
    let mut response = Response::new(Body::from(DOCUMENT.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, json::MEDIA_TYPE);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// `GET /api/docs`: works without any other server.
pub(crate) async fn page(_: Shared, _: Request) -> Result<Response, Refusal> {
    let mut response = Response::new(Body::from(PAGE));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
