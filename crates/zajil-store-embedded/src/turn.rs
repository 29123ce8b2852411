//! When time alone changes something about a message: its turn (`Message::next_turn`).
//!
//! Nearly every message ends long before its turn, so turns are packed as they come (`turn`) and
//! nobody takes them off: when the first of a pack has come, those of its messages that still wait
//! get a row each in `expiry`, which is exact. What stands in either may be out of date; the
//! message itself knows its turn.

use rusqlite::params;
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
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

/// Writes a turn where it is exact. A former one of its message stays until it has come.
pub(crate) fn expect(tx: &mut Tx<'_>, place: Place) -> Done<()> {
    tx.kept("INSERT OR IGNORE INTO expiry VALUES (?1, ?2)")?
        .execute([place.at, place.id])?;
    Ok(())
}

/// The messages whose turn may have come, the soonest first, with the turn that is written.
pub(crate) fn come(
    tx: &mut Tx<'_>,
    now: Timestamp,
    limit: u32,
) -> Done<Vec<(Timestamp, MessageId)>> {
    unpack(tx, now)?;
    let statement = tx.kept("SELECT at, id FROM expiry WHERE at <= ?1 ORDER BY at, id LIMIT ?2")?;
    let mut rows = statement.query(params![now.millis(), limit])?;
    let mut come = Vec::new();
    while let Some(row) = rows.next()? {
        come.push((
            Timestamp::from_millis(row.get(0)?),
            crate::row::message_id(row.get(1)?)?,
        ));
    }
    Ok(come)
}

/// A turn that was told, or is nobody's any more.
pub(crate) fn forget(tx: &mut Tx<'_>, at: Timestamp, id: MessageId) -> Done<()> {
    tx.kept("DELETE FROM expiry WHERE at = ?1 AND id = ?2")?
        .execute([at.millis(), id.as_i64()])?;
    Ok(())
}

/// Opens the packs of which the first turn has come.
fn unpack(tx: &mut Tx<'_>, now: Timestamp) -> Done<()> {
    let mut opened = 0;
    while opened < AT_ONCE {
        let mut places = Vec::new();
        {
            let sql = "SELECT at, id, count, rest FROM turn WHERE at <= ?1 ORDER BY at, id LIMIT 1";
            let mut rows = tx.kept(sql)?.query([now.millis()])?;
            let Some(row) = rows.next()? else {
                return Ok(());
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
                expect(tx, place)?;
            }
        }
    }
    Ok(())
}

/// Whether a message is there and has not ended.
fn waits(tx: &mut Tx<'_>, id: i64) -> Done<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM fin WHERE id = ?1) \
               AND EXISTS (SELECT 1 FROM msg WHERE id = ?1)";
    Ok(tx.kept(sql)?.query_row([id], |row| row.get(0))?)
}
