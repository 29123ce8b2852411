//! What is owed, as far as this node knows: every alert is read once, and again after a purge.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use zajil_core::frontend::FrontendName;

/// The ids of the alerts that accounts are owed.
#[derive(Debug, Default)]
pub(in super::super) struct Owed(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The revision of the shelf that is known.
    revision: Option<u64>,
    /// The highest id that was read.
    last: u64,
    /// Each with the time before which it is left alone.
    all: BTreeMap<FrontendName, BTreeMap<u64, Option<Instant>>>,
}

impl Owed {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where to read on, unless this revision is known.
    pub(super) fn unread(&self, revision: u64) -> Option<u64> {
        let known = self.known();
        (known.revision != Some(revision)).then_some(known.last)
    }

    /// Everything of a revision was read.
    pub(super) fn knows(&self, revision: u64) {
        self.known().revision = Some(revision);
    }

    /// Reads everything again.
    pub(super) fn clear(&self) {
        *self.known() = Known::default();
    }

    /// An alert was read: who is owed it, where it could be read.
    pub(super) fn add(&self, id: u64, account: Option<FrontendName>) {
        let mut known = self.known();
        known.last = known.last.max(id);
        if let Some(account) = account {
            known.all.entry(account).or_default().insert(id, None);
        }
    }

    pub(super) fn remove(&self, account: &FrontendName, id: u64) {
        let mut known = self.known();
        if let Some(ids) = known.all.get_mut(account) {
            ids.remove(&id);
            if ids.is_empty() {
                known.all.remove(account);
            }
        }
    }

    /// Leaves an alert alone for a while.
    pub(super) fn put_off(&self, account: &FrontendName, id: u64, until: Instant) {
        let mut known = self.known();
        let ids = known.all.get_mut(account);
        if let Some(at) = ids.and_then(|ids| ids.get_mut(&id)) {
            *at = Some(until);
        }
    }

    /// Who is owed something.
    pub(super) fn accounts(&self) -> Vec<FrontendName> {
        self.known().all.keys().cloned().collect()
    }

    /// What an account is owed that may be sent now, oldest first.
    pub(super) fn due(&self, account: &FrontendName, now: Instant) -> Vec<u64> {
        let known = self.known();
        let ids = known.all.get(account).into_iter().flatten();
        let due = ids.filter(|(_, at)| at.is_none_or(|at| at <= now));
        due.map(|(id, _)| *id).collect()
    }

    /// How many alerts an account is owed.
    pub(super) fn count(&self, account: &FrontendName) -> usize {
        self.known().all.get(account).map_or(0, BTreeMap::len)
    }

    /// How many there are.
    pub(super) fn total(&self) -> usize {
        self.known().all.values().map(BTreeMap::len).sum()
    }
}
