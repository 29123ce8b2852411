//! Runs: the places of new messages in their queue, many in one row.
//!
//! Most messages are leased once and end. Until then a new one needs no row in `q`: what would
//! stand there follows from its row in `msg`. What one transaction puts into one queue shares a row
//! of `run`; a claim takes places off, and gives each message its row in `q` with its lease.
//! Whatever else needs that row undoes the whole run first. A pending message stands in a run or
//! has a row in `q`, never both. See ADR 26.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use zajil_core::clock::Timestamp;

use crate::conn::{Parameter, Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::turn::{BY_TURN, near};

/// So many places share a row at the most: two rows are a lease of a hundred, and fewer octets than
/// the database would lay aside.
const MOST: usize = 50;
/// The ids of a run differ in so many bits at the most, so that one is found by any of its ids;
/// in statements this number is written out.
const BUCKET: u32 = 10;
/// How many runs become rows of `q` in one sweep.
const AT_ONCE: i64 = 100;

/// Whether an id stands in a run; the name of a column.
macro_rules! in_run {
    ($id:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM run WHERE run.bucket = ",
            $id,
            " >> 10 AND ",
            $id,
            " = ANY (run.ids))"
        )
    };
}
pub(crate) use in_run;

/// `k`, places of the runs of queue `$1` that are due at `$2` and whose messages live, `$3` of them
/// unless there are less, from the place `$from` on, and the runs locked, or not; `f`, where the
/// first run begins, and `t`, the last of these places. Runs that begin behind it hold nothing
/// that comes before.
///
/// The runs are read one by one until there are places enough, because of the limit.
macro_rules! front_places {
    ($from:literal, $lock:literal) => {
        concat!(
            "k AS MATERIALIZED (SELECT r.due AS begins, r.first, p.due, p.id \
             FROM (SELECT due, first, ids, dues, turns FROM run \
             WHERE dest = $1 AND due <= $2 AND (due, first) >= ",
            $from,
            " ORDER BY due, first ",
            $lock,
            " OFFSET 0) AS r, unnest(r.ids, r.dues, r.turns) AS p (id, due, turn) \
             WHERE p.due <= $2 AND ",
            $crate::run::living!(),
            " LIMIT $3), \
             f AS MATERIALIZED (SELECT begins, first FROM k LIMIT 1), \
             t AS MATERIALIZED (SELECT due, id FROM k ORDER BY due DESC, id DESC LIMIT 1)"
        )
    };
}
pub(crate) use front_places;

/// Whether the message of a place `p` still lives at `$2`: its turn comes with the end of its life
/// or before.
macro_rules! living {
    () => {
        "(p.turn > $2 OR (SELECT m.expires FROM msg m WHERE m.id = p.id) > $2)"
    };
}
pub(crate) use living;

/// The runs that hold `k`, and those among them, from `f` up to `t`.
macro_rules! up_to_last {
    () => {
        "FROM run WHERE dest = $1 AND due <= $2 \
         AND (due, first) >= ((SELECT begins FROM f), (SELECT first FROM f)) \
         AND (due, first) <= ((SELECT due FROM t), (SELECT id FROM t)) "
    };
}
pub(crate) use up_to_last;

/// The `number` of a message that comes off a run at `$2`. The walk over turns has perhaps been
/// there an hour ago (see [`turn`](crate::turn)): one whose turn comes before the next is listed.
macro_rules! listed {
    () => {
        "CASE WHEN turn <= $2 + 4500000 THEN '' END"
    };
}
pub(crate) use listed;

/// Takes what `c` has chosen off its runs, `p` being all places of the runs that are locked: one
/// that has some left is written anew. For few that is dearer than rows of `q` are, so then what is
/// left gets those.
///
/// Runs are found by their bucket alone, of which an array is made first. A plan may be as old as
/// the time when there were no runs, and such a plan begins with all of them where it can.
macro_rules! take_off {
    () => {
        concat!(
            "s AS MATERIALIZED (SELECT DISTINCT first FROM c WHERE first IS NOT NULL), \
         o AS MATERIALIZED (SELECT p.* FROM p WHERE p.first IN (SELECT first FROM s) \
           AND p.id NOT IN (SELECT id FROM c)), \
         x AS MATERIALIZED (SELECT o.first, min(o.due) AS due, min(o.turn) AS turn, \
           array_agg(o.id ORDER BY o.due, o.id) AS ids, \
           array_agg(o.due ORDER BY o.due, o.id) AS dues, \
           array_agg(o.turn ORDER BY o.due, o.id) AS turns \
           FROM o WHERE $3 >= 25 GROUP BY o.first), \
         w AS (INSERT INTO q (id, dest, number, undecided, due, turn, attempts, updated_at) \
           SELECT id, $1, ",
            $crate::run::listed!(),
            ", false, due, turn, 0, due FROM o WHERE $3 < 25), \
         y AS (UPDATE run SET due = x.due, turn = x.turn, ids = x.ids, dues = x.dues, \
           turns = x.turns FROM x \
           WHERE run.bucket = ANY (ARRAY(SELECT first >> 10 FROM x)) AND run.first + 0 = x.first), \
         z AS (DELETE FROM run USING s \
           WHERE run.bucket = ANY (ARRAY(SELECT first >> 10 FROM s)) AND run.first + 0 = s.first \
           AND s.first NOT IN (SELECT first FROM x)), "
        )
    };
}
pub(crate) use take_off;

