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
    all: BTreeMap<FrontendName, BTreeMap<u64, One>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct One {
    /// It is left alone before.
    after: Option<Instant>,
    is_sent: bool,
}

/// An alert that is owed, and may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) id: u64,
    /// It was sent by this node, and is still there.
    pub(super) is_sent: bool,
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

    /// Reads everything again, and remembers what was sent and is still to be removed.
    pub(super) fn clear(&self) {
        let mut known = self.known();
        (known.revision, known.last) = (None, 0);
        known.all.retain(|_, ids| {
            ids.retain(|_, one| one.is_sent);
            !ids.is_empty()
        });
    }

    /// An alert was read: who is owed it, where it could be read.
    pub(super) fn add(&self, id: u64, account: Option<FrontendName>) {
        let mut known = self.known();
        known.last = known.last.max(id);
        if let Some(account) = account {
            let of_account = known.all.entry(account).or_default();
            of_account.entry(id).or_default();
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

    fn one(&self, account: &FrontendName, id: u64, change: impl FnOnce(&mut One)) {
        let mut known = self.known();
        let ids = known.all.get_mut(account);
        if let Some(one) = ids.and_then(|ids| ids.get_mut(&id)) {
            change(one);
        }
    }

    /// Leaves an alert alone for a while. One that was sent is only to be removed: as soon as that
    /// is possible, or another node sends it.
    pub(super) fn put_off(&self, account: &FrontendName, id: u64, until: Instant) {
        self.one(account, id, |one| {
            one.after = Some(until).filter(|_| !one.is_sent);
        });
    }

    /// An alert was sent.
    pub(super) fn sent(&self, account: &FrontendName, id: u64) {
        self.one(account, id, |one| one.is_sent = true);
    }

    /// Who is owed something.
    pub(super) fn accounts(&self) -> Vec<FrontendName> {
        self.known().all.keys().cloned().collect()
    }

    /// What an account is owed that may be sent now, oldest first.
    pub(super) fn due(&self, account: &FrontendName, now: Instant) -> Vec<Due> {
        let known = self.known();
        let ids = known.all.get(account).into_iter().flatten();
        let due = ids.filter(|(_, one)| one.after.is_none_or(|after| after <= now));
        let due = due.map(|(id, one)| Due {
            id: *id,
            is_sent: one.is_sent,
        });
        due.collect()
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
