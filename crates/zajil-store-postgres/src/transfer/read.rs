//! Reading messages, logs and counters, whatever tables they lie in.

use std::collections::{BTreeMap, HashMap};

use zajil_core::event::Event;
use zajil_store::transfer::{Counter, Ended, Row, Table, Value, log_values, message_row};
use zajil_store::{Error, record};

use super::plain;
use crate::conn::{Conn, Step, bind};
use crate::error::Done;
use crate::look;
use crate::row::{damaged, message, message_columns, queue};
use crate::tables::{self, only};

/// More than transactions that overtake each other leave behind.
const LATE: i64 = 100_000;

/// What ended before something whose CDR is in the sink already, and waits itself: a transaction
/// that was slow. It gets a place behind all others, so that one place divides what has been told
/// from what has not.
pub(super) async fn late(conn: &Conn) -> Done<BTreeMap<i64, i64>> {
    // From the last ending backwards, to the first that was told: never all of them.
    const LATE_ONES: &str = "SELECT o.seq FROM outbox o WHERE o.seq < \
         (SELECT f.seq FROM fin f \
          WHERE NOT EXISTS (SELECT 1 FROM outbox d WHERE d.seq = f.seq) \
          ORDER BY f.seq DESC LIMIT 1) ORDER BY o.seq LIMIT $1";
    let rows = conn.ask(Step::new(LATE_ONES, bind![LATE + 1])).await?;
    let last = last_ending(conn).await?;
    let mut late = BTreeMap::new();
    for (row, place) in rows.iter().zip(last + 1..=last + LATE) {
        late.insert(row.try_get(0)?, place);
    }
    if late.len() < rows.len() {
        return Err(damaged(format!("more than {LATE} endings were told out of order")).into());
    }
    Ok(late)
}

/// The highest place that was given to a late one.
pub(super) fn last_of(late: &BTreeMap<i64, i64>) -> i64 {
    late.values().last().copied().unwrap_or(0)
}

async fn last_ending(conn: &Conn) -> Done<i64> {
    const LAST: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_seq";
    one(conn, LAST).await
}

