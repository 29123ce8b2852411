//! A store that fails to accept as often and in such ways as a test says.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
use zajil_store::awaited::{AwaitedPart, AwaitedParts};
use zajil_store::contract::{
    Draft, Error, Figures, Filter, Located, NotDone, OfferAsk, OutboxSeq, Outcome, Placed, Purged,
    Refund, Reply, Reported, Retention, Store,
};
use zajil_store::memory::MemoryStore;
use zajil_store::receipts::{Owed, ReceiptSeq, Receipts, Told};
use zajil_store::shelf::{Change, Kind, Page, Record, Shelf};

#[derive(Debug, Default)]
pub(crate) struct Moody {
    inner: MemoryStore,
    moods: Mutex<VecDeque<Mood>>,
    /// How many purges are yet to find something, whatever is there.
    pub(crate) purges: AtomicU32,
    /// Whether what frontends and operators say is stored a moment before that is told.
    pub(crate) late: AtomicBool,
    /// How many transactions have changed the shelf.
    pub(crate) shelved: AtomicU32,
    /// Whether pages of the shelf never come.
    pub(crate) stuck: AtomicBool,
}

#[derive(Debug)]
pub(crate) enum Mood {
    /// Fails before anything happens.
    Refuse(Error),
    /// Stores, and then says that it does not know.
    StoreAndForget,
    /// Stores, and takes a moment to say so.
    StoreSlowly,
    /// Refuses while this body is in the batch; stays in that mood.
    Dislike(&'static str),
}

impl Moody {
    pub(crate) fn expect(&self, moods: impl IntoIterator<Item = Mood>) {
        self.moods
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(moods);
    }
}

macro_rules! delegate {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Reply<'_, $answer> {
            self.inner.$name($($argument),*)
        })*
    };
}

macro_rules! tell_late {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Reply<'_, $answer> {
            let done = self.inner.$name($($argument),*);
            if !self.late.load(Ordering::Relaxed) {
                return done;
            }
            Box::pin(async move {
                let done = done.await;
                tokio::task::yield_now().await;
                done
            })
        })*
    };
}

