//! Looking at a data directory from outside: who has it open, which form its database has, what is
//! in it. Changes nothing, and works while a server runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use zajil_core::id::MessageId;
use zajil_core::tables::Routing;
use zajil_store::Error;

use crate::depth::PENDING;
use crate::error::{Fault, OpenError, meaning};
use crate::{schema, tables};

/// The database of a data directory.
pub const DATABASE: &str = "queue.db";
/// The file that the process with the directory open has locked.
pub const LOCK: &str = "lock";

/// The first form in which a pending message need not have a row in `q`.
const FIRST_WITH_RUNS: i64 = 11;

/// What a database says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// Its form (`PRAGMA user_version`).
    pub form: i64,
    /// The newest form that this version knows.
    pub known: usize,
    /// Messages that have not ended.
    pub pending: u64,
    /// Messages that have.
    pub finished: u64,
    /// Of those, how many wait in the outbox.
    pub outbox: u64,
    /// The highest id stored.
    pub highest: Option<MessageId>,
}

/// Whether a process has the directory open.
///
/// # Errors
/// The lock file cannot be opened.
pub fn in_use(directory: &Path) -> std::io::Result<bool> {
    match File::open(directory.join(LOCK)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
    }
}

/// Takes the lock of a directory, so that no server opens it while the answer lives.
///
/// # Errors
/// [`OpenError::InUse`] when a process has it.
pub fn hold(directory: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::Io(error)),
    }
}

/// Opens a database for nothing but reading.
///
/// # Errors
/// SQLite refused.
pub fn read_only(file: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(db)
}

/// Reads what a database says of itself.
///
/// # Errors
/// [`OpenError::Foreign`] for a database of something else, [`OpenError::Newer`] for one that a
/// later version has written.
pub fn inspect(db: &Connection) -> Result<Inspection, OpenError> {
    let form = schema::check(db)?;
    let one = |sql: &str| -> Result<u64, OpenError> {
        let number = db.query_row(sql, [], |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let highest = one("SELECT coalesce(max(id), 0) FROM msg")?;
    Ok(Inspection {
        form,
        known: schema::KNOWN,
        pending: one(match form {
            ..FIRST_WITH_RUNS => "SELECT count(*) FROM q",
            FIRST_WITH_RUNS.. => PENDING,
        })?,
        finished: one("SELECT count(*) FROM finished")?,
        outbox: one("SELECT count(*) FROM finished WHERE seq > \
                     coalesce((SELECT value FROM meta WHERE name = 'outbox_done'), 0)")?,
        highest: MessageId::new(highest).ok(),
    })
}

/// The newest form of a database that this version knows.
#[must_use]
pub fn known_form() -> usize {
    schema::KNOWN
}

/// The routing tables of a database.
///
/// # Errors
/// As every call of the store.
pub fn routing(db: &Connection) -> Result<Routing, Error> {
    tables::routing(db).map_err(Fault::into_error)
}

/// What SQLite says against the database; nothing when it is sound.
///
/// # Errors
/// SQLite cannot read it.
pub fn quick_check(db: &Connection) -> Result<Vec<String>, Error> {
    let found = db
        .prepare("PRAGMA quick_check(5)")
        .and_then(|mut statement| {
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
    let found = found.map_err(|error| meaning(&error))?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}
