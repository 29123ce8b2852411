//! The metric catalogue: one table that feeds the registry, `/metrics` and the manual (S12).
//!
//! The names of the reference are kept to the letter, so no `_total` and no unit is added (D23).
//! S12 abbreviates `sms_c_delivery_succeeded_count / _duration / _attempt_count`; read here as
//! `sms_c_delivery_succeeded_duration` (milliseconds from acceptance to delivery) and
//! `sms_c_delivery_succeeded_attempt_count` (a histogram of attempts).

use std::fmt::Write as _;

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use zajil_core::outcome::Reason;

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

const MILLIS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0,
    10_000.0,
];
const LIFE_MILLIS: &[f64] = &[
    10.0,
    50.0,
    100.0,
    500.0,
    1_000.0,
    5_000.0,
    30_000.0,
    120_000.0,
    600_000.0,
    3_600_000.0,
    21_600_000.0,
    86_400_000.0,
];
const ATTEMPTS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];

const fn counter(name: &'static str, help: &'static str) -> Entry {
    Entry {
        name,
        kind: Kind::Counter,
        labels: &[],
        help,
    }
}

const fn gauge(name: &'static str, help: &'static str) -> Entry {
    Entry {
        name,
        kind: Kind::Gauge,
        labels: &[],
        help,
    }
}

const fn histogram(name: &'static str, bounds: &'static [f64], help: &'static str) -> Entry {
    Entry {
        name,
        kind: Kind::Histogram(bounds),
        labels: &[],
        help,
    }
}

const fn labelled(mut entry: Entry, labels: &'static [&'static str]) -> Entry {
    entry.labels = labels;
    entry
}

