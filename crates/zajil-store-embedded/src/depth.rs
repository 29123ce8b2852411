//! The queue in figures: the message that is due longest, and the depth of each queue.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::queue::{Depth, Home, Standing};
use zajil_store::Error;

use crate::error::Done;
use crate::pack::Place;
use crate::row::{CHARGING, UNROUTED};
use crate::run;

/// So many rows are read before others have their turn: a few milliseconds.
const PIECE: i64 = 20_000;
/// So many runs, of up to 256 messages each, of which few are taken apart.
const RUNS: i64 = 2_000;

/// How many messages have not ended.
pub(crate) const PENDING: &str =
    "SELECT (SELECT count(*) FROM q) + (SELECT coalesce(sum(count), 0) FROM run)";

/// When the first message falls due, a look at the indexes for each queue; and the refunds.
pub(crate) fn first_due_and_refunds(db: &Connection) -> Done<(Option<Timestamp>, u64)> {
    let sql = "WITH queue (id) AS MATERIALIZED (SELECT id FROM dest UNION ALL SELECT ?1) \
               SELECT min(due), (SELECT count(*) FROM refund) FROM \
               (SELECT (SELECT min(due) FROM q WHERE q.dest = queue.id) AS due FROM queue \
                UNION ALL \
                SELECT (SELECT min(due) FROM run WHERE run.dest = queue.id) FROM queue)";
    let mut statement = db.prepare_cached(sql)?;
    let (due, refunds) = statement.query_row([UNROUTED], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?))
    })?;
    let refunds = u64::try_from(refunds).unwrap_or(0);
    Ok((due.map(Timestamp::from_millis), refunds))
}

/// A walk through the queue, in pieces. What is leased between two of them may be counted in its
/// run and in its row.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    depths: HashMap<i64, Depth>,
    at: Reached,
}

/// How far a walk has come: first through the runs, then through the rows.
#[derive(Debug, Clone, Copy)]
enum Reached {
    Run(i64, Place),
    Row(i64),
    End,
}

impl Default for Reached {
    fn default() -> Self {
        let before_all = Place {
            at: i64::MIN,
            id: i64::MIN,
        };
        Self::Run(i64::MIN, before_all)
    }
}

impl Scan {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.at, Reached::End)
    }

    /// Reads the next piece.
    pub(crate) fn go_on(mut self, db: &Connection, now: Timestamp) -> Done<Self> {
        self.at = match self.at {
            Reached::Run(dest, place) => self.runs(db, (dest, place), now)?,
            Reached::Row(after) => self.rows(db, after, now)?,
            Reached::End => Reached::End,
        };
        Ok(self)
    }

    fn runs(&mut self, db: &Connection, after: (i64, Place), now: Timestamp) -> Done<Reached> {
        let standing = |due| Standing::at(now, Timestamp::from_millis(due), None);
        let last = run::each(db, after, RUNS, |run| {
            let depth = self.depths.entry(run.dest).or_default();
            let (first, last) = (standing(run.first), standing(run.last()));
            if first == last {
                depth.add(first, run.count.into());
                return Ok(());
            }
            // It falls due just now.
            let places = run.places()?;
            places
                .iter()
                .for_each(|place| depth.add(standing(place.at), 1));
            Ok(())
        })?;
        Ok(last.map_or(Reached::Row(0), |(dest, place)| Reached::Run(dest, place)))
    }

    /// In the order of the table, which is the cheapest: no index has all that is asked for.
    fn rows(&mut self, db: &Connection, mut after: i64, now: Timestamp) -> Done<Reached> {
        let mut statement = db.prepare_cached(
            "SELECT id, dest, due, leased_until FROM q WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PIECE])?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            after = row.get(0)?;
            read += 1;
            let (dest, due): (i64, i64) = (row.get(1)?, row.get(2)?);
            let leased: Option<i64> = row.get(3)?;
            let standing = match dest {
                CHARGING => Standing::Waiting,
                _ => Standing::at(
                    now,
                    Timestamp::from_millis(due),
                    leased.map(Timestamp::from_millis),
                ),
            };
            self.depths.entry(dest).or_default().add(standing, 1);
        }
        Ok(match read < PIECE {
            true => Reached::End,
            false => Reached::Row(after),
        })
    }

    /// The depths under the names of the queues.
    pub(crate) fn by_name(self, db: &Connection) -> Done<BTreeMap<Home, Depth>> {
        let mut named = BTreeMap::new();
        let mut statement = db.prepare_cached("SELECT name FROM dest WHERE id = ?1")?;
        for (dest, depth) in self.depths {
            let home = match dest {
                UNROUTED => Home::Unrouted,
                CHARGING => Home::Charging,
                _ => {
                    let name: String = statement.query_row([dest], |row| row.get(0))?;
                    let name = FrontendName::parse(&name);
                    Home::Frontend(
                        name.map_err(|error| Error::Damaged(format!("a frontend name {error}")))?,
                    )
                }
            };
            named.insert(home, depth);
        }
        Ok(named)
    }
}
