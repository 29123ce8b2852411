//! The queue in figures: the message that is due longest, and the depth of each queue.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::queue::{Depth, Home, Standing};
use zajil_store::Error;

use crate::error::Done;
use crate::row::{CHARGING, UNROUTED};

/// So many rows are read before others have their turn: a few milliseconds.
const PIECE: i64 = 20_000;

/// When the first message falls due, one look at the index for each queue; and the refunds.
pub(crate) fn first_due_and_refunds(db: &Connection) -> Done<(Option<Timestamp>, u64)> {
    let sql = "SELECT min((SELECT min(due) FROM q WHERE q.dest = queue.id)), \
               (SELECT count(*) FROM refund) \
               FROM (SELECT id FROM dest UNION ALL SELECT ?1) queue";
    let mut statement = db.prepare_cached(sql)?;
    let (due, refunds) = statement.query_row([UNROUTED], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?))
    })?;
    let refunds = u64::try_from(refunds).unwrap_or(0);
    Ok((due.map(Timestamp::from_millis), refunds))
}

/// A walk through the queue, in pieces.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    depths: HashMap<i64, Depth>,
    /// The last row that was read.
    after: i64,
    done: bool,
}

impl Scan {
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Reads the next piece. In the order of the table, which is the cheapest: no index has all
    /// that is asked for.
    pub(crate) fn go_on(mut self, db: &Connection, now: Timestamp) -> Done<Self> {
        let mut statement = db.prepare_cached(
            "SELECT id, dest, due, leased_until FROM q WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![self.after, PIECE])?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            self.after = row.get(0)?;
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
        self.done = read < PIECE;
        Ok(self)
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
