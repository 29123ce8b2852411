//! The order of offers of messages that nothing has happened to yet: runs of them, each one row.
//!
//! Most messages are leased once and end. Until then a new one has no row in `q`: its state is that
//! of its row in `msg`, and its place in the queue stands in a pack of places, in `run`. A lease
//! takes a whole stretch of places off at once. A pending message stands in a run or has a row in
//! `q`, never both.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use zajil_core::clock::Timestamp;
use zajil_core::message::{Life, Message};
use zajil_core::retry::Attempt;

use crate::error::Done;
use crate::pack::{Pack, Place};
use crate::row::{MSG, waiting};
use crate::writer::Tx;

/// The places of a run are at most so far apart, in milliseconds: what leaves is found near.
const APART: i64 = 1_000;

/// The columns of a new message that others have in `q`, after [`MSG`].
const NEW: &str = "0, NULL, NULL, m.inserted_at";

/// Whether a message has no state but that it waits for its frontend, so that it needs no row in
/// `q`.
pub(crate) fn is_new(message: &Message) -> bool {
    matches!(message.life, Life::Pending { leased_until: None })
        && message.dest_smsc.is_some()
        && message.attempts == Attempt::default()
        && message.deliver_after.is_none()
        && message.updated_at == message.inserted_at
}

impl Place {
    /// That of a new message in its queue.
    pub(crate) fn in_run(message: &Message) -> Self {
        Self {
            at: message.inserted_at.millis(),
            id: message.id.as_i64(),
        }
    }
}

/// What a transaction makes of the runs, by queue; written before it commits.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    joined: BTreeMap<i64, BTreeSet<Place>>,
    left: BTreeMap<i64, BTreeSet<Place>>,
}

impl Changes {
    pub(crate) fn clear(&mut self) {
        self.joined.clear();
        self.left.clear();
    }
}

impl Tx<'_> {
    /// A new message has come to a queue.
    pub(crate) fn joins(&mut self, dest: i64, place: Place) {
        self.runs.joined.entry(dest).or_default().insert(place);
    }

    /// A message that was new is so no longer.
    pub(crate) fn leaves(&mut self, dest: i64, place: Place) {
        let joined = self.runs.joined.get_mut(&dest);
        if !joined.is_some_and(|joined| joined.remove(&place)) {
            self.runs.left.entry(dest).or_default().insert(place);
        }
    }

    /// Writes the runs as this transaction leaves them.
    pub(crate) fn settle_runs(&mut self) -> Done<()> {
        self.settle_left()?;
        while let Some((dest, joined)) = self.runs.joined.pop_first() {
            let places: Vec<Place> = joined.into_iter().collect();
            write(self, dest, &places)?;
        }
        Ok(())
    }

    /// Takes those off that have left: then the runs hold nothing but new messages.
    pub(crate) fn settle_left(&mut self) -> Done<()> {
        while let Some((dest, left)) = self.runs.left.pop_first() {
            take_off(self, dest, left)?;
        }
        Ok(())
    }
}

/// Writes places that are in order.
fn write(tx: &mut Tx<'_>, dest: i64, places: &[Place]) -> Done<()> {
    let insert = tx.kept("INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for pack in Pack::all(places, APART) {
        insert.execute(params![
            dest,
            pack.first.at,
            pack.first.id,
            i64::try_from(pack.count).unwrap_or(i64::MAX),
            pack.top,
            pack.rest,
        ])?;
    }
    Ok(())
}

fn forget(tx: &mut Tx<'_>, dest: i64, first: Place) -> Done<()> {
    tx.kept("DELETE FROM run WHERE dest = ?1 AND due = ?2 AND id = ?3")?
        .execute([dest, first.at, first.id])?;
    Ok(())
}

/// Takes places off the runs that hold them. Runs begin in order but may overlap: the one that
/// begins last before a place holds it, or one of those before.
fn take_off(tx: &mut Tx<'_>, dest: i64, mut gone: BTreeSet<Place>) -> Done<()> {
    while let Some(last) = gone.last().copied() {
        let mut from = last;
        loop {
            let run = {
                let statement = tx.kept(
                    "SELECT due, id, count, rest FROM run \
                     WHERE dest = ?1 AND (due, id) <= (?2, ?3) \
                     ORDER BY due DESC, id DESC LIMIT 1",
                )?;
                let mut rows = statement.query([dest, from.at, from.id])?;
                rows.next()?.map(read).transpose()?
            };
            let run = run.filter(|(first, _)| last.at.saturating_sub(first.at) <= APART);
            let Some((first, places)) = run else {
                tracing::error!(id = last.id, queue = dest, "a new message was in no run");
                gone.remove(&last);
                break;
            };
            let before = places.len();
            let left: Vec<Place> = places
                .into_iter()
                .filter(|place| !gone.remove(place))
                .collect();
            if left.len() < before {
                forget(tx, dest, first)?;
                write(tx, dest, &left)?;
            }
            if gone.last() != Some(&last) {
                break;
            }
            from = Place {
                id: first.id - 1,
                ..first
            };
        }
    }
    Ok(())
}