/// Rows of `run`; the parameters' names, because it may be a part of a statement.
macro_rules! insert_runs {
    ($first:literal $dest:literal $turn:literal $from:literal $to:literal
     $ids:literal $dues:literal $turns:literal) => {
        concat!(
            "INSERT INTO run (bucket, first, dest, due, turn, ids, dues, turns) \
             SELECT first >> 10, first, dest, (",
            $dues,
            "::bigint[])[f], turn, (",
            $ids,
            "::bigint[])[f:t], (",
            $dues,
            "::bigint[])[f:t], (",
            $turns,
            "::bigint[])[f:t] FROM (SELECT unnest(",
            $first,
            "::bigint[]) AS first, unnest(",
            $dest,
            "::text[]) AS dest, unnest(",
            $turn,
            "::bigint[]) AS turn, unnest(",
            $from,
            "::integer[]) AS f, unnest(",
            $to,
            "::integer[]) AS t) AS n"
        )
    };
}
pub(crate) use insert_runs;

/// Whether this node writes runs, and of how many messages.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Whether all nodes know of them.
    known: AtomicBool,
    /// What fewer messages than so many come to gets rows of `q`; none = everything does.
    least: Option<usize>,
}

impl Runs {
    pub(crate) fn new(least: u32, known: bool) -> Self {
        let least = usize::try_from(least).ok();
        Self {
            known: AtomicBool::new(known),
            least: least.filter(|least| *least > 0),
        }
    }

    pub(crate) fn set_known(&self, known: bool) {
        self.known.store(known, Ordering::Release);
    }

    /// Of how many messages a run is made, if any is.
    pub(crate) fn least(&self) -> Option<usize> {
        self.least.filter(|_| self.known.load(Ordering::Acquire))
    }
}

/// The place of a message in its queue, and when its turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) due: i64,
    pub(crate) id: i64,
    pub(crate) turn: i64,
}

/// What is new of each queue, by the bits that its ids share.
#[derive(Debug, Default)]
pub(crate) struct Newcomers(BTreeMap<(String, i64), Vec<Spot>>);

impl Newcomers {
    pub(crate) fn push(&mut self, dest: String, spot: Spot) {
        let key = (dest, spot.id >> BUCKET);
        self.0.entry(key).or_default().push(spot);
    }

    /// Makes runs of what is enough for one; the rest goes to `others`.
    pub(crate) fn into_runs(self, least: usize, mut others: impl FnMut(String, Spot)) -> RunRows {
        let mut rows = RunRows::default();
        for ((dest, _), mut spots) in self.0 {
            if spots.len() < least {
                spots
                    .into_iter()
                    .for_each(|spot| others(dest.clone(), spot));
                continue;
            }
            spots.sort_unstable();
            // As equal as can be: a small one at the end would cost as much as a large one.
            let runs = spots.len().div_ceil(MOST);
            for run in spots.chunks(spots.len().div_ceil(runs)) {
                rows.push(&dest, run);
            }
        }
        rows
    }
}

/// Rows of `run`, a vector for each column; the places of all of them behind each other.
#[derive(Debug, Default)]
pub(crate) struct RunRows {
    first: Vec<i64>,
    dest: Vec<String>,
    turn: Vec<i64>,
    from: Vec<i32>,
    to: Vec<i32>,
    ids: Vec<i64>,
    dues: Vec<i64>,
    turns: Vec<i64>,
}

impl RunRows {
    fn push(&mut self, dest: &str, spots: &[Spot]) {
        let count = |rows: &Self| i32::try_from(rows.ids.len()).unwrap_or(i32::MAX);
        self.from.push(count(self) + 1);
        for spot in spots {
            self.ids.push(spot.id);
            self.dues.push(spot.due);
            self.turns.push(spot.turn);
        }
        self.to.push(count(self));
        // No place comes before the first instant with the lowest id.
        let lowest = spots.iter().map(|spot| spot.id).min();
        self.first.push(lowest.unwrap_or_default());
        let soonest = spots.iter().map(|spot| spot.turn).min();
        self.turn.push(soonest.unwrap_or_default());
        self.dest.push(dest.to_owned());
    }