const RECEIVED: Entry = counter("sms_c_message_received_count", "Messages accepted.");
const PROCESSING: Entry = histogram(
    "sms_c_message_processing_stop_duration",
    MILLIS,
    "Milliseconds from a submit to its durable storage.",
);
const MATCHED: Entry = labelled(
    counter(
        "sms_c_routing_route_matched_count",
        "Messages a route took, by route id.",
    ),
    &["route"],
);
const UNMATCHED: Entry = counter("sms_c_routing_failed_count", "Messages that no route took.");
const ROUTING: Entry = histogram(
    "sms_c_routing_stop_duration",
    MILLIS,
    "Milliseconds to translate and route.",
);
const ENUM_ASKED: Entry = labelled(
    histogram(
        "sms_c_enum_lookup_stop_duration",
        MILLIS,
        "Milliseconds that name servers took, by whether they answered.",
    ),
    &["success"],
);
const ENUM_HITS: Entry = counter(
    "sms_c_enum_cache_hit_count",
    "ENUM look-ups answered from the cache.",
);
const ENUM_MISSES: Entry = counter(
    "sms_c_enum_cache_miss_count",
    "ENUM look-ups that were not in the cache.",
);
const ENUM_SIZE: Entry = gauge("sms_c_enum_cache_size_size", "Numbers in the ENUM cache.");
const CHARGED: Entry = counter(
    "sms_c_charging_succeeded_count",
    "Messages that the charging system granted.",
);
const CHARGED_IN: Entry = histogram(
    "sms_c_charging_succeeded_duration",
    MILLIS,
    "Milliseconds until the charging system granted.",
);
const CHARGING_FAILED: Entry = counter(
    "sms_c_charging_failed_count",
    "Messages that were refused by the charging system or could not be charged.",
);
const CHARGING_FAILED_IN: Entry = histogram(
    "zajil_charging_failed_duration",
    MILLIS,
    "Milliseconds until charging was refused or failed.",
);
const CHARGER_USABLE: Entry = gauge(
    "zajil_charger_usable",
    "1 while the charging system answers, 0 while its breaker is open or none is configured.",
);
const QUEUED: Entry = counter(
    "sms_c_delivery_queued_count",
    "Messages queued for delivery.",
);
const ATTEMPTED: Entry = counter(
    "sms_c_delivery_attempted_count",
    "Delivery attempts, failed ones included.",
);
const SUCCEEDED: Entry = counter("sms_c_delivery_succeeded_count", "Messages delivered.");
const SUCCEEDED_AFTER: Entry = histogram(
    "sms_c_delivery_succeeded_duration",
    LIFE_MILLIS,
    "Milliseconds from acceptance to delivery.",
);
const SUCCEEDED_IN: Entry = histogram(
    "sms_c_delivery_succeeded_attempt_count",
    ATTEMPTS,
    "Attempts that a delivered message took.",
);
const DEAD_LETTER: Entry = counter(
    "sms_c_delivery_dead_letter_count",
    "Messages that expired undelivered.",
);
const QUEUE_SIZE: Entry = gauge(
    "sms_c_queue_size_size",
    "Messages in the queue store, finished ones included.",
);
const QUEUE_PENDING: Entry = gauge(
    "sms_c_queue_size_pending",
    "Messages that wait for delivery.",
);
const QUEUE_OLDEST: Entry = gauge(
    "sms_c_queue_oldest_message_age_seconds",
    "Seconds since the oldest waiting message was accepted; 0 when none waits.",
);
const FRONTENDS: Entry = labelled(
    gauge(
        "sms_c_frontend_status_count",
        "Frontends, connected and disconnected.",
    ),
    &["status"],
);
const OUTBOX: Entry = gauge(
    "zajil_cdr_outbox",
    "Finished messages whose CDR is not written yet.",
);
const DATABASE_ASKED: Entry = histogram(
    "ecto_pools_query_time",
    MILLIS,
    "Milliseconds that the CDR database took for an answer; none with an SQLite file.",
);
const DATABASE_QUEUED: Entry = histogram(
    "ecto_pools_queue_time",
    MILLIS,
    "Milliseconds of waiting for a free connection to the CDR database.",
);
const DATABASE_CONNECTED: Entry = gauge(
    "ecto_pools_connected_count",
    "Open connections to the CDR database.",
);
const CDR_BAD_ROWS: Entry = counter(
    "zajil_cdr_bad_rows",
    "CDRs that the database refused for what they hold; they are in cdr-aside.db.",
);
const INTAKE: Entry = gauge("zajil_intake_depth", "Asynchronous submits not stored yet.");
const REFUSALS: Entry = labelled(
    counter("zajil_refusals", "Requests refused, by door and reason."),
    &["door", "reason"],
);
const LATE: Entry = counter(
    "zajil_late_reports",
    "Reports about messages that had ended.",
);
const PANICS: Entry = counter(
    "zajil_panics",
    "Bugs caught: each cost one request or task turn.",
);

/// Every metric, in the order of the manual.
pub const CATALOGUE: &[Entry] = &[
    RECEIVED,
    PROCESSING,
    MATCHED,
    UNMATCHED,
    ROUTING,
    ENUM_ASKED,
    ENUM_HITS,
    ENUM_MISSES,
    ENUM_SIZE,
    CHARGED,
    CHARGED_IN,
    CHARGING_FAILED,
    CHARGING_FAILED_IN,
    CHARGER_USABLE,
    QUEUED,
    ATTEMPTED,
    SUCCEEDED,
    SUCCEEDED_AFTER,
    SUCCEEDED_IN,
    DEAD_LETTER,
    QUEUE_SIZE,
    QUEUE_PENDING,
    QUEUE_OLDEST,
    FRONTENDS,
    OUTBOX,
    CDR_BAD_ROWS,
    DATABASE_ASKED,
    DATABASE_QUEUED,
    DATABASE_CONNECTED,
    INTAKE,
    REFUSALS,
    LATE,
    PANICS,
];

/// Routes beyond this many share the label `other`: a bound on what a scrape returns.
const MOST_ROUTES: usize = 1_000;

