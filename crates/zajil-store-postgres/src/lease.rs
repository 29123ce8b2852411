//! Offering and holding: what a frontend may take, in the order of (`due`, `id`).

use std::collections::HashMap;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_store::contract::OfferAsk;

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::front::{Found, Place, Start};
use crate::held::Version;
use crate::row::{UNROUTED, Waiting, damaged, message_columns, pending, text_columns};
use crate::run::{front_places, listed, living, take_off, up_to_last};
use crate::ticket::Ticket;

/// One caller's ask for messages to hold.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) ask: OfferAsk,
    pub(crate) until: Timestamp,
    pub(crate) ticket: Ticket<Leased>,
}

/// What was leased.
#[derive(Debug, Default)]
pub(crate) struct Leased {
    pub(crate) messages: Vec<Message>,
    /// Those of them that somebody held before, without a report.
    pub(crate) returned: Vec<MessageId>,
    /// The place of the first of them.
    pub(crate) first: Option<Place>,
    /// Where the first run began that was there, whoever was taking from it; none when that was not
    /// looked for.
    pub(crate) run: Option<Place>,
    /// Which transaction has claimed them.
    pub(crate) version: Option<Version>,
    /// How many connections had been lost before it.
    pub(crate) losses: u64,
}

/// Whether a message still lives at `$2`. Its turn comes with the end of its life or before: only
/// where that has passed does its row in `msg` have to be asked.
macro_rules! alive {
    () => {
        // No EXISTS: the planner would gather all of `msg` for it.
        "(q.turn > $2 OR (SELECT m.expires FROM msg m WHERE m.id = q.id) > $2)"
    };
}

/// Chooses the first of the rows `a` and `b` and of what stands in runs, holds them, and remembers
/// them for the next statement of the transaction. What is due has waited for `deliver_after` and
/// since it was inserted, so of these and the end of the lease that end is the latest, except when
/// the lease is over already.
///
/// A message of a run gets its row in `q`.
macro_rules! hold {
    () => {
        concat!(
            ", ",
            front_places!("($7, $8)", "FOR UPDATE SKIP LOCKED"),
            ", l AS MATERIALIZED (SELECT first, ids, dues, turns ",
            up_to_last!(),
            "FOR UPDATE SKIP LOCKED), \
             p AS MATERIALIZED (SELECT l.first, p.* \
               FROM l, unnest(l.ids, l.dues, l.turns) AS p (id, due, turn)), \
             c AS MATERIALIZED (SELECT * FROM (\
               SELECT id, due, held, NULL::bigint AS first, NULL::bigint AS turn FROM a \
               UNION ALL SELECT id, due, held, NULL, NULL FROM b \
               UNION ALL SELECT p.id, p.due, false, p.first, p.turn FROM p WHERE p.due <= $2 AND ",
            living!(),
            ") AS due ORDER BY due, id LIMIT $3), ",
            take_off!(),
            "u AS (UPDATE q SET due = greatest(q.deliver_after, $4), leased_until = $4 FROM c \
               WHERE q.id = ANY (ARRAY(SELECT id FROM c WHERE first IS NULL)) AND q.id = c.id \
               RETURNING c.id, c.due, c.held, q.attempts, q.deliver_after, q.updated_at), \
             n AS (INSERT INTO q \
               (id, dest, number, undecided, due, turn, attempts, leased_until, updated_at) \
               SELECT id, $1, ",
            listed!(),
            ", false, $4, turn, 0, $4, due FROM c WHERE first IS NOT NULL \
               RETURNING id, updated_at AS due, false AS held, attempts, deliver_after, \
               updated_at) \
             SELECT array_agg(id), array_agg(due), array_agg(held), array_agg(attempts), \
             array_agg(deliver_after), array_agg(updated_at), \
             set_config('zajil.claimed', coalesce(array_agg(id)::text, '{}'), true), \
             set_config('zajil.first', coalesce(min(id), 0)::text, true), \
             set_config('zajil.last', coalesce(max(id), 0)::text, true), \
             pg_current_xact_id()::xid::text::bigint, \
             CASE WHEN $7 = -9223372036854775808 THEN \
             (SELECT ARRAY[due, first] FROM run WHERE dest = $1 ORDER BY due, first LIMIT 1) END \
             FROM (SELECT * FROM u UNION ALL SELECT * FROM n) AS claimed"
        )
    };
}

/// Takes rows that nobody else is about to take. One queue: the index gives them in order. When
/// there are too few from where it begins, those before it, too.
const CLAIM_ONE: &str = concat!(
    "WITH a AS MATERIALIZED (SELECT q.id, q.due, q.leased_until IS NOT NULL AS held FROM q \
     WHERE q.dest = $1 AND q.due <= $2 AND (q.due, q.id) >= ($5, $6) AND ",
    alive!(),
    " ORDER BY q.due, q.id LIMIT $3 FOR UPDATE SKIP LOCKED), \
     b AS MATERIALIZED (SELECT q.id, q.due, q.leased_until IS NOT NULL AS held FROM q \
     WHERE q.dest = $1 AND q.due <= $2 AND (q.due, q.id) >= ($7, $8) \
     AND (q.due, q.id) < ($5, $6) AND ",
    alive!(),
    " ORDER BY q.due, q.id LIMIT $3 - (SELECT count(*) FROM a) FOR UPDATE SKIP LOCKED)",
    hold!()
);