/// The first place of a run, and all of its places.
fn read(row: &Row<'_>) -> Done<(Place, Vec<Place>)> {
    let first = Place {
        at: row.get(0)?,
        id: row.get(1)?,
    };
    let mut places = Vec::new();
    let rest = row.get_ref(3)?.as_blob().unwrap_or_default();
    Pack::unpack(&mut places, first, row.get(2)?, rest)?;
    Ok((first, places))
}

/// The first new messages of a queue that are due and whose life is not over, in their order.
pub(crate) fn front(db: &Connection, dest: i64, now: Timestamp, limit: u32) -> Done<Vec<Message>> {
    static GET: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {MSG}, {NEW} FROM msg m WHERE m.id = ?1 AND m.expires > ?2")
    });
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut get = db.prepare_cached(&GET)?;
    let mut runs = db.prepare_cached(
        "SELECT due, id, count, rest FROM run WHERE dest = ?1 AND due <= ?2 ORDER BY due, id",
    )?;
    let mut runs = runs.query([dest, now.millis()])?;
    let mut next = runs.next()?.map(read).transpose()?;
    let mut ready = BinaryHeap::new();
    let mut found = Vec::new();
    while found.len() < limit {
        // What begins before the first of those at hand may have some that come before it.
        while let Some((_, places)) = next.take_if(|(first, _)| {
            let at_hand: Option<&Reverse<Place>> = ready.peek();
            at_hand.is_none_or(|place| *first < place.0)
        }) {
            ready.extend(places.into_iter().map(Reverse));
            next = runs.next()?.map(read).transpose()?;
        }
        let Some(Reverse(place)) = ready.pop().filter(|place| place.0.at <= now.millis()) else {
            break;
        };
        let message = get
            .query_row([place.id, now.millis()], waiting)
            .optional()?;
        found.extend(message);
    }
    Ok(found)
}

/// A run as it is read.
pub(crate) struct Read<'row> {
    pub(crate) dest: i64,
    /// Of its first message, in milliseconds.
    pub(crate) first: i64,
    /// How many messages it has.
    pub(crate) count: u32,
    row: &'row Row<'row>,
}

impl Read<'_> {
    /// When the last of its messages is due at the latest.
    pub(crate) fn last(&self) -> i64 {
        self.first.saturating_add(APART)
    }

    /// All its places, for which the run is taken apart.
    pub(crate) fn places(&self) -> Done<Vec<Place>> {
        Ok(read(self.row)?.1)
    }
}

/// Up to so many runs behind a key, and what is done with each.
pub(crate) fn each(
    db: &Connection,
    after: (i64, Place),
    limit: i64,
    mut what: impl FnMut(Read<'_>) -> Done<()>,
) -> Done<Option<(i64, Place)>> {
    let mut statement = db.prepare_cached(
        "SELECT due, id, count, rest, dest FROM run WHERE (dest, due, id) > (?1, ?2, ?3) \
         ORDER BY dest, due, id LIMIT ?4",
    )?;
    let (dest, place) = after;
    let mut rows = statement.query(params![dest, place.at, place.id, limit])?;
    let (mut last, mut count) = (None, 0);
    while let Some(row) = rows.next()? {
        let (dest, at, id) = (row.get(4)?, row.get(0)?, row.get(1)?);
        what(Read {
            dest,
            first: at,
            count: row.get(2)?,
            row,
        })?;
        last = Some((dest, Place { at, id }));
        count += 1;
    }
    Ok(last.filter(|_| count == limit))
}

/// The highest ids of new messages below one, at most so many, the highest first.
pub(crate) fn newest(db: &Connection, below: i64, limit: usize) -> Done<Vec<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT due, id, count, rest, top FROM run ORDER BY dest DESC, due DESC, id DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut highest: BinaryHeap<Reverse<i64>> = BinaryHeap::new();
    while let Some(row) = rows.next()? {
        let least = match highest.len() < limit {
            true => i64::MIN,
            false => highest.peek().map_or(i64::MAX, |least| least.0),
        };
        if row.get::<_, i64>(4)? <= least {
            continue;
        }
        let ids = read(row)?.1.into_iter().map(|place| place.id);
        for id in ids.filter(|id| *id < below && *id > least) {
            highest.push(Reverse(id));
            if highest.len() > limit {
                highest.pop();
            }
        }
    }
    let ids = highest.into_sorted_vec();
    Ok(ids.into_iter().map(|id| id.0).collect())
}

#[cfg(test)]
mod tests;
