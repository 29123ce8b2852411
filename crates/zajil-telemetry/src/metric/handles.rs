//! The metrics of one process, each with a handle that is free of look-ups.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use prometheus::{
    Encoder as _, Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Registry, TextEncoder,
};
use zajil_core::outcome::Reason;
use zajil_core::queue::{Depth, Home};

use super::carrier::Carriers;
use super::catalogue as rows;
use super::live::Live;
use super::process::Process;
use super::queue::Queues;
use super::register::add;
use super::webhook::Webhooks;
use crate::fact::Door;

/// Routes beyond this many share the label `other`: a bound on what a scrape returns.
pub(super) const MOST_ROUTES: usize = 1_000;
pub(super) const OTHER: &str = "other";
/// What is shown where there is no certificate: far from any alarm.
const NO_CERTIFICATE_DAYS: i64 = 36_500;

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    process: Process,
    queues: Queues,
    /// Of the live hub.
    pub live: Live,
    /// Of SMPP carriers.
    pub carriers: Carriers,
    /// Of webhooks.
    pub webhooks: Webhooks,
    pub(crate) received: IntCounter,
    pub(crate) processing: Histogram,
    matched: IntCounterVec,
    routes: RwLock<HashMap<u64, IntCounter>>,
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
    /// `zajil_refunds_waiting`.
    pub refunds_waiting: IntGauge,
    refunds: IntCounterVec,
    /// `zajil_receipts_waiting`.
    pub receipts_waiting: IntGauge,
    /// `zajil_receipts_total`, by `outcome`.
    pub receipts: IntCounterVec,
    /// `zajil_smpp_sessions`, by `bind_type`.
    pub smpp_sessions: IntGaugeVec,
    /// `zajil_smpp_outbinds_total`, by `outcome`.
    pub smpp_outbinds: IntCounterVec,
    smpp: OfSmpp,
    /// `zajil_smpp_requests_under_way`.
    pub smpp_under_way: IntGauge,
    pub(crate) queued: IntCounter,
    pub(crate) attempted: IntCounter,
    pub(crate) succeeded: IntCounter,
    pub(crate) succeeded_after: Histogram,
    pub(crate) succeeded_in: Histogram,
    pub(crate) dead_letter: IntCounter,
    pub(crate) auto_replies: IntCounter,
    pub(crate) fallbacks: IntCounter,
    pub(crate) lease_returns: IntCounter,
    pub(crate) late: IntCounter,
    /// `sms_c_queue_size_size`.
    pub queue_size: IntGauge,
    /// `sms_c_queue_size_pending`.
    pub queue_pending: IntGauge,
    /// `sms_c_queue_oldest_message_age_seconds`.
    pub queue_oldest: IntGauge,
    frontends: IntGaugeVec,
    /// `zajil_cdr_outbox`.
    pub outbox: IntGauge,
    /// `zajil_cdr_bad_rows_total`.
    pub cdr_bad_rows: IntCounter,
    /// `zajil_cdr_write_failures_total`.
    pub cdr_failures: IntCounter,
    pool_query: Histogram,
    pool_queue: Histogram,
    /// `ecto_pools_connected_count`, of a pool; [`Metrics::database_opened`] of a file.
    pub database_connected: IntGauge,
    /// `zajil_intake_depth`.
    pub intake: IntGauge,
    /// `zajil_intake_waiting`.
    pub intake_waiting: IntGauge,
    refusals: IntCounterVec,
    closed_early: IntCounterVec,
    certificate_days: IntGauge,
    certificate_bad: IntCounter,
    spans: IntCounterVec,
    /// `zajil_store_commit_seconds`.
    pub store_commit: Histogram,
    /// `zajil_store_batch_jobs`.
    pub store_batch: Histogram,
    /// `zajil_store_writer_queue`.
    pub store_queue: IntGauge,
    /// `zajil_store_undone_total`.
    pub store_undone: IntCounter,
    ready: IntGaugeVec,
    /// `zajil_panics_total`.
    pub panics: IntCounter,
}

/// One of those that a gauge counts, until it is dropped.
#[derive(Debug)]
pub struct Among(IntGauge);