/// The metrics of one process, each with a handle that is free of look-ups.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(crate) received: IntCounter,
    pub(crate) processing: Histogram,
    matched: IntCounterVec,
    routes: std::sync::RwLock<std::collections::HashMap<u64, IntCounter>>,
    pub(crate) unmatched: IntCounter,
    pub(crate) routing: Histogram,
    enum_asked: HistogramVec,
    pub(crate) enum_hits: IntCounter,
    pub(crate) enum_misses: IntCounter,
    /// `sms_c_enum_cache_size_size`.
    pub enum_size: IntGauge,
    pub(crate) charged: IntCounter,
    pub(crate) charged_in: Histogram,
    pub(crate) charging_failed: IntCounter,
    pub(crate) charging_failed_in: Histogram,
    /// `zajil_charger_usable`.
    pub charger_usable: IntGauge,
    pub(crate) queued: IntCounter,
    pub(crate) attempted: IntCounter,
    pub(crate) succeeded: IntCounter,
    pub(crate) succeeded_after: Histogram,
    pub(crate) succeeded_in: Histogram,
    pub(crate) dead_letter: IntCounter,
    /// `sms_c_queue_size_size`.
    pub queue_size: IntGauge,
    /// `sms_c_queue_size_pending`.
    pub queue_pending: IntGauge,
    /// `sms_c_queue_oldest_message_age_seconds`.
    pub queue_oldest: IntGauge,
    frontends: IntGaugeVec,
    /// `zajil_cdr_outbox`.
    pub outbox: IntGauge,
    /// `zajil_cdr_bad_rows`.
    pub cdr_bad_rows: IntCounter,
    database_asked: Histogram,
    database_queued: Histogram,
    /// `ecto_pools_connected_count`.
    pub database_connected: IntGauge,
    /// `zajil_intake_depth`.
    pub intake: IntGauge,
    refusals: IntCounterVec,
    pub(crate) late: IntCounter,
    /// `zajil_panics`.
    pub panics: IntCounter,
}

