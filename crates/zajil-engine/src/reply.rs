//! Auto-reply: a message from the destination back to the sender, never a second time (S4.3).

use std::sync::Arc;

use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::id::MessageId;
use zajil_core::message::{Arranged, Content, Message, TransferFields};
use zajil_core::number::{Given, Msisdn, Sender, Strictness};
use zajil_core::port::Dedupe;
use zajil_core::retry::Attempt;
use zajil_core::route::{Query, RouteId};
use zajil_store::contract::{Draft, Placed};
use zajil_telemetry::Fact;

use crate::accept::{Decided, is_pending, life};
use crate::count::measure;
use crate::shared::Shared;

/// Takes the line about the reply out of what is stored with the message that it answers.
pub(crate) fn take_line(draft: &mut Draft) -> Option<Event> {
    let mut events = draft.events.iter();
    let at = events.position(|event| event.name == EventName::AutoReplySent)?;
    Some(draft.events.remove(at))
}

/// What is to be answered.
#[derive(Debug)]
struct Asked<'a> {
    message: &'a Message,
    text: &'a str,
    route: RouteId,
    /// How a repetition of the message is recognised.
    dedupe: Option<(Dedupe, Timestamp)>,
}

impl Shared {
    /// Drafts the reply that the route asks for, to be stored with the message.
    pub(crate) fn draft_reply_to(&self, decided: &mut Decided) {
        let Some((route, text)) = decided.answer.take() else {
            return;
        };
        let asked = Asked {
            message: &decided.draft.message,
            text: &text,
            route,
            dedupe: decided.draft.dedupe,
        };
        let scene = self.scene();
        let (reply, mut events) = self.reply(&asked, &scene);
        if !is_pending(&decided.draft.message) {
            // The reply is all that becomes of it.
            events.push(scene.event(EventName::Delivered, format!("route {route}")));
        }
        decided.reply = reply;
        decided.draft.events.extend(events);
    }

    /// Stores the reply to a message that was stored, and charged, before.
    pub(crate) async fn reply_late(&self, decided: &mut Decided, message: &Message) {
        let Some((route, text)) = decided.answer.take() else {
            return;
        };
        let asked = Asked {
            message,
            text: &text,
            route,
            dedupe: decided.draft.dedupe,
        };
        let (reply, events) = self.reply(&asked, &self.scene());
        let stored = match reply {
            Some(reply) => self.store_reply(*reply).await,
            // The line says that there is none.
            None => true,
        };
        self.tell_of_reply(message.id, events, stored).await;
    }

    /// Stores the reply to a message that is stored already; that one is accepted either way.
    /// Whether it was stored.
    pub(crate) async fn store_reply(&self, reply: Draft) -> bool {
        let message = reply.message.clone();
        let now = self.parts.clock.now();
        match self.parts.store.accept(vec![reply], now).await {
            Ok(places) => {
                if let Some(Placed::Stored(to)) = places.first() {
                    self.replied(&message, to.as_ref());
                }
                true
            }
            Err(error) => {
                tracing::warn!(id = %message.id, %error, "an auto-reply was not stored");
                false
            }
        }
    }

    /// Adds the lines of a reply that was, or was not, stored to the log of what it answers.
    pub(crate) async fn tell_of_reply(
        &self,
        answered: MessageId,
        lines: impl IntoIterator<Item = Event>,
        stored: bool,
    ) {
        for mut line in lines {
            if line.name == EventName::AutoReplySent && !stored {
                "no reply: it could not be stored".clone_into(&mut line.description);
            }
            if let Err(error) = self.parts.store.add_event(answered, line).await {
                tracing::warn!(id = %answered, %error, "a line of a log was not stored");
            }
        }
    }

    /// The reply, routed but never answered by another; none when the sender has no number. The
    /// log of the message that is answered tells which.
    fn reply(&self, asked: &Asked<'_>, scene: &Scene) -> (Option<Box<Draft>>, Vec<Event>) {
        let route = asked.route;
        let reply = self
            .return_number(&asked.message.content.source)
            .map(|to| Box::new(self.draft_reply(asked, to, scene)));
        let told = match &reply {
            Some(reply) => format!("route {route}, message {}", reply.message.id),
            None => format!("route {route}: no reply, the sender has no number"),
        };
        (reply, vec![scene.event(EventName::AutoReplySent, told)])
    }

    /// The sender as a destination: a name cannot be replied to, even where any text goes.
    fn return_number(&self, sender: &Sender) -> Option<Msisdn> {
        let strictness = match self.options.strictness {
            Strictness::Off | Strictness::Digits => Strictness::Digits,
            Strictness::E164 => Strictness::E164,
        };
        Msisdn::parse(&Given::parse(sender.as_str()).ok()?, strictness).ok()
    }

    fn draft_reply(&self, asked: &Asked<'_>, to: Msisdn, scene: &Scene) -> Draft {
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
        let control = self.control.load();
        let routed = self.route(&control, &query, scene.now, (&mut events, scene));
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
            arranged: Arranged {
                fallback: routed.fallback,
                ..Arranged::default()
            },
            origin_node: scene.node.clone(),
            life: life(routed.ended, scene),
        };
        if routed.route.is_none() {
            self.record(&Fact::RoutingFailed { message: &message });
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
            message: Arc::new(message),
            events,
            dedupe,
        }
    }
}
