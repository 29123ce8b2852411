//! The id of a request: the client's, or ours; in the answer and in every line logged meanwhile.

use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderValue;
use axum::http::header::HeaderName;
use axum::response::Response;
use zajil_telemetry::log;

use crate::problem::{Shape, shaped};

/// Carries the id both ways.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ones are not taken over.
const LONGEST: usize = 128;

/// Hands out ids that differ between processes and rise within one.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    last: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self {
            process: RandomState::new().hash_one("requests") >> 32,
            last: AtomicU64::new(0),
        }
    }

    /// The client's id if it is one that can stand in a log line, else a new one.
    fn of(&self, request: &Request) -> HeaderValue {
        let sent = request.headers().get(&HEADER);
        sent.filter(|value| is_sound(value.as_bytes()))
            .cloned()
            .unwrap_or_else(|| self.next())
    }

    fn next(&self) -> HeaderValue {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:08x}-{number:x}", self.process);
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("none"))
    }

    /// Runs what answers `request`; lines that are written meanwhile carry its id.
    pub(crate) async fn traced<F: Future<Output = Response>>(
        &self,
        request: Request,
        answer: impl FnOnce(Request) -> F,
    ) -> Response {
        let id = self.of(&request);
        let path = request.extensions().get::<MatchedPath>();
        let logged = log::Request::new(id.to_str().unwrap_or_default())
            .to(request.method().as_str(), path.map(MatchedPath::as_str));
        let shape = Shape::wanted(request.headers());
        let answered = logged.during(async move {
            let response = shaped(answer(request).await, shape);
            tracing::debug!(status = response.status().as_u16(), "answered");
            response
        });
        let mut response = answered.await;
        response.headers_mut().insert(HEADER, id);
        response
    }
}

fn is_sound(id: &[u8]) -> bool {
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_.:/+=@".contains(octet);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(plain)
}
