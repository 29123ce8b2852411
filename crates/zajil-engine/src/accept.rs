//! The way in (S1.3): check, translate, count, route, store, tell.

use std::num::NonZeroU32;
use std::time::Duration;

use sms_codec::segment::{self, Alphabet, Choice};
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Text, TransferCoding};
use zajil_core::message::{CharacterSet, Content, Ending, Life, Message, TransferFields};
use zajil_core::number::{Given, Msisdn, NotANumber, Sender};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Accepted, Submission};
use zajil_core::retry::Attempt;
use zajil_core::route::{Action, Query, RouteId, choose};
use zajil_core::status::FinalStatus;
use zajil_store::contract::{Draft, Placed};
use zajil_telemetry::{Fact, Stopwatch};

use crate::control::Snapshot;
use crate::refuse;
use crate::reply::Asked;
use crate::shared::Shared;

/// How long a fingerprint or key is kept at the least (D6).
const SHORTEST_MEMORY: Duration = Duration::from_secs(5 * 60);
/// A reference ties at most this many parts together (3GPP TS 23.040 9.2.3.24.1).
const MOST_PARTS: u32 = 255;

/// A message on which everything is decided, not stored yet.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) draft: Draft,
    /// The answer of an auto-reply route, stored with it or after it, never without it.
    pub(crate) reply: Option<Box<Draft>>,
    /// Since the submit.
    pub(crate) watch: Stopwatch,
}

/// What routing made of a message.
#[derive(Debug)]
pub(crate) struct Routed<'t> {
    pub(crate) dest_smsc: Option<FrontendName>,
    /// How it ended at once, if it did.
    pub(crate) ended: Option<FinalStatus>,
    pub(crate) route: Option<RouteId>,
    /// The text that the route answers with.
    pub(crate) answer: Option<(RouteId, &'t str)>,
}

impl Shared {
    /// The whole path of a synchronous submit.
    ///
    /// A reply is stored in one transaction with the message that it answers, except when the
    /// submit may be a repetition (D6): then only after the message is known to be new. A crash in
    /// between loses the reply and nothing else: the message is stored, and a repetition of the
    /// submit gets its answer without making up for the reply.
    pub(crate) async fn submit(&self, submission: Submission) -> Result<Accepted, Refusal> {
        let Decided {
            draft,
            mut reply,
            watch,
        } = self.decide(submission)?;
        let later = if draft.dedupe.is_some() {
            reply.take()
        } else {
            None
        };
        let message = draft.message.clone();
        let answered = reply
            .as_ref()
            .map(|reply| (reply.message.id, is_pending(&reply.message)));
        let mut drafts = Vec::with_capacity(2);
        drafts.push(draft);
        drafts.extend(reply.map(|reply| *reply));
        let accepted = self.parts.store.accept(drafts).await;
        let mut places = accepted
            .map_err(|error| refuse::failed(error, "record"))?
            .into_iter();
        match places.next() {
            Some(Placed::Stored(queued_for)) => {
                self.stored(message.id, is_pending(&message), queued_for.as_ref(), watch);
                if let (Some((id, pending)), Some(Placed::Stored(to))) = (answered, places.next()) {
                    self.stored(id, pending, to.as_ref(), watch);
                }
                if let Some(reply) = later {
                    self.store_reply(*reply, watch).await;
                }
                Ok(Accepted {
                    message,
                    repeated: false,
                })
            }
            Some(Placed::Repeated(first)) => self.accepted_before(first).await,
            Some(Placed::KeyReused) => Err(key_reused()),
            None => {
                tracing::error!(id = %message.id, "the store did not say what became of a draft");
                Err(Refusal::new(Reason::Internal, "internal error"))
            }
        }
    }

    /// Stores the reply to a message that is stored already; that one is accepted either way.
    async fn store_reply(&self, reply: Draft, watch: Stopwatch) {
        let (id, pending) = (reply.message.id, is_pending(&reply.message));
        match self.parts.store.accept(vec![reply]).await {
            Ok(places) => {
                if let Some(Placed::Stored(to)) = places.first() {
                    self.stored(id, pending, to.as_ref(), watch);
                }
            }
            Err(error) => tracing::warn!(%id, %error, "an auto-reply was not stored"),
        }
    }

