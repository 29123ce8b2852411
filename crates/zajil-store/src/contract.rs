//! The store contract: one method is one business transaction (D15).
//!
//! What every store promises:
//! - A method that answers `Ok` has made its change durable, whole, and visible to every later call
//!   on any node. A method that answers `Err` has changed nothing, except [`Error::Unknown`].
//! - The rules are not the store's: it calls `zajil_core::lifecycle` inside its transaction.
//! - Final state, outbox entry and event lines of a message commit together (D11).
//! - Every sweep may run twice, on two nodes, at any moment, and stops at its `limit`.
//! - Answers are copies: nothing a caller holds locks anything.
//! - Time is an argument: no method reads a clock. Nodes that share a store must agree on it (ADR
//!   14), so a store may compare any two instants that it was given.
//!
//! What must be cheap: `accept`, `lease` and `report` are called at full message rate from many
//! tasks at once and are to be batched inside; `offer` and `lease` must not cost more when the
//! queue is longer; `message` is a look-up by key. Lists and sweeps may cost what they return.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::cdr::Cdr;
use zajil_core::charge;
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, Scene};
use zajil_core::frontend::{FrontendName, FrontendStats, Presence, Registration};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::location::{Location, Sighting};
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::policy::Policy;
use zajil_core::port::{Dedupe, Routing, RoutingChange};
use zajil_core::queue::{Depth, Home};
use zajil_core::status::{FinalStatus, Status};

use crate::awaited::AwaitedParts;
use crate::receipts::Receipts;
use crate::shelf::Shelf;

/// A store's answer: a boxed future, one box per batch.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Why the store did not do it, by what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The queue in front of the store is full: try again soon.
    #[error("the store has as much work as it can hold")]
    Busy,
    /// No room on the medium: try again when there is.
    #[error("the store has no room left: {0}")]
    Full(String),
    /// The medium is away or faulty: try again later.
    #[error("the store cannot be used: {0}")]
    Down(String),
    /// The change may or may not have happened: the store failed while it committed.
    #[error("the store failed while it committed: {0}")]
    Unknown(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The request contradicts what is stored; the sentence is for the client.
    #[error("{0}")]
    Conflict(String),
    /// There is no such record.
    #[error("no such record")]
    NotFound,
    /// What is stored breaks an invariant or cannot be read: a human must act.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
}

/// A message about to be stored, with the log lines of its acceptance. It may have ended already
/// (a drop route): then its outbox entry is written with it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The message, numbered by the caller, who also tells of it once it is stored.
    pub message: Arc<Message>,
    /// The first lines of its log.
    pub events: Vec<Event>,
    /// How a repetition is recognised, and until when.
    pub dedupe: Option<(Dedupe, Timestamp)>,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// Stored, and queued for this frontend: `dest_smsc`, or the one that a live location names;
    /// none = unrouted, or ended.
    Stored(Option<FrontendName>),
    /// Not stored: the same submit was stored as this message.
    Repeated(MessageId),
    /// Not stored: the same key came with another body.
    KeyReused,
}

/// Which messages a list shows, newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<Status>,
    /// Only those whose source or destination number contains these digits.
    pub number: Option<String>,
    /// Only those of this frontend; the inner none = of no frontend.
    pub dest_smsc: Option<Option<FrontendName>>,
    /// Only those that this frontend or client submitted.
    pub source_smsc: Option<FrontendName>,
    /// Only those inserted at or after this.
    pub from: Option<Timestamp>,
    /// Only those inserted before this.
    pub to: Option<Timestamp>,
    /// Only those that wait to be offered for the first time, not before an instant after this one.
    pub scheduled_after: Option<Timestamp>,
    /// Only those that wait and are found here ([`zajil_core::smpp::place`]); an index leads to
    /// them, and what else is asked for is not looked at but for [`Filter::before`].
    pub place: Option<String>,
    /// Only those with a lower id: the place where a page ended leads to the next.
    pub before: Option<MessageId>,
    /// At most this many.
    pub limit: u32,
    /// After skipping this many.
    pub offset: u32,
}

/// Who asks for messages, how many, and whether to hold them.
#[derive(Debug, Clone)]
pub struct OfferAsk {
    /// The frontend.
    pub asker: Asker,
    /// At most this many.
    pub limit: u32,
    /// Now.
    pub now: Timestamp,
}