async fn one(conn: &Conn, sql: &'static str) -> Done<i64> {
    let value = only(&conn.ask(Step::bare(sql)).await?)?;
    Ok(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The counters behind a name; `places` is the highest place of an ending, if not the sequence's.
pub(super) async fn counters(conn: &Conn, after: &Row, places: i64) -> Done<Vec<Row>> {
    macro_rules! last_id {
        ($table:literal, $sequence:literal, $id:literal) => {
            concat!(
                "SELECT greatest((SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ",
                $sequence,
                "), (SELECT coalesce(max(",
                $id,
                "), 0) FROM ",
                $table,
                "))"
            )
        };
    }
    let mut rows = Vec::new();
    for counter in Counter::ALL {
        let value = match counter {
            Counter::Highest => one(conn, look::HIGHEST).await?,
            Counter::Outbox => last_ending(conn).await?.max(places),
            Counter::Routing => one(conn, tables::VERSION).await?,
            Counter::Location => one(conn, last_id!("location", "location_id_seq", "id")).await?,
            Counter::Frontend => one(conn, last_id!("frontend", "frontend_id_seq", "id")).await?,
            Counter::Route => one(conn, last_id!("route", "route_id_seq", "id")).await?,
            Counter::Rule => one(conn, last_id!("rule", "rule_id_seq", "id")).await?,
            Counter::Receipt => one(conn, last_id!("receipt", "receipt_seq", "seq")).await?,
        };
        let row = vec![counter.name().into(), Value::Int(value)];
        if value != 0 && Table::Counter.key(&row) > *after {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Lines of logs by message, each with its place.
type Lines = HashMap<i64, Vec<(i64, Vec<Event>)>>;

/// The lines that came later to the logs of a page. Those of the messages between them that have
/// left are not read: there may be any number.
async fn later(conn: &Conn, page: &[i64]) -> Done<Lines> {
    const LATER: &str = "SELECT e.message_id, e.n, e.events \
         FROM (SELECT unnest($1::bigint[]) AS id) AS p JOIN event e ON e.message_id = p.id \
         ORDER BY e.message_id, e.n";
    let mut lines = Lines::new();
    for row in conn.ask(Step::new(LATER, bind![page.to_vec()])).await? {
        let events = record::decode_events(row.try_get(2)?)?;
        let place: i64 = row.try_get(1)?;
        lines
            .entry(row.try_get(0)?)
            .or_default()
            .push((place, events));
    }
    Ok(lines)
}

/// A log in its order: what it began with, what came later, and what was written in between.
fn whole_log(
    first: &str,
    between: Option<(i64, &str)>,
    later: Vec<(i64, Vec<Event>)>,
) -> Result<Vec<Event>, Error> {
    let mut chunks = vec![(-1, record::decode_events(first)?)];
    if let Some((place, events)) = between {
        chunks.push((place, record::decode_events(events)?));
    }
    chunks.extend(later);
    chunks.sort_by_key(|(place, _)| *place);
    Ok(chunks.into_iter().flat_map(|(_, events)| events).collect())
}

fn first_of(after: &Row) -> i64 {
    match after.first() {
        Some(Value::Int(id)) => *id,
        _ => i64::MIN,
    }
}

/// The ids that rows begin with.
fn ids_of(rows: &[tokio_postgres::Row]) -> Done<Vec<i64>> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The ids of a page of messages. They are looked for where messages are, not among the texts:
/// those of messages that have left stay there until their day is taken away.
async fn living(conn: &Conn, after: &Row, limit: u32) -> Done<Vec<i64>> {
    const IDS: &str = "SELECT id FROM (\
         (SELECT id FROM q WHERE id > $1 ORDER BY id LIMIT $2) UNION \
         (SELECT n.id FROM run, unnest(run.ids) AS n (id) WHERE run.bucket >= $1 >> 10 \
           AND n.id > $1 ORDER BY run.bucket, n.id LIMIT $2) UNION \
         (SELECT id FROM fin WHERE id > $1 ORDER BY id LIMIT $2)) AS page ORDER BY id LIMIT $2";
    let page = bind![first_of(after), i64::from(limit)];
    ids_of(&conn.ask(Step::new(IDS, page)).await?)
}

/// A page of messages.
pub(super) async fn messages(
    conn: &Conn,
    after: &Row,
    limit: u32,
    late: Option<&BTreeMap<i64, i64>>,
) -> Done<Vec<Row>> {
    const PAGE: &str = concat!(
        "SELECT ",
        message_columns!(),
        ", CASE WHEN q.id IS NULL AND f.id IS NULL THEN m.dest_smsc ELSE q.dest END, \
         f.hidden, f.seq, o.seq IS NULL, m.events, f.logged_n, f.events \
         FROM (SELECT unnest($1::bigint[]) AS id) AS p JOIN msg m ON m.id = p.id \
         LEFT JOIN q ON q.id = m.id LEFT JOIN fin f ON f.id = m.id \
         LEFT JOIN outbox o ON o.seq = f.seq ORDER BY m.id"
    );
    let ids = living(conn, after, limit).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = conn.ask(Step::new(PAGE, bind![ids.clone()])).await?;
    if rows.len() != ids.len() {
        let (first, missing) = (ids.first().unwrap_or(&0), ids.len() - rows.len());
        let told = format!("{missing} messages from {first} on have a state and no text");
        return Err(damaged(told).into());
    }
    let mut lines = later(conn, &ids).await?;
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: i64 = row.try_get(0)?;
        let hidden: Option<bool> = row.try_get(21)?;
        let seq: Option<i64> = row.try_get(22)?;
        let told: bool = row.try_get(23)?;
        let ended = hidden.zip(seq).map(|(hidden, seq)| Ended {
            hidden,
            place: late.and_then(|late| late.get(&seq)).copied().unwrap_or(seq),
            told,
        });
        let queued = match row.try_get::<_, Option<&str>>(20)? {
            Some(dest) => queue(dest)?,
            None => None,
        };
        let (place, end): (Option<i64>, Option<&str>) = (row.try_get(25)?, row.try_get(26)?);
        let own = lines.remove(&id).unwrap_or_default();
        let events = whole_log(row.try_get(24)?, place.zip(end), own)?;
        page.push(message_row(message(row)?, queued.as_ref(), ended, &events)?);
    }
    Ok(page)
}

/// A page of the logs of messages that have left.
pub(super) async fn logs(conn: &Conn, after: &Row, limit: u32) -> Done<Vec<Row>> {
    const PAGE: &str = "SELECT id, newest, first, last_n, last FROM log WHERE id > $1 \
         ORDER BY id LIMIT $2";
    let page = bind![first_of(after), i64::from(limit)];
    let rows = conn.ask(Step::new(PAGE, page)).await?;
    let mut lines = later(conn, &ids_of(&rows)?).await?;
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: i64 = row.try_get(0)?;
        let end: Option<&str> = row.try_get(4)?;
        let between = end.map(|end| -> Done<_> { Ok((row.try_get(3)?, end)) });
        let own = lines.remove(&id).unwrap_or_default();
        let events = whole_log(row.try_get(2)?, between.transpose()?, own)?;
        let (_, events) = log_values(&events);
        page.push(vec![Value::Int(id), plain::int(row.try_get(1)?), events]);
    }
    Ok(page)
}
