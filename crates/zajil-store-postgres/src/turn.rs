//! Whose turn comes: found by an index that most messages never stand in.
//!
//! Nearly every message ends long before its turn, and each index entry is written twice: when
//! the message comes and when it is leased. So a new message whose turn is far off stands in no
//! index by turn (`number` is null), and a walk lists those whose turn has come near. Whoever
//! changes a row lists it, so what is not listed keeps its turn: the walk remembers the soonest of
//! each stretch, and comes back only when that is near, or when others may have come in between.
//!
//! One node walks at a time, a stretch a second at the most. Turns that come near at once are
//! listed at [`LISTED`] a second: of more than three million, those at the end are told late.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::message::Message;

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::lane::Tx;

/// Stands in `number` where only the turn lists a message: nobody has an empty number.
pub(crate) const BY_TURN: &str = "";
/// The one node that walks.
pub(crate) const DUTY: &str = "turns";

/// A turn that is farther off than this is not listed.
const FAR: Duration = Duration::from_secs(900);
/// What a walk lists: turns that are nearer than this.
const NEAR: Duration = Duration::from_secs(600);
/// Where messages still come, a stretch is looked at this often. What comes right behind a look
/// has its turn [`FAR`] off, and is seen while that is not near yet.
const YOUNG: Duration = Duration::from_secs(240);
/// A stretch that nothing comes to any more is looked at this often, whatever its turns are: nodes
/// of a former version take what they change off the list.
const SETTLED: Duration = Duration::from_secs(3_600);
/// What somebody else is about to change is looked at again.
const HELD: Duration = Duration::from_secs(10);
/// Between two stretches, however often there are sweeps.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the duty is asked for: in time to keep it.
const ASK: Duration = Duration::from_secs(5);
/// What should have been looked at so long ago is looked at in haste: at the start, or after the
/// database was away.
const LATE: Duration = Duration::from_secs(60);
/// Of how many stretches all that waits is made.
const STRETCHES: i64 = 256;
const STRETCHES_IN_HASTE: i64 = 16;
/// So many stretches are remembered; beyond it all is looked at anew.
const REMEMBERED: usize = 4_096;
/// So many are listed at once: each is written anew, and a statement has little time.
const LISTED: i64 = 5_000;
/// After a stretch that failed the next is half as long, down to this part of it.
const SMALLEST: i64 = 256;
/// After so many that went well it is twice as long again.
const WELL: u32 = 16;

/// Whether a new message need not be listed by its turn.
pub(crate) fn is_far(message: &Message) -> bool {
    message.next_turn() >= message.inserted_at.plus(FAR)
}

/// What has its turn until then is listed.
pub(crate) fn near(now: Timestamp) -> Timestamp {
    now.plus(NEAR)
}

/// What this node knows of what is not listed.
#[derive(Debug, Default)]
pub(crate) struct Walk(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Behind which id each stretch begins, and when it is to be looked at; the last has no end.
    due: BTreeMap<i64, Timestamp>,
    tried: Option<Timestamp>,
    asked: Option<Timestamp>,
    has_duty: bool,
    /// Up to this id nothing comes any more: it was the last one long ago.
    settled: i64,
    /// The last id, and when it was.
    last: (i64, Timestamp),
    /// Into how many parts a stretch is cut, because it failed.
    parts: i64,
    well: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            due: BTreeMap::from([(0, Timestamp::EPOCH)]),
            tried: None,
            asked: None,
            has_duty: false,
            settled: 0,
            last: (0, Timestamp::EPOCH),
            parts: 1,
            well: 0,
        }
    }
}

/// One stretch of a walk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    behind: i64,
    at: Timestamp,
    stretches: i64,
    parts: i64,
}

/// What a stretch was found to hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// The last id that was looked at; none when nothing waits behind where it began.
    last: Option<i64>,
    /// Whether nothing is behind it.
    over: bool,
    /// The soonest turn that is not listed.
    soonest: Option<Timestamp>,
    /// Whether somebody else held some.
    held: bool,
    /// Whether a turn was listed that has come.
    pub(crate) come: bool,
}

