//! From a row of the catalogue to a metric in the registry.

use prometheus::core::Collector;
use prometheus::{
    Counter, Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use super::{Entry, Kind};

/// A metric that the catalogue describes.
pub(super) trait Metric: Collector + Clone + Sized + 'static {
    fn of(entry: &Entry) -> Result<Self, Error>;
}

/// Makes a metric and adds it to the registry.
pub(super) fn add<M: Metric>(registry: &Registry, entry: &Entry) -> Result<M, Error> {
    let metric = M::of(entry)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

impl Metric for IntCounter {
    fn of(entry: &Entry) -> Result<Self, Error> {
        Self::new(entry.name, entry.help)
    }
}

impl Metric for Counter {
    fn of(entry: &Entry) -> Result<Self, Error> {
        Self::new(entry.name, entry.help)
    }
}

impl Metric for IntGauge {
    fn of(entry: &Entry) -> Result<Self, Error> {
        Self::new(entry.name, entry.help)
    }
}

impl Metric for IntCounterVec {
    fn of(entry: &Entry) -> Result<Self, Error> {
        Self::new(Opts::new(entry.name, entry.help), entry.labels)
    }
}

impl Metric for IntGaugeVec {
    fn of(entry: &Entry) -> Result<Self, Error> {
        Self::new(Opts::new(entry.name, entry.help), entry.labels)
    }
}

impl Metric for Histogram {
    fn of(entry: &Entry) -> Result<Self, Error> {
        Self::with_opts(buckets(entry))
    }
}

impl Metric for HistogramVec {
    fn of(entry: &Entry) -> Result<Self, Error> {
        Self::new(buckets(entry), entry.labels)
    }
}

fn buckets(entry: &Entry) -> HistogramOpts {
    let bounds = match entry.kind {
        Kind::Histogram(bounds) => bounds.to_vec(),
        Kind::Counter | Kind::Gauge => Vec::new(),
    };
    HistogramOpts::new(entry.name, entry.help).buckets(bounds)
}
