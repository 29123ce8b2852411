//! What frontends and operators say: reports, edits, registrations, locations.

use zajil_core::event::Event;
use zajil_core::frontend::{Presence, Registration};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::location::{Location, Sighting};
use zajil_core::message::Message;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::Waiting;
use zajil_core::smpp::place;
use zajil_core::status::FinalStatus;
use zajil_store::contract::{Filter, NotDone, Outcome, Reported};
use zajil_telemetry::{Fact, HandedFact, Stopwatch};

use crate::count::recount;
use crate::refuse::failed;
use crate::shared::Shared;

impl Shared {
    pub(crate) async fn report(&self, id: MessageId, report: Report) -> Result<Message, Refusal> {
        match self.report_many(vec![(id, report)]).await?.pop() {
            Some(answer) => answer,
            None => Err(untold(id)),
        }
    }

    /// Reports in one transaction, each with its own answer, in order.
    pub(crate) async fn report_many(
        &self,
        mut reports: Vec<(MessageId, Report)>,
    ) -> Result<Vec<Result<Message, Refusal>>, Refusal> {
        let told: Vec<_> = reports
            .iter_mut()
            .map(|(id, report)| {
                let goes_on = goes_on(report);
                (*id, (self.with_schedules(report), goes_on))
            })
            .collect();
        let storing = Stopwatch::start();
        let outcomes = self.parts.store.report(reports, self.scene()).await;
        let took = storing.elapsed();
        let outcomes = outcomes.map_err(|error| failed(error, "message"))?;
        let missing = told.len() - outcomes.len().min(told.len());
        let outcomes = outcomes.into_iter().map(Some);
        let outcomes = outcomes.chain(std::iter::repeat_n(None, missing));
        let answers = told.into_iter().zip(outcomes);
        let answers: Vec<_> = answers
            .map(|((id, kind), outcome)| match outcome {
                Some(outcome) => {
                    let answer = self.reported(id, kind, outcome);
                    if answer.is_ok() {
                        self.record(&Fact::Reported { id, took });
                    }
                    answer
                }
                None => Err(untold(id)),
            })
            .collect();
        self.forget_delivered(answers.iter().flatten()).await;
        Ok(answers)
    }

    fn reported(
        &self,
        id: MessageId,
        (congested, goes_on): (bool, bool),
        outcome: Outcome,
    ) -> Result<Message, Refusal> {
        let message = self.take_effect(id, outcome)?;
        if let (true, Some(name)) = (congested, &message.dest_smsc) {
            self.throttle(name);
        }
        if message.ending().is_none() && !goes_on {
            let message = &message;
            self.record(&Fact::AttemptFailed { message });
        }
        Ok(message)
    }

    pub(crate) async fn edit(&self, id: MessageId, mut edit: Edit) -> Result<Message, Refusal> {
        if let Some(Some(name)) = &edit.dest_smsc {
            self.check_frontend(name)?;
        }
        if let Some((text, parts)) = &mut edit.body {
            *parts = recount(text)?;
        }
        let outcome = self.parts.store.edit(id, edit, self.scene()).await;
        let message = self.take_effect(id, outcome.map_err(|error| failed(error, "message"))?)?;
        self.forget_delivered(std::iter::once(&message)).await;
        Ok(message)
    }

    /// Tells what a report or edit led to, and wakes whom it concerns.
    pub(crate) fn take_effect(&self, id: MessageId, outcome: Outcome) -> Result<Message, Refusal> {
        let done = match outcome {
            Ok(done) => done,
            Err(NotDone::NotFound) => return Err(Refusal::no_message(id)),
            Err(NotDone::AlreadyFinal(status)) => {
                self.record(&Fact::LateReport { id });
                let detail = format!("message {id} is already {status}");
                return Err(Refusal::new(Reason::AlreadyFinal, detail));
            }
            Err(NotDone::NotTheirs) => {
                self.record(&Fact::LateReport { id });
                let detail = format!("message {id} is with another frontend by now");
                return Err(Refusal::new(Reason::Conflict, detail));
            }
            Err(NotDone::Charging) => return Err(charging(id)),
            Err(NotDone::NotYet) => {
                let detail = format!("nothing about message {id} is due");
                return Err(Refusal::new(Reason::Conflict, detail));
            }
        };
        self.tell(&done);
        Ok(done.message)
    }

