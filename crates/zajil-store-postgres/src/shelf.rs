//! The shelf: one table for all kinds, and one row a kind for its ids and revisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_store::shelf::{Change, Kind, Page, Record, Shelf, Start, check};
use zajil_store::{Error, Reply};

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::open::PostgresStore;
use crate::row::{damaged, instant, stored, whole};
use crate::tables::only;

macro_rules! columns {
    () => {
        "id, name, revision, added_at, written_at, body"
    };
}

const BY_ID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM shelf WHERE kind = $1 AND id = $2"
);
const BY_NAME: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM shelf WHERE kind = $1 AND name = $2"
);

impl Shelf for PostgresStore {
    fn shelf(&self, page: Page) -> Reply<'_, Vec<Record>> {
        let read = move |rows: &[Row]| rows.iter().map(|row| record(page.kind, row)).collect();
        Box::pin(self.quick.read(move || list(page), read))
    }

    fn shelf_record(&self, kind: Kind, id: u64) -> Reply<'_, Option<Record>> {
        let step = move || Step::new(BY_ID, bind![kind.as_str(), stored(id)]);
        let read = move |rows: &[Row]| rows.first().map(|row| record(kind, row)).transpose();
        Box::pin(self.quick.read(step, read))
    }

    fn shelf_named(&self, kind: Kind, name: String) -> Reply<'_, Option<Record>> {
        let step = move || Step::new(BY_NAME, bind![kind.as_str(), name.clone()]);
        let read = move |rows: &[Row]| rows.first().map(|row| record(kind, row)).transpose();
        Box::pin(self.quick.read(step, read))
    }

    fn shelf_revision(&self, kind: Kind) -> Reply<'_, u64> {
        const SQL: &str = "SELECT coalesce((SELECT revision FROM shelf_kind WHERE kind = $1), 0)";
        let step = move || Step::new(SQL, bind![kind.as_str()]);
        Box::pin(self.quick.read(step, only))
    }

    fn change_shelf(&self, changes: Vec<Change>, now: Timestamp) -> Reply<'_, Vec<Record>> {
        Box::pin(async move {
            check(&changes).map_err(Error::Conflict)?;
            let changes = Arc::new(changes);
            let changed = self.chore(move |tx| {
                let changes = Arc::clone(&changes);
                Box::pin(async move { change_all(tx, &changes, now).await })
            });
            changed.await
        })
    }

    fn purge_shelf(&self, kind: Kind, before: Timestamp, limit: u32) -> Reply<'_, u64> {
        Box::pin(self.chore(move |tx| Box::pin(purge(tx, kind, before, limit))))
    }
}

fn list(page: Page) -> Step<'static> {
    const AFTER: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM shelf WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3 OFFSET $4"
    );
    const BEFORE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM shelf WHERE kind = $1 AND id < $2 ORDER BY id DESC LIMIT $3 OFFSET $4"
    );
    let (sql, bound) = match page.from {
        Start::After(id) => (AFTER, stored(id)),
        Start::Newest => (BEFORE, i64::MAX),
        Start::Before(id) => (BEFORE, stored(id)),
    };
    let (limit, offset) = (i64::from(page.limit), i64::from(page.offset));
    Step::new(sql, bind![page.kind.as_str(), bound, limit, offset])
}

fn record(kind: Kind, row: &Row) -> Done<Record> {
    Ok(Record {
        kind,
        id: whole(row, 0)?,
        name: row.try_get(1)?,
        revision: whole(row, 2)?,
        added_at: instant(row, 3)?,
        written_at: instant(row, 4)?,
        body: row.try_get(5)?,
    })
}

/// How far a kind has come.
#[derive(Debug, Clone, Copy)]
struct Progress {
    last_id: u64,
    revision: u64,
}

/// Locks a kind: changes of it happen one after the other.
async fn take(tx: &Tx<'_>, kind: Kind) -> Done<Progress> {
    const TAKE: &str = "INSERT INTO shelf_kind VALUES ($1, 0, 0) \
         ON CONFLICT (kind) DO UPDATE SET kind = excluded.kind RETURNING last_id, revision";
    let rows = tx.ask(Step::new(TAKE, bind![kind.as_str()])).await?;
    let row = rows.first().ok_or_else(|| damaged("no answer".into()))?;
    Ok(Progress {
        last_id: whole(row, 0)?,
        revision: whole(row, 1)?,
    })
}

