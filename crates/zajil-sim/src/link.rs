//! The store as one life of a node reaches it: late, refused, cut off, or with the answer lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
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
use zajil_store::receipts::{Owed, ReceiptSeq, Receipts, Told};
use zajil_store::shelf::{Change, Kind, Page, Record, Shelf};

use crate::line::Line;
use crate::rng::Rng;
use crate::stage::Stage;

mod watched;

/// What is at stake in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Reads,
    Writes,
}

#[derive(Debug)]
pub(crate) struct Link {
    stage: Arc<Stage>,
    line: Arc<Line>,
    rng: Rng,
    /// Until when this node does not reach the store.
    cut_off_until: Mutex<Option<Instant>>,
}

impl Link {
    pub(crate) fn new(stage: Arc<Stage>, line: Arc<Line>, rng: Rng) -> Self {
        Self {
            stage,
            line,
            rng,
            cut_off_until: Mutex::default(),
        }
    }

    pub(crate) fn cut_off(&self, until: Instant) {
        *self.cut() = Some(until);
    }

    fn is_cut_off(&self) -> bool {
        let cut = self.cut().is_some_and(|until| until > Instant::now());
        !self.stage.is_calm() && (cut || self.stage.is_store_away())
    }

    fn cut(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let cut = self.cut_off_until.lock();
        cut.unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> bool {
        !self.stage.is_calm() && self.rng.per_mille(self.stage.plan.trouble)
    }

    async fn travel(&self) {
        if self.stage.is_calm() {
            sleep(Duration::from_millis(1)).await;
        } else if self.rng.percent(25) {
            sleep(self.rng.millis(1..30)).await;
        } else if self.trouble() {
            sleep(self.rng.millis(100..2_500)).await;
        }
    }

    /// The way there.
    async fn before(&self, call: Call) -> Result<(), Error> {
        self.line.pass().await;
        self.travel().await;
        self.line.pass().await;
        if self.is_cut_off() {
            sleep(self.rng.millis(5..1_500)).await;
            self.line.pass().await;
            return Err(match (call, self.rng.percent(10)) {
                (Call::Writes, true) => Error::Unknown("nothing was heard".into()),
                _ => Error::Down("no route to the store".into()),
            });
        }
        if !self.trouble() {
            return Ok(());
        }
        Err(match (call, self.rng.below(4)) {
            (_, 0) => Error::Busy,
            (Call::Writes, 1) => Error::Full("no space".into()),
            (Call::Writes, 2) => Error::Unknown("the connection broke".into()),
            _ => Error::Down("the connection broke".into()),
        })
    }

    /// The way back: what was done is done.
    async fn after<T>(&self, call: Call, answer: Result<T, Error>) -> Result<T, Error> {
        self.line.pass().await;
        self.travel().await;
        self.line.pass().await;
        let lost = self.is_cut_off() || self.trouble();
        match (call, answer) {
            (Call::Writes, Ok(_)) if lost => Err(Error::Unknown("the answer was lost".into())),
            (Call::Reads, Ok(_)) if lost => Err(Error::Down("the answer was lost".into())),
            (_, answer) => answer,
        }
    }
}

macro_rules! carry {
    ($call:ident: $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Reply<'_, $answer> {
            Box::pin(async move {
                self.before(Call::$call).await?;
                let answer = self.stage.store.$name($($argument),*).await;
                self.after(Call::$call, answer).await
            })
        })*
    };
}

/// Carried like the others, and seen on the way.
macro_rules! watch {
    ($call:ident: $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Reply<'_, $answer> {
            Box::pin(async move {
                let asked = self.stage.time.now();
                self.before(Call::$call).await?;
                let answer = watched::$name(&self.stage, asked, $($argument),*).await;
                self.after(Call::$call, answer).await
            })
        })*
    };
}

