//! The two shapes of a refusal: that of S3, and problem details (RFC 9457) for clients that ask.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use serde::Serialize;
use zajil_core::outcome::{Reason, Refusal};

use crate::error;
use crate::openapi::schema::{self, Described, Schema, shown};

/// The media type of problem details.
const MEDIA_TYPE: &str = "application/problem+json";

/// `{"errors": {"detail": …}}` (S3), for the description: `error` writes it.
#[derive(Debug)]
pub(crate) struct ErrorBody;

/// Problem details. `detail` is that of S3, `code` that of the header `x-reason`.
#[derive(Debug, Serialize)]
pub(crate) struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    retryable: bool,
}

/// What a client wants to read when it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// That of S3.
    Errors,
    /// Problem details.
    Problem,
}

impl Shape {
    /// Problem details for who names their media type in `Accept`, and does not like plain JSON
    /// better. Wildcards do not ask for it: clients of S3 send them.
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let mut problem = 0;
        let mut json = 0;
        for value in headers.get_all(ACCEPT) {
            let Ok(text) = value.to_str() else { continue };
            for range in text.split(',') {
                let mut parts = range.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default();
                let quality = parts.find_map(quality).unwrap_or(1_000);
                if name.eq_ignore_ascii_case(MEDIA_TYPE) {
                    problem = problem.max(quality);
                } else if name.eq_ignore_ascii_case("application/json") {
                    json = json.max(quality);
                }
            }
        }
        if problem > 0 && problem >= json {
            Self::Problem
        } else {
            Self::Errors
        }
    }
}

/// The weight of a media range, in thousandths (RFC 9110 12.4.2).
fn quality(parameter: &str) -> Option<u32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, rest) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let thousandths = format!("{rest:0<3}");
    match (whole, thousandths.get(..3)?.parse::<u32>()) {
        ("1", Ok(_)) => Some(1_000),
        ("0", Ok(thousandths)) => Some(thousandths),
        _ => Some(0),
    }
}

/// A refusal in the shape that the client wants; any other answer as it is.
pub(crate) fn shaped(mut response: Response, shape: Shape) -> Response {
    let Some(refusal) = response.extensions_mut().remove::<Refusal>() else {
        return response;
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("accept"));
    if shape == Shape::Problem
        && let Ok(body) = serde_json::to_vec(&Problem::of(&refusal))
    {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        *response.body_mut() = Body::from(body);
    }
    response
}

impl<'a> Problem<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        let reason = refusal.reason;
        Self {
            r#type: format!("/api/docs#reason-{}", reason.code()),
            title: title(reason),
            status: error::status(reason).as_u16(),
            detail: &refusal.detail,
            code: reason.code(),
            retryable: reason.is_retryable(),
        }
    }
}

/// What a reason means, the same for every occurrence.
pub(crate) fn title(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => "The request cannot be read",
        Reason::Invalid => "A field breaks a rule",
        Reason::Unauthenticated => "Who calls is not known",
        Reason::Forbidden => "The caller may not do this",
        Reason::RateLimited => "More calls than are allowed",
        Reason::TooLarge => "The request is too large",
        Reason::UnknownFrontend => "The frontend is not known",
        Reason::KeyReused => "The idempotency key came with another request before",
        Reason::NotFound => "There is no such record",
        Reason::NotAllowed => "The page does not take this verb",
        Reason::AlreadyFinal => "The message has ended",
        Reason::NoCredit => "The account has no credit",
        Reason::UnknownAccount => "The account is not known",
        Reason::DisabledAccount => "The account is disabled",
        Reason::BarredDestination => "The destination is barred",
        Reason::NoTariff => "The message has no price",
        Reason::Conflict => "The request contradicts what is stored",
        Reason::Overloaded => "The node has as much work as it can hold",
        Reason::TooManyConnections => "There are as many connections as may be",
        Reason::StorageFull => "The store has no room left",
        Reason::StorageDown => "The store cannot be used",
        Reason::ChargingDown => "Charging is not available",
        Reason::IssuerDown => "Tokens cannot be checked",
        Reason::Stopping => "The node is stopping",
        Reason::Internal => "A bug on our side",
    }
}

impl Described for ErrorBody {
    const NAME: &'static str = "Error";

    fn schema() -> Schema {
        let detail = shown::text().says("What was wrong, and what the client can do.");
        schema::record([("errors", schema::record([("detail", detail)]))])
    }
}

impl Described for Problem<'_> {
    const NAME: &'static str = "Problem";

    fn schema() -> Schema {
        schema::record([
            ("type", shown::text().says("Where the reason is described.")),
            ("title", shown::text()),
            ("status", shown::integer(400, 599)),
            ("detail", shown::text()),
            (
                "code",
                shown::text().says("The stable code, as in the header `x-reason`."),
            ),
            (
                "retryable",
                shown::boolean().says("Whether the same request may succeed later."),
            ),
        ])
    }
}

#[cfg(test)]
mod tests;