impl Store for Moody {
    fn accept(&self, drafts: Vec<Draft>, now: Timestamp) -> Reply<'_, Vec<Placed>> {
        let mut moods = self.moods.lock().unwrap_or_else(PoisonError::into_inner);
        match moods.pop_front() {
            None => self.inner.accept(drafts, now),
            Some(Mood::Refuse(error)) => Box::pin(std::future::ready(Err(error))),
            Some(Mood::StoreAndForget) => {
                let stored = self.inner.accept(drafts, now);
                Box::pin(async move {
                    stored.await?;
                    Err(Error::Unknown("the cable was cut".into()))
                })
            }
            Some(Mood::StoreSlowly) => {
                let stored = self.inner.accept(drafts, now);
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    stored.await
                })
            }
            Some(Mood::Dislike(body)) => {
                moods.push_front(Mood::Dislike(body));
                if drafts
                    .iter()
                    .any(|draft| draft.message.content.body == body)
                {
                    return Box::pin(std::future::ready(Err(Error::Damaged(body.into()))));
                }
                self.inner.accept(drafts, now)
            }
        }
    }

    fn purge(&self, keep: Retention, now: Timestamp, limit: u32) -> Reply<'_, Purged> {
        let left = self.purges.load(Ordering::Relaxed);
        if left == 0 {
            return self.inner.purge(keep, now, limit);
        }
        self.purges.store(left - 1, Ordering::Relaxed);
        let purged = Purged {
            messages: u64::from(limit),
            ..Purged::default()
        };
        Box::pin(std::future::ready(Ok(purged)))
    }

    tell_late! {
        report(reports: Vec<(MessageId, Report)>, scene: Scene) -> Vec<Outcome>;
        edit(id: MessageId, edit: Edit, scene: Scene) -> Outcome;
        locate(id: Option<u64>, sighting: Sighting, now: Timestamp) -> Located;
        forget_location(id: u64, now: Timestamp) -> bool;
    }

    delegate! {
        highest_id() -> Option<MessageId>;
        reserve_ids(up_to: MessageId) -> ();
        offer(ask: OfferAsk) -> Vec<Message>;
        lease(ask: OfferAsk, until: Timestamp) -> Vec<Message>;
        next_due(asker: Asker, now: Timestamp) -> Option<Timestamp>;
        forget_key(key: [u8; 32], id: MessageId) -> ();
        remove(id: MessageId, scene: Scene) -> Result<(), NotDone>;
        message(id: MessageId) -> Option<Message>;
        messages(filter: Filter) -> Vec<Message>;
        parts(id: MessageId) -> Vec<Message>;
        events(id: MessageId) -> Vec<Event>;
        add_event(id: MessageId, event: Event) -> bool;
        sweep(scene: Scene, limit: u32) -> Vec<Reported>;
        refunds(now: Timestamp, limit: u32) -> Vec<Refund>;
        begin_refund(id: MessageId, now: Timestamp) -> bool;
        refund_done(id: MessageId, event: Option<Event>) -> ();
        postpone_refund(id: MessageId, until: Timestamp) -> ();
        expire_locations(now: Timestamp, limit: u32) -> u64;
        register(registration: Registration, now: Timestamp) -> (Presence, bool);
        frontends() -> Vec<Presence>;
        frontend(id: u64) -> Option<Presence>;
        frontend_history(name: FrontendName) -> Vec<Presence>;
        frontend_stats(now: Timestamp) -> FrontendStats;
        policies() -> Vec<Policy>;
        set_policy(policy: Policy) -> ();
        expire_frontends(now: Timestamp) -> Vec<Presence>;
        location(id: u64) -> Option<Location>;
        location_of(number: String) -> Option<Location>;
        locations(limit: u32, offset: u32) -> Vec<Location>;
        routing() -> Routing;
        routing_version() -> u64;
        change_routing(change: RoutingChange, base: Option<u64>) -> (u64, Option<u64>);
        outbox(limit: u32) -> Vec<(OutboxSeq, Cdr)>;
        outbox_done(last: OutboxSeq) -> ();
        figures() -> Figures;
        depths(now: Timestamp) -> BTreeMap<Home, Depth>;
        close() -> ();
    }
}

impl Receipts for Moody {
    delegate! {
        lease_receipts(account: FrontendName, limit: u32, now: Timestamp, until: Timestamp)
            -> Vec<Owed>;
        receipts_due(account: FrontendName, now: Timestamp) -> bool;
        tell_receipts(told: Vec<(ReceiptSeq, Told)>) -> ();
        stale_receipts(before: Timestamp, limit: u32) -> Vec<Owed>;
        receipts_owed() -> u64;
    }
}

impl AwaitedParts for Moody {
    delegate! {
        awaited_parts(carrier: FrontendName, ids: Vec<String>) -> Vec<AwaitedPart>;
        part_delivered(carrier: FrontendName, id: String) -> Option<u64>;
        overdue_parts(now: Timestamp, limit: u32) -> Vec<AwaitedPart>;
        forget_parts(of: Vec<(MessageId, Timestamp)>) -> Vec<(FrontendName, String)>;
    }
}

impl Shelf for Moody {
    fn shelf(&self, page: Page) -> Reply<'_, Vec<Record>> {
        if self.stuck.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        self.inner.shelf(page)
    }

    delegate! {
        shelf_record(kind: Kind, id: u64) -> Option<Record>;
        shelf_named(kind: Kind, name: String) -> Option<Record>;
        shelf_revision(kind: Kind) -> u64;
        purge_shelf(kind: Kind, before: Timestamp, limit: u32) -> u64;
    }

    fn change_shelf(&self, changes: Vec<Change>, now: Timestamp) -> Reply<'_, Vec<Record>> {
        self.shelved.fetch_add(1, Ordering::Relaxed);
        self.inner.change_shelf(changes, now)
    }
}
