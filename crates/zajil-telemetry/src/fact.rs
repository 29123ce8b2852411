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
    /// ENUM was asked about a number whose answer was at hand, or not.
    EnumCache {
        /// Whether it was.
        hit: bool,
    },
    /// The name servers were asked.
    EnumAsked {
        /// How long they took.
        took: Duration,
        /// Whether they answered, with the number or without.
        answered: bool,
    },
    /// The charging system granted a message.
    ChargeGranted {
        /// The message.
        id: MessageId,
        /// How long it took.
        took: Duration,
    },
    /// The charging system refused a message, or could not be used.
    ChargeFailed {
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
    ChargerTurned {
        /// Whether it is usable now.
        usable: bool,
        /// Why not.
        why: &'a str,
    },
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
        door: &'static str,
        /// Why.
        reason: Reason,
    },
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
            Fact::EnumCache { .. }
            | Fact::EnumAsked { .. }
            | Fact::ChargeGranted { .. }
            | Fact::ChargeFailed { .. }
            | Fact::ChargerTurned { .. } => self.record_outside(fact),
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
                tracing::debug!(door, reason = reason.code(), "request refused");
            }
        }
    }

    /// The facts about what stands outside: name servers and the charging system.
    fn record_outside(&self, fact: &Fact<'_>) {
        let m = &self.metrics;
        match *fact {
            Fact::EnumCache { hit: true } => m.enum_hits.inc(),
            Fact::EnumCache { hit: false } => m.enum_misses.inc(),
            Fact::EnumAsked { took, answered } => m.enum_asked(millis(took), answered),
            Fact::ChargeGranted { id, took } => {
                m.charged.inc();
                m.charged_in.observe(millis(took));
                tracing::debug!(%id, "message charged");
            }
            Fact::ChargeFailed {
                id,
                took,
                refused,
                why,
            } => {
                m.charging_failed.inc();
                m.charging_failed_in.observe(millis(took));
                tracing::debug!(%id, refused, why, "message not charged");
            }
            Fact::ChargerTurned { usable: true, .. } => {
                m.charger_usable.set(1);
                tracing::info!("the charging system is usable again");
            }
            Fact::ChargerTurned { usable: false, why } => {
                m.charger_usable.set(0);
                tracing::warn!(why, "the charging system is not usable");
            }
            _ => {}
        }
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
