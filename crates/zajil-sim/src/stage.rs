//! What all of a run share: the store that survives everything, the history, the trouble.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;
use zajil_core::id::MessageId;
use zajil_store::memory::MemoryStore;

use crate::defect::Defect;
use crate::history::{Entry, History, Token, What};
use crate::plan::Plan;
use crate::time::TrueTime;

/// How many of the latest messages an operator knows.
const KNOWN: usize = 40;

#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) plan: Plan,
    pub(crate) time: TrueTime,
    pub(crate) store: MemoryStore,
    history: History,
    pub(crate) defect: Option<Defect>,
    calm: AtomicBool,
    /// Until when nobody reaches the store.
    store_away_until: Mutex<Option<Instant>>,
    tokens: AtomicU32,
    lives: AtomicU32,
    known: Mutex<Vec<MessageId>>,
}

impl Stage {
    pub(crate) fn new(plan: Plan, defect: Option<Defect>) -> Self {
        let time = TrueTime::begin();
        Self {
            plan,
            time,
            store: MemoryStore::new(),
            history: History::new(time),
            defect,
            calm: AtomicBool::new(false),
            store_away_until: Mutex::default(),
            tokens: AtomicU32::new(0),
            lives: AtomicU32::new(0),
            known: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, what: What) {
        self.history.add(what);
    }

    pub(crate) fn take_history(&self) -> Vec<Entry> {
        self.history.take()
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// From now on nothing fails.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        *self.away() = None;
        self.add(What::Calm);
    }

    pub(crate) fn take_store_away(&self, until: Instant) {
        *self.away() = Some(until);
    }

    pub(crate) fn is_store_away(&self) -> bool {
        self.away().is_some_and(|until| until > Instant::now())
    }

    fn away(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let away = self.store_away_until.lock();
        away.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_token(&self) -> Token {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_life(&self) -> u32 {
        self.lives.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// The latest messages that clients were told of.
    pub(crate) fn known(&self) -> Vec<MessageId> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    pub(crate) fn learn(&self, id: MessageId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN {
            known.remove(0);
        }
        known.push(id);
    }
}
