//! The keys in force: a snapshot of the shelf, looked at on each call and renewed every second.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use zajil_core::clock::Timestamp;
use zajil_store::shelf::{Change, Kind, Page, Record, Start};
use zajil_store::{Error, Store};

use super::caller::Caller;
use super::record::{Key, Proof};
use super::token;

/// The most keys; more are refused when they are made.
pub(crate) const MOST: usize = 10_000;
const PAGE: u32 = 1_000;
/// A later use within this time is not written down.
const USE_GRAIN: Duration = Duration::from_secs(60);

/// A key in force.
#[derive(Debug)]
pub(crate) struct Entry {
    record: u64,
    revision: u64,
    /// The public part.
    id: String,
    pub(crate) key: Key,
    pub(crate) caller: Arc<Caller>,
    /// Milliseconds since 1970 of the last use; 0 = never.
    used: AtomicI64,
}

#[derive(Debug, Default)]
struct Snapshot {
    revision: u64,
    by_id: HashMap<String, Arc<Entry>>,
    by_certificate: HashMap<String, Arc<Entry>>,
}

/// The keys in force.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    now: ArcSwap<Snapshot>,
}

impl Keys {
    /// The key that is written so.
    pub(crate) fn of_secret(&self, text: &str) -> Option<Arc<Entry>> {
        let entry = token::id_of(text).and_then(|id| self.now.load().by_id.get(id).cloned())?;
        let Proof::Secret(hash) = &entry.key.proof else {
            return None;
        };
        hash.is_of(text).then_some(entry)
    }

    /// The key of the first of these names that has one.
    pub(crate) fn of_certificate(&self, names: &[String]) -> Option<Arc<Entry>> {
        let now = self.now.load();
        let mut entries = names.iter().filter_map(|name| now.by_certificate.get(name));
        entries.next().cloned()
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        let now = self.now.load();
        now.by_id.is_empty() && now.by_certificate.is_empty()
    }

    /// Takes over what has changed in the store.
    ///
    /// # Errors
    /// Of the store; the keys stay as they were.
    pub(crate) async fn refresh(&self, store: &dyn Store) -> Result<(), Error> {
        let revision = store.shelf_revision(Kind::ApiKey).await?;
        let former = self.now.load_full();
        if former.revision == revision {
            return Ok(());
        }
        let mut next = Snapshot {
            // Asked for before the records: what changes meanwhile is found the next time.
            revision,
            ..Snapshot::default()
        };
        for record in all(store).await? {
            let Some(id) = record.name.clone() else {
                continue;
            };
            let known = former.by_id.get(&id);
            let same = known.filter(|entry| entry.revision == record.revision);
            let entry = match same {
                Some(entry) => Arc::clone(entry),
                None => match Entry::of(&record, known) {
                    Ok(entry) => Arc::new(entry),
                    Err(why) => {
                        tracing::error!(key = id, why, "a stored API key cannot be used");
                        continue;
                    }
                },
            };
            if let Proof::Certificate(name) = &entry.key.proof {
                next.by_certificate.insert(name.clone(), Arc::clone(&entry));
            }
            next.by_id.insert(id, entry);
        }
        self.put(Arc::new(next));
        Ok(())
    }

    /// Of two that were read at the same time the newer one stays, whichever comes last: an older
    /// one may hold a key that was revoked in between.
    fn put(&self, next: Arc<Snapshot>) {
        self.now.rcu(|now| {
            let newer = if next.revision > now.revision {
                &next
            } else {
                now
            };
            Arc::clone(newer)
        });
    }

    /// The key as it is now; none once it is revoked.
    pub(crate) fn current(&self, entry: &Entry) -> Option<Arc<Entry>> {
        let now = self.now.load();
        let entries = now.by_id.get(&entry.id);
        entries.filter(|now| now.record == entry.record).cloned()
    }

    /// Writes down when keys were last used, about once a minute for each that is in use.
    ///
    /// # Errors
    /// Of the store; what is not written is written the next time.
    pub(crate) async fn write_uses(&self, store: &dyn Store, now: Timestamp) -> Result<(), Error> {
        let entries: Vec<_> = self.now.load().by_id.values().cloned().collect();
        for entry in entries {
            let used = entry.used();
            let written = entry.key.last_used;
            let stale =
                used.filter(|used| written.is_none_or(|written| used.since(written) >= USE_GRAIN));
            let Some(used) = stale else {
                continue;
            };
            let key = Key {
                last_used: Some(used),
                ..entry.key.clone()
            };
            let Ok(body) = key.write() else {
                continue;
            };
            let change = Change::Set {
                kind: Kind::ApiKey,
                id: entry.record,
                base: Some(entry.revision),
                body,
            };
            match store.change_shelf(vec![change], now).await {
                // Revoked or changed meanwhile: that weighs more than when it was used.
                Ok(_) | Err(Error::Conflict(_) | Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Every record, page by page.
pub(crate) async fn all(store: &dyn Store) -> Result<Vec<Record>, Error> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let last = records.last().map_or(0, |record| record.id);
        let page = Page {
            kind: Kind::ApiKey,
            from: Start::After(last),
            offset: 0,
            limit: PAGE,
        };
        let page = store.shelf(page).await?;
        let full = page.len() >= PAGE as usize;
        records.extend(page);
        if !full || records.len() > MOST {
            return Ok(records);
        }
    }
}

impl Entry {
    fn of(record: &Record, known: Option<&Arc<Self>>) -> Result<Self, String> {
        let key = Key::read(&record.body)?;
        let used = known.and_then(|entry| entry.used()).max(key.last_used);
        let id = record.name.as_deref().unwrap_or_default();
        let kind = match key.proof {
            Proof::Secret(_) => "key",
            Proof::Certificate(_) => "certificate",
        };
        let who = format!("{kind} {id} ({})", key.label);
        Ok(Self {
            record: record.id,
            revision: record.revision,
            id: id.to_owned(),
            caller: Arc::new(Caller::new(who, key.scopes.clone())),
            used: AtomicI64::new(used.map_or(0, Timestamp::millis)),
            key,
        })
    }

    /// The id of its record.
    pub(crate) fn record(&self) -> u64 {
        self.record
    }

    /// Notes a use.
    pub(crate) fn touch(&self, now: Timestamp) {
        // A line of memory that every core writes costs more than one that they read.
        let grain = i64::from(1_000_u16);
        if now.millis() - self.used.load(Ordering::Relaxed) >= grain {
            self.used.store(now.millis(), Ordering::Relaxed);
        }
    }

    /// When it was used last.
    pub(crate) fn used(&self) -> Option<Timestamp> {
        let millis = self.used.load(Ordering::Relaxed);
        (millis > 0).then(|| Timestamp::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_8_a_snapshot_that_was_read_earlier_does_not_undo_a_later_one() {
        let keys = Keys::default();
        let read = |revision| {
            Arc::new(Snapshot {
                revision,
                ..Snapshot::default()
            })
        };
        for (revision, stays) in [(4, 4), (6, 6), (5, 6), (7, 7)] {
            keys.put(read(revision));
            assert_eq!(keys.now.load().revision, stays);
        }
    }
}
