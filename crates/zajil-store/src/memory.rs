//! The model: the whole contract over maps in memory, simple rather than fast.
//!
//! Every other store is compared with it, so it holds no index, cache or copy that could disagree:
//! each answer is computed from the records by the rules of `zajil_core`. Engine tests run on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, Scene};
use zajil_core::frontend::{FrontendName, FrontendStats, Presence, Registration};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::location::{Location, Sighting};
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::policy::Policy;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::queue::{Depth, Home};
use zajil_core::route::{RouteId, Terms};
use zajil_core::translate::{RuleId, RuleTerms};

use crate::contract::{
    Draft, Endings, Error, Figures, Filter, Located, NotDone, OfferAsk, OutboxSeq, Outcome, Placed,
    Purged, Refund, Reply, Reported, Retention, Store,
};

mod awaited;
mod keep;
mod presence;
mod queue;
mod receipts;
mod routing;
mod shelf;

/// A store that forgets everything with its process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

/// All records. A method of it is one transaction: it checks first, then changes.
#[derive(Debug, Default)]
struct State {
    closed: bool,
    highest: Option<MessageId>,
    /// The messages that look-ups find; a removed one is not here, only its log and its CDR are.
    messages: BTreeMap<MessageId, Message>,
    logs: BTreeMap<MessageId, Vec<Event>>,
    keys: BTreeMap<[u8; 32], KnownKey>,
    outbox: BTreeMap<OutboxSeq, Cdr>,
    /// The outbox, and what has left it, until retention is over.
    finished: BTreeMap<OutboxSeq, Cdr>,
    last_outbox: u64,
    /// Each with the instant that it is put off to.
    refunds: BTreeMap<MessageId, (Timestamp, Refund)>,
    receipts: receipts::Book,
    awaited: awaited::Parts,
    locations: BTreeMap<u64, Location>,
    last_location: u64,
    /// The locations whose expiry a sweep has handled.
    run_out: BTreeSet<u64>,
    frontends: BTreeMap<u64, Presence>,
    last_frontend: u64,
    policies: BTreeMap<FrontendName, Policy>,
    routing_version: u64,
    routes: BTreeMap<RouteId, Terms>,
    last_route: u64,
    rules: BTreeMap<RuleId, RuleTerms>,
    last_rule: u64,
    shelf: shelf::Records,
}

/// What is remembered of a submit so that its repetition is recognised (D6).
#[derive(Debug)]
struct KnownKey {
    body: [u8; 32],
    id: MessageId,
    until: Timestamp,
}

/// The next id of a table: from 1, and never one that was used.
fn next_id(last: &mut u64) -> u64 {
    *last += 1;
    *last
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One transaction, done when the call returns; the future only carries its answer.
    fn run<T: Send + 'static>(
        &self,
        transaction: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Reply<'_, T> {
        // A panic inside a transaction is a bug of this model; the next call may as well go on.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = if state.closed {
            Err(Error::Closed)
        } else {
            transaction(&mut state)
        };
        Box::pin(std::future::ready(answer))
    }
}

