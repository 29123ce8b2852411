//! The live hub: what happens, for whoever listens now.
//!
//! Nothing here is kept for good, and nobody who listens can hold anybody up. Whoever tells a fact
//! appends it to a short list behind a lock that is held for nanoseconds, and not even that while
//! nobody listens. [`Hub::pump`] moves what was told into a ring, from which each listener reads at
//! its own pace, by the id of what it had last. A listener that the ring has overtaken is dropped.
//!
//! Ids rise by one per event. They begin with the microseconds since 1970 at the start of the
//! process, so that those of a later process are higher, and below 2^53 until the year 2255. A
//! missing id is what was not kept: [`Next::Gap`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::Notify;
use zajil_core::clock::Clock;
use zajil_core::event::NodeName;

mod event;
mod filter;
mod json;
mod name;
mod ring;
mod watch;

pub use event::{Event, Kind, Numbers, Subject, Wire};
pub use filter::Filter;
pub use name::{NAMES, ended};
pub use watch::Watch;

use ring::{Read, Ring};

/// How long the pump rests between two turns: listeners hear of an event so much later at most, and
/// are woken so much apart.
const REST: Duration = Duration::from_millis(20);
/// How many events may wait for the pump; more are lost, and their ids missing.
const MOST_FRESH: usize = 65_536;
/// How many events all listeners together may read between two turns of the pump.
const MOST_READ: usize = 5_000;
/// How many events one listener looks at between two turns of the pump.
const MOST_SEEN: usize = 4_096;

/// Where events are told and heard.
#[derive(Debug)]
pub struct Hub {
    clock: Arc<dyn Clock>,
    node: NodeName,
    /// Whether events are made at all.
    awake: AtomicBool,
    fresh: Mutex<Fresh>,
    /// Says to the pump that there is something.
    nudge: Notify,
    ring: RwLock<Ring>,
    /// Events that the ring has taken since the last listener left.
    unheard: AtomicUsize,
    listeners: AtomicUsize,
    lost: IntCounter,
    closed: AtomicBool,
    watched: watch::Watched,
    /// Says to listeners that there is something.
    moved: tokio::sync::watch::Sender<()>,
}

/// What the pump has not moved yet.
#[derive(Debug)]
struct Fresh {
    next: u64,
    events: VecDeque<Event>,
}

/// What a listener gets.
#[derive(Debug)]
pub enum Next {
    /// Events that its filter lets through, oldest first; may be empty after many that it does not.
    Events(Vec<Arc<Event>>),
    /// Events between these two ids, both excluded, are not kept any more.
    Gap {
        /// The last that the listener had.
        after: u64,
        /// The next that there is, or will be.
        next: u64,
    },
    /// The ring has overtaken the listener: it is too slow.
    Behind,
    /// The hub is closed.
    Closed,
}

