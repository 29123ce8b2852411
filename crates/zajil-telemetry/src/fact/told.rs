//! What those who listen are told of a fact, under the names of S8 where it has one.

use zajil_core::message::Message;
use zajil_core::status::Status;

use super::{CdrFact, ChargeFact, Fact, HandedFact, HeldFact, WebhookFact};
use crate::live::{Hub, Kind, Subject, ended};

/// Tells the hub, unless the fact is a figure only.
pub(super) fn tell(hub: &Hub, fact: &Fact<'_>) {
    let about = |name, message: &Message| hub.tell(name, Kind::Message, || Subject::of(message));
    match *fact {
        Fact::Accepted { message, .. } | Fact::Replied { message, .. } => {
            about("message_inserted", message);
        }
        Fact::Decided { message, route, .. } => {
            if let Some(route) = route {
                hub.tell("message_routed", Kind::Message, || Subject {
                    route: Some(route),
                    ..Subject::of(message)
                });
            }
        }
        Fact::RoutingFailed { message } => about("routing_failed", message),
        Fact::Charge(fact) => tell_charge(hub, fact),
        Fact::Handed(fact) => tell_handed(hub, fact),
        Fact::AttemptFailed { message } => about("delivery_attempt_failed", message),
        Fact::EndedAtOnce { message }
        | Fact::Delivered { message, .. }
        | Fact::DeadLetter { message }
        | Fact::Failed { message } => {
            if let Status::Final(how) = message.status() {
                hub.tell(ended(how), Kind::Message, || ending(message));
            }
        }
        Fact::LateReport { id } => {
            hub.tell("late_report", Kind::Message, || Subject::message(id));
        }
        Fact::FrontendUp { name } => {
            hub.tell("frontend_connected", Kind::Frontend, || {
                Subject::frontend(name)
            });
        }
        Fact::FrontendDown { name } => {
            hub.tell("frontend_vanished", Kind::Frontend, || {
                Subject::frontend(name)
            });
        }
        Fact::Held(fact) => tell_held(hub, fact),
        Fact::RoutesInForce { version } => hub.tell("routes_changed", Kind::Route, || {
            Subject::default().described(format!("version {version}"))
        }),
        Fact::Cdr(fact) => tell_cdr(hub, fact),
        Fact::NodeStarted => hub.tell("node_started", Kind::Node, Subject::default),
        Fact::NodeStopping => hub.tell("node_stopping", Kind::Node, Subject::default),
        Fact::PartTurned { part, state } => {
            let (name, told) = match state {
                Ok(()) => ("part_usable", part.to_owned()),
                Err(why) => ("part_unusable", format!("{part}: {why}")),
            };
            hub.tell(name, Kind::Node, || Subject::default().described(told));
        }
        Fact::Webhook(WebhookFact::Rests { webhook, why, .. }) => {
            let told = format!("webhook {webhook}: {why}");
            hub.tell("webhook_resting", Kind::Node, || {
                Subject::default().described(told)
            });
        }
        Fact::Webhook(_)
        | Fact::Enum(_)
        | Fact::Refused { .. }
        | Fact::Stored { .. }
        | Fact::Offered { .. }
        | Fact::Reported { .. } => {}
    }
}

/// A message that has ended, with its attempts as its CDR has them.
fn ending(message: &Message) -> Subject {
    let delivered = u32::from(message.deliver_time().is_some());
    Subject {
        attempts: Some(message.attempts.get().saturating_add(delivered)),
        ..Subject::of(message)
    }
}

fn tell_charge(hub: &Hub, fact: ChargeFact<'_>) {
    let about = |name, id, told: &str| {
        hub.tell(name, Kind::Message, || Subject::message(id).described(told));
    };
    match fact {
        ChargeFact::Granted { id, .. } => about("charging_attempted", id, "granted"),
        ChargeFact::Failed { id, why, .. } => about("charging_failed", id, why),
        ChargeFact::Refunded { id } => about("charging_refunded", id, ""),
        ChargeFact::RefundLost { id, why } => about("charging_refund_unknown", id, why),
        ChargeFact::Turned { usable, why } => {
            let (name, told) = match usable {
                true => ("part_usable", "charging".to_owned()),
                false => ("part_unusable", format!("charging: {why}")),
            };
            hub.tell(name, Kind::Node, || Subject::default().described(told));
        }
    }
}

fn tell_handed(hub: &Hub, fact: HandedFact<'_>) {
    match fact {
        HandedFact::FellBack { message, from } => {
            hub.tell("message_fell_back", Kind::Message, || {
                Subject::of(message).described(format!("from {from}"))
            });
        }
        HandedFact::LeaseReturned { id } => {
            hub.tell("lease_returned", Kind::Message, || Subject::message(id));
        }
    }
}

fn tell_held(hub: &Hub, fact: HeldFact<'_>) {
    let about = |event, name, told: String| {
        hub.tell(event, Kind::Frontend, || {
            Subject::frontend(name).described(told)
        });
    };
    match fact {
        HeldFact::Paused { name, reason } => about("frontend_paused", name, reason.to_owned()),
        HeldFact::Resumed { name } => about("frontend_resumed", name, String::new()),
        HeldFact::Congested { name, rests } => {
            about(
                "frontend_congested",
                name,
                format!("rests {} s", rests.as_secs()),
            );
        }
    }
}

fn tell_cdr(hub: &Hub, fact: CdrFact<'_>) {
    let (name, count, told) = match fact {
        CdrFact::Written { count, again } => {
            let told = if again { "written again" } else { "" };
            ("cdrs_written", Some(count as u64), told.to_owned())
        }
        CdrFact::Failing { why, .. } => ("cdrs_failing", None, why.to_owned()),
        CdrFact::BadRow {
            message_id, why, ..
        } => ("cdr_refused", None, format!("message {message_id}: {why}")),
    };
    hub.tell(name, Kind::Cdr, || Subject {
        count,
        ..Subject::default().described(told)
    });
}
