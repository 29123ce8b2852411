//! The way in (S1.3): check, translate, ask ENUM, count, route, charge, store, tell.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::enum_query::Lookup;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::message::{Arranged, Content, Ending, Life, Message, TransferFields};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Accepted, Dedupe, Submission};
use zajil_core::retry::Attempt;
use zajil_core::route::{Charged, Query, RouteId};
use zajil_core::status::{FinalStatus, Status};
use zajil_store::contract::{Draft, Placed};
use zajil_store::scales::Load;
use zajil_telemetry::{Fact, Stopwatch};

use crate::charge::When;
use crate::count::count;
use crate::numbers::{Came, Numbers, translation_events};
use crate::reply::take_line;
use crate::routing::{by_submitter, enum_event};
use crate::shared::Shared;
use crate::{charge, refuse};

/// How long a fingerprint or key is kept at the least (D6).
const SHORTEST_MEMORY: Duration = Duration::from_secs(5 * 60);

/// A message on which everything is decided but its charge, not stored yet.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) draft: Draft,
    /// What its route says of charging.
    pub(crate) charged: Option<Charged>,
    /// The text that its route answers with, until the reply is drafted.
    pub(crate) answer: Option<(RouteId, Box<str>)>,
    /// The answer of an auto-reply route, stored with it or after it, never without it.
    pub(crate) reply: Option<Box<Draft>>,
    /// Since the submit.
    pub(crate) watch: Stopwatch,
    /// Its share of what the intake may hold, while it is there.
    pub(crate) load: Option<Load>,
}

/// A message that charging rejected, to be stored as such.
#[derive(Debug)]
pub(crate) struct Turned {
    id: MessageId,
    dedupe: Option<(Dedupe, Timestamp)>,
    why: (Reason, String),
}

impl Turned {
    pub(crate) fn away(decided: &Decided, why: (Reason, String)) -> Self {
        let draft = &decided.draft;
        Self {
            id: draft.message.id,
            dedupe: draft.dedupe,
            why,
        }
    }
}

/// A submit whose drafts are with the store.
#[derive(Debug)]
pub(crate) struct Handed {
    message: Arc<Message>,
    /// The reply that is stored with it.
    answered: Option<Arc<Message>>,
    /// The reply that is stored after it.
    later: Option<(Box<Draft>, Option<Event>)>,
    watch: Stopwatch,
    /// Runs since the drafts were handed over.
    storing: Stopwatch,
}

impl Handed {
    /// Puts the drafts of a submit behind those of others.
    pub(crate) fn of(decided: Decided, drafts: &mut Vec<Draft>) -> Self {
        let Decided {
            mut draft,
            mut reply,
            watch,
            ..
        } = decided;
        let later = match draft.dedupe {
            Some(_) => reply.take().map(|reply| (reply, take_line(&mut draft))),
            None => None,
        };
        let message = Arc::clone(&draft.message);
        let answered = reply.as_ref().map(|reply| Arc::clone(&reply.message));
        drafts.push(draft);
        drafts.extend(reply.map(|reply| *reply));
        Self {
            message,
            answered,
            later,
            watch,
            storing: Stopwatch::start(),
        }
    }
}

