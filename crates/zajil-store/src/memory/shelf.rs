//! The shelf of the model.

use std::collections::BTreeMap;

use zajil_core::clock::Timestamp;

use super::{MemoryStore, next_id, size};
use crate::contract::{Error, Reply};
use crate::shelf::{Change, Kind, Page, Record, Shelf, Start, check};

/// What is on the shelf.
#[derive(Debug, Default, Clone)]
pub(super) struct Records {
    records: BTreeMap<(Kind, u64), Record>,
    last_ids: BTreeMap<Kind, u64>,
    revisions: BTreeMap<Kind, u64>,
}

impl Records {
    fn of(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Record> {
        self.records
            .range((kind, 0)..=(kind, u64::MAX))
            .map(|(_, record)| record)
    }

    fn named(&self, kind: Kind, name: &str) -> Option<&Record> {
        self.of(kind)
            .find(|record| record.name.as_deref() == Some(name))
    }

    fn page(&self, page: Page) -> Vec<Record> {
        let records: Vec<&Record> = match page.from {
            Start::After(id) => self.of(page.kind).filter(|r| r.id > id).collect(),
            Start::Newest => self.of(page.kind).rev().collect(),
            Start::Before(id) => self.of(page.kind).rev().filter(|r| r.id < id).collect(),
        };
        let page = records
            .into_iter()
            .skip(size(page.offset))
            .take(size(page.limit));
        page.cloned().collect()
    }

    /// The record that a change is about, if it may be changed.
    fn changeable(&self, kind: Kind, id: u64, base: Option<u64>) -> Result<Record, Error> {
        let record = self.records.get(&(kind, id)).ok_or(Error::NotFound)?;
        if base.is_some_and(|base| base != record.revision) {
            return Err(Error::Conflict("the record was changed meanwhile".into()));
        }
        Ok(record.clone())
    }

    fn change(&mut self, change: Change, now: Timestamp) -> Result<Record, Error> {
        let kind = change.kind();
        let revision = self.revisions.get(&kind).copied().unwrap_or(0) + 1;
        let record = match change {
            Change::Add { name, body, .. } => {
                if let Some(name) = &name
                    && self.named(kind, name).is_some()
                {
                    return Err(Error::Conflict(format!("the name '{name}' is taken")));
                }
                Record {
                    kind,
                    id: next_id(self.last_ids.entry(kind).or_default()),
                    name,
                    revision,
                    added_at: now,
                    written_at: now,
                    body,
                }
            }
            Change::Set { id, base, body, .. } => Record {
                body,
                revision,
                written_at: now,
                ..self.changeable(kind, id, base)?
            },
            Change::Remove { id, base, .. } => {
                let record = self.changeable(kind, id, base)?;
                self.records.remove(&(kind, id));
                self.revisions.insert(kind, revision);
                return Ok(record);
            }
        };
        self.revisions.insert(kind, revision);
        self.records.insert((kind, record.id), record.clone());
        Ok(record)
    }

    fn purge(&mut self, kind: Kind, before: Timestamp, limit: u32) -> u64 {
        let old = self.of(kind).filter(|record| record.written_at < before);
        let ids: Vec<u64> = old.take(size(limit)).map(|record| record.id).collect();
        for id in &ids {
            self.records.remove(&(kind, *id));
        }
        if !ids.is_empty() {
            next_id(self.revisions.entry(kind).or_default());
        }
        u64::try_from(ids.len()).unwrap_or(u64::MAX)
    }
}

impl Shelf for MemoryStore {
    fn shelf(&self, page: Page) -> Reply<'_, Vec<Record>> {
        self.run(|state| Ok(state.shelf.page(page)))
    }

    fn shelf_record(&self, kind: Kind, id: u64) -> Reply<'_, Option<Record>> {
        self.run(|state| Ok(state.shelf.records.get(&(kind, id)).cloned()))
    }

    fn shelf_named(&self, kind: Kind, name: String) -> Reply<'_, Option<Record>> {
        self.run(|state| Ok(state.shelf.named(kind, &name).cloned()))
    }

    fn shelf_revision(&self, kind: Kind) -> Reply<'_, u64> {
        self.run(|state| Ok(state.shelf.revisions.get(&kind).copied().unwrap_or(0)))
    }

    fn change_shelf(&self, changes: Vec<Change>, now: Timestamp) -> Reply<'_, Vec<Record>> {
        self.run(|state| {
            check(&changes).map_err(Error::Conflict)?;
            let mut shelf = state.shelf.clone();
            let changed = changes.into_iter().map(|change| shelf.change(change, now));
            let changed = changed.collect::<Result<_, _>>()?;
            state.shelf = shelf;
            Ok(changed)
        })
    }

    fn purge_shelf(&self, kind: Kind, before: Timestamp, limit: u32) -> Reply<'_, u64> {
        self.run(|state| Ok(state.shelf.purge(kind, before, limit)))
    }
}