/// Whether this long has passed; a clock that was set back counts.
fn passed(since: Option<Timestamp>, now: Timestamp, time: Duration) -> bool {
    since.is_none_or(|since| now < since || now >= since.plus(time))
}

impl Walk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is time for a stretch, if this node walks.
    pub(crate) fn is_time(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        let time = passed(state.tried, now, PAUSE);
        if time {
            state.tried = Some(now);
        }
        time
    }

    /// Whether this node has to ask whether it walks.
    pub(crate) fn asks(&self, now: Timestamp) -> bool {
        passed(self.lock().asked, now, ASK)
    }

    pub(crate) fn set_duty(&self, has: bool, now: Timestamp) {
        let mut state = self.lock();
        (state.has_duty, state.asked) = (has, Some(now));
    }

    /// The stretch that is to be looked at, if there is one. Two that are looked at at once, or one
    /// twice, do no harm.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Stretch> {
        let state = self.lock();
        let first = state.due.iter().min_by_key(|(_, due)| **due);
        let (&behind, &due) = first.filter(|(_, due)| state.has_duty && **due <= now)?;
        let stretches = match due.plus(LATE) < now {
            true => STRETCHES_IN_HASTE,
            false => STRETCHES,
        };
        Some(Stretch {
            behind,
            at: now,
            stretches,
            parts: state.parts,
        })
    }

    /// A stretch has been looked at.
    pub(crate) fn walked(&self, stretch: Stretch, seen: Seen) {
        let mut state = self.lock();
        let Stretch { behind, at, .. } = stretch;
        let last = seen.last.unwrap_or(behind);
        if seen.over {
            state.note_last(last, at);
        }
        let latest = at.plus(match !seen.over && last <= state.settled {
            true => SETTLED,
            false => YOUNG,
        });
        let near = seen.soonest.map(|turn| turn.minus(NEAR));
        let held = seen.held.then(|| at.plus(HELD));
        let due = near.into_iter().chain(held).fold(latest, Timestamp::min);
        let due = due.max(at.plus(PAUSE));
        // What reaches beyond is left as it was.
        let beyond = state.due.range(..=last).next_back().map(|(_, due)| *due);
        let covered = |from: i64| from >= behind && (seen.over || from <= last);
        state.due.retain(|from, _| !covered(*from));
        if let (false, Some(beyond)) = (seen.over, beyond) {
            state.due.insert(last, beyond);
        }
        state.due.insert(behind, due);
        if state.due.len() > REMEMBERED {
            state.due = BTreeMap::from([(0, Timestamp::EPOCH)]);
        }
        state.well += 1;
        if state.well >= WELL {
            (state.well, state.parts) = (0, (state.parts / 2).max(1));
        }
    }

    /// A stretch has not been looked at, perhaps because it takes too long.
    pub(crate) fn failed(&self) {
        let mut state = self.lock();
        (state.well, state.parts) = (0, (state.parts * 2).min(SMALLEST));
    }
}

impl State {
    fn note_last(&mut self, last: i64, at: Timestamp) {
        if passed(Some(self.last.1), at, FAR) {
            self.settled = self.last.0;
            self.last = (last, at);
        }
    }
}

