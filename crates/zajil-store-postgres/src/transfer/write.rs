//! Writing what is carried into the tables that it lies in here.

use std::borrow::Cow;

use zajil_core::number::key;
use zajil_store::transfer::{Counter, Mark, MessageRow, Row, Table, Value, read_message_row};
use zajil_store::{Error, record};

use super::{SET_MARK, plain};
use crate::conn::{Conn, Step, bind};
use crate::error::Done;
use crate::row::{damaged, storable};
use crate::turn::BY_TURN;

/// The ids that rows begin with.
pub(super) fn ids(rows: &[Row]) -> impl Iterator<Item = i64> {
    rows.iter().filter_map(|row| match row.first() {
        Some(Value::Int(id)) => Some(*id),
        _ => None,
    })
}

/// Adds rows that are not there yet, and sets the mark, in one transaction.
pub(super) async fn put(conn: &Conn, table: Table, rows: &[Row], mark: &Mark) -> Done<()> {
    let mut steps = vec![Step::bare("BEGIN")];
    match table {
        Table::Counter => steps.extend(rows.iter().map(counter).collect::<Done<Vec<_>>>()?),
        Table::Message => steps.extend(messages(rows)?),
        Table::Log => steps.push(logs(rows)),
        table => steps.extend(plain::insert(table, rows)?),
    }
    steps.push(Step::new(SET_MARK, bind![record::encode_mark(mark)]));
    steps.push(Step::bare("COMMIT"));
    // Behind a step that failed the commit undoes the others.
    conn.ask_all(steps).await.map(drop)
}

fn counter(row: &Row) -> Done<Step<'_>> {
    const META: &str = "INSERT INTO meta VALUES ($1, $2)";
    let [Value::Text(name), Value::Int(value)] = row.as_slice() else {
        return Err(damaged("not the row of a counter".into()).into());
    };
    let known = Counter::named(name);
    let sql = match known.ok_or_else(|| damaged(format!("an unknown counter {name}")))? {
        Counter::Highest | Counter::Routing => {
            return Ok(Step::new(META, bind![name.as_str(), *value]));
        }
        Counter::Outbox => "SELECT setval('outbox_seq', $1)",
        Counter::Location => "SELECT setval('location_id_seq', $1)",
        Counter::Frontend => "SELECT setval('frontend_id_seq', $1)",
        Counter::Route => "SELECT setval('route_id_seq', $1)",
        Counter::Rule => "SELECT setval('rule_id_seq', $1)",
        Counter::Receipt => "SELECT setval('receipt_seq', $1)",
    };
    Ok(Step::new(sql, bind![*value]))
}

fn logs(rows: &[Row]) -> Step<'_> {
    const LOGS: &str = "INSERT INTO log (id, newest, first, last_n) SELECT unnest($1::bigint[]), \
         unnest($2::bigint[]), unnest($3::text[]), 0";
    let (mut newest, mut events) = (Vec::new(), Vec::new());
    for row in rows {
        if let [_, Value::Int(at), Value::Text(lines)] = row.as_slice() {
            newest.push(*at);
            events.push(lines.as_str());
        }
    }
    Step::new(LOGS, bind![ids(rows).collect::<Vec<_>>(), newest, events])
}

/// One vector a column.
macro_rules! columns {
    ($rows:expr, $($column:ident),* $(,)?) => {
        bind![$($rows.iter().map(|row| row.$column).collect::<Vec<_>>()),*]
    };
}