impl Hub {
    /// A hub that keeps the last `kept` events, and makes none until somebody listens.
    #[must_use]
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        node: NodeName,
        kept: usize,
        lost: IntCounter,
    ) -> Arc<Self> {
        let first = u64::try_from(clock.now().millis()).unwrap_or(0) * 1_000;
        Arc::new(Self {
            clock,
            node,
            awake: AtomicBool::new(false),
            fresh: Mutex::new(Fresh {
                next: first.max(1),
                events: VecDeque::new(),
            }),
            nudge: Notify::new(),
            ring: RwLock::new(Ring::new(kept, first.max(1))),
            unheard: AtomicUsize::new(0),
            listeners: AtomicUsize::new(0),
            lost,
            closed: AtomicBool::new(false),
            watched: watch::Watched::default(),
            moved: tokio::sync::watch::Sender::new(()),
        })
    }

    /// Whether an event would be made of a fact.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.awake.load(Ordering::Relaxed)
    }

    /// Tells an event; `subject` is made only if somebody may hear it. Never waits: an event for
    /// which there is no room is lost, and its id missing.
    pub fn tell(&self, name: &'static str, kind: Kind, subject: impl FnOnce() -> Subject) {
        if !self.is_awake() {
            return;
        }
        debug_assert!(NAMES.contains(&name), "{name} is not in the list");
        let (at, subject) = (self.clock.now(), subject());
        let mut fresh = self.fresh();
        let id = fresh.next;
        fresh.next += 1;
        if fresh.events.len() >= MOST_FRESH {
            drop(fresh);
            self.lost.inc();
            return;
        }
        let node = self.node.clone();
        fresh
            .events
            .push_back(Event::new((id, at), (kind, name), node, subject));
        let first = fresh.events.len() == 1;
        drop(fresh);
        if first {
            self.nudge.notify_one();
        }
    }

    /// Moves what is told to those who listen, until the hub is closed.
    pub async fn pump(&self) {
        loop {
            self.nudge.notified().await;
            self.turn();
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// One turn of the pump.
    pub fn turn(&self) {
        let events = std::mem::take(&mut self.fresh().events);
        let count = events.len();
        // Freed after the lock is.
        let _overwritten = self
            .ring
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(events);
        if self.listeners.load(Ordering::Acquire) == 0 {
            let unheard = self.unheard.fetch_add(count, Ordering::Relaxed) + count;
            self.sleep_after(unheard);
        } else {
            self.unheard.store(0, Ordering::Relaxed);
        }
        self.moved.send_replace(());
    }

    /// Once nothing is kept that the last listener has heard of, keeping more helps nobody.
    fn sleep_after(&self, unheard: usize) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let nobody = self.listeners.load(Ordering::Acquire) == 0;
        if nobody && unheard >= ring.capacity() {
            self.awake.store(false, Ordering::Release);
            ring.clear();
        }
    }

    /// Begins to listen: after the event of the id `after`, or from now on.
    #[must_use]
    pub fn listen(self: &Arc<Self>, after: Option<u64>) -> Listener {
        self.listeners.fetch_add(1, Ordering::AcqRel);
        let moved = self.moved.subscribe();
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if !self.awake.load(Ordering::Acquire) {
            // What happened meanwhile was not told: one id is left out for it.
            let mut fresh = self.fresh();
            fresh.events.clear();
            fresh.next += 1;
            ring.restart(fresh.next);
            self.awake.store(true, Ordering::Release);
        }
        let cursor = after.unwrap_or_else(|| ring.last());
        drop(ring);
        Listener {
            hub: Arc::clone(self),
            cursor,
            begun: false,
            moved,
        }
    }

    /// Ends all listening, now and later, once all that is here has been heard.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.nudge.notify_one();
        self.moved.send_replace(());
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Acquire)
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who listens. Whoever drops it no longer does.
#[derive(Debug)]
pub struct Listener {
    hub: Arc<Hub>,
    /// The id of the last event that was looked at.
    cursor: u64,
    /// Whether anything was read: a gap before that is the past, one after it is slowness.
    begun: bool,
    moved: tokio::sync::watch::Receiver<()>,
}

impl Listener {
    /// The id of the last event that was looked at, whether or not a filter let it through.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// What there is now; `None` when there is nothing. Reads its share of what all may read
    /// between two turns of the pump, so a caller waits that long before it asks again.
    pub fn read(&mut self, filter: &Filter) -> Option<Next> {
        let most = (MOST_READ / self.hub.listeners().max(1)).max(5);
        let ring = self.hub.ring.read().unwrap_or_else(PoisonError::into_inner);
        let begun = std::mem::replace(&mut self.begun, true);
        match ring.after(self.cursor, MOST_SEEN) {
            Read::Nothing if self.hub.closed.load(Ordering::Acquire) => Some(Next::Closed),
            Read::Nothing => None,
            Read::Overtaken { .. } if begun => Some(Next::Behind),
            Read::Overtaken { next } | Read::Missing { next } => {
                let after = std::mem::replace(&mut self.cursor, next - 1);
                Some(Next::Gap { after, next })
            }
            Read::Events(events) => {
                let mut chosen = Vec::new();
                for event in events {
                    if chosen.len() >= most {
                        break;
                    }
                    self.cursor = event.id;
                    if filter.takes(event) {
                        chosen.push(Arc::clone(event));
                    }
                }
                Some(Next::Events(chosen))
            }
        }
    }

    /// Like [`Listener::read`], and waits until there is something.
    pub async fn next(&mut self, filter: &Filter) -> Next {
        loop {
            self.moved.mark_unchanged();
            if let Some(next) = self.read(filter) {
                return next;
            }
            // The hub lives as long as this listener does.
            if self.moved.changed().await.is_err() {
                return Next::Closed;
            }
        }
    }

    /// Waits as long as the pump rests.
    pub async fn rest(&self) {
        tokio::time::sleep(REST).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hub.unheard.store(0, Ordering::Relaxed);
        self.hub.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