    /// Tells what became of a message, and wakes whom it concerns.
    pub(crate) fn tell(&self, done: &Reported) {
        let message = &done.message;
        if let Some(from) = &done.fell_back_from {
            self.record(&Fact::Handed(HandedFact::FellBack { message, from }));
        }
        self.wake_for_receipt(message, &done.events);
        match message.ending() {
            None => self.hints.wake(done.queued_for.as_ref()),
            Some(ending) => match ending.how {
                FinalStatus::Delivered => self.record(&Fact::Delivered {
                    message,
                    after: ending.at.since(message.inserted_at),
                }),
                FinalStatus::Expired => self.record(&Fact::DeadLetter { message }),
                FinalStatus::Failed | FinalStatus::Rejected | FinalStatus::Dropped => {
                    self.record(&Fact::Failed { message });
                }
            },
        }
    }

    pub(crate) async fn find(
        &self,
        id: MessageId,
    ) -> Result<Option<(Message, Vec<Event>)>, Refusal> {
        let store = &self.parts.store;
        let failed = |error| failed(error, "message");
        match store.message(id).await.map_err(failed)? {
            None => Ok(None),
            Some(message) => {
                let events = store.events(id).await.map_err(failed)?;
                Ok(Some((message, events)))
            }
        }
    }

    pub(crate) async fn waiting(&self, of: Waiting) -> Result<Vec<Message>, Refusal> {
        let filter = Filter {
            place: Some(place(&of.account, &of.source, &of.destination)),
            before: of.before,
            limit: of.limit,
            ..Filter::default()
        };
        let found = self.parts.store.messages(filter).await;
        found.map_err(|error| failed(error, "messages"))
    }

    pub(crate) async fn remove(&self, id: MessageId) -> Result<(), Refusal> {
        let removed = self.parts.store.remove(id, self.scene()).await;
        match removed.map_err(|error| failed(error, "message"))? {
            Ok(()) => {
                // Its application may be owed a receipt; the store does not say whose it was.
                self.receipt_hints.wake_all();
                Ok(())
            }
            Err(NotDone::Charging) => Err(charging(id)),
            Err(
                NotDone::NotFound | NotDone::AlreadyFinal(_) | NotDone::NotTheirs | NotDone::NotYet,
            ) => Err(Refusal::no_message(id)),
        }
    }

    pub(crate) async fn register(
        &self,
        registration: Registration,
    ) -> Result<(Presence, bool), Refusal> {
        let now = self.parts.clock.now();
        let registered = self.parts.store.register(registration, now).await;
        let (presence, began) = registered.map_err(|error| failed(error, "frontend"))?;
        let name = &presence.registration.name;
        self.learn_frontend(name, presence.expires_at);
        if began {
            self.record(&Fact::FrontendUp { name });
        }
        Ok((presence, began))
    }

    pub(crate) async fn locate(
        &self,
        id: Option<u64>,
        sighting: Sighting,
    ) -> Result<(Location, bool), Refusal> {
        if id.is_none() && sighting.imsi.as_ref().is_none_or(|imsi| imsi.is_empty()) {
            return Err(Refusal::field("imsi", "must be given"));
        }
        let located = self
            .parts
            .store
            .locate(id, sighting, self.parts.clock.now())
            .await;
        let located = located.map_err(|error| failed(error, &location_name(id)))?;
        for queue in &located.queues {
            self.hints.wake(queue.as_ref());
        }
        self.awake(&located.location).await;
        Ok((located.location, located.new))
    }

    pub(crate) async fn forget_location(&self, id: u64) -> Result<(), Refusal> {
        let name = location_name(Some(id));
        let forgotten = self
            .parts
            .store
            .forget_location(id, self.parts.clock.now())
            .await;
        if forgotten.map_err(|error| failed(error, &name))? {
            self.hints.wake(None);
            Ok(())
        } else {
            Err(Refusal::new(Reason::NotFound, format!("{name} not found")))
        }
    }
}

/// Whether a message goes on as it is after this: it was neither ended nor put off.
fn goes_on(report: &Report) -> bool {
    match report {
        Report::Taken { .. } => true,
        Report::Heard { says, .. } => goes_on(says),
        _ => false,
    }
}

fn untold(id: MessageId) -> Refusal {
    tracing::error!(%id, "the store did not say what became of a report");
    Refusal::new(Reason::Internal, "internal error")
}

fn charging(id: MessageId) -> Refusal {
    let detail = format!("message {id} is still being charged: try again");
    Refusal::new(Reason::Overloaded, detail)
}

fn location_name(id: Option<u64>) -> String {
    id.map_or_else(|| "location".to_owned(), |id| format!("location {id}"))
}
