//! Parts of texts, found by what the parts of one text have in common (D9).

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Params, params};
use zajil_core::clock::Timestamp;
use zajil_core::concatenation::{MOST_ON_A_SIDE, WINDOW};
use zajil_core::id::MessageId;
use zajil_core::message::Message;

use crate::error::Done;
use crate::row::{EITHER, MSG, either};
use crate::writer::Tx;

/// Remembers that a message is a part; `key` is what it has in common with the others.
pub(crate) fn add(tx: &mut Tx<'_>, message: &Message, key: &str) -> Done<()> {
    tx.db
        .prepare_cached("INSERT INTO part VALUES (?1, ?2, ?3)")?
        .execute(params![
            message.id.as_i64(),
            key,
            message.inserted_at.millis()
        ])?;
    Ok(())
}

/// Forgets a message that is no longer found, whether or not it is a part.
pub(crate) fn remove(tx: &mut Tx<'_>, id: i64) -> Done<()> {
    tx.db
        .prepare_cached("DELETE FROM part WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// The messages that may be parts of the same text as this one.
pub(crate) fn around(db: &Connection, id: MessageId) -> Done<Vec<Message>> {
    static BEFORE: LazyLock<String> = LazyLock::new(|| {
        select("p.at >= ?4 AND (p.at, p.id) < (?2, ?3) ORDER BY p.at DESC, p.id DESC")
    });
    static FROM: LazyLock<String> =
        LazyLock::new(|| select("p.at <= ?4 AND (p.at, p.id) >= (?2, ?3) ORDER BY p.at, p.id"));
    let known: Option<(String, i64)> = db
        .prepare_cached("SELECT key, at FROM part WHERE id = ?1")?
        .query_row([id.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((key, at)) = known else {
        return Ok(Vec::new());
    };
    let (id, inserted) = (id.as_i64(), Timestamp::from_millis(at));
    let earliest = inserted.minus(WINDOW).millis();
    let mut parts = read(db, &BEFORE, params![key, at, id, earliest, MOST_ON_A_SIDE])?;
    parts.reverse();
    let latest = inserted.plus(WINDOW).millis();
    let rest = params![key, at, id, latest, MOST_ON_A_SIDE + 1];
    parts.extend(read(db, &FROM, rest)?);
    Ok(parts)
}

fn select(which: &str) -> String {
    format!(
        "SELECT {MSG}, {EITHER} FROM part p JOIN msg m ON m.id = p.id \
         LEFT JOIN q ON q.id = m.id LEFT JOIN fin f ON f.id = m.id \
         WHERE p.key = ?1 AND {which} LIMIT ?5"
    )
}

fn read(db: &Connection, sql: &str, params: impl Params) -> Done<Vec<Message>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, either)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