async fn advance(tx: &Tx<'_>, kind: Kind, to: Progress) -> Done<()> {
    const ADVANCE: &str = "UPDATE shelf_kind SET last_id = $2, revision = $3 WHERE kind = $1";
    let values = bind![kind.as_str(), stored(to.last_id), stored(to.revision)];
    tx.ask(Step::new(ADVANCE, values)).await?;
    tx.hints.touch_tables();
    Ok(())
}

/// All or none: what is refused undoes the transaction.
async fn change_all(tx: &Tx<'_>, changes: &[Change], now: Timestamp) -> Done<Vec<Record>> {
    let mut kinds = BTreeMap::new();
    // In order, so that two callers never wait for each other.
    for kind in changes.iter().map(Change::kind) {
        kinds.insert(kind, None);
    }
    for (kind, progress) in &mut kinds {
        *progress = Some(take(tx, *kind).await?);
    }
    let mut changed = Vec::with_capacity(changes.len());
    for change in changes {
        if let Some(Some(progress)) = kinds.get_mut(&change.kind()) {
            progress.revision += 1;
            changed.push(change_one(tx, change, progress, now).await?);
        }
    }
    for (kind, progress) in kinds {
        if let Some(progress) = progress {
            advance(tx, kind, progress).await?;
        }
    }
    Ok(changed)
}

async fn change_one(
    tx: &Tx<'_>,
    change: &Change,
    progress: &mut Progress,
    now: Timestamp,
) -> Done<Record> {
    const REMOVE: &str = "DELETE FROM shelf WHERE kind = $1 AND id = $2";
    let kind = change.kind();
    match change {
        Change::Add { name, body, .. } => {
            if let Some(name) = name {
                let taken = Step::new(BY_NAME, bind![kind.as_str(), name.clone()]);
                if !tx.ask(taken).await?.is_empty() {
                    return Err(Error::Conflict(format!("the name '{name}' is taken")).into());
                }
            }
            progress.last_id += 1;
            let record = Record {
                kind,
                id: progress.last_id,
                name: name.clone(),
                revision: progress.revision,
                added_at: now,
                written_at: now,
                body: body.clone(),
            };
            write(tx, record).await
        }
        Change::Set { id, base, body, .. } => {
            let record = Record {
                revision: progress.revision,
                written_at: now,
                body: body.clone(),
                ..changeable(tx, kind, *id, *base).await?
            };
            write(tx, record).await
        }
        Change::Remove { id, base, .. } => {
            let record = changeable(tx, kind, *id, *base).await?;
            tx.ask(Step::new(REMOVE, bind![kind.as_str(), stored(*id)]))
                .await?;
            Ok(record)
        }
    }
}

/// The record that a change is about, if it may be changed.
async fn changeable(tx: &Tx<'_>, kind: Kind, id: u64, base: Option<u64>) -> Done<Record> {
    let rows = tx
        .ask(Step::new(BY_ID, bind![kind.as_str(), stored(id)]))
        .await?;
    let record = record(kind, rows.first().ok_or(Error::NotFound)?)?;
    if base.is_some_and(|base| base != record.revision) {
        return Err(Error::Conflict("the record was changed meanwhile".into()).into());
    }
    Ok(record)
}

async fn write(tx: &Tx<'_>, record: Record) -> Done<Record> {
    const WRITE: &str = "INSERT INTO shelf VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, \
         written_at = excluded.written_at, body = excluded.body";
    let values = bind![
        record.kind.as_str(),
        stored(record.id),
        record.name.clone(),
        stored(record.revision),
        record.added_at.millis(),
        record.written_at.millis(),
        record.body.clone(),
    ];
    tx.ask(Step::new(WRITE, values)).await?;
    Ok(record)
}

async fn purge(tx: &Tx<'_>, kind: Kind, before: Timestamp, limit: u32) -> Done<u64> {
    const PURGE: &str = "WITH gone AS (DELETE FROM shelf WHERE kind = $1 AND id IN \
         (SELECT id FROM shelf WHERE kind = $1 AND written_at < $2 ORDER BY id LIMIT $3) \
         RETURNING 1) SELECT count(*) FROM gone";
    let mut progress = take(tx, kind).await?;
    let values = bind![kind.as_str(), before.millis(), i64::from(limit)];
    let removed = only(&tx.ask(Step::new(PURGE, values)).await?)?;
    if removed > 0 {
        progress.revision += 1;
        advance(tx, kind, progress).await?;
    }
    Ok(removed)
}
