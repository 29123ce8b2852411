//! The metrics of webhooks.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, Registry};

use super::Entry;
use super::catalogue::{counter, gauge, labelled};
use super::register::add;

pub(super) const ATTEMPTS: Entry = labelled(
    counter(
        "zajil_webhook_attempts_total",
        "Attempts to tell a receiver of an event: acknowledged or failed.",
    ),
    &["outcome"],
);
pub(super) const GIVEN_UP: Entry = counter(
    "zajil_webhook_given_up_total",
    "Deliveries that were given up; they can be replayed.",
);
pub(super) const LOST: Entry = counter(
    "zajil_webhook_lost_total",
    "Events that were not told: beyond webhooks.max_waiting or retention, or told at most once.",
);
pub(super) const WAITING: Entry = gauge(
    "zajil_webhook_waiting",
    "Deliveries that wait for their next attempt.",
);
pub(super) const DEAD: Entry = gauge(
    "zajil_webhook_dead",
    "Deliveries that were given up and are kept.",
);
pub(super) const RESTING: Entry = gauge(
    "zajil_webhooks_resting",
    "Subscriptions whose receiver fails so much that it has a rest.",
);

/// Their handles.
#[derive(Debug)]
pub struct Webhooks {
    attempts: IntCounterVec,
    pub(crate) given_up: IntCounter,
    /// `zajil_webhook_lost_total`.
    pub lost: IntCounter,
    /// `zajil_webhook_waiting`.
    pub waiting: IntGauge,
    /// `zajil_webhook_dead`.
    pub dead: IntGauge,
    /// `zajil_webhooks_resting`.
    pub resting: IntGauge,
}

impl Webhooks {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let attempts: IntCounterVec = add(registry, &ATTEMPTS)?;
        for outcome in ["acknowledged", "failed"] {
            drop(attempts.with_label_values(&[outcome]));
        }
        Ok(Self {
            attempts,
            given_up: add(registry, &GIVEN_UP)?,
            lost: add(registry, &LOST)?,
            waiting: add(registry, &WAITING)?,
            dead: add(registry, &DEAD)?,
            resting: add(registry, &RESTING)?,
        })
    }

    pub(crate) fn attempt(&self, outcome: &str) {
        self.attempts.with_label_values(&[outcome]).inc();
    }
}
