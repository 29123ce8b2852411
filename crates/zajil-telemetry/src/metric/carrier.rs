//! The metrics of SMPP carriers.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::Entry;
use super::catalogue::{counter, gauge, labelled};
use super::handles::OTHER;
use super::register::add;

pub(super) const SESSIONS: Entry = labelled(
    gauge(
        "zajil_smpp_carrier_sessions",
        "Sessions of this node that are bound to a carrier.",
    ),
    &["carrier"],
);
pub(super) const SUBMITS: Entry = labelled(
    counter(
        "zajil_smpp_carrier_submits_total",
        "Parts of messages by the answer of the carrier: accepted, throttled, refused, or \
         unanswered: it may have them, and they are sent again.",
    ),
    &["carrier", "outcome"],
);
pub(super) const RECEIPTS: Entry = labelled(
    counter(
        "zajil_smpp_carrier_receipts_total",
        "Receipts of a carrier that tell of an end: delivered or undelivered; and those that match \
         no message when they come: unmatched.",
    ),
    &["carrier", "outcome"],
);

/// Their handles.
#[derive(Debug)]
pub struct Carriers {
    sessions: IntGaugeVec,
    submits: IntCounterVec,
    receipts: IntCounterVec,
}

/// The handles of one carrier.
#[derive(Debug, Clone)]
pub struct CarrierCounts {
    /// Sessions that are bound.
    pub sessions: IntGauge,
    /// Parts that it took.
    pub accepted: IntCounter,
    /// Parts that it had too much of.
    pub throttled: IntCounter,
    /// Parts that it refused.
    pub refused: IntCounter,
    /// Parts that it may have taken, and that are sent again.
    pub unanswered: IntCounter,
    /// Receipts of delivered parts.
    pub delivered: IntCounter,
    /// Receipts of parts that it gave up.
    pub undelivered: IntCounter,
    /// Receipts that match no message.
    pub unmatched: IntCounter,
}

impl Carriers {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let carriers = Self {
            sessions: add(registry, &SESSIONS)?,
            submits: add(registry, &SUBMITS)?,
            receipts: add(registry, &RECEIPTS)?,
        };
        // Every name is there before anything happens.
        drop(carriers.of(OTHER));
        Ok(carriers)
    }

    /// The handles of the carrier of this name.
    #[must_use]
    pub fn of(&self, carrier: &str) -> CarrierCounts {
        let submits = |outcome| self.submits.with_label_values(&[carrier, outcome]);
        let receipts = |outcome| self.receipts.with_label_values(&[carrier, outcome]);
        CarrierCounts {
            sessions: self.sessions.with_label_values(&[carrier]),
            accepted: submits("accepted"),
            throttled: submits("throttled"),
            refused: submits("refused"),
            unanswered: submits("unanswered"),
            delivered: receipts("delivered"),
            undelivered: receipts("undelivered"),
            unmatched: receipts("unmatched"),
        }
    }
}
