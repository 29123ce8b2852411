//! The metrics of the live hub and of those who listen to it.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, Registry};

use super::Entry;
use super::catalogue::{counter, gauge, labelled};
use super::register::add;

pub(super) const STREAMS: Entry = gauge("zajil_streams_open", "Live streams that are open.");
pub(super) const STREAMS_ENDED: Entry = labelled(
    counter(
        "zajil_streams_ended_total",
        "Live streams that ended: gone (the client left), slow (it did not keep up), stopping (the \
         node stops), revoked (its key is not in force any more).",
    ),
    &["reason"],
);
pub(super) const LOST: Entry = counter(
    "zajil_live_events_lost_total",
    "Live events that were lost before they could be handed on; listeners are told of a gap.",
);

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The client left.
    Gone,
    /// The client did not keep up.
    Slow,
    /// The node stops.
    Stopping,
    /// The client's key was revoked, or has expired.
    Revoked,
}

impl StreamEnd {
    const ALL: [Self; 4] = [Self::Gone, Self::Slow, Self::Stopping, Self::Revoked];

    fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Slow => "slow",
            Self::Stopping => "stopping",
            Self::Revoked => "revoked",
        }
    }
}

/// Their handles.
#[derive(Debug)]
pub struct Live {
    open: IntGauge,
    ended: IntCounterVec,
    pub(crate) lost: IntCounter,
}

impl Live {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let live = Self {
            open: add(registry, &STREAMS)?,
            ended: add(registry, &STREAMS_ENDED)?,
            lost: add(registry, &LOST)?,
        };
        for reason in StreamEnd::ALL {
            drop(live.ended.with_label_values(&[reason.as_str()]));
        }
        Ok(live)
    }

    /// A stream was opened.
    pub fn opened(&self) {
        self.open.inc();
    }

    /// A stream has ended.
    pub fn ended(&self, reason: StreamEnd) {
        self.open.dec();
        self.ended.with_label_values(&[reason.as_str()]).inc();
    }
}
