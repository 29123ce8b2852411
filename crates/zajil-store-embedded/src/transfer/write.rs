//! Writing what is carried into the tables that it lies in here.

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use zajil_core::clock::Timestamp;
use zajil_core::number::key;
use zajil_store::transfer::{Counter, MessageRow, Row, Table, Value, read_message_row};
use zajil_store::{Error, record};

use super::{Bound, plain};
use crate::error::Done;
use crate::row::{CHARGING, UNROUTED};

/// Adds rows that are not there yet.
pub(super) fn rows(db: &Connection, table: Table, rows: &[Row]) -> Done<()> {
    for row in rows {
        match table {
            Table::Counter => counter(db, row)?,
            Table::Message => message(db, &read_message_row(row)?)?,
            Table::Log => {
                db.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3)")?
                    .execute(params_from_iter(row.iter().map(Bound)))?;
            }
            Table::Location => insert(db, table, &with_an_end(row))?,
            table => insert(db, table, row)?,
        }
    }
    Ok(())
}

fn insert(db: &Connection, table: Table, row: &Row) -> Done<()> {
    let columns: Vec<&str> = table.columns().iter().map(|(name, _)| *name).collect();
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        plain(table),
        columns.join(", "),
        places.join(", ")
    );
    db.prepare_cached(&sql)?
        .execute(params_from_iter(row.iter().map(Bound)))?;
    Ok(())
}

/// A location that decides for ever has no end here.
fn with_an_end(row: &Row) -> Row {
    let forever: Value = Timestamp::MAX.into();
    let values = row.iter().map(|value| match value {
        value if *value == forever => Value::Null,
        value => value.clone(),
    });
    values.collect()
}

fn counter(db: &Connection, row: &Row) -> Done<()> {
    let [Value::Text(name), Value::Int(value)] = row.as_slice() else {
        return Err(Error::Damaged("not the row of a counter".into()).into());
    };
    let known = Counter::named(name);
    let known = known.ok_or_else(|| Error::Damaged(format!("an unknown counter {name}")))?;
    let meta = match known {
        Counter::Highest => "highest",
        Counter::Outbox => "outbox_last",
        Counter::Routing => "routing",
        Counter::Location
        | Counter::Frontend
        | Counter::Route
        | Counter::Rule
        | Counter::Receipt => {
            db.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [name])?;
            db.execute(
                "INSERT INTO sqlite_sequence VALUES (?1, ?2)",
                params![name, value],
            )?;
            return Ok(());
        }
    };
    db.execute("INSERT INTO meta VALUES (?1, ?2)", params![meta, value])?;
    Ok(())
}

fn message(db: &Connection, message: &MessageRow<'_>) -> Done<()> {
    db.prepare_cached("INSERT INTO msg VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")?
        .execute(params![
            message.id,
            message.source,
            message.destination,
            message.body,
            message.source_smsc,
            message.dest_smsc,
            message.parts,
            message.inserted_at,
            message.expires,
            message.charge_failed,
            message.origin_node,
            message.extra,
            message.events,
        ])?;
    match (message.due, message.turn, message.place) {
        (Some(due), Some(turn), None) => pending(db, message, (due, turn)),
        (None, None, Some(place)) => ended(db, message, place),
        _ => Err(Error::Damaged("a message in no state".into()).into()),
    }
}

fn pending(db: &Connection, message: &MessageRow<'_>, (due, turn): (i64, i64)) -> Done<()> {
    let dest = match message.queue {
        None => CHARGING,
        Some("") => UNROUTED,
        Some(name) => dest(db, name)?,
    };
    let undecided = message.dest_smsc.is_none() && dest != CHARGING;
    db.prepare_cached("INSERT INTO q VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            message.id,
            dest,
            due,
            undecided && dest != UNROUTED,
            message.attempts,
            message.deliver_after,
            message.leased_until,
            message.updated_at,
        ])?;
    db.prepare_cached("INSERT INTO expiry VALUES (?1, ?2)")?
        .execute([turn, message.id])?;
    if let Some(place) = message.found_at()? {
        db.prepare_cached("INSERT INTO findable VALUES (?1, ?2)")?
            .execute(params![place, message.id])?;
    }
    let number = key(message.destination);
    if message.attempts > 0 {
        db.prepare_cached("INSERT INTO retrying VALUES (?1, ?2)")?
            .execute(params![number, message.id])?;
    }
    if undecided {
        db.prepare_cached("INSERT INTO waiting VALUES (?1, ?2)")?
            .execute(params![number, message.id])?;
    }
    Ok(())
}

fn dest(db: &Connection, name: &str) -> Done<i64> {
    let known: Option<i64> = db
        .prepare_cached("SELECT id FROM dest WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => Ok(db
            .prepare_cached("INSERT INTO dest (name) VALUES (?1)")?
            .insert([name])?),
    }
}

fn ended(db: &Connection, message: &MessageRow<'_>, place: i64) -> Done<()> {
    // Its whole log lies with the message.
    db.prepare_cached("INSERT INTO fin VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10)")?
        .execute(params![
            message.id,
            message.how,
            message.at,
            message.node,
            message.dest_smsc,
            message.attempts,
            message.deliver_after,
            message.updated_at,
            message.hidden,
            record::encode_events(&[]),
        ])?;
    db.prepare_cached("INSERT INTO finished VALUES (?1, ?2, ?3)")?
        .execute(params![place, message.id, message.at])?;
    if message.told {
        // What has not been told has a higher place than all that has.
        db.prepare_cached(
            "INSERT INTO meta VALUES ('outbox_done', ?1) ON CONFLICT (name) \
             DO UPDATE SET value = max(value, excluded.value)",
        )?
        .execute([place])?;
    }
    Ok(())
}