impl Stretch {
    /// Lists what is near. What somebody else is about to change is passed over.
    ///
    /// It is cut to what is listed at once before the rows are locked: a join of a whole stretch
    /// takes longer than many a statement may.
    pub(crate) async fn walk(self, tx: &Tx<'_>) -> Done<Seen> {
        const WALK: &str = "WITH n AS MATERIALIZED (SELECT greatest(1, greatest(1000, \
               least(200000, (SELECT (sum(pending) / $3::bigint)::bigint FROM lane))) \
               / $6::bigint) AS most), \
             w AS MATERIALIZED (SELECT id, turn, number FROM q WHERE id > $1 \
               ORDER BY id LIMIT (SELECT most FROM n)), \
             cand AS MATERIALIZED (SELECT id FROM w WHERE turn <= $2 AND number IS NULL \
               ORDER BY id LIMIT $5), \
             near AS MATERIALIZED (SELECT q.id, q.turn FROM cand JOIN q ON q.id = cand.id \
               WHERE q.number IS NULL FOR UPDATE OF q SKIP LOCKED), \
             listed AS (UPDATE q SET number = $4 FROM near WHERE q.id = near.id), \
             c AS MATERIALIZED (SELECT count(*) AS n, max(id) AS last FROM cand), \
             l AS MATERIALIZED (SELECT count(*) AS n, \
               coalesce(bool_or(turn <= $7), false) AS come FROM near) \
             SELECT CASE WHEN c.n = $5 THEN c.last ELSE a.last END, \
               c.n < $5 AND a.n < (SELECT most FROM n), a.soonest, l.n < c.n, l.come \
             FROM (SELECT count(*) AS n, max(id) AS last, \
                 min(turn) FILTER (WHERE number IS NULL AND turn > $2) AS soonest FROM w) AS a, \
               c, l";
        let near = near(self.at).millis();
        let listed = (LISTED / self.parts).max(1);
        let parameters = bind![
            self.behind,
            near,
            self.stretches,
            BY_TURN,
            listed,
            self.parts,
            self.at.millis()
        ];
        let rows = tx.ask(Step::new(WALK, parameters)).await?;
        let Some(row) = rows.first() else {
            return Ok(Seen::default());
        };
        let soonest: Option<i64> = row.try_get(2)?;
        Ok(Seen {
            last: row.try_get(0)?,
            over: row.try_get(1)?,
            soonest: soonest.map(Timestamp::from_millis),
            held: row.try_get(3)?,
            come: row.try_get(4)?,
        })
    }
}