/// What became of a report or an edit.
pub type Outcome = Result<Reported, NotDone>;

/// A report or edit that took effect.
#[derive(Debug, Clone)]
pub struct Reported {
    /// The message as it is now.
    pub message: Message,
    /// The frontend it is queued for now (as in [`Placed::Stored`]); none when it has ended.
    pub queued_for: Option<FrontendName>,
    /// The lines that it added to the log; none when it changed nothing.
    pub events: Vec<Event>,
    /// Whether a report ended the turn of this frontend and gave it to the next (D12).
    pub fell_back_from: Option<FrontendName>,
}

impl Reported {
    /// Whose turn a report has ended: as long as a message waits, nothing else that is reported
    /// changes its frontend.
    #[must_use]
    pub fn fell_back(was_for: Option<&FrontendName>, message: &Message) -> Option<FrontendName> {
        let waits = message.ending().is_none();
        let moved = waits && message.dest_smsc.as_ref() != was_for;
        was_for.filter(|_| moved).cloned()
    }
}

/// Why a report or edit did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDone {
    /// No such message.
    NotFound,
    /// It has ended; a `late_report` line was added to its log.
    AlreadyFinal(FinalStatus),
    /// It waits for its charge: try again.
    Charging,
    /// Its frontend is another one by now; a `late_report` line was added to its log.
    NotTheirs,
    /// Nothing about it is due, or it waits for no charge: somebody else was there before.
    NotYet,
}

/// Where a subscriber is by now, and who has to hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The record.
    pub location: Location,
    /// Whether it is a new one.
    pub new: bool,
    /// The queues that got messages by it, or whose messages fall due sooner; none = unrouted.
    pub queues: BTreeSet<Option<FrontendName>>,
}

/// The price of a message that ended undelivered, to be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// What was debited.
    pub call: charge::Call,
    /// How the message ended.
    pub how: FinalStatus,
    /// When somebody set about giving it back ([`Store::begin_refund`]).
    pub begun: Option<Timestamp>,
}

/// How long things are kept (S8, S9).
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// `message_retention_hours`: finished messages.
    pub messages: Duration,
    /// `event_ttl_days`: event logs.
    pub events: Duration,
    /// How long expired frontend registrations stay in the history.
    pub frontends: Duration,
}

/// What a retention sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Finished messages.
    pub messages: u64,
    /// Event logs of messages that had left before.
    pub logs: u64,
    /// Fingerprints and idempotency keys.
    pub keys: u64,
    /// Frontend records.
    pub frontends: u64,
}

/// Figures of the queue (S12), cheap enough for each scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Messages in the queue store, finished ones included.
    pub messages: u64,
    /// Messages that have not ended.
    pub pending: u64,
    /// When the first of them falls due, or fell due; those that wait for their charge aside.
    pub first_due: Option<Timestamp>,
    /// Finished messages whose CDR has not been delivered to the sink.
    pub outbox: u64,
    /// Refunds that have not ended.
    pub refunds: u64,
}

/// The place of an entry in the outbox; rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxSeq(pub u64);

/// A home for messages and all that belongs to them. See the module for what it promises.
pub trait Store: Shelf + Receipts + AwaitedParts + Send + Sync + fmt::Debug {
    /// The highest id ever stored or reserved, so that a restarted node hands out none twice.
    fn highest_id(&self) -> Reply<'_, Option<MessageId>>;

    /// Remembers that ids up to this one may have been told to clients, stored or not. A lower one
    /// than before changes nothing.
    fn reserve_ids(&self, up_to: MessageId) -> Reply<'_, ()>;

    /// Stores messages, all or none, in one transaction. A repetition (D6) is answered in its
    /// place and does not keep the others out. Keys and locations are judged as of `now`, which may
    /// be long after the messages were inserted when the store was away in between.
    fn accept(&self, drafts: Vec<Draft>, now: Timestamp) -> Reply<'_, Vec<Placed>>;

    /// Forgets that a key led to this message: what is submitted under it is new again.
    fn forget_key(&self, key: [u8; 32], id: MessageId) -> Reply<'_, ()>;

    /// The messages that may be offered (S3.1, `zajil_core::offer::may_offer`), ordered by
    /// (`due`, `id`). Holds nothing.
    fn offer(&self, ask: OfferAsk) -> Reply<'_, Vec<Message>>;

