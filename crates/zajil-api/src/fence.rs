//! A fence around each request: a bug on our side costs that request, never the connection's task.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use axum::response::Response;
use zajil_core::outcome::{Reason, Refusal};

use crate::error;

/// Runs a handler and answers for it when it refuses or panics (500). The panic hook has told
/// where by then.
pub(crate) async fn fenced(handler: impl Future<Output = Result<Response, Refusal>>) -> Response {
    let mut handler = pin!(handler);
    let outcome = poll_fn(|context| {
        // Nothing of the handler is touched again after a panic.
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(_) => Poll::Ready(Err(Refusal::new(Reason::Internal, "internal error"))),
        }
    })
    .await;
    outcome.unwrap_or_else(|refusal| error::answer(&refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s3_a_panic_becomes_500() {
        let response = fenced(async { panic!("a bug") }).await;
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 1_000)
            .await
            .unwrap();
        assert_eq!(body, r#"{"errors":{"detail":"internal error"}}"#);
    }
}