/// The first of two queues from a place on, as many of each and of both as `$most` says; no index
/// has them in one order.
macro_rules! first_of_two {
    ($most:literal from $place:literal) => {
        concat!(
            "SELECT x.id FROM ((SELECT q.due, q.id FROM q WHERE q.dest = $1 AND q.due <= $2 \
             AND (q.due, q.id) >= ",
            $place,
            " AND ",
            alive!(),
            " ORDER BY q.due, q.id LIMIT ",
            $most,
            ") UNION ALL (SELECT q.due, q.id FROM q WHERE q.dest = '' AND q.due <= $2 \
             AND (q.due, q.id) >= ",
            $place,
            " AND ",
            alive!(),
            " ORDER BY q.due, q.id LIMIT ",
            $most,
            ")) x ORDER BY x.due, x.id LIMIT ",
            $most
        )
    };
}

/// The same over two queues: candidates by each index, then those that are still free.
///
/// Candidates are found before they are locked, so those of somebody who is just taking them are
/// missing. Only then is it looked further, past what as many as two full answers hold: a poller
/// that came away with nothing would wait although messages are free.
const CLAIM_TWO: &str = concat!(
    "WITH a AS MATERIALIZED (SELECT q.id, q.due, q.leased_until IS NOT NULL AS held FROM q \
     WHERE q.id = ANY (ARRAY(",
    first_of_two!("$3" from "($5, $6)"),
    ")) AND q.dest IN ($1, '') AND q.due <= $2 FOR UPDATE SKIP LOCKED), \
     b AS MATERIALIZED (SELECT q.id, q.due, q.leased_until IS NOT NULL AS held FROM q \
     WHERE q.id = ANY (ARRAY(",
    first_of_two!("$3 + 2000" from "($7, $8)"),
    ")) AND q.id <> ALL (ARRAY(SELECT id FROM a)) AND q.dest IN ($1, '') AND q.due <= $2 \
     ORDER BY q.due, q.id LIMIT $3 - (SELECT count(*) FROM a) FOR UPDATE SKIP LOCKED)",
    hold!()
);

/// Reads the texts of what was claimed, after it was: only what a statement sees that begins under
/// the claim cannot be changed any more by somebody else. Days that hold none of it are left out
/// before it begins, because the first and the last id are known by then.
const READ: &str = concat!(
    "SELECT ",
    text_columns!(),
    " FROM msg m WHERE m.id = ANY (current_setting('zajil.claimed')::bigint[]) \
     AND m.id >= current_setting('zajil.first')::bigint \
     AND m.id <= current_setting('zajil.last')::bigint"
);

impl Lease {
    /// Whose claim it is, and whether it is of two queues.
    pub(crate) fn asker(&self) -> (&str, bool) {
        let asker = &self.ask.asker;
        (asker.name.as_str(), asker.include_unrouted)
    }

    /// Claims, and reads what was claimed.
    pub(crate) fn steps(&self, start: Start) -> [Step<'static>; 2] {
        let (ask, until) = (&self.ask, self.until.millis());
        let name = ask.asker.name.as_str().to_owned();
        let sql = if ask.asker.include_unrouted {
            CLAIM_TWO
        } else {
            CLAIM_ONE
        };
        let limit = i64::from(ask.limit);
        let (near, far) = (start.near, start.far);
        let parameters = bind![
            name,
            ask.now.millis(),
            limit,
            until,
            near.0,
            near.1,
            far.0,
            far.1
        ];
        [Step::new(sql, parameters), Step::bare(READ)]
    }

    /// What the claim has found.
    pub(crate) fn found(&self, leased: &Leased) -> Found {
        let asked = usize::try_from(self.ask.limit).unwrap_or(usize::MAX);
        Found {
            first: leased.first,
            run: leased.run,
            full: leased.messages.len() >= asked,
        }
    }
}

/// A row of `q` that was claimed.
struct Claimed {
    due: i64,
    held: bool,
    waiting: Waiting,
}