impl Shared {
    /// The whole path of a synchronous submit.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        submission: Submission,
    ) -> Result<Accepted, Refusal> {
        let mut decided = self.decide(submission, Stopwatch::start()).await?;
        let rejected = match self.charging(&decided) {
            None => None,
            Some(When::Never(failed)) => self.leave_uncharged(&mut decided, failed),
            Some(When::BeforeItIsStored) => self.authorize(&mut decided).await,
            Some(When::OnceItIsStored) => return self.charge_to_the_end(decided).await,
        };
        if rejected.is_none() {
            self.draft_reply_to(&mut decided);
        }
        let turned = rejected.map(|why| Turned::away(&decided, why));
        let shared = Arc::clone(self);
        // Also when the client goes away: once the store has it, its queue must hear of it.
        let to_the_end = self.errands.to_the_end(async move {
            let stored = shared.store(decided).await?;
            shared.answer(stored, turned).await
        });
        to_the_end.await
    }

    /// What the client of a stored message is told: it was turned away, or taken.
    pub(crate) async fn answer(
        &self,
        stored: Accepted,
        turned: Option<Turned>,
    ) -> Result<Accepted, Refusal> {
        match turned {
            // A repetition has the first answer, however charging is now (D6).
            Some(turned) if !stored.repeated => {
                let (reason, why) = turned.why;
                self.forget_rejected(turned.id, turned.dedupe, reason).await;
                Err(charge::refusal(turned.id, reason, &why))
            }
            Some(_) | None => Ok(stored),
        }
    }

    /// A client that goes away must not leave a charge without its answer.
    pub(crate) async fn charge_to_the_end(
        self: &Arc<Self>,
        decided: Decided,
    ) -> Result<Accepted, Refusal> {
        let shared = Arc::clone(self);
        let errand = self
            .errands
            .run(async move { shared.charge_stored(decided).await });
        match errand.await {
            Some(answer) => answer,
            None => Err(Refusal::new(Reason::Internal, "internal error")),
        }
    }

    /// Stores what was decided, and tells.
    ///
    /// A reply is stored in one transaction with the message that it answers, except when the
    /// submit may be a repetition (D6): then only after the message is known to be new. A crash in
    /// between loses the reply and nothing else: the message is stored, and a repetition of the
    /// submit gets its answer without making up for the reply.
    async fn store(&self, decided: Decided) -> Result<Accepted, Refusal> {
        let mut drafts = Vec::with_capacity(2);
        let handed = Handed::of(decided, &mut drafts);
        let accepted = self
            .parts
            .store
            .accept(drafts, self.parts.clock.now())
            .await;
        let mut places = accepted
            .map_err(|error| refuse::failed(error, "record"))?
            .into_iter();
        self.placed(handed, &mut places).await
    }

    /// Tells what the store made of a submit's drafts, and takes their places.
    pub(crate) async fn placed(
        &self,
        handed: Handed,
        places: &mut (impl Iterator<Item = Placed> + Send),
    ) -> Result<Accepted, Refusal> {
        let Handed {
            message,
            answered,
            later,
            watch,
            storing,
        } = handed;
        let place = places.next();
        let reply = answered.and_then(|answered| Some((answered, places.next()?)));
        match place {
            Some(Placed::Stored(queued_for)) => {
                let took = storing.elapsed();
                self.record(&Fact::Stored {
                    id: message.id,
                    took,
                });
                self.stored(&message, queued_for.as_ref(), watch);
                if let Some((reply, Placed::Stored(to))) = reply {
                    self.replied(&reply, to.as_ref());
                }
                if let Some((reply, line)) = later {
                    let stored = self.store_reply(*reply).await;
                    self.tell_of_reply(message.id, line, stored).await;
                }
                Ok(Accepted {
                    message,
                    repeated: false,
                })
            }
            Some(Placed::Repeated(first)) => self.accepted_before(first).await,
            Some(Placed::KeyReused) => Err(refuse::key_reused()),
            None => {
                tracing::error!(id = %message.id, "the store did not say what became of a draft");
                Err(Refusal::new(Reason::Internal, "internal error"))
            }
        }
    }

    /// All that comes before charging and storing, `watch` running since the submit came. Only ENUM
    /// is waited for.
    pub(crate) async fn decide(
        &self,
        submission: Submission,
        watch: Stopwatch,
    ) -> Result<Decided, Refusal> {
        if self.parts.lookup.is_none() {
            return self.decide_at_once(submission, watch);
        }
        let mut begun = self.begin(&submission, watch)?;
        let lookup = match submission.dest_smsc {
            Some(_) => None,
            None => self.ask_enum(&begun.numbers.called).await,
        };
        if let Some(lookup) = &lookup {
            // What was waited for may have taken its time.
            begun.scene = self.scene();
            begun.events.push(enum_event(lookup, &begun.scene));
        }
        let domain = lookup.as_ref().and_then(Lookup::domain);
        Ok(self.place(submission, begun, domain))
    }

    /// The same where ENUM is not asked, so that nothing is waited for.
    pub(crate) fn decide_at_once(
        &self,
        submission: Submission,
        watch: Stopwatch,
    ) -> Result<Decided, Refusal> {
        let begun = self.begin(&submission, watch)?;
        Ok(self.place(submission, begun, None))
    }

    /// All that comes before ENUM.
    fn begin(&self, submission: &Submission, watch: Stopwatch) -> Result<Begun, Refusal> {
        self.refuse_when_stopping()?;
        if let Some(name) = &submission.dest_smsc {
            self.check_frontend(name)?;
        }
        let scene = self.scene();
        let mut events = Vec::with_capacity(4);
        events.push(scene.event(EventName::Inserted, ""));
        let came = Came {
            calling: submission.source.as_ref(),
            called: &submission.destination,
            source_smsc: submission.source_smsc.as_ref(),
        };
        let numbers = self.numbers(came)?;
        if let Some(translated) = &numbers.translated {
            events.extend(translation_events(came, translated, &scene));
        }
        Ok(Begun {
            numbers,
            counted: count(submission)?,
            scene,
            watch,
            events,
        })
    }

    /// Routes a message whose numbers are settled, and whose domain, if ENUM knows one.
    fn place(&self, mut submission: Submission, begun: Begun, domain: Option<&str>) -> Decided {
        let Begun {
            numbers,
            counted: (parts, tp),
            scene,
            watch,
            mut events,
        } = begun;
        let query = Query {
            calling: numbers.calling.as_str(),
            called: numbers.called.as_str(),
            source_smsc: submission.source_smsc.as_ref().map(FrontendName::as_str),
            source_type: submission.source_type,
            enum_domain: domain,
            auto_reply_allowed: true,
        };
        let (expires, deliver_after) = (submission.expires, submission.deliver_after);
        // The default life is counted from when the message is due: it is not over before.
        let due = deliver_after.unwrap_or(scene.now).max(scene.now);
        let routed = match &submission.dest_smsc {
            Some(name) => by_submitter(name.clone(), &mut events, &scene),
            None => self.route(&self.control.load(), &query, due, (&mut events, &scene)),
        };
        let dedupe = submission.dedupe;
        let origin = submission.origin.take();
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
            arranged: Arranged {
                fallback: routed.fallback,
                debited: None,
                origin,
            },
            origin_node: scene.node.clone(),
            life: life(routed.ended, &scene),
        };
        let memory = self.options.fingerprint_ttl.max(SHORTEST_MEMORY);
        let dedupe = dedupe.map(|dedupe| (dedupe, scene.now.plus(memory)));
        self.tell_route(&watch, &message, routed.route);
        Decided {
            draft: Draft {
                message: Arc::new(message),
                events,
                dedupe,
            },
            charged: routed.charged,
            answer: routed.route.zip(routed.answer),
            reply: None,
            watch,
            load: None,
        }
    }

    fn tell_route(&self, watch: &Stopwatch, message: &Message, route: Option<RouteId>) {
        self.record(&Fact::Decided {
            message,
            took: watch.elapsed(),
            route: route.map(|id| id.0),
        });
        if route.is_none() && message.dest_smsc.is_none() {
            self.record(&Fact::RoutingFailed { message });
        }
    }

    /// A draft is on stable storage: counts it and wakes whoever waits for it.
    pub(crate) fn stored(
        &self,
        message: &Message,
        queued_for: Option<&FrontendName>,
        watch: Stopwatch,
    ) {
        let queued = is_pending(message);
        self.record(&Fact::Accepted {
            message,
            took: watch.elapsed(),
            queued,
        });
        if queued {
            self.hints.wake(queued_for);
        } else {
            self.wake_for_receipt(message, &[]);
            self.record(&Fact::EndedAtOnce { message });
        }
    }

    /// A reply is on stable storage: wakes whoever waits for it. Nobody submitted it, so it does
    /// not count as received.
    pub(crate) fn replied(&self, message: &Message, queued_for: Option<&FrontendName>) {
        let queued = is_pending(message);
        self.record(&Fact::Replied { message, queued });
        if queued {
            self.hints.wake(queued_for);
        }
    }

    /// The first answer again (D6).
    pub(crate) async fn accepted_before(&self, first: MessageId) -> Result<Accepted, Refusal> {
        let store = &self.parts.store;
        let failed = |error| refuse::failed(error, "message");
        match store.message(first).await.map_err(failed)? {
            Some(message) if message.status() == Status::Final(FinalStatus::Rejected) => {
                let events = store.events(first).await.map_err(failed)?;
                match charge::refusal_again(first, &events) {
                    Some(refusal) => Err(refusal),
                    None => Ok(Accepted {
                        message: Arc::new(message),
                        repeated: true,
                    }),
                }
            }
            Some(message) if matches!(message.life, Life::Charging { .. }) => {
                let detail = format!("message {first} is still being charged: try again");
                Err(Refusal::new(Reason::Overloaded, detail))
            }
            Some(message) => Ok(Accepted {
                message: Arc::new(message),
                repeated: true,
            }),
            None => {
                let detail = format!("this was message {first} before, which has been removed");
                Err(Refusal::new(Reason::Conflict, detail))
            }
        }
    }
}

/// What is known of a submit before it is routed.
struct Begun {
    numbers: Numbers,
    counted: (NonZeroU32, TransferFields),
    scene: Scene,
    watch: Stopwatch,
    /// The first lines of its log.
    events: Vec<Event>,
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

fn content(
    submission: Submission,
    numbers: Numbers,
    parts: NonZeroU32,
    tp: TransferFields,
) -> Content {
    Content {
        source: numbers.calling,
        destination: numbers.called,
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