    /// All that comes before the store: no waiting, no I/O.
    pub(crate) fn decide(&self, submission: Submission) -> Result<Decided, Refusal> {
        let watch = Stopwatch::start();
        self.refuse_when_stopping()?;
        if let Some(name) = &submission.dest_smsc {
            self.check_frontend(name)?;
        }
        let scene = self.scene();
        let control = self.control.load();
        let mut events = Vec::with_capacity(4);
        events.push(scene.event(EventName::Inserted, ""));
        let numbers = self.numbers(&submission, &control, &mut events, &scene)?;
        let (parts, tp) = count(&submission)?;
        let query = Query {
            calling: numbers.0.as_str(),
            called: numbers.1.as_str(),
            source_smsc: submission.source_smsc.as_ref().map(FrontendName::as_str),
            source_type: submission.source_type,
            enum_domain: None,
            auto_reply_allowed: true,
        };
        let routed = match &submission.dest_smsc {
            Some(name) => by_submitter(name.clone(), &mut events, &scene),
            None => self.route(&control, &query, &mut events, &scene),
        };
        let (expires, deliver_after) = (submission.expires, submission.deliver_after);
        // The default life is counted from when the message is due: it is not over before.
        let due = deliver_after.unwrap_or(scene.now).max(scene.now);
        let dedupe = submission.dedupe;
        let content = content(submission, numbers, parts, tp);
        let message = Message {
            id: self.next_id(scene.now),
            content,
            dest_smsc: routed.dest_smsc,
            inserted_at: scene.now,
            updated_at: scene.now,
            expires: expires.unwrap_or_else(|| due.plus(self.options.dead_letter_time)),
            deliver_after,
            attempts: Attempt::default(),
            charge_failed: false,
            origin_node: scene.node.clone(),
            life: life(routed.ended, &scene),
        };
        let memory = self.options.fingerprint_ttl.max(SHORTEST_MEMORY);
        let dedupe = dedupe.map(|dedupe| (dedupe, scene.now.plus(memory)));
        let reply = routed.answer.and_then(|(route, text)| {
            let asked = Asked {
                message: &message,
                text,
                route,
                dedupe,
            };
            self.reply(&control, &asked, &mut events, &scene)
        });
        self.tell_route(&watch, &message, routed.route);
        Ok(Decided {
            draft: Draft {
                message,
                events,
                dedupe,
            },
            reply,
            watch,
        })
    }

    /// Translates the numbers (S5), then holds them to the rules (D8).
    fn numbers(
        &self,
        submission: &Submission,
        control: &Snapshot,
        events: &mut Vec<Event>,
        scene: &Scene,
    ) -> Result<(Sender, Msisdn), Refusal> {
        let calling = submission.source.as_ref().map_or("", Given::as_str);
        let called = submission.destination.as_str();
        let source_smsc = submission.source_smsc.as_ref().map(FrontendName::as_str);
        let translated = control.rules.apply(calling, called, source_smsc);
        let (mut new_calling, mut new_called) = (None, None);
        if let Some(translated) = translated {
            for (field, old, new) in [
                ("source_msisdn", calling, &translated.calling),
                ("destination_msisdn", called, &translated.called),
            ] {
                if let Some(new) = new {
                    let told = format!("rule {}: {field} '{old}' to '{new}'", translated.rule);
                    events.push(scene.event(EventName::NumberTranslated, told));
                }
            }
            (new_calling, new_called) = (translated.calling, translated.called);
        }
        let sender = match (&new_calling, &submission.source) {
            (Some(new), _) if new.trim().is_empty() => Ok(Sender::default()),
            (Some(new), _) => Given::parse(new).and_then(|given| Sender::parse(&given)),
            (None, Some(given)) => Sender::parse(given),
            (None, None) => Ok(Sender::default()),
        };
        let strictness = self.options.strictness;
        let destination = match &new_called {
            Some(new) => Given::parse(new).and_then(|given| Msisdn::parse(&given, strictness)),
            None => Msisdn::parse(&submission.destination, strictness),
        };
        let bad = |field, rule: NotANumber| Refusal::field(field, rule);
        Ok((
            sender.map_err(|rule| bad("source_msisdn", rule))?,
            destination.map_err(|rule| bad("destination_msisdn", rule))?,
        ))
    }

    /// Chooses a route (S4.2) and says what it does with the message (S4.3).
    pub(crate) fn route<'t>(
        &self,
        control: &'t Snapshot,
        query: &Query<'_>,
        events: &mut Vec<Event>,
        scene: &Scene,
    ) -> Routed<'t> {
        let Some(route) = choose::choose(&control.table, query, self.parts.dice.roll()) else {
            events.push(scene.event(EventName::RoutingFailed, "no route matches"));
            return Routed {
                dest_smsc: None,
                ended: None,
                route: None,
                answer: None,
            };
        };
        let dest_smsc = route.terms.action.dest_smsc().cloned();
        if let Some(to) = &dest_smsc {
            let told = format!("route {} to '{to}'", route.id);
            events.push(scene.event(EventName::Routed, told));
        }
        let (ended, answer) = match &route.terms.action {
            Action::Deliver(_) => (None, None),
            Action::Drop => {
                events.push(scene.event(EventName::Dropped, format!("route {}", route.id)));
                (Some(FinalStatus::Dropped), None)
            }
            Action::AutoReply { text, deliver } => {
                let ended = deliver.is_none().then_some(FinalStatus::Delivered);
                (ended, Some((route.id, text.as_str())))
            }
        };
        Routed {
            dest_smsc,
            ended,
            route: Some(route.id),
            answer,
        }
    }

    fn tell_route(&self, watch: &Stopwatch, message: &Message, route: Option<RouteId>) {
        self.record(&Fact::Decided {
            took: watch.elapsed(),
            route: route.map(|id| id.0),
        });
        if route.is_none() && message.dest_smsc.is_none() {
            self.record(&Fact::RoutingFailed { id: message.id });
        }
    }

    /// A draft is on stable storage: counts it and wakes whoever waits for it.
    pub(crate) fn stored(
        &self,
        id: MessageId,
        pending: bool,
        queued_for: Option<&FrontendName>,
        watch: Stopwatch,
    ) {
        self.record(&Fact::Accepted {
            id,
            took: watch.elapsed(),
            queued: pending,
        });
        if pending {
            self.hints.wake(queued_for);
        }
    }

    /// The first answer again (D6).
    async fn accepted_before(&self, first: MessageId) -> Result<Accepted, Refusal> {
        let found = self.parts.store.message(first).await;
        match found.map_err(|error| refuse::failed(error, "message"))? {
            Some(message) => Ok(Accepted {
                message,
                repeated: true,
            }),
            None => {
                let detail = format!("this was message {first} before, which has been removed");
                Err(Refusal::new(Reason::Conflict, detail))
            }
        }
    }
}