    /// Like [`Store::offer`], and holds each message until `until`: no two calls get the same
    /// message in that time. In a store that nodes share, what another node has put before messages
    /// that waited already may be passed over for 200 ms.
    fn lease(&self, ask: OfferAsk, until: Timestamp) -> Reply<'_, Vec<Message>>;

    /// When the next message for the asker falls due, if one waits, as things stand at `now`: an
    /// instant at or before the true one. A hint for waiting pollers.
    fn next_due(&self, asker: Asker, now: Timestamp) -> Reply<'_, Option<Timestamp>>;

    /// Applies reports, one outcome each, in order, in one transaction.
    fn report(&self, reports: Vec<(MessageId, Report)>, scene: Scene) -> Reply<'_, Vec<Outcome>>;

    /// Applies an edit.
    fn edit(&self, id: MessageId, edit: Edit, scene: Scene) -> Reply<'_, Outcome>;

    /// Ends a pending message with [`Report::Removed`], then hides it from every look-up. Its CDR
    /// is still drained. Nothing happens to a message that waits for its charge.
    fn remove(&self, id: MessageId, scene: Scene) -> Reply<'_, Result<(), NotDone>>;

    /// One message.
    fn message(&self, id: MessageId) -> Reply<'_, Option<Message>>;

    /// Many messages, newest id first.
    fn messages(&self, filter: Filter) -> Reply<'_, Vec<Message>>;

    /// The messages that may be parts of the same text as this one, itself included: those with
    /// the same key (`zajil_core::concatenation`), inserted within its `WINDOW` before or after
    /// this one, on either side the nearest `MOST_ON_A_SIDE`. Ordered by (`inserted_at`, `id`);
    /// empty when there is no such message or it is whole.
    fn parts(&self, id: MessageId) -> Reply<'_, Vec<Message>>;

    /// The event log of a message, oldest first; empty when it is unknown or its time is over.
    fn events(&self, id: MessageId) -> Reply<'_, Vec<Event>>;

    /// Adds a line to the log of a message. `false` when neither message nor log is known.
    fn add_event(&self, id: MessageId, event: Event) -> Reply<'_, bool>;

    /// Applies [`Report::Overdue`] to messages whose [`Message::next_turn`] has come, at most
    /// `limit`; answers what it made of each. A store that nodes share may need several sweeps,
    /// a second apart, to find one, and more when very many fall due at once: until then it is
    /// pending, and is not offered once its life is over.
    fn sweep(&self, scene: Scene, limit: u32) -> Reply<'_, Vec<Reported>>;

    /// Removes what retention no longer keeps, about `limit` messages at the most. A finished
    /// message whose CDR has not been drained stays; logs stay until [`Retention::events`].
    fn purge(&self, keep: Retention, now: Timestamp, limit: u32) -> Reply<'_, Purged>;

    /// Takes messages away from frontends whose location has run out, so that they wait as
    /// unrouted; answers how many locations it handled, at most `limit`.
    fn expire_locations(&self, now: Timestamp, limit: u32) -> Reply<'_, u64>;

    /// Registers a frontend: renews its active stretch, or begins one (`true`).
    fn register(&self, registration: Registration, now: Timestamp) -> Reply<'_, (Presence, bool)>;

    /// The latest stretch of every frontend, by name.
    fn frontends(&self) -> Reply<'_, Vec<Presence>>;

    /// One record by id.
    fn frontend(&self, id: u64) -> Reply<'_, Option<Presence>>;

    /// All stretches of a frontend, newest first.
    fn frontend_history(&self, name: FrontendName) -> Reply<'_, Vec<Presence>>;

    /// The figures of S3.4.
    fn frontend_stats(&self, now: Timestamp) -> Reply<'_, FrontendStats>;

    /// What operators have decided about frontends, by name; those without a decision are left out.
    fn policies(&self) -> Reply<'_, Vec<Policy>>;

    /// Stores what was decided about a frontend, in place of what was before. An empty policy is
    /// forgotten.
    fn set_policy(&self, policy: Policy) -> Reply<'_, ()>;

    /// The frontends that vanished since the last sweep; each is answered once.
    fn expire_frontends(&self, now: Timestamp) -> Reply<'_, Vec<Presence>>;

