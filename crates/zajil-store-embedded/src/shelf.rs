//! The shelf: one table for all kinds, and one row a kind for its ids and revisions.

use rusqlite::{Connection, OptionalExtension, Row, params};
use zajil_core::clock::Timestamp;
use zajil_store::shelf::{Change, Kind, Page, Record, Shelf, Start, check};
use zajil_store::{Error, Reply};

use crate::error::{Done, Fault};
use crate::open::EmbeddedStore;
use crate::writer::Tx;

const COLUMNS: &str = "id, name, revision, added_at, written_at, body";

impl Shelf for EmbeddedStore {
    fn shelf(&self, page: Page) -> Reply<'_, Vec<Record>> {
        Box::pin(self.readers.run(move |db| list(db, page)))
    }

    fn shelf_record(&self, kind: Kind, id: u64) -> Reply<'_, Option<Record>> {
        Box::pin(self.readers.run(move |db| by_id(db, kind, id)))
    }

    fn shelf_named(&self, kind: Kind, name: String) -> Reply<'_, Option<Record>> {
        Box::pin(self.readers.run(move |db| by_name(db, kind, &name)))
    }

    fn shelf_revision(&self, kind: Kind) -> Reply<'_, u64> {
        let read = move |db: &Connection| Ok(progress(db, kind)?.revision);
        Box::pin(self.readers.run(read))
    }

    fn change_shelf(&self, changes: Vec<Change>, now: Timestamp) -> Reply<'_, Vec<Record>> {
        Box::pin(self.writer.run(move |tx| change_all(tx, &changes, now)))
    }

    fn purge_shelf(&self, kind: Kind, before: Timestamp, limit: u32) -> Reply<'_, u64> {
        Box::pin(self.writer.run(move |tx| purge(tx, kind, before, limit)))
    }
}

/// How far a kind has come.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    last_id: u64,
    revision: u64,
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

fn stored(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn record(kind: Kind, row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        kind,
        id: number(row, 0)?,
        name: row.get(1)?,
        revision: number(row, 2)?,
        added_at: Timestamp::from_millis(row.get(3)?),
        written_at: Timestamp::from_millis(row.get(4)?),
        body: row.get(5)?,
    })
}

fn progress(db: &Connection, kind: Kind) -> Done<Progress> {
    let known = db
        .prepare_cached("SELECT last_id, revision FROM shelf_kind WHERE kind = ?1")?
        .query_row([kind.as_str()], |row| {
            Ok(Progress {
                last_id: number(row, 0)?,
                revision: number(row, 1)?,
            })
        })
        .optional()?;
    Ok(known.unwrap_or_default())
}

