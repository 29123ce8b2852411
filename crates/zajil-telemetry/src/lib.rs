//! What the system says of itself: metrics, facts, logs and the live hub.

mod chain;
mod fact;
pub mod live;
pub mod log;
pub mod metric;
mod stopwatch;
pub mod trace;

pub use chain::chain;
pub use fact::{
    CdrFact, ChargeFact, Door, EnumFact, Fact, HandedFact, HeldFact, Telemetry, WebhookFact,
};
pub use metric::{CarrierCounts, Metrics};
pub use stopwatch::Stopwatch;