impl Store for Link {
    watch! { Writes:
        accept(drafts: Vec<Draft>, now: Timestamp) -> Vec<Placed>;
        lease(ask: OfferAsk, until: Timestamp) -> Vec<Message>;
        report(reports: Vec<(MessageId, Report)>, scene: Scene) -> Vec<Outcome>;
        edit(id: MessageId, edit: Edit, scene: Scene) -> Outcome;
        remove(id: MessageId, scene: Scene) -> Result<(), NotDone>;
        sweep(scene: Scene, limit: u32) -> Vec<Reported>;
        outbox_done(last: OutboxSeq) -> ();
        begin_refund(id: MessageId, now: Timestamp) -> bool;
    }
    watch! { Reads:
        offer(ask: OfferAsk) -> Vec<Message>;
        outbox(limit: u32) -> Vec<(OutboxSeq, Cdr)>;
    }
    carry! { Writes:
        reserve_ids(up_to: MessageId) -> ();
        forget_key(key: [u8; 32], id: MessageId) -> ();
        add_event(id: MessageId, event: Event) -> bool;
        purge(keep: Retention, now: Timestamp, limit: u32) -> Purged;
        refund_done(id: MessageId, event: Option<Event>) -> ();
        postpone_refund(id: MessageId, until: Timestamp) -> ();
        expire_locations(now: Timestamp, limit: u32) -> u64;
        register(registration: Registration, now: Timestamp) -> (Presence, bool);
        set_policy(policy: Policy) -> ();
        expire_frontends(now: Timestamp) -> Vec<Presence>;
        locate(id: Option<u64>, sighting: Sighting, now: Timestamp) -> Located;
        forget_location(id: u64, now: Timestamp) -> bool;
        change_routing(change: RoutingChange, base: Option<u64>) -> (u64, Option<u64>);
    }
    carry! { Reads:
        highest_id() -> Option<MessageId>;
        next_due(asker: Asker, now: Timestamp) -> Option<Timestamp>;
        message(id: MessageId) -> Option<Message>;
        messages(filter: Filter) -> Vec<Message>;
        parts(id: MessageId) -> Vec<Message>;
        events(id: MessageId) -> Vec<Event>;
        refunds(now: Timestamp, limit: u32) -> Vec<Refund>;
        frontends() -> Vec<Presence>;
        frontend(id: u64) -> Option<Presence>;
        frontend_history(name: FrontendName) -> Vec<Presence>;
        frontend_stats(now: Timestamp) -> FrontendStats;
        policies() -> Vec<Policy>;
        location(id: u64) -> Option<Location>;
        location_of(number: String) -> Option<Location>;
        locations(limit: u32, offset: u32) -> Vec<Location>;
        routing() -> Routing;
        routing_version() -> u64;
        figures() -> Figures;
        depths(now: Timestamp) -> BTreeMap<Home, Depth>;
        close() -> ();
    }
}

impl Receipts for Link {
    carry! { Writes:
        lease_receipts(account: FrontendName, limit: u32, now: Timestamp, until: Timestamp)
            -> Vec<Owed>;
        tell_receipts(told: Vec<(ReceiptSeq, Told)>) -> ();
    }
    carry! { Reads:
        receipts_due(account: FrontendName, now: Timestamp) -> bool;
        stale_receipts(before: Timestamp, limit: u32) -> Vec<Owed>;
        receipts_owed() -> u64;
    }
}

impl AwaitedParts for Link {
    carry! { Writes:
        part_delivered(carrier: FrontendName, id: String) -> Option<u64>;
        forget_parts(of: Vec<(MessageId, Timestamp)>) -> Vec<(FrontendName, String)>;
    }
    carry! { Reads:
        awaited_parts(carrier: FrontendName, ids: Vec<String>) -> Vec<AwaitedPart>;
        overdue_parts(now: Timestamp, limit: u32) -> Vec<AwaitedPart>;
    }
}

impl Shelf for Link {
    carry! { Writes:
        change_shelf(changes: Vec<Change>, now: Timestamp) -> Vec<Record>;
        purge_shelf(kind: Kind, before: Timestamp, limit: u32) -> u64;
    }
    carry! { Reads:
        shelf(page: Page) -> Vec<Record>;
        shelf_record(kind: Kind, id: u64) -> Option<Record>;
        shelf_named(kind: Kind, name: String) -> Option<Record>;
        shelf_revision(kind: Kind) -> u64;
    }
}
