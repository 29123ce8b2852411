//! Sweeps: expiry, retention, and locations that ran out. Each may run twice at any moment.

use rusqlite::{OptionalExtension, params};
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, Scene};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_store::contract::{Purged, Reported, Retention};
use zajil_store::record;

use crate::error::Done;
use crate::pack::Place;
use crate::row::message_id;
use crate::tables::rehome;
use crate::writer::Tx;
use crate::{parts, report, turn};

/// How many locations a lease tidies up on its way.
pub(crate) const LOCATIONS_AT_ONCE: u32 = 1_000;

/// So many turns one transaction looks at: most are of messages that wait, or nearly none.
const LOOKED_AT: usize = 1_000;

/// Tells messages whose turn has come that it has, as many as one transaction should; and whether
/// that were all.
pub(crate) fn overdue(tx: &mut Tx<'_>, scene: &Scene, limit: usize) -> Done<(Vec<Reported>, bool)> {
    let mut come = turn::come(tx, scene.now, LOOKED_AT)?;
    let mut is_all = false;
    if come.len() < limit.min(LOOKED_AT) {
        is_all = turn::unpack(tx, scene.now)?;
        come = turn::come(tx, scene.now, LOOKED_AT)?;
        is_all &= come.len() < LOOKED_AT;
    }
    let (mut swept, mut moved) = (Vec::new(), come.is_empty());
    for place in come {
        if swept.len() == limit {
            return Ok((swept, false));
        }
        turn::forget(tx, place)?;
        match tell(tx, message_id(place.id)?, scene)? {
            Said::Told(reported) => swept.push(*reported),
            Said::NotDue => {}
            Said::Refused => continue,
        }
        moved = true;
    }
    // What refuses to hear of its turn is asked again by the next sweep.
    Ok((swept, is_all || !moved))
}

/// What became of telling a message of its turn.
enum Said {
    Told(Box<Reported>),
    /// It has ended, or has another turn by now.
    NotDue,
    Refused,
}

fn tell(tx: &mut Tx<'_>, id: MessageId, scene: &Scene) -> Done<Said> {
    let found = tx.find(id)?;
    let Some(message) = found.filter(|message| message.ending().is_none()) else {
        return Ok(Said::NotDue);
    };
    let turn = Place::of_turn(&message);
    if message.next_turn() > scene.now {
        turn::write(tx, turn)?;
        return Ok(Said::NotDue);
    }
    let Ok(told) = report::apply(tx, message, &Report::Overdue, scene)? else {
        turn::write(tx, turn)?;
        return Ok(Said::Refused);
    };
    // Its next turn may be of the same moment as the one before.
    if told.message.ending().is_none() {
        turn::write(tx, Place::of_turn(&told.message))?;
    }
    Ok(Said::Told(Box::new(told)))
}

