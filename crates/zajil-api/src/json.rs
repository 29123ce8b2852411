//! Answers: JSON bodies written in one pass.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use zajil_core::outcome::{Reason, Refusal};

/// The content type of every body.
pub(crate) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// `{"data": …}`.
#[derive(Debug, Serialize)]
pub(crate) struct Data<T> {
    data: T,
}

/// An answer with `value` as it is.
pub(crate) fn bare(status: StatusCode, value: &impl Serialize) -> Result<Response, Refusal> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(written(status, body)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            Err(Refusal::new(Reason::Internal, "internal error"))
        }
    }
}

/// An answer with `value` as `data`.
pub(crate) fn data(status: StatusCode, value: impl Serialize) -> Result<Response, Refusal> {
    bare(status, &Data { data: value })
}

/// `{"status": "success", "data": …}`.
#[derive(Debug, Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
}

/// An answer with `value` as `data`, as the calls about messages have it.
pub(crate) fn success(status: StatusCode, value: impl Serialize) -> Result<Response, Refusal> {
    let success = Success {
        status: "success",
        data: value,
    };
    bare(status, &success)
}

/// An answer whose body is written already.
pub(crate) fn written(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    response
}

/// The answer to a removal.
pub(crate) fn removed() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Writes a string with its quotes.
pub(crate) fn text(out: &mut Vec<u8>, value: &str) {
    // Writing to memory does not fail.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"\"\"");
    }
}
