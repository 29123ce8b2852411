//! When time alone changes something about a message: its turn (`Message::next_turn`).
//!
//! Nearly every message ends long before its turn, so turns are packed as they come (`turn`) and
//! nobody takes them off: when the first of a pack has come, those of its messages that still wait
//! get a row each in `expiry`, where a turn that changes is written as well. What stands in either
//! may be out of date; the message itself knows its turn.

use rusqlite::params;
use zajil_core::clock::Timestamp;
use zajil_core::message::Message;

use crate::error::Done;
use crate::pack::{Pack, Place};
use crate::writer::Tx;

/// The turns of a pack are at most so far apart, in milliseconds.
const APART: i64 = 60_000;
/// So many turns are unpacked at once: some ten milliseconds.
const AT_ONCE: usize = 16_384;

impl Place {
    /// That of a message among the turns.
    pub(crate) fn of_turn(message: &Message) -> Self {
        Self {
            at: message.next_turn().millis(),
            id: message.id.as_i64(),
        }
    }
}

impl Tx<'_> {
    /// A message has come.
    pub(crate) fn has_turn(&mut self, message: &Message) {
        self.turns.push(Place::of_turn(message));
    }

    /// Writes the turns of those that this transaction has accepted.
    pub(crate) fn settle_turns(&mut self) -> Done<()> {
        if self.turns.is_empty() {
            return Ok(());
        }
        let mut places = std::mem::take(&mut self.turns);
        places.sort_unstable();
        let insert = self.kept("INSERT INTO turn VALUES (?1, ?2, ?3, ?4)")?;
        for pack in Pack::all(&places, APART) {
            insert.execute(params![
                pack.first.at,
                pack.first.id,
                i64::try_from(pack.count).unwrap_or(i64::MAX),
                pack.rest,
            ])?;
        }
        // With its room.
        places.clear();
        self.turns = places;
        Ok(())
    }
}

/// Writes a turn by itself.
pub(crate) fn write(tx: &mut Tx<'_>, place: Place) -> Done<()> {
    tx.kept("INSERT OR IGNORE INTO expiry VALUES (?1, ?2)")?
        .execute([place.at, place.id])?;
    Ok(())
}

/// Takes off a turn that was written by itself, or will be: that of a pack stays.
pub(crate) fn forget(tx: &mut Tx<'_>, place: Place) -> Done<()> {
    tx.kept("DELETE FROM expiry WHERE at = ?1 AND id = ?2")?
        .execute([place.at, place.id])?;
    Ok(())
}

/// The turns that have come, the soonest first, of those that are written by themselves.
pub(crate) fn come(tx: &mut Tx<'_>, now: Timestamp, limit: usize) -> Done<Vec<Place>> {
    let statement = tx.kept("SELECT at, id FROM expiry WHERE at <= ?1 ORDER BY at, id LIMIT ?2")?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query([now.millis(), most])?;
    let mut come = Vec::new();
    while let Some(row) = rows.next()? {
        come.push(Place {
            at: row.get(0)?,
            id: row.get(1)?,
        });
    }
    Ok(come)
}

/// Opens packs of which the first turn has come; whether those are all.
pub(crate) fn unpack(tx: &mut Tx<'_>, now: Timestamp) -> Done<bool> {
    let mut opened = 0;
    while opened < AT_ONCE {
        let mut places = Vec::new();
        {
            let sql = "SELECT at, id, count, rest FROM turn WHERE at <= ?1 ORDER BY at, id LIMIT 1";
            let mut rows = tx.kept(sql)?.query([now.millis()])?;
            let Some(row) = rows.next()? else {
                return Ok(true);
            };
            let first = Place {
                at: row.get(0)?,
                id: row.get(1)?,
            };
            let rest = row.get_ref(3)?.as_blob().unwrap_or_default();
            Pack::unpack(&mut places, first, row.get(2)?, rest)?;
        }
        opened += places.len();
        if let Some(first) = places.first() {
            tx.kept("DELETE FROM turn WHERE at = ?1 AND id = ?2")?
                .execute([first.at, first.id])?;
        }
        for place in places {
            if waits(tx, place.id)? {
                write(tx, place)?;
            }
        }
    }
    Ok(false)
}

/// Whether a message is there and has not ended.
fn waits(tx: &mut Tx<'_>, id: i64) -> Done<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM fin WHERE id = ?1) \
               AND EXISTS (SELECT 1 FROM msg WHERE id = ?1)";
    Ok(tx.kept(sql)?.query_row([id], |row| row.get(0))?)
}
