//! CDRs into an SQLite file, which any SQLite tool can read while we write.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params_from_iter};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrFilter, CdrPlace, CdrSearch, CdrSink, Found, Written};

use crate::filter::{self, Hints, Page};
use crate::report::{Reports, Rows};
use crate::schema::{self, Dialect};
use crate::sink::{Answer, Fault, Table};

mod row;
mod search;

pub use search::Reader;

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
    reader: Reader,
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
            reader: Reader::of(path),
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

impl SqliteSink {
    /// Does something with the file, on a thread for blocking work.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&File) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let file = Arc::clone(&self.file);
        match tokio::task::spawn_blocking(move || work(&file)).await {
            Ok(done) => done,
            Err(failure) => Err(Fault::Down(format!("the CDR file was left: {failure}"))),
        }
    }
}

impl Table for SqliteSink {
    fn insert<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Answer<'a, ()> {
        let rows: Vec<[Value; schema::COLUMNS.len()]> =
            rows.iter().map(|cdr| row::values(cdr, now)).collect();
        Box::pin(self.with(move |file| file.run(|connection| file.insert(connection, rows))))
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl CdrSink for SqliteSink {
    fn write<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Written<'a> {
        Box::pin(crate::sink::write(self, rows, now))
    }
}

impl CdrSearch for SqliteSink {
    fn search<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Option<CdrPlace>,
        limit: u32,
    ) -> Found<'a, Vec<(CdrPlace, Cdr)>> {
        let page = Page {
            filter,
            before,
            limit,
        };
        let query = filter::query(Dialect::Sqlite, page, Hints::Given);
        Box::pin(self.reader.search(query))
    }

    fn purge(&self, before: Timestamp, limit: u32) -> Found<'_, u64> {
        let query = filter::purge(Dialect::Sqlite, before, limit);
        Box::pin(async move {
            let purged = self.with(move |file| {
                file.run(|connection| {
                    let values = query.values.iter().map(row::value);
                    connection.execute(&query.sql, params_from_iter(values))
                })
            });
            purged.await.map(|count| count as u64).map_err(Fault::text)
        })
    }

    fn health(&self) -> Found<'_, ()> {
        Box::pin(async move {
            let asked = self.with(|file| file.run(|connection| version(connection).map(drop)));
            asked.await.map_err(Fault::text)
        })
    }
}

impl Reports for SqliteSink {
    fn dialect(&self) -> Dialect {
        self.reader.dialect()
    }

    fn report<'a>(&'a self, sql: &'a str) -> Found<'a, Rows> {
        self.reader.report(sql)
    }
}

impl File {
    fn run<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let mut held = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => {
                connect(&self.path).map_err(|error| Fault::Down(zajil_telemetry::chain(&error)))?
            }
        };
        let done = work(&mut connection).map_err(fault);
        if !matches!(done, Err(Fault::Down(_))) {
            *held = Some(connection);
        }
        done
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
    let known = schema::VERSION;
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
    if version(&transaction)? == 0 {
        transaction.execute_batch(&Dialect::Sqlite.create_table())?;
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

/// Whether an error is about the rows: an operator may have added constraints.
fn fault(error: rusqlite::Error) -> Fault {
    let refused = [
        Some(ErrorCode::ConstraintViolation),
        Some(ErrorCode::TypeMismatch),
        Some(ErrorCode::TooBig),
    ];
    match refused.contains(&error.sqlite_error_code()) {
        true => Fault::Data(error.to_string()),
        false => Fault::Down(error.to_string()),
    }
}
