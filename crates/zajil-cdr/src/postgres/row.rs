//! CDRs as arrays, one for each column, and as rows.

use std::borrow::Cow;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use tokio_postgres::{IsolationLevel, Row, Statement, Transaction};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrPlace;

use super::connect::{Connection, fault};
use super::migrate::LOCK;
use crate::adopt::Guard;
use crate::filter;
use crate::schema::{self, COLUMNS, Kind};
use crate::sink::{Fault, fit};

/// Writes the rows, all or none.
pub(super) async fn insert(
    connection: &mut Connection,
    guard: Guard,
    rows: &[Cdr],
    now: Timestamp,
) -> Result<(), Fault> {
    let statement = match &connection.insert {
        Some((known, statement)) if *known == guard => statement.clone(),
        _ => connection
            .client()
            .prepare(&sql(guard))
            .await
            .map_err(fault)?,
    };
    connection.insert = Some((guard, statement.clone()));
    // Fixed, whatever the operator's default: a look must see what was there before it.
    let begun = connection
        .client_mut()
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start();
    let transaction = begun.await.map_err(fault)?;
    match insert_in(&transaction, &statement, guard, (rows, now)).await {
        Ok(()) => transaction.commit().await.map_err(fault),
        Err(error) => {
            let error = fault(error);
            // A connection that cannot even do that is closed by the answer.
            match transaction.rollback().await {
                Ok(()) => Err(error),
                Err(_) => Err(Fault::Down(error.text())),
            }
        }
    }
}

async fn insert_in(
    transaction: &Transaction<'_>,
    statement: &Statement,
    guard: Guard,
    (rows, now): (&[Cdr], Timestamp),
) -> Result<(), tokio_postgres::Error> {
    if guard == Guard::Look {
        transaction
            .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
            .await?;
    }
    let arrays: Vec<Box<dyn ToSql + Sync + Send>> = COLUMNS
        .iter()
        .map(|column| array(column.name, rows, now))
        .collect();
    let references: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| &**array as _).collect();
    transaction.execute(statement, &references).await.map(drop)
}

fn sql(guard: Guard) -> String {
    let arrays: Vec<String> = COLUMNS
        .iter()
        .enumerate()
        .map(|(place, column)| format!("${}::{}[]", place + 1, element(column.kind)))
        .collect();
    let (arrays, columns) = (arrays.join(", "), schema::column_list());
    match guard {
        Guard::Key => format!(
            "INSERT INTO cdrs ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"
        ),
        Guard::Look => format!(
            "INSERT INTO cdrs ({columns}) SELECT DISTINCT ON (message_id) {columns} \
             FROM unnest({arrays}) AS given ({columns}) WHERE NOT EXISTS \
             (SELECT 1 FROM cdrs AS there WHERE there.message_id = given.message_id)"
        ),
    }
}

fn element(kind: Kind) -> &'static str {
    match kind {
        Kind::Big => "bigint",
        Kind::Name | Kind::Word | Kind::Text => "text",
        Kind::Time => "timestamp",
        Kind::Count | Kind::Number => "int",
        Kind::Flag => "boolean",
    }
}

/// The values of one column.
fn array(column: &str, rows: &[Cdr], now: Timestamp) -> Box<dyn ToSql + Sync + Send> {
    let name = |of: fn(&Cdr) -> Option<&str>| {
        let cut =
            |row| of(row).map(|text| storable(fit(text, schema::NAME_CHARACTERS)).into_owned());
        Box::new(rows.iter().map(cut).collect::<Vec<Option<String>>>())
    };
    let time = |of: &dyn Fn(&Cdr) -> Option<Timestamp>| {
        let times = rows.iter().map(|row| of(row).map(Instant));
        Box::new(times.collect::<Vec<Option<Instant>>>())
    };
    let count = |of: fn(&Cdr) -> u32| {
        let count = |row| i32::try_from(of(row)).unwrap_or(i32::MAX);
        Box::new(rows.iter().map(count).collect::<Vec<i32>>())
    };
    match column {
        "message_id" => Box::new(rows.iter().map(|row| row.message_id).collect::<Vec<i64>>()),
        "calling_number" => name(|row| Some(&row.calling_number)),
        "called_number" => name(|row| Some(&row.called_number)),
        "source_smsc" => name(|row| row.source_smsc.as_deref()),
        "dest_smsc" => name(|row| row.dest_smsc.as_deref()),
        "origin_node" => name(|row| Some(&row.origin_node)),
        "destination_node" => name(|row| Some(&row.destination_node)),
        "submission_time" => time(&|row| Some(row.submission_time)),
        "delivery_time" => time(&|row| row.delivery_time),
        "expiry_time" => time(&|row| Some(row.expiry_time)),
        "status" => name(|row| Some(row.status.as_str())),
        "delivery_attempts" => count(|row| row.delivery_attempts),
        "message_parts" => count(|row| row.message_parts),
        "deadletter" => Box::new(rows.iter().map(|row| row.deadletter).collect::<Vec<bool>>()),
        "message_body" => {
            let body = |row: &Cdr| {
                row.message_body
                    .as_deref()
                    .map(|text| storable(text).into_owned())
            };
            Box::new(rows.iter().map(body).collect::<Vec<Option<String>>>())
        }
        // `inserted_at`, `updated_at`.
        _ => time(&|_| Some(now)),
    }
}

/// PostgreSQL's texts cannot hold the character NUL.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// An instant as a `TIMESTAMP`: microseconds since the year 2000.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(pub(super) Timestamp);

/// 2000-01-01 in milliseconds since 1970.
const YEAR_2000: i64 = 946_684_800_000;

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Strange> {
        out.put_i64((self.0.millis() - YEAR_2000) * 1_000);
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMP);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Strange> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        let millis = micros.div_euclid(1_000).saturating_add(YEAR_2000);
        Ok(Self(Timestamp::from_millis(millis)))
    }

    accepts!(TIMESTAMP);
}

type Strange = Box<dyn std::error::Error + Sync + Send>;

/// A row of a search: `id`, then the columns.
pub(super) fn read(row: &Row) -> Result<(CdrPlace, Cdr), tokio_postgres::Error> {
    let text = |name| row.try_get::<_, Option<String>>(name);
    let time = |name| row.try_get::<_, Option<Instant>>(name);
    let count = |name| {
        let count = row.try_get::<_, Option<i32>>(name);
        count.map(|count| u32::try_from(count.unwrap_or(0)).unwrap_or(0))
    };
    let cdr = Cdr {
        message_id: row.try_get("message_id")?,
        calling_number: row.try_get("calling_number")?,
        called_number: row.try_get("called_number")?,
        source_smsc: text("source_smsc")?,
        dest_smsc: text("dest_smsc")?,
        origin_node: text("origin_node")?.unwrap_or_default(),
        destination_node: text("destination_node")?.unwrap_or_default(),
        submission_time: row.try_get::<_, Instant>("submission_time")?.0,
        delivery_time: time("delivery_time")?.map(|at| at.0),
        expiry_time: time("expiry_time")?.map_or(Timestamp::MAX, |at| at.0),
        status: filter::status(row.try_get("status")?),
        delivery_attempts: count("delivery_attempts")?,
        message_parts: count("message_parts")?,
        deadletter: row
            .try_get::<_, Option<bool>>("deadletter")?
            .unwrap_or(false),
        message_body: text("message_body")?,
    };
    Ok((CdrPlace(row.try_get("id")?), cdr))
}
