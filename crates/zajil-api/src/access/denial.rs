//! What a request that is not let in is answered, and the headers of S3.7.

use axum::http::HeaderValue;
use axum::http::header::{HeaderName, RETRY_AFTER};
use axum::response::Response;
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};

use super::limit::Verdict;
use crate::error;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A request that is not let in.
#[derive(Debug)]
pub(crate) struct Denied {
    refusal: Refusal,
    counted: Option<(Verdict, Timestamp)>,
}

impl Denied {
    pub(crate) fn of(refusal: Refusal) -> Self {
        Self {
            refusal,
            counted: None,
        }
    }

    pub(crate) fn limited(detail: impl Into<String>, verdict: Verdict, now: Timestamp) -> Self {
        Self {
            refusal: Refusal::new(Reason::RateLimited, detail),
            counted: Some((verdict, now)),
        }
    }

    /// The answer.
    pub(crate) fn answer(&self) -> Response {
        let mut response = error::answer(&self.refusal);
        if let Some((verdict, now)) = self.counted {
            mark(&mut response, verdict, now);
            let seconds = verdict.next_in.as_millis().div_ceil(1_000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Says how much is left: `X-RateLimit-Limit`, `-Remaining` and `-Reset`, the Unix second at which
/// the whole allowance is there again.
pub(crate) fn mark(response: &mut Response, verdict: Verdict, now: Timestamp) {
    let reset = now.plus(verdict.full_in).millis();
    let reset = u64::try_from(reset).unwrap_or(0).div_ceil(1_000);
    let headers = response.headers_mut();
    headers.insert(LIMIT, verdict.limit.into());
    headers.insert(REMAINING, verdict.remaining.into());
    headers.insert(RESET, HeaderValue::from(reset));
}