    /// Stores where a subscriber is and moves its undecided messages to the frontend named there.
    /// Without an id the IMSI is the key.
    ///
    /// [`Error::NotFound`] for an unknown id; [`Error::Conflict`] when a new one has no IMSI.
    fn locate(&self, id: Option<u64>, sighting: Sighting, now: Timestamp) -> Reply<'_, Located>;

    /// Removes a location; its messages wait as unrouted. `false` when there is none.
    fn forget_location(&self, id: u64, now: Timestamp) -> Reply<'_, bool>;

    /// A location by record id.
    fn location(&self, id: u64) -> Reply<'_, Option<Location>>;

    /// The location of a number, compared as D8 says; the latest update wins.
    fn location_of(&self, number: String) -> Reply<'_, Option<Location>>;

    /// Locations by id.
    fn locations(&self, limit: u32, offset: u32) -> Reply<'_, Vec<Location>>;

    /// The routing tables.
    fn routing(&self) -> Reply<'_, Routing>;

    /// Their version, which is asked for every second.
    fn routing_version(&self) -> Reply<'_, u64>;

    /// Changes the routing tables; answers with the version that this led to, one above the former,
    /// and the id it was about, if one. Must not cost more when the tables are larger, imports
    /// aside.
    ///
    /// With a `base` it happens only to the tables of that version.
    ///
    /// [`Error::NotFound`] for an unknown route or rule, [`Error::Conflict`] when the tables have
    /// another version than `base`.
    fn change_routing(
        &self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Reply<'_, (u64, Option<u64>)>;

    /// The oldest outbox entries, at most `limit`.
    fn outbox(&self, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>>;

    /// Forgets outbox entries up to and including `last`: their rows are in the sink.
    fn outbox_done(&self, last: OutboxSeq) -> Reply<'_, ()>;

    /// The order of the endings, where the store keeps one.
    fn endings(&self) -> Option<&dyn Endings> {
        None
    }

    /// The debits of messages that ended undelivered and are not put off, oldest first, at most
    /// `limit`. Written in one transaction with the end of the message.
    fn refunds(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<Refund>>;

    /// Marks a refund as begun. `false` when it was begun before, by whomever, or is not there: the
    /// caller must leave it alone then.
    fn begin_refund(&self, id: MessageId, now: Timestamp) -> Reply<'_, bool>;

    /// Forgets a refund, and adds a line to the log of its message, where that is still there.
    fn refund_done(&self, id: MessageId, event: Option<Event>) -> Reply<'_, ()>;

    /// Takes back [`Store::begin_refund`]: nothing was given back, and somebody may begin again
    /// after `until`.
    fn postpone_refund(&self, id: MessageId, until: Timestamp) -> Reply<'_, ()>;

    /// The figures of the queue.
    fn figures(&self) -> Reply<'_, Figures>;

    /// The pending messages by whose they are and their state at `now`. May read the whole queue,
    /// so it is asked seldom; it must hold nobody up, and need not be of one moment.
    fn depths(&self, now: Timestamp) -> Reply<'_, BTreeMap<Home, Depth>>;

    /// Finishes what is queued, syncs and closes; later calls answer [`Error::Closed`].
    fn close(&self) -> Reply<'_, ()>;
}

/// How messages ended, one after the other, for readers that go on where they were.
pub trait Endings: Send + Sync + fmt::Debug {
    /// What ended behind this place, in the order of the endings, at most `limit`: drained from the
    /// outbox or not, as long as retention keeps the messages. What is not yet there never appears
    /// before what is.
    fn finished(&self, after: OutboxSeq, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>>;

    /// The place of the last ending, or of one that was undone behind it; 0 when there was none
    /// yet. [`Error::Busy`] when a transaction is under way for so long that nobody can say.
    fn finished_last(&self) -> Reply<'_, OutboxSeq>;

    /// Whether this process may read for all: of those that share a store one has the turn, renews
    /// it by asking, and loses it to another when it has not asked for 15 s.
    fn takes_turn(&self) -> Reply<'_, bool> {
        Box::pin(std::future::ready(Ok(true)))
    }

    /// Whether other processes share the store, so that what this one has seen is not all.
    fn is_shared(&self) -> bool {
        false
    }
}
