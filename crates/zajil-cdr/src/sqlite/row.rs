//! CDRs as SQLite's values, and back.

use rusqlite::Row;
use rusqlite::types::Value;
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrPlace;

use crate::filter;
use crate::schema;
use crate::time;

/// The values of a row, in the order of [`schema::COLUMNS`].
pub(super) fn values(cdr: &Cdr, now: Timestamp) -> [Value; schema::COLUMNS.len()] {
    let written = Value::from(utc(now));
    [
        Value::from(cdr.message_id),
        Value::from(cdr.calling_number.clone()),
        Value::from(cdr.called_number.clone()),
        Value::from(cdr.source_smsc.clone()),
        Value::from(cdr.dest_smsc.clone()),
        Value::from(cdr.origin_node.clone()),
        Value::from(cdr.destination_node.clone()),
        Value::from(utc(cdr.submission_time)),
        Value::from(cdr.delivery_time.map(utc)),
        Value::from(utc(cdr.expiry_time)),
        Value::from(cdr.status.as_str().to_owned()),
        Value::from(i64::from(cdr.delivery_attempts)),
        Value::from(i64::from(cdr.message_parts)),
        Value::from(cdr.deadletter),
        Value::from(cdr.message_body.clone()),
        written.clone(),
        written,
    ]
}

/// A parameter of a search.
pub(super) fn value(value: &filter::Value) -> Value {
    match value {
        filter::Value::Int(number) => Value::from(*number),
        filter::Value::Text(text) => Value::from(text.clone()),
        filter::Value::Time(at) => Value::from(utc(*at)),
    }
}

/// A row of a search: `id`, then the columns.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(CdrPlace, Cdr)> {
    let text = |name| row.get::<_, Option<String>>(name);
    let at = |name| text(name).map(|text| text.as_deref().and_then(instant));
    let count = |name| {
        let count = row.get::<_, Option<i64>>(name);
        count.map(|count| u32::try_from(count.unwrap_or(0)).unwrap_or(0))
    };
    let cdr = Cdr {
        message_id: row.get("message_id")?,
        calling_number: row.get("calling_number")?,
        called_number: row.get("called_number")?,
        source_smsc: text("source_smsc")?,
        dest_smsc: text("dest_smsc")?,
        origin_node: text("origin_node")?.unwrap_or_default(),
        destination_node: text("destination_node")?.unwrap_or_default(),
        submission_time: at("submission_time")?.unwrap_or(Timestamp::EPOCH),
        delivery_time: at("delivery_time")?,
        expiry_time: at("expiry_time")?.unwrap_or(Timestamp::MAX),
        status: filter::status(&row.get::<_, String>("status")?),
        delivery_attempts: count("delivery_attempts")?,
        message_parts: count("message_parts")?,
        deadletter: row.get::<_, Option<bool>>("deadletter")?.unwrap_or(false),
        message_body: text("message_body")?,
    };
    Ok((CdrPlace(row.get("id")?), cdr))
}

/// `YYYY-MM-DD HH:MM:SS.mmm`, UTC: what SQLite's date functions read, and what sorts as text.
fn utc(at: Timestamp) -> String {
    time::civil(at)
        .strftime("%Y-%m-%d %H:%M:%S%.3f")
        .to_string()
}

/// What [`utc`] wrote.
fn instant(text: &str) -> Option<Timestamp> {
    Some(time::instant(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_text_with_milliseconds() {
        assert_eq!(utc(Timestamp::EPOCH), "1970-01-01 00:00:00.000");
        assert_eq!(
            utc(Timestamp::from_millis(1_709_210_096_007)),
            "2024-02-29 12:34:56.007"
        );
        assert_eq!(utc(Timestamp::MAX), "9999-12-31 23:59:59.999");
        for at in [
            Timestamp::EPOCH,
            Timestamp::from_millis(1_709_210_096_007),
            Timestamp::MAX,
        ] {
            assert_eq!(instant(&utc(at)), Some(at));
        }
    }
}
