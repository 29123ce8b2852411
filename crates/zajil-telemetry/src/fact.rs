//! Facts: what happened, told once, and from there to the log and to the metrics.
//!
//! Log lines carry ids and counts, never bodies or full numbers (S10.4).

use std::time::Duration;

use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::outcome::Reason;

use crate::metric::Metrics;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    /// A message was stored.
    Accepted {
        /// Its id.
        id: MessageId,
        /// From the submit to stable storage.
        took: Duration,
        /// Whether it waits for delivery (and has not ended already).
        queued: bool,
    },
    /// Translation and routing took this long.
    Decided {
        /// How long.
        took: Duration,
        /// The route that won, if one did.
        route: Option<u64>,
    },
    /// No route took a message that named no frontend itself.
    RoutingFailed {
        /// Its id.
        id: MessageId,
    },
    /// A reply of ours was stored; it is not a message received.
    Replied {
        /// Its id.
        id: MessageId,
        /// Whether it waits for delivery (and has not ended already).
        queued: bool,
    },
    /// About ENUM.
    Enum(EnumFact),
    /// About charging.
    Charge(ChargeFact<'a>),
    /// A message went from one hand to another.
    Handed(HandedFact<'a>),
    /// An attempt failed; it will be tried again.
    AttemptFailed {
        /// Its id.
        id: MessageId,
        /// Failed attempts so far.
        attempts: u32,
    },
    /// A message was delivered.
    Delivered {
        /// Its id.
        id: MessageId,
        /// Attempts, this one included.
        attempts: u32,
        /// Since it was accepted.
        after: Duration,
    },
    /// A message expired undelivered.
    DeadLetter {
        /// Its id.
        id: MessageId,
    },
    /// A message ended undelivered for another reason.
    Failed {
        /// Its id.
        id: MessageId,
    },
    /// A report came after the end.
    LateReport {
        /// The id.
        id: MessageId,
    },
    /// A frontend registered after an absence.
    FrontendUp {
        /// Its name.
        name: &'a FrontendName,
    },
    /// A frontend missed its registration.
    FrontendDown {
        /// Its name.
        name: &'a FrontendName,
    },
    /// A door refused a request.
    Refused {
        /// Which door.
        door: Door,
        /// Why.
        reason: Reason,
    },
}

/// About ENUM.
#[derive(Debug, Clone, Copy)]
pub enum EnumFact {
    /// ENUM was asked about a number whose answer was at hand, or not.
    Cache {
        /// Whether it was.
        hit: bool,
    },
    /// The name servers were asked.
    Asked {
        /// How long they took.
        took: Duration,
        /// Whether they answered, with the number or without.
        answered: bool,
    },
}

/// About charging.
#[derive(Debug, Clone, Copy)]
pub enum ChargeFact<'a> {
    /// The charging system granted a message.
    Granted {
        /// The message.
        id: MessageId,
        /// How long it took.
        took: Duration,
    },
    /// The charging system refused a message, or could not be used.
    Failed {
        /// The message.
        id: MessageId,
        /// How long it took.
        took: Duration,
        /// Whether it refused: otherwise it failed.
        refused: bool,
        /// Why.
        why: &'a str,
    },
    /// The charging system has become usable or unusable.
    Turned {
        /// Whether it is usable now.
        usable: bool,
        /// Why not.
        why: &'a str,
    },
    /// What was debited for an undelivered message was given back.
    Refunded {
        /// The message.
        id: MessageId,
    },
    /// Whether it was given back is not known, and nobody will try again.
    RefundLost {
        /// The message.
        id: MessageId,
        /// Why.
        why: &'a str,
    },
}

/// A message went from one hand to another.
#[derive(Debug, Clone, Copy)]
pub enum HandedFact<'a> {
    /// A frontend refused it or did not take it in time; it is the next one's (D12).
    FellBack {
        /// Its id.
        id: MessageId,
        /// Whose turn is over.
        from: &'a FrontendName,
    },
    /// A frontend held it until its lease ran out, without a report; somebody else holds it now.
    LeaseReturned {
        /// Its id.
        id: MessageId,
    },
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The REST API.
    Rest,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 1] = [Self::Rest];

    /// As a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
        }
    }
}

/// The one place that a fact is told to.
#[derive(Debug)]
pub struct Telemetry {
    /// The metrics.
    pub metrics: Metrics,
}

