//! CDRs as MySQL's values, and back.

use jiff::civil::DateTime;
use mysql_async::prelude::{FromValue, Queryable as _};
use mysql_async::{Conn, Params, Row, Value};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrPlace;

use super::connect::fault;
use super::migrate;
use crate::adopt::Guard;
use crate::filter;
use crate::schema::{self, COLUMNS};
use crate::sink::{Fault, fit};
use crate::time;

/// Rows and octets of texts that go into one statement: a server takes 16 MiB by default, and
/// 65,535 parameters.
const MOST_ROWS: usize = 500;
const MOST_OCTETS: usize = 4 << 20;
/// What a `TEXT` holds, in octets.
const TEXT_OCTETS: usize = 65_535;

/// Writes the rows, all or none.
pub(super) async fn insert(
    connection: &mut Conn,
    guard: Guard,
    rows: &[Cdr],
    now: Timestamp,
) -> Result<(), Fault> {
    if guard == Guard::Look {
        migrate::lock(connection).await?;
    }
    let done = insert_in(connection, guard, rows, now).await;
    let unlocked = match guard {
        Guard::Look => migrate::unlock(connection).await,
        Guard::Key => Ok(()),
    };
    done.and(unlocked)
}

async fn insert_in(
    connection: &mut Conn,
    guard: Guard,
    rows: &[Cdr],
    now: Timestamp,
) -> Result<(), Fault> {
    connection
        .query_drop("START TRANSACTION")
        .await
        .map_err(fault)?;
    for part in parts(rows) {
        let values = part
            .iter()
            .flat_map(|cdr| values(cdr, guard, now))
            .collect();
        let written = connection
            .exec_drop(sql(guard, part.len()), Params::Positional(values))
            .await;
        if let Err(error) = written {
            let error = fault(error);
            // A connection that cannot even do that is closed by the answer.
            return match connection.query_drop("ROLLBACK").await {
                Ok(()) => Err(error),
                Err(_) => Err(Fault::Down(error.text())),
            };
        }
    }
    connection.query_drop("COMMIT").await.map_err(fault)
}

/// The rows of one statement each.
fn parts(mut rows: &[Cdr]) -> Vec<&[Cdr]> {
    let mut parts = Vec::new();
    while !rows.is_empty() {
        let mut octets = 0;
        let fits = |cdr: &&Cdr| {
            octets += cdr.message_body.as_ref().map_or(0, String::len) + 500;
            octets <= MOST_OCTETS
        };
        let count = rows.iter().take(MOST_ROWS).take_while(fits).count().max(1);
        let (part, rest) = rows.split_at(count);
        parts.push(part);
        rows = rest;
    }
    parts
}

fn sql(guard: Guard, rows: usize) -> String {
    let columns = schema::column_list();
    let marks = vec!["?"; COLUMNS.len()].join(", ");
    match guard {
        Guard::Key => {
            let all = vec![format!("({marks})"); rows].join(", ");
            format!(
                "INSERT INTO cdrs ({columns}) VALUES {all} \
                 ON DUPLICATE KEY UPDATE message_id = cdrs.message_id"
            )
        }
        Guard::Look => {
            let one = format!(
                "SELECT {marks} FROM DUAL WHERE NOT EXISTS \
                 (SELECT 1 FROM cdrs WHERE message_id = ?)"
            );
            let all = vec![one; rows].join(" UNION ALL ");
            format!("INSERT INTO cdrs ({columns}) {all}")
        }
    }
}

/// The values of a row, in the order of the parameters.
fn values(cdr: &Cdr, guard: Guard, now: Timestamp) -> Vec<Value> {
    let name = |text: &str| Value::from(fit(text, schema::NAME_CHARACTERS));
    let some = |text: &Option<String>| text.as_deref().map_or(Value::NULL, name);
    let count = |count: u32| Value::from(i32::try_from(count).unwrap_or(i32::MAX));
    let mut values = vec![
        Value::from(cdr.message_id),
        name(&cdr.calling_number),
        name(&cdr.called_number),
        some(&cdr.source_smsc),
        some(&cdr.dest_smsc),
        name(&cdr.origin_node),
        name(&cdr.destination_node),
        utc(cdr.submission_time),
        cdr.delivery_time.map_or(Value::NULL, utc),
        utc(cdr.expiry_time),
        name(cdr.status.as_str()),
        count(cdr.delivery_attempts),
        count(cdr.message_parts),
        Value::from(cdr.deadletter),
        cdr.message_body
            .as_deref()
            .map_or(Value::NULL, |text| Value::from(body(text))),
        utc(now),
        utc(now),
    ];
    if guard == Guard::Look {
        values.push(Value::from(cdr.message_id));
    }
    values
}