    /// Of how many messages they are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// In the order of [`insert_runs`].
    pub(crate) fn parameters<'a>(self) -> Vec<Parameter<'a>> {
        bind![
            self.first, self.dest, self.turn, self.from, self.to, self.ids, self.dues, self.turns
        ]
    }

    pub(crate) fn step<'a>(self) -> Option<Step<'a>> {
        const SQL: &str = insert_runs!("$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8");
        (!self.is_empty()).then(|| Step::new(SQL, self.parameters()))
    }
}

/// Gives all messages of the runs `s` their rows in `q`, listed by their turns.
macro_rules! undo {
    ($by_turn:literal) => {
        concat!(
            "r AS (DELETE FROM run USING s \
               WHERE run.bucket = ANY (ARRAY(SELECT bucket FROM s)) AND run.first + 0 = s.first \
               RETURNING run.dest, run.ids, run.dues, run.turns), \
             n AS (INSERT INTO q (id, dest, number, undecided, due, turn, attempts, updated_at) \
               SELECT p.id, r.dest, ",
            $by_turn,
            ", false, p.due, p.turn, 0, p.due \
               FROM r, unnest(r.ids, r.dues, r.turns) AS p (id, due, turn) RETURNING 1) \
             SELECT count(*) FROM n"
        )
    };
}

/// Undoes the runs that hold these messages.
pub(crate) fn undo(ids: Vec<i64>) -> Step<'static> {
    const UNDO: &str = concat!(
        "WITH s AS MATERIALIZED (SELECT bucket, first FROM run \
           WHERE bucket = ANY (ARRAY(SELECT DISTINCT id >> 10 FROM unnest($1::bigint[]) AS id)) \
           AND ids && $1 ORDER BY bucket, first FOR UPDATE), ",
        undo!("$2::text")
    );
    Step::new(UNDO, bind![ids, BY_TURN])
}

/// Undoes runs that hold a message whose turn comes near. Those that others hold are passed over.
pub(crate) async fn undo_near(tx: &Tx<'_>, now: Timestamp) -> Done<()> {
    const UNDO: &str = concat!(
        "WITH s AS MATERIALIZED (SELECT bucket, first FROM run WHERE turn <= $1 \
           ORDER BY turn LIMIT $3 FOR UPDATE SKIP LOCKED), ",
        undo!("$2::text")
    );
    let step = Step::new(UNDO, bind![near(now).millis(), BY_TURN, AT_ONCE]);
    tx.ask(step).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(spots: impl IntoIterator<Item = (i64, i64)>, least: usize) -> (RunRows, Vec<i64>) {
        let mut new = Newcomers::default();
        for (due, id) in spots {
            let turn = due + 1_000_000 - id;
            new.push("gw".to_owned(), Spot { due, id, turn });
        }
        let mut others = Vec::new();
        let rows = new.into_runs(least, |_, spot| others.push(spot.id));
        (rows, others)
    }

    #[test]
    fn adr26_runs_are_of_one_size_and_few_messages_make_none() {
        let (rows, others) = runs((1..=15).map(|id| (0, id)), 16);
        assert!(rows.is_empty());
        assert_eq!(others.len(), 15);
        let (rows, others) = runs((1..=101).map(|id| (0, id)), 16);
        assert!(others.is_empty());
        assert_eq!((rows.from, rows.to), (vec![1, 35, 69], vec![34, 68, 101]));
        assert_eq!(rows.first, [1, 35, 69]);
    }

    #[test]
    fn adr26_a_run_holds_its_places_in_order_and_ids_that_are_found_near() {
        let (rows, _) = runs([(5, 1_023), (4, 1_020), (4, 1_019), (4, 1_024)], 1);
        assert_eq!(rows.ids, [1_019, 1_020, 1_023, 1_024]);
        assert_eq!(rows.dues, [4, 4, 5, 4]);
        assert_eq!((rows.from, rows.to), (vec![1, 4], vec![3, 4]));
        assert_eq!(rows.first, [1_019, 1_024]);
        assert_eq!(rows.turn[0], 5 + 1_000_000 - 1_023, "the soonest");
    }

    #[test]
    fn adr26_nothing_is_written_while_a_node_does_not_know_of_runs() {
        let of = Runs::new(16, false);
        assert_eq!(of.least(), None);
        of.set_known(true);
        assert_eq!(of.least(), Some(16));
        assert_eq!(Runs::new(0, true).least(), None);
    }
}
