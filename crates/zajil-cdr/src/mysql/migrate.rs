//! Brings a MySQL or MariaDB database to the table of S10.1, or takes over one that is there.
//!
//! These servers commit each change of a table by itself, so every step may be repeated. A named
//! lock keeps two nodes from doing it at once. Rows are never changed.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::connect::fault;
use crate::adopt::{self, Guard, Present};
use crate::schema::{self, Dialect};
use crate::sink::Fault;

/// Names of locks are the server's, not the database's, and have at most 64 characters.
const LOCK: &str = "SELECT GET_LOCK(CONCAT('zajil.', MD5(DATABASE())), 20)";
const UNLOCK: &str = "SELECT RELEASE_LOCK(CONCAT('zajil.', MD5(DATABASE())))";

const COLUMNS: &str = "
SELECT LOWER(COLUMN_NAME), LOWER(DATA_TYPE),
       IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND EXTRA NOT LIKE '%auto_increment%',
       COALESCE(CHARACTER_SET_NAME, 'utf8mb4') <> 'utf8mb4'
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'cdrs'";

const HAS_TABLE: &str = "
SELECT COUNT(*) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";

const HAS_INDEX: &str = "
SELECT COUNT(*) FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'cdrs' AND INDEX_NAME = ?";

const HAS_KEY: &str = "
SELECT COUNT(*) FROM (
  SELECT LOWER(GROUP_CONCAT(COLUMN_NAME ORDER BY COLUMN_NAME)) AS columns_of
  FROM information_schema.STATISTICS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'cdrs' AND NON_UNIQUE = 0
  GROUP BY INDEX_NAME) AS found
WHERE columns_of IN ('message_id', 'message_id,submission_time')";

/// Rows are there twice.
const DUPLICATE: u16 = 1062;

/// The lock of everything that must not happen twice at once.
pub(super) async fn lock(connection: &mut Conn) -> Result<(), Fault> {
    let got: Option<Option<i64>> = connection.query_first(LOCK).await.map_err(fault)?;
    match got.flatten() {
        Some(1) => Ok(()),
        _ => Err(Fault::Down(
            "another writer holds the lock of the table cdrs".to_owned(),
        )),
    }
}

pub(super) async fn unlock(connection: &mut Conn) -> Result<(), Fault> {
    connection.query_drop(UNLOCK).await.map_err(fault)
}

/// The table is as it must be when this answers. A failure ends the connection, and the lock.
pub(super) async fn run(connection: &mut Conn) -> Result<Guard, Fault> {
    lock(connection).await?;
    let found = version(connection).await?;
    if found > schema::VERSION {
        return Err(Fault::Down(format!(
            "the table cdrs has version {found}; this program knows versions up to {}",
            schema::VERSION
        )));
    }
    match count(connection, HAS_TABLE, "cdrs").await? {
        0 => {
            let made = connection.query_drop(Dialect::MySql.create_table()).await;
            made.map_err(fault)?;
        }
        _ => adopt(connection, found).await?,
    }
    if found < schema::VERSION {
        remember(connection).await?;
    }
    let keyed = has_key(connection).await?;
    unlock(connection).await?;
    Ok(if keyed { Guard::Key } else { Guard::Look })
}

async fn count(connection: &mut Conn, query: &str, name: &str) -> Result<i64, Fault> {
    let count: Option<i64> = connection.exec_first(query, (name,)).await.map_err(fault)?;
    Ok(count.unwrap_or(0))
}

async fn has_key(connection: &mut Conn) -> Result<bool, Fault> {
    let keys: Option<i64> = connection.query_first(HAS_KEY).await.map_err(fault)?;
    Ok(keys.is_some_and(|keys| keys > 0))
}

/// The version that we have written down; 0 without.
async fn version(connection: &mut Conn) -> Result<i64, Fault> {
    if count(connection, HAS_TABLE, "zajil_schema").await? == 0 {
        return Ok(0);
    }
    let query = "SELECT version FROM zajil_schema WHERE part = 'cdrs'";
    let version: Option<i64> = connection.query_first(query).await.map_err(fault)?;
    Ok(version.unwrap_or(0))
}

/// A user who may only write goes without: then every start looks again, which does no harm.
async fn remember(connection: &mut Conn) -> Result<(), Fault> {
    let table = "CREATE TABLE IF NOT EXISTS zajil_schema \
                 (part VARCHAR(50) PRIMARY KEY, version BIGINT NOT NULL) ENGINE=InnoDB";
    if attempt(connection, table).await?.is_some() {
        return Ok(());
    }
    let version = schema::VERSION;
    let note = format!(
        "INSERT INTO zajil_schema VALUES ('cdrs', {version}) \
         ON DUPLICATE KEY UPDATE version = {version}"
    );
    attempt(connection, &note).await.map(drop)
}

/// Looks at a table that is there; the first time, adds what is missing and does no harm.
async fn adopt(connection: &mut Conn, version: i64) -> Result<(), Fault> {
    let rows: Vec<(String, String, bool, bool)> = connection.query(COLUMNS).await.map_err(fault)?;
    let narrow: Vec<&str> = rows
        .iter()
        .filter(|row| row.3)
        .map(|row| row.0.as_str())
        .collect();
    if !narrow.is_empty() {
        tracing::warn!(
            columns = narrow.join(", "),
            "columns of the table cdrs are not utf8mb4; rows with other characters are put aside. \
             ALTER TABLE cdrs CONVERT TO CHARACTER SET utf8mb4 helps"
        );
    }
    let present = rows
        .into_iter()
        .map(|(name, kind, wanted, _)| Present { name, kind, wanted });
    let missing = adopt::missing(Dialect::MySql, &present.collect::<Vec<_>>());
    let missing = missing.map_err(|why| Fault::Down(format!("the table cdrs {why}")))?;
    for column in missing {
        let add = format!(
            "ALTER TABLE cdrs ADD COLUMN {}",
            Dialect::MySql.column(&column)
        );
        connection.query_drop(add).await.map_err(fault)?;
    }
    if version == 0 {
        for column in schema::INDEXED.into_iter().skip(1) {
            if count(connection, HAS_INDEX, &format!("idx_cdrs_{column}")).await? == 0 {
                attempt(connection, &Dialect::MySql.create_index("", column)).await?;
            }
        }
        add_key(connection).await?;
    }
    Ok(())
}

/// A partitioned table can only have a key that holds its partitions' column.
async fn add_key(connection: &mut Conn) -> Result<(), Fault> {
    for columns in ["message_id", "message_id, submission_time"] {
        if has_key(connection).await? {
            return Ok(());
        }
        let make = format!("CREATE UNIQUE INDEX idx_cdrs_message_id_key ON cdrs ({columns})");
        if attempt(connection, &make).await? == Some(DUPLICATE) {
            return Ok(());
        }
    }
    Ok(())
}

/// Does it if the database lets us; otherwise says why not.
async fn attempt(connection: &mut Conn, statement: &str) -> Result<Option<u16>, Fault> {
    let Err(error) = connection.query_drop(statement).await else {
        return Ok(None);
    };
    let mysql_async::Error::Server(told) = &error else {
        return Err(fault(error));
    };
    let code = told.code;
    tracing::warn!(
        statement,
        error = fault(error).text(),
        "the CDR database does not let us prepare its table; an operator should"
    );
    Ok(Some(code))
}
