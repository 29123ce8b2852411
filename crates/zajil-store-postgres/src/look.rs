//! Look-ups: statements that only read, each one moment's truth.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use zajil_core::cdr::{self, Cdr};
use zajil_core::clock::Timestamp;
use zajil_core::concatenation::{MOST_ON_A_SIDE, WINDOW};
use zajil_core::event::Event;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::number::key;
use zajil_core::queue::{Depth, Home, Standing};
use zajil_core::status::Status;
use zajil_store::contract::{Figures, Filter, OutboxSeq, Refund};
use zajil_store::record;

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::row::{damaged, is_found, message, message_columns, queue, stored, whole};
use crate::run::in_run;

/// The highest id ever stored.
pub(crate) const HIGHEST: &str = "SELECT greatest((SELECT coalesce(max(id), 0) FROM msg), \
     (SELECT coalesce(max(value), 0) FROM meta WHERE name = 'highest'))";

pub(crate) fn one(id: MessageId) -> Step<'static> {
    const SQL: &str = concat!(
        "SELECT ",
        message_columns!(),
        " FROM msg m LEFT JOIN q ON q.id = m.id LEFT JOIN fin f ON f.id = m.id WHERE ",
        is_found!(),
        " AND m.id = $1"
    );
    Step::new(SQL, bind![id.as_i64()])
}

/// The columns and the conditions of a list, around its tables; `$1` orders and pages.
macro_rules! filtered {
    ($from:expr, $found:expr, $place:literal, $order:literal) => {
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM ",
            $from,
            " WHERE ",
            $found,
            " AND ",
            $place,
            " < $1 AND ($2::text IS NULL OR f.how = $2) \
             AND ($3::text IS NULL OR strpos(m.source, $3) > 0 OR strpos(m.destination, $3) > 0) \
             AND (NOT $4::boolean OR \
               (CASE WHEN f.id IS NULL THEN m.dest_smsc ELSE f.dest_smsc END) \
                IS NOT DISTINCT FROM $5::text) \
             AND ($6::text IS NULL OR m.source_smsc = $6) \
             AND ($7::bigint IS NULL OR m.inserted_at >= $7) \
             AND ($8::bigint IS NULL OR m.inserted_at < $8) \
             AND ($11::bigint IS NULL OR (q.attempts = 0 AND q.deliver_after > $11)) ORDER BY ",
            $order,
        )
    };
}

/// Many messages, newest first. Pending ones are found through their queue rows and their runs,
/// however many finished ones lie between.
pub(crate) fn list(filter: &Filter) -> Step<'static> {
    if let Some(place) = &filter.place {
        return list_here(place, filter);
    }
    const ANY: &str = concat!(
        filtered!(
            "msg m LEFT JOIN q ON q.id = m.id LEFT JOIN fin f ON f.id = m.id",
            is_found!(),
            "m.id",
            "m.id DESC"
        ),
        " LIMIT $9 OFFSET $10"
    );
    // As many of each as of both: the ids of a run share their bucket, and so come in order.
    const PENDING: &str = concat!(
        "SELECT * FROM ((",
        filtered!(
            "q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false",
            "true",
            "q.id",
            "q.id DESC"
        ),
        " LIMIT $9::bigint + $10::bigint) UNION ALL (",
        filtered!(
            "run, unnest(run.ids) AS n (id) JOIN msg m ON m.id = n.id LEFT JOIN q ON false \
             LEFT JOIN fin f ON false",
            "run.bucket <= $1 >> 10",
            "n.id",
            "run.bucket DESC, n.id DESC"
        ),
        " LIMIT $9::bigint + $10::bigint)) AS waits ORDER BY id DESC LIMIT $9 OFFSET $10"
    );
    const ENDED: &str = concat!(
        filtered!(
            "fin f JOIN msg m ON m.id = f.id LEFT JOIN q ON q.id = m.id",
            "NOT f.hidden",
            "f.id",
            "f.id DESC"
        ),
        " LIMIT $9 OFFSET $10"
    );
    let (sql, how) = match filter.status {
        None => (ANY, None),
        Some(Status::Pending) => (PENDING, None),
        Some(Status::Final(how)) => (ENDED, Some(how.as_str())),
    };
    let number = filter.number.as_ref();
    let name = |name: &FrontendName| name.as_str().to_owned();
    let dest = filter.dest_smsc.as_ref().and_then(Option::as_ref);
    Step::new(
        sql,
        bind![
            filter.before.map_or(i64::MAX, MessageId::as_i64),
            how,
            number.map(|number| key(number).into_owned()),
            filter.dest_smsc.is_some(),
            dest.map(name),
            filter.source_smsc.as_ref().map(name),
            filter.from.map(Timestamp::millis),
            filter.to.map(Timestamp::millis),
            i64::from(filter.limit),
            i64::from(filter.offset),
            filter.scheduled_after.map(Timestamp::millis),
        ],
    )
}