impl Telemetry {
    /// With all metrics at zero.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            metrics: Metrics::new()?,
        })
    }

    /// Writes the log line and moves the counters.
    pub fn record(&self, fact: &Fact<'_>) {
        let m = &self.metrics;
        match *fact {
            Fact::Accepted { id, took, queued } => {
                m.received.inc();
                m.processing.observe(millis(took));
                if queued {
                    m.queued.inc();
                }
                tracing::debug!(%id, queued, "message accepted");
            }
            Fact::Decided { took, route } => {
                m.routing.observe(millis(took));
                if let Some(route) = route {
                    m.route_matched(route);
                }
            }
            Fact::RoutingFailed { id } => {
                m.unmatched.inc();
                tracing::debug!(%id, "no route");
            }
            Fact::Replied { id, queued } => {
                m.auto_replies.inc();
                if queued {
                    m.queued.inc();
                }
                tracing::debug!(%id, queued, "reply stored");
            }
            Fact::Enum(fact) => self.record_enum(fact),
            Fact::Charge(fact) => self.record_charge(fact),
            Fact::Handed(fact) => self.record_handed(fact),
            Fact::AttemptFailed { id, attempts } => {
                m.attempted.inc();
                tracing::debug!(%id, attempts, "delivery attempt failed");
            }
            Fact::Delivered {
                id,
                attempts,
                after,
            } => {
                m.attempted.inc();
                m.succeeded.inc();
                m.succeeded_after.observe(millis(after));
                m.succeeded_in.observe(f64::from(attempts));
                tracing::debug!(%id, attempts, "message delivered");
            }
            Fact::DeadLetter { id } => {
                m.dead_letter.inc();
                tracing::info!(%id, "message expired undelivered");
            }
            Fact::Failed { id } => tracing::debug!(%id, "message ended undelivered"),
            Fact::LateReport { id } => {
                m.late.inc();
                tracing::debug!(%id, "late report ignored");
            }
            Fact::FrontendUp { name } => tracing::info!(frontend = %name, "frontend connected"),
            Fact::FrontendDown { name } => tracing::warn!(frontend = %name, "frontend vanished"),
            Fact::Refused { door, reason } => {
                m.refused(door, reason);
                tracing::debug!(
                    door = door.name(),
                    reason = reason.code(),
                    "request refused"
                );
            }
        }
    }

    fn record_enum(&self, fact: EnumFact) {
        let m = &self.metrics;
        match fact {
            EnumFact::Cache { hit: true } => m.enum_hits.inc(),
            EnumFact::Cache { hit: false } => m.enum_misses.inc(),
            EnumFact::Asked { took, answered } => m.enum_asked(millis(took), answered),
        }
    }

    fn record_charge(&self, fact: ChargeFact<'_>) {
        let m = &self.metrics;
        match fact {
            ChargeFact::Granted { id, took } => {
                m.charged.inc();
                m.charged_in.observe(millis(took));
                tracing::debug!(%id, "message charged");
            }
            ChargeFact::Failed {
                id,
                took,
                refused,
                why,
            } => {
                m.charging_failed.inc();
                m.charging_failed_in.observe(took.as_secs_f64());
                tracing::debug!(%id, refused, why, "message not charged");
            }
            ChargeFact::Turned { usable: true, .. } => {
                m.charger_usable.set(1);
                tracing::info!("the charging system is usable again");
            }
            ChargeFact::Turned { usable: false, why } => {
                m.charger_usable.set(0);
                tracing::warn!(why, "the charging system is not usable");
            }
            ChargeFact::Refunded { id } => {
                m.refund_ended("done");
                tracing::debug!(%id, "refunded");
            }
            ChargeFact::RefundLost { id, why } => {
                m.refund_ended("unknown");
                let told = "a refund may or may not have happened; see to it by hand";
                tracing::error!(%id, why, "{told}");
            }
        }
    }

    fn record_handed(&self, fact: HandedFact<'_>) {
        let m = &self.metrics;
        match fact {
            HandedFact::FellBack { id, from } => {
                m.fallbacks.inc();
                tracing::debug!(%id, %from, "message moved to the next frontend");
            }
            HandedFact::LeaseReturned { id } => {
                m.lease_returns.inc();
                tracing::debug!(%id, "a lease ran out without a report");
            }
        }
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
