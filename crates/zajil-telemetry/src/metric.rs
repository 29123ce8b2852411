//! The metrics: one table that feeds the registry, `/metrics` and the manual (S12).
//!
//! The names of the reference are kept to the letter, so no `_total` and no unit is added (D23).
//! S12 abbreviates `sms_c_delivery_succeeded_count / _duration / _attempt_count`; read here as
//! `sms_c_delivery_succeeded_duration` (milliseconds from acceptance to delivery) and
//! `sms_c_delivery_succeeded_attempt_count` (a histogram of attempts).

use std::fmt::Write as _;

mod carrier;
mod catalogue;
mod handles;
mod live;
mod process;
mod queue;
mod register;
mod webhook;

pub use carrier::CarrierCounts;
pub use catalogue::CATALOGUE;
pub use handles::Metrics;
pub use live::{Live, StreamEnd};

/// What kind of metric an entry is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Sums and buckets, with these bounds.
    Histogram(&'static [f64]),
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// The full name.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts, with its unit.
    pub help: &'static str,
}

impl Kind {
    /// As the exposition calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// The metric that a series belongs to: a histogram has series of its buckets, sum and count.
#[must_use]
pub fn metric_of(series: &str) -> Option<&'static Entry> {
    let named = |name: &str| CATALOGUE.iter().find(|entry| entry.name == name);
    named(series).or_else(|| {
        let parts = ["_bucket", "_sum", "_count"];
        let base = parts.iter().find_map(|part| series.strip_suffix(part))?;
        named(base).filter(|entry| matches!(entry.kind, Kind::Histogram(_)))
    })
}

/// The manual page `docs/metrics.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from the catalogue in `zajil-telemetry`; do not edit.\n\
         Served at `/metrics` of the metrics listener (default `127.0.0.1:9568`).\n\n\
         | name | kind | labels | what it is |\n|---|---|---|---|\n",
    );
    for entry in CATALOGUE {
        let Entry { name, help, .. } = entry;
        let (kind, labels) = (entry.kind.as_str(), entry.labels.join(", "));
        if writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").is_err() {
            break;
        }
    }
    page
}

#[cfg(test)]
mod tests;