/// Moves messages away from locations that ran out; answers how many locations.
pub(crate) fn locations(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Done<u64> {
    let over: Vec<(i64, Option<String>)> = {
        let mut statement = tx
            .db
            .prepare_cached("SELECT id, number FROM location WHERE serves_until <= ?1 LIMIT ?2")?;
        let rows = statement.query_map(params![now.millis(), limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        rows.collect::<Result<_, _>>()?
    };
    for (id, number) in &over {
        tx.db
            .prepare_cached("UPDATE location SET serves_until = NULL WHERE id = ?1")?
            .execute([id])?;
        if let Some(number) = number {
            rehome(tx, number, now)?;
        }
    }
    Ok(u64::try_from(over.len()).unwrap_or(u64::MAX))
}

/// Removes what retention no longer keeps.
pub(crate) fn purge(tx: &mut Tx<'_>, keep: &Retention, now: Timestamp, limit: u32) -> Done<Purged> {
    let mut purged = Purged::default();
    let before = now.minus(keep.messages);
    let over: Vec<(i64, i64)> = {
        let mut statement = tx.db.prepare_cached(
            "SELECT seq, id FROM finished WHERE at <= ?1 AND seq <= \
             coalesce((SELECT value FROM meta WHERE name = 'outbox_done'), 0) \
             ORDER BY at, seq LIMIT ?2",
        )?;
        let rows = statement.query_map(params![before.millis(), limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        rows.collect::<Result<_, _>>()?
    };
    for (seq, id) in over {
        archive(tx, id)?;
        tx.db
            .prepare_cached("DELETE FROM finished WHERE seq = ?1")?
            .execute([seq])?;
        purged.messages += 1;
    }
    let removed = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    // Once a log is gone nothing else may remember the highest id.
    tx.db
        .prepare_cached(
            "INSERT INTO meta SELECT 'highest', coalesce(max(message_id), 0) FROM log WHERE true \
             ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        )?
        .execute([])?;
    let events_before = now.minus(keep.events).millis();
    let logs: Vec<i64> = {
        let mut statement = tx
            .db
            .prepare_cached("SELECT message_id FROM log WHERE last <= ?1 LIMIT ?2")?;
        let rows = statement.query_map(params![events_before, limit], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for id in logs {
        tx.db
            .prepare_cached("DELETE FROM log WHERE message_id = ?1")?
            .execute([id])?;
        // Lines that came after the message had left.
        tx.db
            .prepare_cached("DELETE FROM event WHERE message_id = ?1")?
            .execute([id])?;
        purged.logs += 1;
    }
    purged.keys = removed(
        tx.db
            .prepare_cached(
                "DELETE FROM dedupe WHERE key IN \
                 (SELECT key FROM dedupe WHERE until <= ?1 LIMIT ?2)",
            )?
            .execute(params![now.millis(), limit])?,
    );
    purged.frontends = removed(
        tx.db
            .prepare_cached("DELETE FROM frontend WHERE swept = 1 AND expires_at <= ?1")?
            .execute([now.minus(keep.frontends).millis()])?,
    );
    Ok(purged)
}

/// Removes a finished message and keeps its log.
fn archive(tx: &mut Tx<'_>, id: i64) -> Done<()> {
    let events = events(tx.db, id)?;
    let hidden: Option<bool> = tx
        .db
        .prepare_cached("SELECT hidden FROM fin WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let last = events
        .iter()
        .map(|event| event.at)
        .max()
        .unwrap_or(Timestamp::EPOCH);
    tx.db
        .prepare_cached("INSERT OR REPLACE INTO log VALUES (?1, ?2, ?3)")?
        .execute(params![id, last.millis(), record::encode_events(&events)])?;
    for sql in [
        "DELETE FROM msg WHERE id = ?1",
        "DELETE FROM fin WHERE id = ?1",
        "DELETE FROM event WHERE message_id = ?1",
    ] {
        tx.db.prepare_cached(sql)?.execute([id])?;
    }
    parts::remove(tx, id)?;
    if hidden == Some(false) {
        tx.delta.messages -= 1;
    }
    Ok(())
}

/// The whole log of a message, oldest first.
pub(crate) fn events(db: &rusqlite::Connection, id: i64) -> Done<Vec<Event>> {
    let mut events = Vec::new();
    let mut stored = db
        .prepare_cached(
            "SELECT coalesce(f.after_event, 9223372036854775807), m.events, f.events \
             FROM msg m LEFT JOIN fin f ON f.id = m.id WHERE m.id = ?1",
        )?
        .query_row([id], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Option<String>>(2)?,
            ))
        })
        .optional()?;
    if let Some((_, first, _)) = &stored {
        events.extend(record::decode_events(first)?);
    } else {
        let log: Option<String> = db
            .prepare_cached("SELECT events FROM log WHERE message_id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if let Some(log) = log {
            events.extend(record::decode_events(&log)?);
        }
    }
    let mut statement =
        db.prepare_cached("SELECT n, events FROM event WHERE message_id = ?1 ORDER BY n")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let n: i64 = row.get(0)?;
        if let Some((_, _, last)) = stored.take_if(|(after, _, _)| n > *after)
            && let Some(last) = last
        {
            events.extend(record::decode_events(&last)?);
        }
        events.extend(record::decode_events(
            row.get_ref(1)?.as_str().unwrap_or(""),
        )?);
    }
    if let Some((_, _, Some(last))) = stored {
        events.extend(record::decode_events(&last)?);
    }
    Ok(events)
}
