//! Auto-reply: a message from the destination back to the sender, never a second time (S4.3).

use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::message::{Content, Message, TransferFields};
use zajil_core::number::{Given, Msisdn, Sender, Strictness};
use zajil_core::port::Dedupe;
use zajil_core::retry::Attempt;
use zajil_core::route::{Query, RouteId};
use zajil_store::contract::Draft;
use zajil_telemetry::Fact;

use crate::accept::{is_pending, life, measure};
use crate::control::Snapshot;
use crate::shared::Shared;

/// What is to be answered.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) message: &'a Message,
    pub(crate) text: &'a str,
    pub(crate) route: RouteId,
    /// How a repetition of the message is recognised.
    pub(crate) dedupe: Option<(Dedupe, Timestamp)>,
}

impl Shared {
    /// The reply, routed but never answered by another; none when the sender has no number. The
    /// log of the message that is answered tells which.
    pub(crate) fn reply(
        &self,
        control: &Snapshot,
        asked: &Asked<'_>,
        events: &mut Vec<Event>,
        scene: &Scene,
    ) -> Option<Box<Draft>> {
        let route = asked.route;
        let reply = self
            .return_number(&asked.message.content.source)
            .map(|to| Box::new(self.draft_reply(control, asked, to, scene)));
        let told = match &reply {
            Some(reply) => format!("route {route}, message {}", reply.message.id),
            None => format!("route {route}: no reply, the sender has no number"),
        };
        events.push(scene.event(EventName::AutoReplySent, told));
        if !is_pending(asked.message) {
            events.push(scene.event(EventName::Delivered, format!("route {route}")));
        }
        reply
    }

    /// The sender as a destination: a name cannot be replied to, even where any text goes.
    fn return_number(&self, sender: &Sender) -> Option<Msisdn> {
        let strictness = match self.options.strictness {
            Strictness::Off | Strictness::Digits => Strictness::Digits,
            Strictness::E164 => Strictness::E164,
        };
        Msisdn::parse(&Given::parse(sender.as_str()).ok()?, strictness).ok()
    }

    fn draft_reply(
        &self,
        control: &Snapshot,
        asked: &Asked<'_>,
        to: Msisdn,
        scene: &Scene,
    ) -> Draft {
        let from = &asked.message.content;
        let mut events = Vec::with_capacity(2);
        let about = format!("auto-reply to message {}", asked.message.id);
        events.push(scene.event(EventName::Inserted, about));
        let query = Query {
            calling: from.destination.as_str(),
            called: to.as_str(),
            source_smsc: None,
            source_type: None,
            enum_domain: None,
            auto_reply_allowed: false,
        };
        let routed = self.route(control, &query, &mut events, scene);
        let (parts, tp) = measure(asked.text, TransferFields::default());
        let message = Message {
            id: self.next_id(scene.now),
            content: Content {
                source: Sender::restore(from.destination.as_str()),
                destination: to,
                body: asked.text.to_owned(),
                source_smsc: None,
                source_imsi: from.dest_imsi.clone(),
                dest_imsi: from.source_imsi.clone(),
                parts,
                part_number: None,
                tp,
                send_time: None,
                raw_pdu: None,
                raw_data: false,
                raw_sip: false,
            },
            dest_smsc: routed.dest_smsc,
            inserted_at: scene.now,
            updated_at: scene.now,
            expires: scene.now.plus(self.options.dead_letter_time),
            deliver_after: None,
            attempts: Attempt::default(),
            charge_failed: false,
            origin_node: scene.node.clone(),
            life: life(routed.ended, scene),
        };
        if routed.route.is_none() {
            self.record(&Fact::RoutingFailed { id: message.id });
        }
        // A repeated submit must not store its reply again: the reply repeats with it.
        let dedupe = asked.dedupe.map(|(Dedupe { key, body }, until)| {
            (
                Dedupe {
                    key: key.map(|octet| !octet),
                    body,
                },
                until,
            )
        });
        Draft {
            message,
            events,
            dedupe,
        }
    }
}
