//! Opening a data directory: the lock, the file, its settings, the threads.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use zajil_telemetry::Telemetry;

use crate::checkpoint::Beside;
use crate::depth::PENDING;
use crate::error::OpenError;
use crate::reader::Readers;
use crate::schema;
use crate::transfer;
use crate::writer::{Counts, Writer};

/// Pages that a connection keeps, in KiB, which reads none.
const LEAST_CACHE_KIB: u32 = 64;

/// How the store uses the machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Page cache of the writer in KiB; each reader takes a quarter of it.
    pub cache_kib: u32,
    /// Reader threads.
    pub readers: u32,
    /// How long to wait for a former process to let go of the directory: one that was killed holds
    /// it until the system has taken it down.
    pub lock_within: Duration,
    /// Who is told of transactions, and of leases that ran out; none = nobody.
    pub telemetry: Option<Arc<Telemetry>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_kib: 65_536,
            readers: 2,
            lock_within: Duration::ZERO,
            telemetry: None,
        }
    }
}

/// An open data directory.
#[derive(Debug)]
pub struct EmbeddedStore {
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
    pub(crate) counts: Arc<Counts>,
    pub(crate) telemetry: Option<Arc<Telemetry>>,
    directory: PathBuf,
    /// Behind all connections to it, see [`Beside`].
    _file: Arc<File>,
    /// Held as long as the store lives; the system releases it if the process dies.
    _lock: File,
}

impl EmbeddedStore {
    /// Opens `directory`, making it and its database when they are not there.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then, except an empty directory that may have been made.
    pub fn open(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        std::fs::create_dir_all(directory)?;
        let lock = lock(directory, options.lock_within)?;
        let path = directory.join("queue.db");
        // Declared before the connections, so that it goes after them.
        let file;
        let mut db = Connection::open(&path)?;
        file = Arc::new(File::open(&path)?);
        db.set_prepared_statement_cache_capacity(128);
        fresh(&db)?;
        schema::migrate(&mut db)?;
        transfer::keep_out(&db)?;
        settle(&db, options.cache_kib)?;
        let counts = Arc::new(count(&db)?);
        let more = |cache_kib| {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let more = Connection::open_with_flags(&path, flags)?;
            settle(&more, cache_kib)?;
            Ok::<_, rusqlite::Error>(more)
        };
        let mut readers = Vec::new();
        for _ in 0..options.readers.max(1) {
            let reader = more(options.cache_kib / 4)?;
            reader.set_prepared_statement_cache_capacity(64);
            reader.pragma_update(None, "query_only", true)?;
            readers.push(reader);
        }
        let beside = Beside {
            db: more(LEAST_CACHE_KIB)?,
            file: Arc::clone(&file),
        };
        Ok(Self {
            writer: Writer::start(db, beside, Arc::clone(&counts), options.telemetry.clone())?,
            readers: Readers::start(readers)?,
            counts,
            telemetry: options.telemetry.clone(),
            directory: directory.to_owned(),
            _file: file,
            _lock: lock,
        })
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn lock(directory: &Path, within: Duration) -> Result<File, OpenError> {
    const STEP: Duration = Duration::from_millis(20);
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waited < within => {
                std::thread::sleep(STEP);
                waited += STEP;
            }
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(OpenError::Io(error)),
        }
    }
}

/// Before the first table and before WAL, or it has no effect.
pub(crate) fn fresh(db: &Connection) -> Result<(), rusqlite::Error> {
    db.pragma_update(None, "page_size", 8_192)
}

/// `FULL` syncs the log at every commit: an answered change survives a power cut (D5). The writer
/// of a store has checkpoints of its own, see `checkpoint.rs`.
///
/// Plans do not depend on what is bound: otherwise SQLite compiles a kept statement anew at nearly
/// every use, which costs more than all that the statement does.
pub(crate) fn settle(db: &Connection, cache_kib: u32) -> Result<(), rusqlite::Error> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    db.pragma_update(None, "journal_size_limit", 134_217_728)?;
    db.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.busy_timeout(std::time::Duration::from_secs(5))
}

fn count(db: &Connection) -> Result<Counts, rusqlite::Error> {
    let counts = Counts::default();
    let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let pending = one(PENDING)?;
    let finished = one("SELECT count(*) FROM finished")?;
    let hidden = one("SELECT count(*) FROM fin WHERE hidden = 1")?;
    let outbox = one("SELECT count(*) FROM finished WHERE seq > \
                      coalesce((SELECT value FROM meta WHERE name = 'outbox_done'), 0)")?;
    counts.pending.store(pending, Ordering::Relaxed);
    counts
        .messages
        .store(pending + finished - hidden, Ordering::Relaxed);
    counts.outbox.store(outbox, Ordering::Relaxed);
    Ok(counts)
}

impl EmbeddedStore {
    /// Limits the database to this many pages of 8 KiB; none lifts the limit. A write beyond it is
    /// answered with [`zajil_store::Error::Full`].
    ///
    /// # Errors
    /// As every call of the store.
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<(), zajil_store::Error> {
        let pages = pages.unwrap_or(u32::MAX - 1);
        self.writer
            .run(move |tx| Ok(tx.db.pragma_update(None, "max_page_count", pages)?))
            .await
    }
}