impl Metrics {
    /// All metrics of the catalogue, in a registry of their own.
    ///
    /// # Errors
    /// When the catalogue breaks Prometheus' rules: a bug that the tests of this module find.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            received: int_counter(&registry, &RECEIVED)?,
            processing: timer(&registry, &PROCESSING)?,
            matched: counters(&registry, &MATCHED)?,
            routes: std::sync::RwLock::default(),
            unmatched: int_counter(&registry, &UNMATCHED)?,
            routing: timer(&registry, &ROUTING)?,
            enum_asked: timers(&registry, &ENUM_ASKED)?,
            enum_hits: int_counter(&registry, &ENUM_HITS)?,
            enum_misses: int_counter(&registry, &ENUM_MISSES)?,
            enum_size: int_gauge(&registry, &ENUM_SIZE)?,
            charged: int_counter(&registry, &CHARGED)?,
            charged_in: timer(&registry, &CHARGED_IN)?,
            charging_failed: int_counter(&registry, &CHARGING_FAILED)?,
            charging_failed_in: timer(&registry, &CHARGING_FAILED_IN)?,
            charger_usable: int_gauge(&registry, &CHARGER_USABLE)?,
            queued: int_counter(&registry, &QUEUED)?,
            attempted: int_counter(&registry, &ATTEMPTED)?,
            succeeded: int_counter(&registry, &SUCCEEDED)?,
            succeeded_after: timer(&registry, &SUCCEEDED_AFTER)?,
            succeeded_in: timer(&registry, &SUCCEEDED_IN)?,
            dead_letter: int_counter(&registry, &DEAD_LETTER)?,
            queue_size: int_gauge(&registry, &QUEUE_SIZE)?,
            queue_pending: int_gauge(&registry, &QUEUE_PENDING)?,
            queue_oldest: int_gauge(&registry, &QUEUE_OLDEST)?,
            frontends: register(
                &registry,
                IntGaugeVec::new(Opts::new(FRONTENDS.name, FRONTENDS.help), FRONTENDS.labels)?,
            )?,
            outbox: int_gauge(&registry, &OUTBOX)?,
            cdr_bad_rows: int_counter(&registry, &CDR_BAD_ROWS)?,
            database_asked: timer(&registry, &DATABASE_ASKED)?,
            database_queued: timer(&registry, &DATABASE_QUEUED)?,
            database_connected: int_gauge(&registry, &DATABASE_CONNECTED)?,
            intake: int_gauge(&registry, &INTAKE)?,
            refusals: counters(&registry, &REFUSALS)?,
            late: int_counter(&registry, &LATE)?,
            panics: int_counter(&registry, &PANICS)?,
            registry,
        };
        // A series that exists from the start is one an alert can compare with.
        metrics.set_frontends(0, 0);
        for success in ["true", "false"] {
            drop(metrics.enum_asked.with_label_values(&[success]));
        }
        Ok(metrics)
    }

    /// `sms_c_frontend_status_count`.
    pub fn set_frontends(&self, connected: i64, disconnected: i64) {
        self.frontends
            .with_label_values(&["connected"])
            .set(connected);
        self.frontends
            .with_label_values(&["disconnected"])
            .set(disconnected);
    }

    pub(crate) fn route_matched(&self, route: u64) {
        let poisoned = std::sync::PoisonError::into_inner;
        if let Some(counter) = self.routes.read().unwrap_or_else(poisoned).get(&route) {
            counter.inc();
            return;
        }
        let mut routes = self
            .routes
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if routes.len() >= MOST_ROUTES {
            self.matched.with_label_values(&["other"]).inc();
            return;
        }
        let counter = self.matched.with_label_values(&[&route.to_string()]);
        counter.inc();
        routes.insert(route, counter);
    }

    pub(crate) fn enum_asked(&self, millis: f64, answered: bool) {
        let success = if answered { "true" } else { "false" };
        self.enum_asked
            .with_label_values(&[success])
            .observe(millis);
    }

    /// `ecto_pools_query_time`.
    pub fn database_asked(&self, took: std::time::Duration) {
        self.database_asked.observe(took.as_secs_f64() * 1_000.0);
    }

    /// `ecto_pools_queue_time`.
    pub fn database_queued(&self, waited: std::time::Duration) {
        self.database_queued.observe(waited.as_secs_f64() * 1_000.0);
    }

    pub(crate) fn refused(&self, door: &str, reason: Reason) {
        self.refusals
            .with_label_values(&[door, reason.code()])
            .inc();
    }

    /// The answer to a scrape: Prometheus' text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::with_capacity(16 * 1_024);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn int_counter(registry: &Registry, entry: &Entry) -> Result<IntCounter, prometheus::Error> {
    register(registry, IntCounter::new(entry.name, entry.help)?)
}

fn int_gauge(registry: &Registry, entry: &Entry) -> Result<IntGauge, prometheus::Error> {
    register(registry, IntGauge::new(entry.name, entry.help)?)
}

fn counters(registry: &Registry, entry: &Entry) -> Result<IntCounterVec, prometheus::Error> {
    register(
        registry,
        IntCounterVec::new(Opts::new(entry.name, entry.help), entry.labels)?,
    )
}

fn timer(registry: &Registry, entry: &Entry) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(entry.name, entry.help).buckets(bounds(entry));
    register(registry, Histogram::with_opts(options)?)
}

fn timers(registry: &Registry, entry: &Entry) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(entry.name, entry.help).buckets(bounds(entry));
    register(registry, HistogramVec::new(options, entry.labels)?)
}

fn bounds(entry: &Entry) -> Vec<f64> {
    match entry.kind {
        Kind::Histogram(bounds) => bounds.to_vec(),
        Kind::Counter | Kind::Gauge => Vec::new(),
    }
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
        let kind = match entry.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels = entry.labels.join(", ");
        if writeln!(
            page,
            "| `{}` | {kind} | {labels} | {} |",
            entry.name, entry.help
        )
        .is_err()
        {
            break;
        }
    }
    page
}

#[cfg(test)]
mod tests;