impl Among {
    fn one_more(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Among {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What applications submit, what they are alerted of, and whose records cannot be read.
#[derive(Debug)]
struct OfSmpp {
    /// `zajil_smpp_submits_total`, by `status`.
    submits: IntCounterVec,
    /// Every message counts among those that were taken, so no label is looked up for it.
    taken: IntCounter,
    alerts_owed: IntGauge,
    alerts: IntCounterVec,
    unreadable: IntGaugeVec,
}

impl OfSmpp {
    fn new(registry: &Registry) -> Result<Self, Error> {
        let submits: IntCounterVec = add(registry, &rows::SMPP_SUBMITS)?;
        let taken = submits.with_label_values(&["ESME_ROK"]);
        let alerts: IntCounterVec = add(registry, &rows::SMPP_ALERTS)?;
        for outcome in ["sent", "unsent", "forgotten", "refused"] {
            drop(alerts.with_label_values(&[outcome]));
        }
        let unreadable: IntGaugeVec = add(registry, &rows::SMPP_UNREADABLE)?;
        for kind in ["account", "carrier"] {
            drop(unreadable.with_label_values(&[kind]));
        }
        Ok(Self {
            unreadable,
            submits,
            taken,
            alerts_owed: add(registry, &rows::SMPP_ALERTS_OWED)?,
            alerts,
        })
    }
}

impl Metrics {
    /// Counts in `zajil_intake_waiting` as long as it is held.
    #[must_use]
    pub fn waits_for_intake(&self) -> Among {
        Among::one_more(&self.intake_waiting)
    }

    /// All metrics of the catalogue, in a registry of their own.
    ///
    /// # Errors
    /// When the catalogue breaks Prometheus' rules: a bug that the tests of this module find.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        let r = &registry;
        let build: IntGaugeVec = add(r, &rows::BUILD)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            process: Process::new(r)?,
            queues: Queues::new(r)?,
            live: Live::new(r)?,
            carriers: Carriers::new(r)?,
            webhooks: Webhooks::new(r)?,
            received: add(r, &rows::RECEIVED)?,
            processing: add(r, &rows::PROCESSING)?,
            matched: add(r, &rows::MATCHED)?,
            routes: RwLock::default(),
            unmatched: add(r, &rows::UNMATCHED)?,
            routing: add(r, &rows::ROUTING)?,
            enum_asked: add(r, &rows::ENUM_ASKED)?,
            enum_hits: add(r, &rows::ENUM_HITS)?,
            enum_misses: add(r, &rows::ENUM_MISSES)?,
            enum_size: add(r, &rows::ENUM_SIZE)?,
            charged: add(r, &rows::CHARGED)?,
            charged_in: add(r, &rows::CHARGED_IN)?,
            charging_failed: add(r, &rows::CHARGING_FAILED)?,
            charging_failed_in: add(r, &rows::CHARGING_FAILED_IN)?,
            charger_usable: add(r, &rows::CHARGER_USABLE)?,
            refunds_waiting: add(r, &rows::REFUNDS_WAITING)?,
            refunds: add(r, &rows::REFUNDS)?,
            receipts_waiting: add(r, &rows::RECEIPTS_WAITING)?,
            receipts: add(r, &rows::RECEIPTS)?,
            smpp_sessions: add(r, &rows::SMPP_SESSIONS)?,
            smpp_outbinds: add(r, &rows::SMPP_OUTBINDS)?,
            smpp: OfSmpp::new(r)?,
            smpp_under_way: add(r, &rows::SMPP_UNDER_WAY)?,
            queued: add(r, &rows::QUEUED)?,
            attempted: add(r, &rows::ATTEMPTED)?,
            succeeded: add(r, &rows::SUCCEEDED)?,
            succeeded_after: add(r, &rows::SUCCEEDED_AFTER)?,
            succeeded_in: add(r, &rows::SUCCEEDED_IN)?,
            dead_letter: add(r, &rows::DEAD_LETTER)?,
            auto_replies: add(r, &rows::AUTO_REPLIES)?,
            fallbacks: add(r, &rows::FALLBACKS)?,
            lease_returns: add(r, &rows::LEASE_RETURNS)?,
            late: add(r, &rows::LATE)?,
            queue_size: add(r, &rows::QUEUE_SIZE)?,
            queue_pending: add(r, &rows::QUEUE_PENDING)?,
            queue_oldest: add(r, &rows::QUEUE_OLDEST)?,
            frontends: add(r, &rows::FRONTENDS)?,
            outbox: add(r, &rows::OUTBOX)?,
            cdr_bad_rows: add(r, &rows::CDR_BAD_ROWS)?,
            cdr_failures: add(r, &rows::CDR_FAILURES)?,
            pool_query: add(r, &rows::POOL_QUERY)?,
            pool_queue: add(r, &rows::POOL_QUEUE)?,
            database_connected: add(r, &rows::POOL_CONNECTED)?,
            intake: add(r, &rows::INTAKE)?,
            intake_waiting: add(r, &rows::INTAKE_WAITING)?,
            refusals: add(r, &rows::REFUSALS)?,
            closed_early: add(r, &rows::CLOSED_EARLY)?,
            certificate_days: add(r, &rows::CERTIFICATE_DAYS)?,
            certificate_bad: add(r, &rows::CERTIFICATE_BAD)?,
            spans: add(r, &rows::SPANS)?,
            store_commit: add(r, &rows::COMMIT)?,
            store_batch: add(r, &rows::BATCH)?,
            store_queue: add(r, &rows::WRITER_QUEUE)?,
            store_undone: add(r, &rows::UNDONE)?,
            ready: add(r, &rows::READY)?,
            panics: add(r, &rows::PANICS)?,
            registry,
        };
        metrics.show_zeros();
        Ok(metrics)
    }

    /// A series that exists from the start is one an alert can compare with.
    fn show_zeros(&self) {
        self.set_frontends(0, 0);
        for success in ["true", "false"] {
            drop(self.enum_asked.with_label_values(&[success]));
        }
        for outcome in ["done", "unknown"] {
            drop(self.refunds.with_label_values(&[outcome]));
        }
        for kind in ["transmitter", "receiver", "transceiver"] {
            drop(self.smpp_sessions.with_label_values(&[kind]));
        }
        for outcome in ["bound", "not_bound", "unreached", "no_room"] {
            drop(self.smpp_outbinds.with_label_values(&[outcome]));
        }
        for outcome in ["taken", "refused", "later", "unsent", "given_up"] {
            drop(self.receipts.with_label_values(&[outcome]));
        }
        for door in Door::ALL {
            for reason in Reason::ALL {
                drop(
                    self.refusals
                        .with_label_values(&[door.name(), reason.code()]),
                );
            }
        }
        self.show_certificate(NO_CERTIFICATE_DAYS);
        for why in ["handshake", "too_many_of_one"] {
            drop(self.closed_early.with_label_values(&[why]));
        }
        drop(self.matched.with_label_values(&[OTHER]));
        for outcome in ["sent", "failed", "dropped"] {
            drop(self.spans(outcome));
        }
        for part in ["node", "store"] {
            self.set_ready(part, Ok(()));
        }
    }

    /// `sms_c_frontend_status_count`.
    pub fn set_frontends(&self, connected: i64, disconnected: i64) {
        let set = |status, count| self.frontends.with_label_values(&[status]).set(count);
        set("connected", connected);
        set("disconnected", disconnected);
    }

    /// `zajil_connections_closed_early_total`.
    pub fn connection_closed_early(&self, why: &str) {
        self.closed_early.with_label_values(&[why]).inc();
    }

    /// `zajil_tls_certificate_days_left`.
    pub fn show_certificate(&self, days: i64) {
        self.certificate_days.set(days);
    }

    /// `zajil_tls_certificate_failures_total`.
    pub fn certificate_bad(&self) {
        self.certificate_bad.inc();
    }

    /// `zajil_part_ready`.
    pub fn set_ready(&self, part: &str, state: Result<(), &str>) {
        let ready = i64::from(state.is_ok());
        self.ready.with_label_values(&[part]).set(ready);
    }

    /// `zajil_queue_messages`; replaces what was shown before.
    pub fn set_queues(&self, queues: BTreeMap<Home, Depth>) {
        self.queues.show(queues);
    }

    /// A server of CDRs has answered: `ecto_pools_query_time`.
    pub fn database_asked(&self, took: Duration) {
        self.pool_query.observe(took.as_secs_f64() * 1_000.0);
    }

    /// A connection to it was free: `ecto_pools_queue_time`.
    pub fn database_queued(&self, waited: Duration) {
        self.pool_queue.observe(waited.as_secs_f64() * 1_000.0);
    }

    /// The CDR database can be used, and nothing has been written yet.
    pub fn database_opened(&self) {
        self.database_connected.set(1);
    }

    /// A batch of CDRs was written, or not: the `ecto_pools_…` of S12.
    pub fn database_used(&self, took: Duration, worked: Result<(), &str>) {
        self.pool_query.observe(took.as_secs_f64() * 1_000.0);
        self.pool_queue.observe(0.0);
        self.database_connected.set(i64::from(worked.is_ok()));
        if worked.is_err() {
            self.cdr_failures.inc();
        }
    }

    /// A submit over SMPP was answered: taken, or with this status.
    pub fn smpp_submitted(&self, refused: Option<&str>) {
        match refused {
            None => self.smpp.taken.inc(),
            Some(status) => self.smpp.submits.with_label_values(&[status]).inc(),
        }
    }

    /// So many alerts for applications came to this: `sent`, `unsent`, `forgotten` or
    /// `refused`.
    pub fn smpp_alerted(&self, outcome: &str, count: u64) {
        let alerts = self.smpp.alerts.with_label_values(&[outcome]);
        alerts.inc_by(count);
    }

    /// So many records of a kind, `account` or `carrier`, cannot be read.
    pub fn smpp_unreadable(&self, kind: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.smpp.unreadable.with_label_values(&[kind]).set(count);
    }

    /// So many alerts are owed.
    pub fn smpp_alerts_owed(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.smpp.alerts_owed.set(count);
    }

    pub(crate) fn refund_ended(&self, outcome: &str) {
        self.refunds.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn route_matched(&self, route: u64) {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(&route) {
            counter.inc();
            return;
        }
        drop(known);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        if routes.len() >= MOST_ROUTES {
            self.matched.with_label_values(&[OTHER]).inc();
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

    pub(crate) fn refused(&self, door: Door, reason: Reason) {
        self.refusals
            .with_label_values(&[door.name(), reason.code()])
            .inc();
    }

    /// Spans that came to this end.
    pub(crate) fn spans(&self, outcome: &str) -> IntCounter {
        self.spans.with_label_values(&[outcome])
    }

    /// The answer to a scrape: Prometheus' text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        self.process.refresh();
        let mut text = Vec::with_capacity(32 * 1_024);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}