/// Locks messages whose turn has come, but for some. Those that another node is telling are passed
/// over.
pub(crate) async fn come(tx: &Tx<'_>, now: Timestamp, limit: u32, but: Vec<i64>) -> Done<Vec<Row>> {
    const COME: &str = "SELECT id FROM q WHERE number IS NOT NULL AND turn <= $1 \
         AND id <> ALL ($3) ORDER BY turn, id LIMIT $2 FOR UPDATE SKIP LOCKED";
    let step = Step::new(COME, bind![now.millis(), i64::from(limit), but]);
    tx.ask(step).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + secs)
    }

    fn walk() -> Walk {
        let walk = Walk::default();
        walk.set_duty(true, at(0));
        walk
    }

    fn seen(last: i64, over: bool, soonest: i64) -> Seen {
        Seen {
            last: Some(last),
            over,
            soonest: Some(at(soonest)),
            ..Seen::default()
        }
    }

    /// Where it begins, whether in haste.
    fn next(walk: &Walk, secs: i64) -> Option<(i64, bool)> {
        let stretch = walk.next(at(secs))?;
        Some((stretch.behind, stretch.stretches == STRETCHES_IN_HASTE))
    }

    fn look(walk: &Walk, secs: i64, seen: Seen) {
        let stretch = walk.next(at(secs)).unwrap();
        walk.walked(stretch, seen);
    }

    #[test]
    fn adr15_a_walk_makes_haste_through_all_at_first_and_then_waits_for_what_comes_near() {
        let walk = walk();
        assert_eq!(next(&walk, 0), Some((0, true)));
        look(&walk, 0, seen(77, false, 80_000));
        assert_eq!(next(&walk, 1), Some((77, true)));
        look(&walk, 1, seen(90, true, 2_000));
        assert_eq!(next(&walk, 2), None, "nothing is near");
        assert_eq!(next(&walk, 239), None);
        assert_eq!(next(&walk, 240), Some((0, false)), "others may have come");
        look(&walk, 240, seen(77, false, 80_000));
        look(&walk, 241, seen(90, true, 1_000));
        assert_eq!(next(&walk, 399), None);
        assert_eq!(next(&walk, 400), Some((77, false)), "one of it is near");
        assert_eq!(next(&walk, 461), Some((77, true)), "that was long ago");
    }

    #[test]
    fn adr15_where_nothing_comes_any_more_is_looked_at_once_an_hour_or_when_a_turn_is_near() {
        let walk = walk();
        let mut now = 0;
        let mut go = |until: i64, (to, soonest): (i64, i64), last: i64| {
            while now < until {
                while let Some(stretch) = walk.next(at(now)) {
                    let seen = match stretch.behind {
                        0 => seen(to, false, soonest),
                        _ => seen(last, true, 90_000),
                    };
                    walk.walked(stretch, seen);
                }
                now += 10;
            }
        };
        go(2_000, (50, 9_000), 90);
        // 90 was the last id more than a quarter of an hour ago: only what is behind it is young.
        assert_eq!(walk.lock().settled, 90);
        let looked = walk.lock().due[&0].minus(SETTLED);
        assert!(looked > at(900) && looked < at(1_300), "{looked:?}");
        go(4_400, (50, 5_600), 120);
        assert_eq!(walk.lock().due[&0], looked.plus(SETTLED));
        go(4_900, (50, 5_600), 120);
        assert_eq!(
            walk.lock().due[&0],
            at(5_000),
            "what ends at 5,600 is near then"
        );
    }

    #[test]
    fn adr15_stretches_that_have_emptied_become_one_and_what_reaches_beyond_stays() {
        let walk = walk();
        for last in [10, 20, 30] {
            look(&walk, 0, seen(last, false, 80_000));
        }
        look(&walk, 0, seen(40, true, 80_000));
        assert_eq!(walk.lock().due.len(), 4);
        let before = *walk.lock().due.get(&20).unwrap();
        look(&walk, 240, seen(25, false, 80_000));
        let due = walk.lock().due.clone();
        assert_eq!(due.keys().copied().collect::<Vec<_>>(), [0, 25, 30]);
        assert_eq!(due.get(&25), Some(&before));
        look(&walk, 241, seen(28, true, 80_000));
        assert_eq!(walk.lock().due.keys().copied().collect::<Vec<_>>(), [0, 25]);
    }

    #[test]
    fn adr15_a_stretch_that_failed_is_halved_and_grows_back() {
        let walk = walk();
        for parts in [1, 2, 4] {
            assert_eq!(walk.next(at(0)).unwrap().parts, parts);
            walk.failed();
        }
        for _ in 0..20 {
            walk.failed();
        }
        assert_eq!(walk.next(at(0)).unwrap().parts, SMALLEST);
        for last in 1..=8 * i64::from(WELL) {
            look(&walk, 0, seen(last, false, 80_000));
        }
        assert_eq!(walk.next(at(0)).unwrap().parts, 1);
    }

    #[test]
    fn adr15_however_many_sweeps_there_are_a_stretch_takes_a_second_and_the_duty_is_kept() {
        let walk = Walk::default();
        assert!(walk.asks(at(0)));
        walk.set_duty(false, at(0));
        assert!(walk.next(at(0)).is_none(), "another node walks");
        let tried: Vec<i64> = (0..30)
            .filter(|tenth| walk.is_time(at(0).plus(Duration::from_millis(100) * *tenth)))
            .map(i64::from)
            .collect();
        assert_eq!(tried, [0, 10, 20]);
        assert!(!walk.asks(at(4)) && walk.asks(at(5)));
    }

    #[test]
    fn adr15_what_somebody_held_is_looked_at_soon_again() {
        let walk = walk();
        let held = Seen {
            held: true,
            ..seen(9, true, 80_000)
        };
        look(&walk, 0, held);
        assert_eq!(next(&walk, 9), None);
        assert_eq!(next(&walk, 10), Some((0, false)));
    }
}
