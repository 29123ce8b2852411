//! What the system says of itself: metrics, facts and logs.

mod fact;
pub mod log;
pub mod metric;
mod stopwatch;

pub use fact::{ChargeFact, Door, EnumFact, Fact, HandedFact, Telemetry};
pub use metric::Metrics;
pub use stopwatch::Stopwatch;
