//! Whose turn comes: found by an index that most messages never stand in.
//!
//! Nearly every message ends long before its turn, and each index entry is written twice: when
//! the message comes and when it is leased. So a new message whose turn is far off stands in no
//! index by turn (`number` is null), and a walk over all that wait, a stretch in each sweep, lists
//! those whose turn has come near. It is over long before a turn comes that was far off when it
//! began.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::message::Message;

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::lane::Tx;

/// Stands in `number` where only the turn lists a message: nobody has an empty number.
pub(crate) const BY_TURN: &str = "";

/// A turn that is farther off than this is not listed.
const FAR: Duration = Duration::from_secs(900);
/// What a walk lists: turns that are nearer than this.
const NEAR: Duration = Duration::from_secs(600);
/// After so long without a stretch, of a database that was away, the next walk makes haste.
const LATE: Duration = Duration::from_secs(60);
/// In how many stretches all that waits is walked over; sweeps are a second apart.
const STRETCHES: i64 = 256;
const STRETCHES_IN_HASTE: i64 = 16;
/// So many are listed at once: each is written anew, and a statement has little time.
const LISTED: i64 = 5_000;

/// Whether a new message need not be listed by its turn.
pub(crate) fn is_far(message: &Message) -> bool {
    message.next_turn() >= message.inserted_at.plus(FAR)
}

/// How far this node has walked.
#[derive(Debug, Default)]
pub(crate) struct Walk(Mutex<State>);

#[derive(Debug, Clone, Copy)]
struct State {
    /// Behind this id the next stretch begins.
    behind: i64,
    /// When the last one was walked.
    at: Timestamp,
    hastes: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            behind: 0,
            at: Timestamp::EPOCH,
            hastes: true,
        }
    }
}

/// One stretch of a walk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    behind: i64,
    at: Timestamp,
    stretches: i64,
}

impl Walk {
    /// The stretch that is next. Two that are walked at once, or one twice, do no harm.
    pub(crate) fn next(&self, now: Timestamp) -> Stretch {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(state.at) > LATE {
            *state = State::default();
        }
        let stretches = match state.hastes {
            true => STRETCHES_IN_HASTE,
            false => STRETCHES,
        };
        Stretch {
            behind: state.behind,
            at: now,
            stretches,
        }
    }

    /// A stretch has been walked up to this id, or to the end.
    pub(crate) fn walked(&self, stretch: Stretch, up_to: Option<i64>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = up_to.is_none();
        *state = State {
            behind: up_to.unwrap_or(0),
            at: stretch.at,
            hastes: state.hastes && !over,
        };
    }
}

impl Stretch {
    /// Walks it; answers up to which id, or none at the end. What somebody else is about to change
    /// is passed over until the next walk.
    pub(crate) async fn walk(self, tx: &Tx<'_>) -> Done<Option<i64>> {
        const WALK: &str = "WITH n AS MATERIALIZED (SELECT greatest(1000, least(200000, \
               (SELECT (sum(pending) / $3::bigint)::bigint FROM lane))) AS most), \
             w AS MATERIALIZED (SELECT id, turn, number FROM q WHERE id > $1 \
               ORDER BY id LIMIT (SELECT most FROM n)), \
             near AS MATERIALIZED (SELECT q.id FROM w JOIN q ON q.id = w.id \
               WHERE w.turn <= $2 AND w.number IS NULL AND q.number IS NULL \
               ORDER BY w.id LIMIT $5 FOR UPDATE OF q SKIP LOCKED), \
             listed AS (UPDATE q SET number = $4 FROM near WHERE q.id = near.id) \
             SELECT CASE WHEN (SELECT count(*) FROM near) = $5 THEN (SELECT max(id) FROM near) \
               WHEN count(*) < (SELECT most FROM n) THEN NULL ELSE max(id) END FROM w";
        let near = self.at.plus(NEAR).millis();
        let parameters = bind![self.behind, near, self.stretches, BY_TURN, LISTED];
        let rows = tx.ask(Step::new(WALK, parameters)).await?;
        rows.first().map_or(Ok(None), |row| Ok(row.try_get(0)?))
    }
}

/// Locks messages whose turn has come. Those that another node is telling are passed over.
pub(crate) async fn come(tx: &Tx<'_>, now: Timestamp, limit: u32) -> Done<Vec<Row>> {
    const COME: &str = "SELECT id FROM q WHERE number IS NOT NULL AND turn <= $1 \
         ORDER BY turn, id LIMIT $2 FOR UPDATE SKIP LOCKED";
    let step = Step::new(COME, bind![now.millis(), i64::from(limit)]);
    tx.ask(step).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_walk_goes_on_where_it_was_and_begins_anew_at_the_end() {
        let walk = Walk::default();
        let first = walk.next(at(1_000));
        assert_eq!((first.behind, first.stretches), (0, STRETCHES_IN_HASTE));
        walk.walked(first, Some(77));
        let second = walk.next(at(1_001));
        assert_eq!((second.behind, second.stretches), (77, STRETCHES_IN_HASTE));
        walk.walked(second, None);
        let anew = walk.next(at(1_002));
        assert_eq!((anew.behind, anew.stretches), (0, STRETCHES));
    }

    #[test]
    fn a_walk_makes_haste_after_a_database_was_away() {
        let walk = Walk::default();
        walk.walked(walk.next(at(1_000)), None);
        walk.walked(walk.next(at(1_001)), Some(5));
        let late = walk.next(at(1_100));
        assert_eq!((late.behind, late.stretches), (0, STRETCHES_IN_HASTE));
    }

    #[test]
    fn a_walk_is_over_before_a_far_turn_comes() {
        // Sweeps are a second apart; each may take another one.
        let longest = Duration::from_secs(2) * u32::try_from(STRETCHES).unwrap();
        assert!(longest < NEAR && NEAR < FAR);
    }
}