pub(crate) fn is_pending(message: &Message) -> bool {
    message.ending().is_none()
}

pub(crate) fn life(ended: Option<FinalStatus>, scene: &Scene) -> Life {
    match ended {
        None => Life::Pending { leased_until: None },
        Some(how) => Life::Ended(Ending {
            how,
            at: scene.now,
            node: scene.node.clone(),
        }),
    }
}

fn by_submitter(name: FrontendName, events: &mut Vec<Event>, scene: &Scene) -> Routed<'static> {
    events.push(scene.event(
        EventName::Routed,
        format!("set to '{name}' by the submitter"),
    ));
    Routed {
        dest_smsc: Some(name),
        ended: None,
        route: None,
        answer: None,
    }
}

fn key_reused() -> Refusal {
    let detail = "this idempotency key came with another request before: use a new key";
    Refusal::new(Reason::KeyReused, detail)
}

/// How many parts the text takes, and the coding that this implies (D9).
fn count(submission: &Submission) -> Result<(NonZeroU32, TransferFields), Refusal> {
    let (parts, tp) = measure(&submission.body, submission.tp.clone());
    let parts = submission.parts.unwrap_or(parts);
    check_parts(parts)?;
    Ok((parts, tp))
}

/// What an edit makes of a text: counted and coded as if it had been submitted without any coding.
pub(crate) fn recount(text: &mut Text) -> Result<NonZeroU32, Refusal> {
    let (parts, tp) = measure(&text.body, TransferFields::default());
    check_parts(parts)?;
    text.coding = Some(TransferCoding {
        data_coding_scheme: tp.data_coding_scheme,
        character_set: tp.character_set,
    });
    Ok(parts)
}

fn check_parts(parts: NonZeroU32) -> Result<(), Refusal> {
    if parts.get() > MOST_PARTS {
        let rule = format!("would be {parts}; a message has at most {MOST_PARTS} parts");
        return Err(Refusal::field("message_parts", rule));
    }
    Ok(())
}

/// The parts of a text under these transfer fields, and the fields with the coding filled in.
pub(crate) fn measure(body: &str, mut tp: TransferFields) -> (NonZeroU32, TransferFields) {
    if body.is_empty() {
        return (NonZeroU32::MIN, tp);
    }
    let mut options = segment::Options::PLAIN;
    if tp.character_set == Some(CharacterSet::Ucs2) {
        options.choice = Choice::Ucs2;
    }
    let plan = segment::count(body, &options);
    if tp.data_coding_scheme.is_none() && tp.character_set.is_none() {
        tp.character_set = Some(match plan.alphabet {
            Alphabet::Gsm7(_) => CharacterSet::Gsm7,
            Alphabet::Ucs2 => CharacterSet::Ucs2,
        });
    }
    if tp.data_coding_scheme.is_none() {
        // 3GPP TS 23.038 4, general group. It has no code for Latin-1.
        tp.data_coding_scheme = match tp.character_set {
            Some(CharacterSet::Gsm7) => Some(0x00),
            Some(CharacterSet::EightBit) => Some(0x04),
            Some(CharacterSet::Ucs2) => Some(0x08),
            Some(CharacterSet::Latin1) | None => None,
        };
    }
    (plan.parts, tp)
}

fn content(
    submission: Submission,
    (source, destination): (Sender, Msisdn),
    parts: NonZeroU32,
    tp: TransferFields,
) -> Content {
    Content {
        source,
        destination,
        body: submission.body,
        source_smsc: submission.source_smsc,
        source_imsi: submission.source_imsi,
        dest_imsi: submission.dest_imsi,
        parts,
        part_number: submission.part_number,
        tp,
        send_time: submission.send_time,
        raw_pdu: submission.raw_pdu,
        raw_data: submission.raw_data,
        raw_sip: submission.raw_sip,
    }
}