impl Store for MemoryStore {
    fn highest_id(&self) -> Reply<'_, Option<MessageId>> {
        self.run(|state| Ok(state.highest))
    }

    fn reserve_ids(&self, up_to: MessageId) -> Reply<'_, ()> {
        self.run(|state| {
            state.highest = state.highest.max(Some(up_to));
            Ok(())
        })
    }

    fn accept(&self, drafts: Vec<Draft>, now: Timestamp) -> Reply<'_, Vec<Placed>> {
        self.run(|state| state.accept(drafts, now))
    }

    fn offer(&self, ask: OfferAsk) -> Reply<'_, Vec<Message>> {
        self.run(|state| Ok(state.offer(&ask)))
    }

    fn lease(&self, ask: OfferAsk, until: Timestamp) -> Reply<'_, Vec<Message>> {
        self.run(|state| Ok(state.lease(&ask, until)))
    }

    fn next_due(&self, asker: Asker, now: Timestamp) -> Reply<'_, Option<Timestamp>> {
        self.run(|state| Ok(state.next_due(&asker, now)))
    }

    fn report(&self, reports: Vec<(MessageId, Report)>, scene: Scene) -> Reply<'_, Vec<Outcome>> {
        self.run(|state| {
            Ok(reports
                .iter()
                .map(|(id, report)| state.report(*id, report, &scene))
                .collect())
        })
    }

    fn edit(&self, id: MessageId, edit: Edit, scene: Scene) -> Reply<'_, Outcome> {
        self.run(|state| Ok(state.edit(id, edit, &scene)))
    }

    fn forget_key(&self, key: [u8; 32], id: MessageId) -> Reply<'_, ()> {
        self.run(|state| {
            state.keys.retain(|known, of| *known != key || of.id != id);
            Ok(())
        })
    }

    fn remove(&self, id: MessageId, scene: Scene) -> Reply<'_, Result<(), NotDone>> {
        self.run(|state| Ok(state.remove(id, &scene)))
    }

    fn message(&self, id: MessageId) -> Reply<'_, Option<Message>> {
        self.run(|state| Ok(state.messages.get(&id).cloned()))
    }

    fn messages(&self, filter: Filter) -> Reply<'_, Vec<Message>> {
        self.run(|state| Ok(state.list(&filter)))
    }

    fn parts(&self, id: MessageId) -> Reply<'_, Vec<Message>> {
        self.run(|state| Ok(state.parts(id)))
    }

    fn events(&self, id: MessageId) -> Reply<'_, Vec<Event>> {
        self.run(|state| Ok(state.logs.get(&id).cloned().unwrap_or_default()))
    }

    fn add_event(&self, id: MessageId, event: Event) -> Reply<'_, bool> {
        self.run(|state| {
            let log = state.logs.get_mut(&id);
            Ok(log.map(|log| log.push(event)).is_some())
        })
    }

    fn sweep(&self, scene: Scene, limit: u32) -> Reply<'_, Vec<Reported>> {
        self.run(|state| Ok(state.sweep(&scene, limit)))
    }

    fn purge(&self, keep: Retention, now: Timestamp, limit: u32) -> Reply<'_, Purged> {
        self.run(|state| Ok(state.purge(keep, now, limit)))
    }

    fn expire_locations(&self, now: Timestamp, limit: u32) -> Reply<'_, u64> {
        self.run(|state| Ok(state.expire_locations(now, limit)))
    }

    fn register(&self, registration: Registration, now: Timestamp) -> Reply<'_, (Presence, bool)> {
        self.run(|state| Ok(state.register(registration, now)))
    }

    fn frontends(&self) -> Reply<'_, Vec<Presence>> {
        self.run(|state| Ok(state.latest_stretches().into_values().cloned().collect()))
    }

    fn frontend(&self, id: u64) -> Reply<'_, Option<Presence>> {
        self.run(|state| Ok(state.frontends.get(&id).cloned()))
    }

    fn frontend_history(&self, name: FrontendName) -> Reply<'_, Vec<Presence>> {
        self.run(|state| {
            let newest_first = state.frontends.values().rev();
            Ok(newest_first
                .filter(|p| p.registration.name == name)
                .cloned()
                .collect())
        })
    }

    fn frontend_stats(&self, now: Timestamp) -> Reply<'_, FrontendStats> {
        self.run(|state| Ok(state.frontend_stats(now)))
    }

    fn policies(&self) -> Reply<'_, Vec<Policy>> {
        self.run(|state| Ok(state.policies.values().cloned().collect()))
    }

    fn set_policy(&self, policy: Policy) -> Reply<'_, ()> {
        self.run(|state| {
            if policy.is_empty() {
                state.policies.remove(&policy.frontend);
            } else {
                state.policies.insert(policy.frontend.clone(), policy);
            }
            Ok(())
        })
    }

    fn expire_frontends(&self, now: Timestamp) -> Reply<'_, Vec<Presence>> {
        self.run(|state| Ok(state.expire_frontends(now)))
    }

    fn locate(&self, id: Option<u64>, sighting: Sighting, now: Timestamp) -> Reply<'_, Located> {
        self.run(|state| state.locate(id, sighting, now))
    }

    fn forget_location(&self, id: u64, _now: Timestamp) -> Reply<'_, bool> {
        self.run(|state| {
            state.run_out.remove(&id);
            Ok(state.locations.remove(&id).is_some())
        })
    }

    fn location(&self, id: u64) -> Reply<'_, Option<Location>> {
        self.run(|state| Ok(state.locations.get(&id).cloned()))
    }

    fn location_of(&self, number: String) -> Reply<'_, Option<Location>> {
        self.run(|state| Ok(state.location_of(&number)))
    }

    fn locations(&self, limit: u32, offset: u32) -> Reply<'_, Vec<Location>> {
        self.run(|state| {
            let page = state
                .locations
                .values()
                .skip(size(offset))
                .take(size(limit));
            Ok(page.cloned().collect())
        })
    }

    fn routing(&self) -> Reply<'_, Routing> {
        self.run(|state| Ok(state.routing()))
    }

    fn routing_version(&self) -> Reply<'_, u64> {
        self.run(|state| Ok(state.routing_version))
    }

    fn change_routing(
        &self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Reply<'_, (u64, Option<u64>)> {
        self.run(|state| state.change_routing(change, base))
    }

    fn outbox(&self, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>> {
        self.run(|state| {
            let oldest = state.outbox.iter().take(size(limit));
            Ok(oldest.map(|(seq, cdr)| (*seq, cdr.clone())).collect())
        })
    }

    fn endings(&self) -> Option<&dyn Endings> {
        Some(self)
    }

    fn outbox_done(&self, last: OutboxSeq) -> Reply<'_, ()> {
        self.run(|state| {
            state.outbox.retain(|seq, _| *seq > last);
            Ok(())
        })
    }

    fn refunds(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<Refund>> {
        self.run(|state| {
            let due = state.refunds.values().filter(|(until, _)| *until <= now);
            Ok(due
                .take(size(limit))
                .map(|(_, refund)| refund.clone())
                .collect())
        })
    }

    fn begin_refund(&self, id: MessageId, now: Timestamp) -> Reply<'_, bool> {
        self.run(|state| Ok(state.begin_refund(id, now)))
    }

    fn refund_done(&self, id: MessageId, event: Option<Event>) -> Reply<'_, ()> {
        self.run(|state| {
            if state.refunds.remove(&id).is_some()
                && let Some(log) = state.logs.get_mut(&id)
            {
                log.extend(event);
            }
            Ok(())
        })
    }

    fn postpone_refund(&self, id: MessageId, until: Timestamp) -> Reply<'_, ()> {
        self.run(|state| {
            if let Some((put_off, refund)) = state.refunds.get_mut(&id) {
                refund.begun = None;
                *put_off = until;
            }
            Ok(())
        })
    }

    fn figures(&self) -> Reply<'_, Figures> {
        self.run(|state| Ok(state.figures()))
    }

    fn depths(&self, now: Timestamp) -> Reply<'_, BTreeMap<Home, Depth>> {
        self.run(|state| Ok(state.depths(now)))
    }

    fn close(&self) -> Reply<'_, ()> {
        self.run(|state| {
            state.closed = true;
            Ok(())
        })
    }
}

impl Endings for MemoryStore {
    fn finished(&self, after: OutboxSeq, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>> {
        self.run(|state| {
            let behind = state.finished.range(OutboxSeq(after.0 + 1)..);
            let some = behind.take(size(limit));
            Ok(some.map(|(seq, cdr)| (*seq, cdr.clone())).collect())
        })
    }

    fn finished_last(&self) -> Reply<'_, OutboxSeq> {
        self.run(|state| Ok(OutboxSeq(state.last_outbox)))
    }
}