/// The messages that wait and are found in a place, newest first.
fn list_here(place: &str, filter: &Filter) -> Step<'static> {
    const SQL: &str = concat!(
        "SELECT ",
        message_columns!(),
        " FROM q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false \
         WHERE q.place = $1 AND q.id < $2 ORDER BY q.id DESC LIMIT $3"
    );
    let before = filter.before.map_or(i64::MAX, MessageId::as_i64);
    let limit = i64::from(filter.limit);
    Step::new(SQL, bind![place.to_owned(), before, limit])
}

/// The messages that may be parts of the same text as this one.
pub(crate) fn parts(id: MessageId) -> Step<'static> {
    const SQL: &str = concat!(
        "WITH k AS (SELECT key, at FROM part WHERE id = $1) SELECT ",
        message_columns!(),
        " FROM ((SELECT p.id, p.at FROM part p, k WHERE p.key = k.key AND p.at >= k.at - $2 \
           AND (p.at, p.id) < (k.at, $1) ORDER BY p.at DESC, p.id DESC LIMIT $3) \
         UNION ALL (SELECT p.id, p.at FROM part p, k WHERE p.key = k.key AND p.at <= k.at + $2 \
           AND (p.at, p.id) >= (k.at, $1) ORDER BY p.at, p.id LIMIT $3 + 1)) AS p \
         JOIN msg m ON m.id = p.id LEFT JOIN q ON q.id = m.id LEFT JOIN fin f ON f.id = m.id \
         ORDER BY p.at, p.id"
    );
    let window = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
    let side = i64::from(MOST_ON_A_SIDE);
    Step::new(SQL, bind![id.as_i64(), window, side])
}

/// The log of a message: what it was stored with, what came later, what it ended with.
pub(crate) fn log(id: MessageId) -> Step<'static> {
    const SQL: &str = concat!(
        "SELECT events FROM ( \
         SELECT -1 AS n, m.events FROM msg m WHERE m.id = $1 \
           AND (EXISTS (SELECT 1 FROM q WHERE q.id = $1) \
                OR EXISTS (SELECT 1 FROM fin f WHERE f.id = $1) OR ",
        in_run!("$1"),
        ") UNION ALL SELECT f.logged_n, f.events FROM fin f WHERE f.id = $1 \
         UNION ALL SELECT -1, l.first FROM log l WHERE l.id = $1 \
         UNION ALL SELECT l.last_n, l.last FROM log l WHERE l.id = $1 \
         UNION ALL SELECT e.n, e.events FROM event e WHERE e.message_id = $1 \
         ) AS lines WHERE events IS NOT NULL ORDER BY n"
    );
    Step::new(SQL, bind![id.as_i64()])
}

pub(crate) fn events(rows: &[Row]) -> Done<Vec<Event>> {
    let mut events = Vec::new();
    for row in rows {
        events.extend(record::decode_events(row.try_get(0)?)?);
    }
    Ok(events)
}

/// The oldest entries of the outbox.
pub(crate) fn outbox(limit: u32) -> Step<'static> {
    const SQL: &str = concat!(
        "SELECT ",
        message_columns!(),
        ", o.seq FROM (SELECT seq, id FROM outbox ORDER BY seq LIMIT $1) AS o \
         JOIN msg m ON m.id = o.id JOIN fin f ON f.id = o.id LEFT JOIN q ON false ORDER BY o.seq"
    );
    Step::new(SQL, bind![i64::from(limit)])
}

pub(crate) fn entries(rows: &[Row]) -> Done<Vec<(OutboxSeq, Cdr)>> {
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let cdr = cdr::of(&message(row)?);
        let cdr = cdr.ok_or_else(|| damaged("an outbox entry of no end".into()))?;
        entries.push((OutboxSeq(whole(row, 20)?), cdr));
    }
    Ok(entries)
}

