//! Brings a PostgreSQL database to the table of S10.1, or takes over one that is there.
//!
//! Everything happens in one transaction under an advisory lock: two nodes may do it at once, and
//! a death in the middle leaves what was before. Rows are never changed.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::connect::fault;
use crate::adopt::{self, Guard, Present};
use crate::schema::{self, Dialect};
use crate::sink::Fault;

/// The advisory lock of everything that must not happen twice at once: "zajilcdr".
pub(super) const LOCK: i64 = 0x7a61_6a69_6c63_6472;

const COLUMNS: &str = "
SELECT a.attname::text, format_type(a.atttypid, NULL),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_attribute a
WHERE a.attrelid = 'cdrs'::regclass AND a.attnum > 0 AND NOT a.attisdropped";

const HAS_KEY: &str = "
SELECT EXISTS (
  SELECT 1 FROM pg_index i
  WHERE i.indrelid = 'cdrs'::regclass AND i.indisunique AND i.indisvalid
    AND i.indpred IS NULL AND i.indexprs IS NULL
    AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
         WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))
        IN (ARRAY['message_id'], ARRAY['message_id', 'submission_time']))";

/// The table is as it must be when this answers.
pub(super) async fn run(client: &mut Client) -> Result<Guard, Fault> {
    let transaction = client.transaction().await.map_err(fault)?;
    let guard = bring(&transaction).await?;
    transaction.commit().await.map_err(fault)?;
    Ok(guard)
}

async fn bring(transaction: &Transaction<'_>) -> Result<Guard, Fault> {
    let limit = format!(
        "SET LOCAL statement_timeout = {}",
        adopt::WITHIN.as_millis()
    );
    transaction.batch_execute(&limit).await.map_err(fault)?;
    let locked = transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await;
    locked.map_err(fault)?;
    let found = version(transaction).await?;
    if found > schema::VERSION {
        return Err(Fault::Down(format!(
            "the table cdrs has version {found}; this program knows versions up to {}",
            schema::VERSION
        )));
    }
    match exists(transaction, "cdrs").await? {
        false => {
            let made = transaction
                .batch_execute(&Dialect::Postgres.create_table())
                .await;
            made.map_err(fault)?;
        }
        true => adopt(transaction, found).await?,
    }
    if found < schema::VERSION {
        remember(transaction).await?;
    }
    let keyed = transaction.query_one(HAS_KEY, &[]).await.map_err(fault)?;
    Ok(if keyed.get(0) {
        Guard::Key
    } else {
        Guard::Look
    })
}

async fn exists(transaction: &Transaction<'_>, table: &str) -> Result<bool, Fault> {
    let query = "SELECT to_regclass($1::text) IS NOT NULL";
    let row = transaction
        .query_one(query, &[&table])
        .await
        .map_err(fault)?;
    row.try_get(0).map_err(fault)
}

/// The version that we have written down; 0 without.
async fn version(transaction: &Transaction<'_>) -> Result<i64, Fault> {
    if !exists(transaction, "zajil_schema").await? {
        return Ok(0);
    }
    let query = "SELECT version FROM zajil_schema WHERE part = 'cdrs'";
    let row = transaction.query_opt(query, &[]).await.map_err(fault)?;
    row.map_or(Ok(0), |row| row.try_get(0).map_err(fault))
}

/// A user who may only write goes without: then every start looks again, which does no harm.
async fn remember(transaction: &Transaction<'_>) -> Result<(), Fault> {
    let note = format!(
        "CREATE TABLE IF NOT EXISTS zajil_schema \
         (part VARCHAR(50) PRIMARY KEY, version BIGINT NOT NULL); \
         INSERT INTO zajil_schema VALUES ('cdrs', {version}) \
         ON CONFLICT (part) DO UPDATE SET version = {version}",
        version = schema::VERSION
    );
    attempt(transaction, &note).await.map(drop)
}

/// Looks at a table that is there; the first time, adds what is missing and does no harm.
async fn adopt(transaction: &Transaction<'_>, version: i64) -> Result<(), Fault> {
    let rows = transaction.query(COLUMNS, &[]).await.map_err(fault)?;
    let present = |row: &tokio_postgres::Row| {
        Ok(Present {
            name: row.try_get(0)?,
            kind: row.try_get(1)?,
            wanted: row.try_get(2)?,
        })
    };
    let present: Result<Vec<Present>, tokio_postgres::Error> = rows.iter().map(present).collect();
    let missing = adopt::missing(Dialect::Postgres, &present.map_err(fault)?);
    let missing = missing.map_err(|why| Fault::Down(format!("the table cdrs {why}")))?;
    for column in missing {
        let add = format!(
            "ALTER TABLE cdrs ADD COLUMN {}",
            Dialect::Postgres.column(&column)
        );
        transaction.batch_execute(&add).await.map_err(fault)?;
    }
    if version == 0 {
        add_indexes(transaction).await?;
        add_key(transaction).await?;
    }
    Ok(())
}

async fn add_indexes(transaction: &Transaction<'_>) -> Result<(), Fault> {
    for column in schema::INDEXED.into_iter().skip(1) {
        if !exists(transaction, &format!("idx_cdrs_{column}")).await? {
            let make = Dialect::Postgres.create_index("", column);
            attempt(transaction, &make).await?;
        }
    }
    Ok(())
}

/// A partitioned table can only have a key that holds its partitions' column.
async fn add_key(transaction: &Transaction<'_>) -> Result<(), Fault> {
    for columns in ["message_id", "message_id, submission_time"] {
        let keyed = transaction.query_one(HAS_KEY, &[]).await.map_err(fault)?;
        if keyed.get(0) {
            return Ok(());
        }
        let make = format!("CREATE UNIQUE INDEX idx_cdrs_message_id_key ON cdrs ({columns})");
        if attempt(transaction, &make).await? == Some(SqlState::UNIQUE_VIOLATION) {
            return Ok(());
        }
    }
    Ok(())
}

/// Does it if the database lets us; otherwise says why not, and nothing has happened.
async fn attempt(
    transaction: &Transaction<'_>,
    statement: &str,
) -> Result<Option<SqlState>, Fault> {
    transaction
        .batch_execute("SAVEPOINT attempt")
        .await
        .map_err(fault)?;
    let Err(error) = transaction.batch_execute(statement).await else {
        let kept = transaction.batch_execute("RELEASE SAVEPOINT attempt").await;
        return kept.map(|()| None).map_err(fault);
    };
    let Some(code) = error.code().cloned() else {
        return Err(fault(error));
    };
    let undone = transaction
        .batch_execute("ROLLBACK TO SAVEPOINT attempt")
        .await;
    undone.map_err(fault)?;
    tracing::warn!(
        statement,
        error = fault(error).text(),
        "the CDR database does not let us prepare its table; an operator should"
    );
    Ok(Some(code))
}
