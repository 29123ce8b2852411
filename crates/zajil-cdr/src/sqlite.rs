//! CDRs into an SQLite file, which any SQLite tool can read while we write.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrSink;

use crate::schema;

/// How long a write waits for a reader or a backup that holds the file.
const BUSY: Duration = Duration::from_secs(5);

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refuses.
    #[error("cannot use the CDR database {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A later version wrote it.
    #[error(
        "the CDR database {} has version {found}; this program knows versions up to {known}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Somebody else's.
    #[error("{} is a database, but not one for CDRs", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// Writes CDRs to an SQLite file, on the threads for blocking work.
pub struct SqliteSink {
    file: Arc<File>,
}

/// The connection is dropped after a failure and opened again by the next write.
struct File {
    path: PathBuf,
    insert: String,
    connection: Mutex<Option<Connection>>,
}

impl SqliteSink {
    /// Opens or creates the file and brings it to the current version.
    ///
    /// # Errors
    /// [`Error`]; a newer or foreign file is left untouched.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File {
            path: path.to_owned(),
            insert: schema::sqlite_insert(),
            connection: Mutex::new(Some(connect(path)?)),
        };
        Ok(Self {
            file: Arc::new(file),
        })
    }
}

impl fmt::Debug for SqliteSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSink")
            .field("path", &self.file.path)
            .finish_non_exhaustive()
    }
}

impl CdrSink for SqliteSink {
    fn write<'a>(
        &'a self,
        rows: &'a [Cdr],
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let rows: Vec<[Value; schema::COLUMNS.len()]> =
            rows.iter().map(|row| values(row, now)).collect();
        let file = Arc::clone(&self.file);
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || file.write(rows)).await {
                Ok(written) => written,
                Err(failure) => Err(format!("the CDR writer was interrupted: {failure}")),
            }
        })
    }
}

impl File {
    fn write(&self, rows: Vec<[Value; schema::COLUMNS.len()]>) -> Result<(), String> {
        let mut held = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => connect(&self.path).map_err(|error| chain(&error))?,
        };
        self.insert(&mut connection, rows)
            .map_err(|error| error.to_string())?;
        *held = Some(connection);
        Ok(())
    }

    fn insert(
        &self,
        connection: &mut Connection,
        rows: Vec<[Value; schema::COLUMNS.len()]>,
    ) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut statement = transaction.prepare_cached(&self.insert)?;
            for row in rows {
                statement.execute(row)?;
            }
        }
        transaction.commit()
    }
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let failed = |source| Error::Sqlite {
        path: path.to_owned(),
        source,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Sqlite {
        path: path.to_owned(),
        source,
    };
    let known = i64::try_from(schema::SQLITE_STEPS.len()).unwrap_or(i64::MAX);
    let found = version(connection).map_err(failed)?;
    if found > known {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    if found == 0 && has_tables(connection).map_err(failed)? {
        return Err(Error::Foreign {
            path: path.to_owned(),
        });
    }
    // Outside of any transaction, and only on a file that is ours. FULL: what the outbox forgets
    // after our answer must survive a power cut.
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(failed)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    advance(connection, known).map_err(failed)
}

/// Two processes may do this at once: the version is read again inside the transaction.
fn advance(connection: &mut Connection, known: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = usize::try_from(version(&transaction)?).unwrap_or(0);
    for step in schema::SQLITE_STEPS.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn has_tables(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| {
        row.get(0)
    })
}

/// The values of a row, in the order of [`schema::COLUMNS`].
fn values(cdr: &Cdr, now: Timestamp) -> [Value; schema::COLUMNS.len()] {
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

/// `YYYY-MM-DD HH:MM:SS.mmm`, UTC: what SQLite's date functions read, and what sorts as text.
fn utc(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(instant) => instant.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        // Not reached: `Timestamp` ends with the year 9999, and so does jiff.
        Err(_) => String::from("9999-12-31 23:59:59.999"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
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
    }
}