/// As much of a text as the column holds.
fn body(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_OCTETS))
        .unwrap_or(text)
}

fn utc(at: Timestamp) -> Value {
    let at = time::civil(at);
    let part = |part: i8| u8::try_from(part).unwrap_or(0);
    Value::Date(
        u16::try_from(at.year()).unwrap_or(0),
        part(at.month()),
        part(at.day()),
        part(at.hour()),
        part(at.minute()),
        part(at.second()),
        u32::from(at.millisecond().unsigned_abs()) * 1_000,
    )
}

fn instant(value: &Value) -> Option<Timestamp> {
    let Value::Date(year, month, day, hour, minute, second, micros) = *value else {
        return None;
    };
    let part = |part: u8| i8::try_from(part).ok();
    let year = i16::try_from(year).ok()?;
    let nanos = i32::try_from(micros).ok()?.checked_mul(1_000)?;
    let (hour, minute, second) = (part(hour)?, part(minute)?, part(second)?);
    let at = DateTime::new(year, part(month)?, part(day)?, hour, minute, second, nanos);
    at.ok().map(time::instant)
}

/// A parameter of a search.
pub(super) fn value(value: &filter::Value) -> Value {
    match value {
        filter::Value::Int(number) => Value::from(*number),
        filter::Value::Text(text) => Value::from(text.as_str()),
        filter::Value::Time(at) => utc(*at),
    }
}

/// A row of a search: `id`, then the columns.
pub(super) fn read(row: &Row) -> Result<(CdrPlace, Cdr), String> {
    let text = |name| get::<Option<String>>(row, name);
    let at = |name| get::<Value>(row, name).map(|value| instant(&value));
    let count = |name| {
        let count = get::<Option<i64>>(row, name);
        count.map(|count| u32::try_from(count.unwrap_or(0)).unwrap_or(0))
    };
    let cdr = Cdr {
        message_id: get(row, "message_id")?,
        calling_number: get(row, "calling_number")?,
        called_number: get(row, "called_number")?,
        source_smsc: text("source_smsc")?,
        dest_smsc: text("dest_smsc")?,
        origin_node: text("origin_node")?.unwrap_or_default(),
        destination_node: text("destination_node")?.unwrap_or_default(),
        submission_time: at("submission_time")?.unwrap_or(Timestamp::EPOCH),
        delivery_time: at("delivery_time")?,
        expiry_time: at("expiry_time")?.unwrap_or(Timestamp::MAX),
        status: filter::status(&get::<String>(row, "status")?),
        delivery_attempts: count("delivery_attempts")?,
        message_parts: count("message_parts")?,
        deadletter: get::<Option<bool>>(row, "deadletter")?.unwrap_or(false),
        message_body: text("message_body")?,
    };
    Ok((CdrPlace(get(row, "id")?), cdr))
}

/// The values of a row of a report: the server has written them out.
pub(super) fn as_text(row: Row) -> Vec<Option<String>> {
    let text = |value| match value {
        Value::NULL => None,
        Value::Bytes(octets) => Some(String::from_utf8_lossy(&octets).into_owned()),
        other => Some(other.as_sql(true)),
    };
    row.unwrap().into_iter().map(text).collect()
}

fn get<T: FromValue>(row: &Row, name: &str) -> Result<T, String> {
    let value = row.get_opt(name);
    let value = value.ok_or_else(|| format!("the database did not answer with {name}"))?;
    value.map_err(|_| format!("the column {name} holds something else than a CDR"))
}