/// The oldest refunds that are not put off.
pub(crate) fn refunds(now: Timestamp, limit: u32) -> Step<'static> {
    const SQL: &str = "SELECT record, begun FROM refund WHERE next_try <= $1 ORDER BY id LIMIT $2";
    Step::new(SQL, bind![now.millis(), i64::from(limit)])
}

pub(crate) fn read_refunds(rows: &[Row]) -> Done<Vec<Refund>> {
    let mut refunds = Vec::with_capacity(rows.len());
    for row in rows {
        let mut refund = record::decode_refund(row.try_get(0)?)?;
        let begun: Option<i64> = row.try_get(1)?;
        refund.begun = begun.map(Timestamp::from_millis);
        refunds.push(refund);
    }
    Ok(refunds)
}

/// The sums of what every writer has counted, and when the first message falls due: one look at the
/// index for each queue.
pub(crate) const FIGURES: &str = "WITH RECURSIVE queue AS ( \
       (SELECT dest FROM q WHERE dest IS NOT NULL ORDER BY dest LIMIT 1) UNION ALL \
       SELECT (SELECT q.dest FROM q WHERE q.dest > queue.dest ORDER BY q.dest LIMIT 1) \
       FROM queue WHERE queue.dest IS NOT NULL), \
     new AS ((SELECT dest FROM run ORDER BY dest LIMIT 1) UNION ALL \
       SELECT (SELECT run.dest FROM run WHERE run.dest > new.dest ORDER BY run.dest LIMIT 1) \
       FROM new WHERE new.dest IS NOT NULL) \
     SELECT coalesce(sum(messages), 0)::bigint, coalesce(sum(pending), 0)::bigint, \
       coalesce(sum(outbox), 0)::bigint, (SELECT count(*) FROM refund), \
       least((SELECT min((SELECT min(q.due) FROM q WHERE q.dest = queue.dest)) FROM queue \
         WHERE queue.dest IS NOT NULL), \
         (SELECT min((SELECT min(run.due) FROM run WHERE run.dest = new.dest)) FROM new \
         WHERE new.dest IS NOT NULL)) FROM lane";

pub(crate) fn figures(rows: &[Row]) -> Done<Figures> {
    let row = rows.first().ok_or_else(|| damaged("no answer".into()))?;
    let first: Option<i64> = row.try_get(4)?;
    Ok(Figures {
        messages: whole(row, 0)?,
        pending: whole(row, 1)?,
        outbox: whole(row, 2)?,
        refunds: whole(row, 3)?,
        first_due: first.map(Timestamp::from_millis),
    })
}

pub(crate) fn depths(now: Timestamp) -> Step<'static> {
    const SQL: &str = "SELECT dest, CASE WHEN dest IS NULL THEN 'waiting' \
         WHEN leased_until > $1 THEN 'leased' WHEN due > $1 THEN 'waiting' ELSE 'due' END, \
         count(*) FROM (SELECT dest, leased_until, due FROM q UNION ALL \
         SELECT run.dest, NULL, unnest(run.dues) FROM run) AS waits GROUP BY 1, 2";
    Step::new(SQL, bind![now.millis()])
}

pub(crate) fn read_depths(rows: &[Row]) -> Done<BTreeMap<Home, Depth>> {
    let mut depths: BTreeMap<Home, Depth> = BTreeMap::new();
    for row in rows {
        let home = match row.try_get::<_, Option<&str>>(0)? {
            None => Home::Charging,
            Some(dest) => queue(dest)?.map_or(Home::Unrouted, Home::Frontend),
        };
        let word: &str = row.try_get(1)?;
        let standing = Standing::ALL.into_iter().find(|s| s.name() == word);
        let standing = standing.ok_or_else(|| damaged("no such standing".into()))?;
        depths
            .entry(home)
            .or_default()
            .add(standing, whole(row, 2)?);
    }
    Ok(depths)
}

/// The latest location of a number.
pub(crate) fn location_of(number: &str) -> Step<'static> {
    const SQL: &str = "SELECT record FROM location WHERE number = $1 \
         ORDER BY updated_at DESC, id DESC LIMIT 1";
    Step::new(SQL, bind![key(number).into_owned()])
}

/// A record by its id.
pub(crate) fn by_id(sql: &'static str, id: u64) -> Step<'static> {
    Step::new(sql, bind![stored(id)])
}
