//! Reading what is carried, whatever tables it lies in.

use std::sync::LazyLock;

use rusqlite::{Connection, params, params_from_iter};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_store::transfer::{Counter, Ended, Row, Table, Value, log_values, message_row};
use zajil_store::{Error, record};

use super::{Bound, plain, sequence, value};
use crate::error::Done;
use crate::row::{EITHER, MSG, either};
use crate::sweep;

/// The rows of a table behind a key.
pub(super) fn rows(db: &Connection, table: Table, after: &Row, limit: u32) -> Done<Vec<Row>> {
    match table {
        Table::Counter => counters(db, after),
        Table::Message => messages(db, after, limit),
        Table::Log => logs(db, after, limit),
        Table::Location => {
            let mut rows = select(db, table, after, limit)?;
            rows.iter_mut().try_for_each(endless)?;
            Ok(rows)
        }
        table => select(db, table, after, limit),
    }
}

fn select(db: &Connection, table: Table, after: &Row, limit: u32) -> Done<Vec<Row>> {
    let names = |count: usize| {
        let columns = table.columns().iter().take(count);
        let names: Vec<&str> = columns.map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let key = names(table.key_columns());
    let places: Vec<String> = (1..=table.key_columns()).map(|n| format!("?{n}")).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE ({key}) > ({}) ORDER BY {key} LIMIT {limit}",
        names(usize::MAX),
        plain(table),
        places.join(", ")
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(after.iter().map(Bound)))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let columns = (0..table.columns().len()).map(|at| value(row.get_ref(at)?));
        rows.push(columns.collect::<Done<Row>>()?);
    }
    Ok(rows)
}

fn counters(db: &Connection, after: &Row) -> Done<Vec<Row>> {
    let mut rows = Vec::new();
    for counter in Counter::ALL {
        let row = vec![counter.name().into(), Value::Int(count(db, counter)?)];
        if Table::Counter.key(&row) > *after && row.last() != Some(&Value::Int(0)) {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn count(db: &Connection, counter: Counter) -> Done<i64> {
    let one = |sql: &str| -> Done<i64> { Ok(db.query_row(sql, [], |row| row.get(0))?) };
    match counter {
        Counter::Highest => one("SELECT max((SELECT coalesce(max(id), 0) FROM msg), \
             (SELECT coalesce(max(message_id), 0) FROM log), \
             coalesce((SELECT value FROM meta WHERE name = 'highest'), 0))"),
        Counter::Outbox => one(crate::store::LAST_ENDING),
        Counter::Routing => {
            one("SELECT coalesce((SELECT value FROM meta WHERE name = 'routing'), 0)")
        }
        Counter::Location
        | Counter::Frontend
        | Counter::Route
        | Counter::Rule
        | Counter::Receipt => sequence(db, counter.name()),
    }
}

/// A location that decides for ever has no end here; what is carried says so.
fn endless(row: &mut Row) -> Result<(), Error> {
    if let [.., end @ Value::Null, Value::Text(text)] = row.as_mut_slice() {
        let location = record::decode_location(text)?;
        let decides = location.registered && location.location.is_some();
        if decides && location.expires.is_none() {
            *end = Timestamp::MAX.into();
        }
    }
    Ok(())
}

/// Puts the places of what has ended where they are found by message.
pub(super) fn place_all(db: &Connection) -> Done<()> {
    db.execute_batch(
        "DROP TABLE IF EXISTS temp.place; \
         CREATE TEMP TABLE place (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL); \
         INSERT INTO temp.place SELECT id, seq FROM finished;",
    )?;
    Ok(())
}

fn messages(db: &Connection, after: &Row, limit: u32) -> Done<Vec<Row>> {
    static PAGE: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {MSG}, {EITHER}, CASE WHEN q.id IS NULL THEN m.dest_smsc ELSE d.name END, \
             f.hidden, p.seq, p.seq <= \
             coalesce((SELECT value FROM meta WHERE name = 'outbox_done'), 0) FROM msg m \
             LEFT JOIN q ON q.id = m.id LEFT JOIN dest d ON d.id = q.dest \
             LEFT JOIN fin f ON f.id = m.id LEFT JOIN temp.place p ON p.id = m.id \
             WHERE m.id > ?1 ORDER BY m.id LIMIT ?2"
        )
    });
    let mut statement = db.prepare_cached(&PAGE)?;
    let mut found = statement.query(params![after.first().map(Bound), limit])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let message = either(row)?;
        let queue: Option<String> = row.get(20)?;
        let queue = queue.map(|name| FrontendName::parse(&name)).transpose();
        let queue = queue.map_err(|why| Error::Damaged(format!("a frontend name {why}")))?;
        let hidden: Option<bool> = row.get(21)?;
        let ended = match (hidden, row.get(22)?) {
            (Some(hidden), Some(place)) => Some(Ended {
                hidden,
                place,
                told: row.get(23)?,
            }),
            _ => None,
        };
        let events = sweep::events(db, message.id.as_i64())?;
        rows.push(message_row(message, queue.as_ref(), ended, &events)?);
    }
    Ok(rows)
}

fn logs(db: &Connection, after: &Row, limit: u32) -> Done<Vec<Row>> {
    let mut statement = db.prepare_cached(
        "SELECT message_id, last FROM log WHERE message_id > ?1 ORDER BY message_id LIMIT ?2",
    )?;
    let mut found = statement.query(params![after.first().map(Bound), limit])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let (id, newest): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (_, events) = log_values(&sweep::events(db, id)?);
        rows.push(vec![Value::Int(id), Value::Int(newest), events]);
    }
    Ok(rows)
}