fn list(db: &Connection, page: Page) -> Done<Vec<Record>> {
    let (condition, bound) = match page.from {
        Start::After(id) => ("id > ?2 ORDER BY id", id),
        Start::Newest => ("id <= ?2 ORDER BY id DESC", u64::MAX),
        Start::Before(id) => ("id < ?2 ORDER BY id DESC", id),
    };
    let sql =
        format!("SELECT {COLUMNS} FROM shelf WHERE kind = ?1 AND {condition} LIMIT ?3 OFFSET ?4");
    let mut statement = db.prepare_cached(&sql)?;
    let bounds = params![page.kind.as_str(), stored(bound), page.limit, page.offset];
    let rows = statement.query_map(bounds, |row| record(page.kind, row))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn by_id(db: &Connection, kind: Kind, id: u64) -> Done<Option<Record>> {
    let sql = format!("SELECT {COLUMNS} FROM shelf WHERE kind = ?1 AND id = ?2");
    Ok(db
        .prepare_cached(&sql)?
        .query_row(params![kind.as_str(), stored(id)], |row| record(kind, row))
        .optional()?)
}

fn by_name(db: &Connection, kind: Kind, name: &str) -> Done<Option<Record>> {
    let sql = format!("SELECT {COLUMNS} FROM shelf WHERE kind = ?1 AND name = ?2");
    Ok(db
        .prepare_cached(&sql)?
        .query_row(params![kind.as_str(), name], |row| record(kind, row))
        .optional()?)
}

/// All or none: a later change may be refused after an earlier one has written.
fn change_all(tx: &Tx<'_>, changes: &[Change], now: Timestamp) -> Done<Vec<Record>> {
    check(changes).map_err(Error::Conflict)?;
    tx.db.execute_batch("SAVEPOINT shelf")?;
    let changed: Done<Vec<Record>> = changes
        .iter()
        .map(|change| change_one(tx.db, change, now))
        .collect();
    let end = match &changed {
        Err(Fault::Answer(_)) => "ROLLBACK TO shelf; RELEASE shelf",
        // A failed statement undoes the whole transaction.
        Ok(_) | Err(Fault::Sql(_)) => "RELEASE shelf",
    };
    tx.db.execute_batch(end)?;
    changed
}

fn change_one(db: &Connection, change: &Change, now: Timestamp) -> Done<Record> {
    let kind = change.kind();
    let known = progress(db, kind)?;
    let next = Progress {
        last_id: known.last_id,
        revision: known.revision + 1,
    };
    match change {
        Change::Add { name, body, .. } => {
            if let Some(name) = name
                && by_name(db, kind, name)?.is_some()
            {
                return Err(Error::Conflict(format!("the name '{name}' is taken")).into());
            }
            let next = Progress {
                last_id: known.last_id + 1,
                ..next
            };
            let record = Record {
                kind,
                id: next.last_id,
                name: name.clone(),
                revision: next.revision,
                added_at: now,
                written_at: now,
                body: body.clone(),
            };
            write(db, &record, next)
        }
        Change::Set { id, base, body, .. } => {
            let record = Record {
                revision: next.revision,
                written_at: now,
                body: body.clone(),
                ..changeable(db, kind, *id, *base)?
            };
            write(db, &record, next)
        }
        Change::Remove { id, base, .. } => {
            let record = changeable(db, kind, *id, *base)?;
            db.prepare_cached("DELETE FROM shelf WHERE kind = ?1 AND id = ?2")?
                .execute(params![kind.as_str(), stored(*id)])?;
            advance(db, kind, next)?;
            Ok(record)
        }
    }
}

/// The record that a change is about, if it may be changed.
fn changeable(db: &Connection, kind: Kind, id: u64, base: Option<u64>) -> Done<Record> {
    let record = by_id(db, kind, id)?.ok_or(Error::NotFound)?;
    if base.is_some_and(|base| base != record.revision) {
        return Err(Error::Conflict("the record was changed meanwhile".into()).into());
    }
    Ok(record)
}

fn write(db: &Connection, record: &Record, next: Progress) -> Done<Record> {
    db.prepare_cached("INSERT OR REPLACE INTO shelf VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            record.kind.as_str(),
            stored(record.id),
            record.name,
            stored(record.revision),
            record.added_at.millis(),
            record.written_at.millis(),
            record.body,
        ])?;
    advance(db, record.kind, next)?;
    Ok(record.clone())
}

fn advance(db: &Connection, kind: Kind, next: Progress) -> Done<()> {
    db.prepare_cached("INSERT OR REPLACE INTO shelf_kind VALUES (?1, ?2, ?3)")?
        .execute(params![
            kind.as_str(),
            stored(next.last_id),
            stored(next.revision)
        ])?;
    Ok(())
}

fn purge(tx: &Tx<'_>, kind: Kind, before: Timestamp, limit: u32) -> Done<u64> {
    let removed = tx
        .db
        .prepare_cached(
            "DELETE FROM shelf WHERE kind = ?1 AND id IN (SELECT id FROM shelf \
             WHERE kind = ?1 AND written_at < ?2 ORDER BY id LIMIT ?3)",
        )?
        .execute(params![kind.as_str(), before.millis(), limit])?;
    if removed > 0 {
        let known = progress(tx.db, kind)?;
        let next = Progress {
            revision: known.revision + 1,
            ..known
        };
        advance(tx.db, kind, next)?;
    }
    Ok(u64::try_from(removed).unwrap_or(u64::MAX))
}
