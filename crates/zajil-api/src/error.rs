//! What went wrong, as HTTP says it: a status for each reason, one shape for all (S3, D18).

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use zajil_core::outcome::{Reason, Refusal};

use crate::json;

/// Carries the stable code of the reason, which the body of S3 has no place for.
const REASON: HeaderName = HeaderName::from_static("x-reason");

/// The status of each reason.
pub(crate) fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::Malformed => StatusCode::BAD_REQUEST,
        Reason::Invalid
        | Reason::UnknownFrontend
        | Reason::KeyReused
        | Reason::NoCredit
        | Reason::UnknownAccount
        | Reason::DisabledAccount
        | Reason::BarredDestination
        | Reason::NoTariff
        | Reason::Conflict => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::Unauthenticated => StatusCode::UNAUTHORIZED,
        Reason::Forbidden => StatusCode::FORBIDDEN,
        Reason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::NotFound => StatusCode::NOT_FOUND,
        Reason::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Reason::AlreadyFinal => StatusCode::CONFLICT,
        Reason::Overloaded
        | Reason::TooManyConnections
        | Reason::StorageFull
        | Reason::StorageDown
        | Reason::ChargingDown
        | Reason::IssuerDown
        | Reason::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer to a refused request.
pub(crate) fn answer(refusal: &Refusal) -> Response {
    let mut body = b"{\"errors\":{\"detail\":".to_vec();
    json::text(&mut body, &refusal.detail);
    body.extend_from_slice(b"}}");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(refusal.reason);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, json::MEDIA_TYPE);
    headers.insert(REASON, HeaderValue::from_static(refusal.reason.code()));
    if refusal.reason == Reason::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if refusal.reason.is_retryable() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // Whoever knows what the client wants to read may write it in another shape.
    response.extensions_mut().insert(refusal.clone());
    response
}

/// A store's error as a refusal: what the client can do, and nothing internal.
pub(crate) fn from_store(error: zajil_store::Error) -> Refusal {
    use zajil_store::Error::{Damaged, Unknown};
    if matches!(error, Damaged(_) | Unknown(_)) {
        tracing::error!(%error, "the store failed");
    }
    error.refusal()
}

/// No record of this kind has this id.
pub(crate) fn unknown(kind: &str, id: &str) -> Refusal {
    Refusal::new(Reason::NotFound, format!("{kind} {id} not found"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn d18_every_reason_has_its_status() {
        let table: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| format!("{} {}", status(*reason).as_u16(), reason.code()))
            .collect();
        expect![[r#"
            400 malformed
            422 invalid
            401 unauthenticated
            403 forbidden
            429 rate_limited
            413 too_large
            422 unknown_frontend
            422 key_reused
            404 not_found
            405 not_allowed
            409 already_final
            422 no_credit
            422 unknown_account
            422 disabled_account
            422 barred_destination
            422 no_tariff
            422 conflict
            503 overloaded
            503 too_many_connections
            503 storage_full
            503 storage_down
            503 charging_down
            503 issuer_down
            503 stopping
            500 internal"#]]
        .assert_eq(&table.join("\n"));
    }

    #[test]
    fn store_errors_tell_nothing_internal() {
        let refusal = from_store(zajil_store::Error::Down("/var/lib/x: EIO".into()));
        assert_eq!(refusal.reason, Reason::StorageDown);
        assert!(!refusal.detail.contains("EIO"));
    }
}
