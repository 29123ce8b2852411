//! What a fact means for the log and the metrics.

use std::time::Duration;

use zajil_core::message::Message;

use super::{CdrFact, ChargeFact, EnumFact, Fact, HandedFact, HeldFact, Telemetry, WebhookFact};

impl Telemetry {
    /// Writes the log line and moves the counters.
    pub(super) fn count(&self, fact: &Fact<'_>) {
        let m = &self.metrics;
        match *fact {
            Fact::Accepted {
                message,
                took,
                queued,
            } => self.count_accepted(message, took, queued),
            Fact::EndedAtOnce { message } => {
                let status = message.status();
                tracing::debug!(id = %message.id, %status, "message ended at once");
            }
            Fact::Decided { took, route, .. } => {
                m.routing.observe(millis(took));
                if let Some(route) = route {
                    m.route_matched(route);
                }
            }
            // For traces only.
            Fact::Stored { .. } | Fact::Offered { .. } | Fact::Reported { .. } => {}
            Fact::RoutingFailed { message } => {
                m.unmatched.inc();
                tracing::debug!(id = %message.id, "no route");
            }
            Fact::Replied { message, queued } => {
                m.auto_replies.inc();
                if queued {
                    m.queued.inc();
                }
                tracing::debug!(id = %message.id, queued, "reply stored");
            }
            Fact::Enum(fact) => self.record_enum(fact),
            Fact::Charge(fact) => self.record_charge(fact),
            Fact::Handed(fact) => self.record_handed(fact),
            Fact::AttemptFailed { message } => {
                m.attempted.inc();
                let attempts = message.attempts.get();
                tracing::debug!(id = %message.id, attempts, "delivery attempt failed");
            }
            Fact::Delivered { message, after } => self.count_delivered(message, after),
            Fact::DeadLetter { message } => {
                m.dead_letter.inc();
                tracing::info!(id = %message.id, "message expired undelivered");
            }
            Fact::Failed { message } => {
                tracing::debug!(id = %message.id, "message ended undelivered");
            }
            Fact::LateReport { id } => {
                m.late.inc();
                tracing::debug!(%id, "late report ignored");
            }
            Fact::FrontendUp { name } => tracing::info!(frontend = %name, "frontend connected"),
            Fact::FrontendDown { name } => tracing::warn!(frontend = %name, "frontend vanished"),
            Fact::Held(fact) => record_held(fact),
            Fact::RoutesInForce { version } => {
                tracing::info!(version, "routing tables in force");
            }
            Fact::Cdr(fact) => record_cdr(fact),
            Fact::Webhook(fact) => self.count_webhook(fact),
            Fact::NodeStarted => tracing::info!("the node takes requests"),
            Fact::NodeStopping => tracing::info!("the node takes no new submits"),
            Fact::PartTurned { part, state } => record_part(part, state),
            Fact::Refused { door, reason } => {
                m.refused(door, reason);
                let (door, reason) = (door.name(), reason.code());
                tracing::debug!(door, reason, "request refused");
            }
        }
    }

    fn count_accepted(&self, message: &Message, took: Duration, queued: bool) {
        let m = &self.metrics;
        m.received.inc();
        m.processing.observe(millis(took));
        if queued {
            m.queued.inc();
        }
        tracing::debug!(id = %message.id, queued, "message accepted");
    }

    fn count_delivered(&self, message: &Message, after: Duration) {
        let m = &self.metrics;
        let attempts = message.attempts.next().get();
        m.attempted.inc();
        m.succeeded.inc();
        m.succeeded_after.observe(millis(after));
        m.succeeded_in.observe(f64::from(attempts));
        tracing::debug!(id = %message.id, attempts, "message delivered");
    }

    fn count_webhook(&self, fact: WebhookFact<'_>) {
        let m = &self.metrics.webhooks;
        match fact {
            WebhookFact::Acknowledged => m.attempt("acknowledged"),
            WebhookFact::Failed => m.attempt("failed"),
            WebhookFact::Lost { webhook } => {
                m.lost.inc();
                tracing::debug!(webhook, "an event was not kept for a receiver");
            }
            WebhookFact::Forgotten { webhook, count } => {
                m.lost.inc_by(count);
                let what = "retention took endings before a receiver was told of them";
                tracing::warn!(webhook, count, "{what}");
            }
            WebhookFact::Dead { webhook, delivery } => {
                m.given_up.inc();
                tracing::warn!(webhook, delivery, "a delivery was given up");
            }
            WebhookFact::Rests { webhook, why, rest } => {
                let seconds = rest.as_secs();
                tracing::warn!(webhook, why, seconds, "a receiver fails; it has a rest");
            }
            WebhookFact::Recovered { webhook } => {
                tracing::info!(webhook, "a receiver takes events again");
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
            HandedFact::FellBack { message, from } => {
                m.fallbacks.inc();
                tracing::debug!(id = %message.id, %from, "message moved to the next frontend");
            }
            HandedFact::LeaseReturned { id } => {
                m.lease_returns.inc();
                tracing::debug!(%id, "a lease ran out without a report");
            }
        }
    }
}

fn record_part(part: &str, state: Result<(), &str>) {
    match state {
        Ok(()) => tracing::info!(part, "usable again"),
        Err(why) => tracing::warn!(part, why, "not usable"),
    }
}

fn record_held(fact: HeldFact<'_>) {
    match fact {
        HeldFact::Paused { name, reason } => {
            tracing::warn!(frontend = %name, reason, "frontend paused");
        }
        HeldFact::Resumed { name } => tracing::debug!(frontend = %name, "frontend not paused"),
        HeldFact::Congested { name, rests } => {
            tracing::info!(frontend = %name, seconds = rests.as_secs(), "frontend is congested");
        }
    }
}

fn record_cdr(fact: CdrFact<'_>) {
    match fact {
        CdrFact::Written { again: true, .. } => tracing::info!("CDRs are written again"),
        CdrFact::Written { again: false, .. } => {}
        CdrFact::Failing { why, streak: 1, .. } => {
            tracing::warn!(
                error = why,
                "CDRs cannot be written; they wait in the outbox"
            );
        }
        CdrFact::Failing {
            why,
            streak,
            lasting: true,
        } => tracing::error!(
            error = why,
            streak,
            "CDRs still cannot be written; they wait in the outbox"
        ),
        CdrFact::Failing { lasting: false, .. } => {}
        CdrFact::BadRow {
            message_id,
            why,
            file,
        } => tracing::error!(
            message_id,
            why,
            file = %file.display(),
            "the CDR database refuses a row for what it holds; it is put aside"
        ),
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
