//! The one place where the load generator reads the clock.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "measuring real time is what this program is for"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