impl Leased {
    /// What the steps have answered; the messages in the order of what fell due first.
    pub(crate) fn read(
        claimed: &[Row],
        texts: &[Row],
        until: Timestamp,
        losses: u64,
    ) -> Done<Self> {
        let version = claimed.first().map(|row| row.try_get::<_, i64>(9));
        let run = claimed
            .first()
            .map(|row| row.try_get::<_, Option<Vec<i64>>>(10));
        let run = match run.transpose()?.flatten().as_deref() {
            Some([due, first]) => Some((*due, *first)),
            _ => None,
        };
        let mut claimed = read_claims(claimed, until)?;
        let mut leased = Vec::with_capacity(texts.len());
        for row in texts {
            let id = row.try_get(0)?;
            let claim = claimed.remove(&id);
            let claim = claim.ok_or_else(|| damaged("not what was claimed".into()))?;
            leased.push((claim.due, claim.held, pending(row, claim.waiting)?));
        }
        leased.sort_unstable_by_key(|(due, _, message)| (*due, message.id));
        let held = leased.iter().filter(|(_, held, _)| *held);
        let first = leased.first();
        let first = first.map(|(due, _, message)| (*due, message.id.as_i64()));
        Ok(Self {
            returned: held.map(|(_, _, message)| message.id).collect(),
            messages: leased.into_iter().map(|(_, _, message)| message).collect(),
            first,
            run,
            version: version.transpose()?.map(as_version),
            losses,
        })
    }
}

/// The same 32 bits: `xmin` compares with a signed integer.
fn as_version(transaction: i64) -> Version {
    let [.., a, b, c, d] = transaction.to_be_bytes();
    Version::from_be_bytes([a, b, c, d])
}

fn read_claims(rows: &[Row], until: Timestamp) -> Done<HashMap<i64, Claimed>> {
    let row = rows.first().ok_or_else(|| damaged("no answer".into()))?;
    let Some(ids) = row.try_get::<_, Option<Vec<i64>>>(0)? else {
        return Ok(HashMap::new());
    };
    let due: Vec<i64> = row.try_get(1)?;
    let held: Vec<bool> = row.try_get(2)?;
    let attempts: Vec<i64> = row.try_get(3)?;
    let deliver_after: Vec<Option<i64>> = row.try_get(4)?;
    let updated_at: Vec<i64> = row.try_get(5)?;
    let state = due.into_iter().zip(held);
    let waiting = attempts.into_iter().zip(deliver_after).zip(updated_at);
    let all = ids.into_iter().zip(state.zip(waiting));
    let claims = all.map(
        |(id, ((due, held), ((attempts, deliver_after), updated_at)))| {
            let waiting = Waiting {
                attempts,
                deliver_after,
                leased_until: Some(until.millis()),
                updated_at,
            };
            let claim = Claimed { due, held, waiting };
            (id, claim)
        },
    );
    Ok(claims.collect())
}

/// What begins a look at a queue, of those that have rows in `q`; what goes on with another one.
macro_rules! waiting {
    ($queue:literal) => {
        concat!(
            "WITH ",
            front_places!("($4, $4)", ""),
            " SELECT * FROM (",
            waiting!(of $queue)
        )
    };
    (AND $queue:literal) => {
        concat!(" UNION ALL ", waiting!(of $queue))
    };
    (of $queue:literal) => {
        concat!(
            "(SELECT ",
            message_columns!(),
            ", q.due AS place FROM q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false WHERE ",
            $queue,
            " AND q.due <= $2 AND m.expires > $2 ORDER BY q.due, q.id LIMIT $3)"
        )
    };
}

/// What ends it, with those that stand in runs.
macro_rules! new {
    () => {
        concat!(
            " UNION ALL (SELECT ",
            message_columns!(),
            ", p.due AS place FROM (SELECT ids, dues ",
            up_to_last!(),
            ") AS r, unnest(r.ids, r.dues) AS p (id, due) JOIN msg m ON m.id = p.id \
             LEFT JOIN q ON false LEFT JOIN fin f ON false \
             WHERE p.due <= $2 AND m.expires > $2 ORDER BY p.due, p.id LIMIT $3)) AS x \
             ORDER BY place, id LIMIT $3"
        )
    };
}

/// The messages that may be offered, held by nobody for it.
pub(crate) fn offer(ask: &OfferAsk) -> Step<'static> {
    const ONE: &str = concat!(waiting!("q.dest = $1"), new!());
    const TWO: &str = concat!(waiting!("q.dest = $1"), waiting!(AND "q.dest = ''"), new!());
    let sql = if ask.asker.include_unrouted { TWO } else { ONE };
    let name = ask.asker.name.as_str().to_owned();
    let limit = i64::from(ask.limit);
    Step::new(sql, bind![name, ask.now.millis(), limit, i64::MIN])
}

/// When the next message for the asker falls due, of those from a place on.
pub(crate) fn next_due(asker: &Asker, from: Place) -> Step<'static> {
    const SQL: &str = "SELECT least(\
         (SELECT min(due) FROM q WHERE dest = $1 AND (due, id) >= ($3, $4)), \
         (SELECT min(due) FROM q WHERE dest = $2 AND (due, id) >= ($3, $4)), \
         (SELECT min(due) FROM run WHERE dest = $1 AND (due, first) >= ($3, $4)))";
    let name = asker.name.as_str().to_owned();
    let other = if asker.include_unrouted {
        UNROUTED.to_owned()
    } else {
        name.clone()
    };
    Step::new(SQL, bind![name, other, from.0, from.1])
}
