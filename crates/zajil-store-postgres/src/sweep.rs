//! Sweeps: what is due, and retention. Each may run twice, on two nodes, at any moment.

use zajil_core::clock::Timestamp;
use zajil_core::event::Scene;
use zajil_core::lifecycle::Report;
use zajil_store::contract::{Purged, Reported, Retention};

use crate::conn::{Conn, Step, bind};
use crate::error::Done;
use crate::lane::{Delta, Tx};
use crate::report::{self, What};
use crate::row::{message_id, whole};
use crate::run;
use crate::schema::{self, BY_DAY, Day};
use crate::tables::only;
use crate::turn;

/// Tells messages whose turn has come that it has, but for those that were told already.
pub(crate) async fn overdue(
    tx: &Tx<'_>,
    (scene, told): &(Scene, Vec<i64>),
    limit: u32,
) -> Done<Vec<Reported>> {
    run::undo_near(tx, scene.now).await?;
    let mut over = Vec::new();
    for row in turn::come(tx, scene.now, limit, told.clone()).await? {
        over.push((message_id(row.try_get(0)?)?, What::Report(Report::Overdue)));
    }
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let outcomes = report::all(tx, &over, scene).await?;
    Ok(outcomes.into_iter().filter_map(Result::ok).collect())
}

/// Removes what retention no longer keeps. Logs go first, so that the log of a message never leaves
/// in the sweep that takes the message away.
pub(crate) async fn purge(
    tx: &Tx<'_>,
    keep: &Retention,
    now: Timestamp,
    limit: u32,
) -> Done<Purged> {
    const LOGS: &str = "WITH old AS (SELECT id FROM log WHERE newest < $1 ORDER BY newest LIMIT $2 \
         FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM log USING old WHERE log.id = old.id RETURNING log.id), \
         lines AS (DELETE FROM event USING old WHERE event.message_id = old.id) \
         SELECT count(*) FROM gone";
    const KEYS: &str = "WITH gone AS (DELETE FROM dedupe WHERE key IN (SELECT key FROM dedupe \
         WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1) \
         SELECT count(*) FROM gone";
    const FRONTENDS: &str = "WITH gone AS (DELETE FROM frontend WHERE swept AND expires_at < $1 \
         RETURNING 1) SELECT count(*) FROM gone";
    const MESSAGES: &str = "WITH old AS (SELECT f.id FROM fin f WHERE f.at < $1 \
         AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.seq = f.seq) ORDER BY f.at LIMIT $2 \
         FOR UPDATE OF f SKIP LOCKED), \
         gone AS (DELETE FROM fin f USING old WHERE f.id = old.id \
           RETURNING f.id, f.hidden, f.events, f.logged_n, f.logged_at), \
         kept AS (INSERT INTO log SELECT g.id, greatest(m.logged_at, g.logged_at, \
             (SELECT max(e.at) FROM event e WHERE e.message_id = g.id)), \
           m.events, g.events, g.logged_n FROM gone g JOIN msg m ON m.id = g.id \
           ON CONFLICT (id) DO NOTHING), \
         parts AS (DELETE FROM part USING gone WHERE part.id = gone.id) \
         SELECT count(*), count(*) FILTER (WHERE NOT hidden) FROM gone";
    let (most, at) = (i64::from(limit), now.millis());
    let before = |kept| now.minus(kept).millis();
    let logs = Step::new(LOGS, bind![before(keep.events), most]);
    let keys = Step::new(KEYS, bind![at, most]);
    let frontends = Step::new(FRONTENDS, bind![before(keep.frontends)]);
    let messages = Step::new(MESSAGES, bind![before(keep.messages), most]);
    let mut purged = Purged {
        logs: only(&tx.ask(logs).await?)?,
        keys: only(&tx.ask(keys).await?)?,
        frontends: only(&tx.ask(frontends).await?)?,
        messages: 0,
    };
    if let Some(row) = tx.ask(messages).await?.first() {
        purged.messages = whole(row, 0)?;
        let shown: i64 = row.try_get(1)?;
        tx.count(Delta {
            messages: -shown,
            ..Delta::default()
        });
    }
    Ok(purged)
}

/// The days that there are partitions for, oldest first.
async fn days(conn: &Conn) -> Done<Vec<Day>> {
    const DAYS: &str = "SELECT substr(c.relname::text, 5) FROM pg_inherits i \
         JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'msg'::regclass ORDER BY 1";
    let mut days = Vec::new();
    for row in conn.ask(Step::bare(DAYS)).await? {
        days.extend(Day::parse(row.try_get(0)?));
    }
    Ok(days)
}

/// How many days there are partitions for after today: a database that is away at midnight, or a
/// sweep that fails for a day, holds nobody up.
const AHEAD: usize = 2;

/// Makes the partitions of today and of the days after it.
pub(crate) async fn make_days(tx: &Tx<'_>, now: Timestamp) -> Done<()> {
    let known = days(tx.conn).await?;
    let ahead = std::iter::successors(Some(Day::at(now)), |day| Some(day.next()));
    for day in ahead.take(AHEAD + 1).filter(|day| !known.contains(day)) {
        tx.conn.batch(&schema::day(day)).await?;
    }
    Ok(())
}

/// Drops the oldest day of which nothing is left that anybody may still ask for; `false` when there
/// is none. Bodies of messages that have been purged leave the disk here.
///
/// A day is looked at only once its own retention is over: most of it has gone row by row, or goes
/// with it.
pub(crate) async fn drop_day(tx: &Tx<'_>, keep: &Retention, now: Timestamp) -> Done<bool> {
    const EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM q WHERE id >= $1 AND id < $2) \
         AND NOT EXISTS (SELECT 1 FROM run WHERE bucket >= $1 >> 10 AND bucket < $2 >> 10) \
         AND NOT EXISTS (SELECT 1 FROM fin WHERE id >= $1 AND id < $2) \
         AND NOT EXISTS (SELECT 1 FROM log WHERE id >= $1 AND id < $2)";
    const HIGHEST: &str = "INSERT INTO meta AS m SELECT 'highest', coalesce(max(id), 0) FROM msg \
         WHERE id >= $1 AND id < $2 ON CONFLICT (name) DO UPDATE \
         SET value = greatest(m.value, excluded.value)";
    let longest = keep.messages.max(keep.events);
    for day in days(tx.conn).await? {
        if day.end().plus(longest) > now {
            return Ok(false);
        }
        let bounds = || bind![day.floor(), day.next().floor()];
        let rows = tx.ask(Step::new(EMPTY, bounds())).await?;
        let empty = rows.first().map_or(Ok(false), |row| row.try_get(0));
        if !empty? {
            continue;
        }
        tx.ask(Step::new(HIGHEST, bounds())).await?;
        // Whoever reads just now is waited for, but nobody waits long behind us.
        let mut sql = "SET LOCAL lock_timeout = 300;".to_owned();
        for table in BY_DAY {
            sql += &format!("DROP TABLE {table}_{};", day.name());
        }
        tx.conn.batch(&sql).await?;
        return Ok(true);
    }
    Ok(false)
}
