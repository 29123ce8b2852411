//! Comparing all that can be read, and what of it has to be made equal first.

use std::time::Duration;

use zajil_core::event::{Event, EventName};
use zajil_core::frontend::FrontendName;
use zajil_core::message::Message;

use super::super::build::id;
use super::super::subject::ALL;
use super::Lockstep;
use crate::contract::{Filter, NotDone, Outcome, Reported};
use crate::receipts::Owed;

/// An outcome in parts that can be compared.
pub(super) type Told = Result<(Message, Option<FrontendName>), NotDone>;

pub(super) fn told(outcome: Outcome) -> Told {
    outcome.map(|done| (done.message, done.queued_for))
}

/// The lines that stores write by themselves say it in their own words.
pub(super) fn in_common_words(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        if matches!(event.name, EventName::LateReport | EventName::Deleted) {
            event.description.clear();
        }
    }
    events
}

/// What a sweep did, in the order of ids.
pub(super) fn by_id(swept: Vec<Reported>) -> Vec<(Message, Option<FrontendName>)> {
    let mut swept: Vec<_> = swept
        .into_iter()
        .map(|done| (done.message, done.queued_for))
        .collect();
    swept.sort_unstable_by_key(|(message, _)| message.id);
    swept
}

impl Lockstep {
    pub(super) async fn compare_message(&self, number: u64) {
        let (theirs, ours) = (self.theirs.find(number).await, self.ours.find(number).await);
        self.same(&format!("message {number}"), theirs, ours);
        let theirs = self.theirs.store.parts(id(number)).await;
        let ours = self.ours.store.parts(id(number)).await;
        self.same(&format!("parts around {number}"), theirs, ours);
        let theirs = in_common_words(self.theirs.store.events(id(number)).await.unwrap());
        let ours = in_common_words(self.ours.store.events(id(number)).await.unwrap());
        self.same(&format!("events of {number}"), theirs, ours);
    }

    pub(super) async fn compare_figures(&self) {
        let (a, b) = (&self.theirs.store, &self.ours.store);
        self.same("figures", a.figures().await, b.figures().await);
        self.same("highest_id", a.highest_id().await, b.highest_id().await);
        let (theirs, ours) = (
            a.frontend_stats(self.now).await,
            b.frontend_stats(self.now).await,
        );
        self.same("frontend_stats", theirs, ours);
    }

    /// The CDRs that wait, in the order of message ids.
    pub(super) async fn compare_outbox(&self) {
        let (mut theirs, mut ours) = (self.theirs.cdrs().await, self.ours.cdrs().await);
        theirs.sort_by_key(|cdr| cdr.message_id);
        ours.sort_by_key(|cdr| cdr.message_id);
        self.same("outbox", theirs, ours);
    }

    pub(super) async fn compare_presence(&self) {
        let (a, b) = (&self.theirs.store, &self.ours.store);
        self.same("frontends", a.frontends().await, b.frontends().await);
        for frontend in b.frontends().await.unwrap() {
            let name = frontend.registration.name;
            let (theirs, ours) = (
                a.frontend_history(name.clone()).await,
                b.frontend_history(name).await,
            );
            self.same("frontend_history", theirs, ours);
        }
        self.same(
            "locations",
            a.locations(ALL, 0).await,
            b.locations(ALL, 0).await,
        );
    }

    pub(super) async fn compare_routing(&self) {
        let theirs = self.theirs.store.routing().await.unwrap();
        let ours = self.ours.store.routing().await.unwrap();
        self.same("routes", theirs.routes, ours.routes);
        self.same("rules", theirs.rules, ours.rules);
    }

    /// The receipts that are owed, in the order of message ids.
    pub(super) async fn compare_receipts(&self) {
        let mut both = Vec::new();
        for store in [&self.theirs.store, &self.ours.store] {
            let later = self.now.plus(Duration::from_secs(1));
            let owed = store.stale_receipts(later, ALL).await.unwrap();
            let of = |owed: Owed| (owed.receipt.message, owed.tries, owed.receipt);
            let mut owed: Vec<_> = owed.into_iter().map(of).collect();
            owed.sort_unstable_by_key(|(message, ..)| *message);
            both.push((owed, store.receipts_owed().await));
        }
        let ours = both.pop();
        self.same("receipts", both.pop(), ours);
    }

    /// Everything that can be read.
    pub(super) async fn compare_all(&self) {
        let all = || Filter {
            limit: ALL,
            ..Filter::default()
        };
        let theirs = self.theirs.store.messages(all()).await;
        self.same("messages", theirs, self.ours.store.messages(all()).await);
        for number in 1..=self.last_id + 1 {
            self.compare_message(number).await;
        }
        self.compare_figures().await;
        self.compare_outbox().await;
        self.compare_receipts().await;
        self.compare_presence().await;
        self.compare_routing().await;
    }
}