fn messages(rows: &[Row]) -> Done<Vec<Step<'_>>> {
    let read: Result<Vec<MessageRow<'_>>, Error> = rows.iter().map(read_message_row).collect();
    let all = read?;
    let pending: Vec<&MessageRow<'_>> = all.iter().filter(|row| row.how.is_none()).collect();
    let ended: Vec<&MessageRow<'_>> = all.iter().filter(|row| row.how.is_some()).collect();
    let untold: Vec<&&MessageRow<'_>> = ended.iter().filter(|row| !row.told).collect();
    let count = |some: usize| i64::try_from(some).unwrap_or(i64::MAX);
    let shown = ended.iter().filter(|row| !row.hidden).count() + pending.len();
    let counts = bind![count(shown), count(pending.len()), count(untold.len())];
    let mut steps = vec![texts(&all), queued(&pending)?, ends(&ended)];
    let outbox = columns!(untold, place, id);
    steps.push(Step::new(
        "INSERT INTO outbox SELECT unnest($1::bigint[]), unnest($2::bigint[])",
        outbox,
    ));
    steps.push(Step::new(
        "INSERT INTO lane AS l VALUES (0, 0, 0, $1, $2, $3) ON CONFLICT (session, lane) \
         DO UPDATE SET messages = l.messages + excluded.messages, \
         pending = l.pending + excluded.pending, outbox = l.outbox + excluded.outbox",
        counts,
    ));
    Ok(steps)
}

fn texts<'a>(all: &[MessageRow<'a>]) -> Step<'a> {
    const TEXTS: &str = "INSERT INTO msg (id, source, destination, source_smsc, dest_smsc, parts, \
         inserted_at, expires, charge_failed, origin_node, extra, events, logged_at, body) \
         SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), \
         unnest($5::text[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]), \
         unnest($9::boolean[]), unnest($10::text[]), unnest($11::text[]), unnest($12::text[]), \
         unnest($13::bigint[]), unnest($14::text[])";
    let mut columns = columns!(
        all,
        id,
        source,
        destination,
        source_smsc,
        dest_smsc,
        parts,
        inserted_at,
        expires,
        charge_failed,
        origin_node,
        extra,
        events,
        logged_at,
    );
    let bodies: Vec<Cow<'a, str>> = all.iter().map(|row| storable(row.body)).collect();
    columns.extend(bind![bodies]);
    Step::new(TEXTS, columns)
}

fn queued<'a>(pending: &[&MessageRow<'a>]) -> Done<Step<'a>> {
    const QUEUED: &str = "INSERT INTO q (id, dest, due, turn, attempts, deliver_after, \
         leased_until, updated_at, number, undecided, place) SELECT unnest($1::bigint[]), \
         unnest($2::text[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::bigint[]), \
         unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::text[]), \
         unnest($10::boolean[]), unnest($11::text[])";
    let mut columns = columns!(
        pending,
        id,
        queue,
        due,
        turn,
        attempts,
        deliver_after,
        leased_until,
        updated_at,
    );
    let undecided = |row: &&MessageRow<'a>| row.dest_smsc.is_none();
    // Found by number: what a location decides, and what a subscriber who returns wakes. The others
    // may have their turn soon.
    let number = |row: &&MessageRow<'a>| match undecided(row) || row.attempts > 0 {
        true => key(row.destination).into_owned(),
        false => BY_TURN.to_owned(),
    };
    let numbers: Vec<String> = pending.iter().map(number).collect();
    let undecided: Vec<bool> = pending.iter().map(undecided).collect();
    let places = pending.iter().map(|row| row.found_at());
    let places = places.collect::<Result<Vec<_>, _>>()?;
    columns.extend(bind![numbers, undecided, places]);
    Ok(Step::new(QUEUED, columns))
}

fn ends<'a>(ended: &[&MessageRow<'a>]) -> Step<'a> {
    // The whole log lies with the message: what is added comes behind it.
    const ENDS: &str = "INSERT INTO fin (id, how, at, node, dest_smsc, attempts, deliver_after, \
         updated_at, hidden, seq, logged_at, events, logged_n) SELECT unnest($1::bigint[]), \
         unnest($2::text[]), unnest($3::bigint[]), unnest($4::text[]), unnest($5::text[]), \
         unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]), \
         unnest($9::boolean[]), unnest($10::bigint[]), unnest($11::bigint[]), $12::text, 0";
    let mut columns = columns!(
        ended,
        id,
        how,
        at,
        node,
        dest_smsc,
        attempts,
        deliver_after,
        updated_at,
        hidden,
        place,
        logged_at,
    );
    columns.extend(bind![record::encode_events(&[])]);
    Step::new(ENDS, columns)
}
