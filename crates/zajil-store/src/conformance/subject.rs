//! The store under test, with the short forms of its calls that cases use.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::location::{Location, Sighting};
use zajil_core::message::{Life, Message};
use zajil_core::offer::Asker;

use super::build::{id, scene};
use crate::contract::{Draft, Error, OfferAsk, Outcome, Placed, Reported, Store};

/// A store under test.
#[derive(Debug)]
pub struct Subject {
    pub(super) store: Arc<dyn Store>,
}

/// More than any case stores.
pub(super) const ALL: u32 = 100_000;

/// An ask for all that is due.
pub(super) fn ask(asker: Asker, now: Timestamp) -> OfferAsk {
    OfferAsk {
        asker,
        limit: ALL,
        now,
    }
}

fn numbers(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.id.get()).collect()
}

impl Subject {
    /// A store under test: open and empty.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Accepts at the instant of the latest message.
    pub(super) async fn try_accept(&self, drafts: Vec<Draft>) -> Result<Vec<Placed>, Error> {
        let latest = drafts.iter().map(|draft| draft.message.inserted_at).max();
        let now = latest.unwrap_or(Timestamp::EPOCH);
        self.store.accept(drafts, now).await
    }

    pub(super) async fn accept(&self, drafts: Vec<Draft>) -> Vec<Placed> {
        self.try_accept(drafts).await.unwrap()
    }

    pub(super) async fn offered(&self, asker: Asker, now: Timestamp) -> Vec<u64> {
        numbers(&self.store.offer(ask(asker, now)).await.unwrap())
    }

    pub(super) async fn leased(&self, asker: Asker, now: Timestamp, until: Timestamp) -> Vec<u64> {
        numbers(&self.store.lease(ask(asker, now), until).await.unwrap())
    }

    pub(super) async fn try_report(&self, number: u64, report: Report, now: Timestamp) -> Outcome {
        let mut outcomes = self
            .store
            .report(vec![(id(number), report)], scene(now))
            .await
            .unwrap();
        assert_eq!(outcomes.len(), 1, "one outcome for one report");
        outcomes.remove(0)
    }

    pub(super) async fn report(&self, number: u64, report: Report, now: Timestamp) -> Reported {
        self.try_report(number, report, now).await.unwrap()
    }

    pub(super) async fn edit(&self, number: u64, edit: Edit, now: Timestamp) -> Reported {
        self.store
            .edit(id(number), edit, scene(now))
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn find(&self, number: u64) -> Option<Message> {
        self.store.message(id(number)).await.unwrap()
    }

    pub(super) async fn get(&self, number: u64) -> Message {
        self.find(number)
            .await
            .unwrap_or_else(|| panic!("message {number} is gone"))
    }

    pub(super) async fn leased_until(&self, number: u64) -> Option<Timestamp> {
        match self.get(number).await.life {
            Life::Pending { leased_until } => leased_until,
            Life::Charging { .. } => panic!("message {number} is not charged yet"),
            Life::Ended(ending) => panic!("message {number} is {}", ending.how),
        }
    }

    /// The names in a log.
    pub(super) async fn log(&self, number: u64) -> Vec<String> {
        let events = self.store.events(id(number)).await.unwrap();
        events
            .iter()
            .map(|event| event.name.as_str().into_owned())
            .collect()
    }

    pub(super) async fn cdrs(&self) -> Vec<Cdr> {
        let entries = self.store.outbox(ALL).await.unwrap();
        assert!(
            entries.is_sorted_by(|a, b| a.0 < b.0),
            "places rise: {entries:?}"
        );
        entries.into_iter().map(|(_, cdr)| cdr).collect()
    }

    /// Says that the sink has all CDRs.
    pub(super) async fn drain(&self) {
        if let Some((last, _)) = self.store.outbox(ALL).await.unwrap().last() {
            self.store.outbox_done(*last).await.unwrap();
        }
    }

    pub(super) async fn locate(&self, sighting: Sighting, now: Timestamp) -> (Location, bool) {
        let located = self.store.locate(None, sighting, now).await.unwrap();
        (located.location, located.new)
    }

    /// Runs the sweep over locations until it rests.
    pub(super) async fn sweep_locations(&self, now: Timestamp) {
        for _ in 0..100 {
            if self.store.expire_locations(now, ALL).await.unwrap() == 0 {
                return;
            }
        }
        panic!("the sweep over locations never comes to rest");
    }
}

/// Awaits all futures at once: each is polled before the first has to be ready.
pub(super) async fn all_at_once<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
