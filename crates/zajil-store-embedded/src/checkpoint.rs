//! Moves the log into the database beside the writer, and what little is left in the writer itself.
//!
//! A checkpoint beside a busy writer never catches up with it, so the log would never begin anew;
//! one in the writer makes everybody wait until thousands of pages are copied and synced. So most
//! of it happens beside the writer, and the writer does what was added meanwhile.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ffi};

/// Frames of the log (a page each, 8 KiB) from which on it is moved.
const START: i64 = 4_000;
/// The writer moves no more than so many at once; and what could not be moved is tried again so
/// many later.
const REST: i64 = 1_000;
/// With so many (96 MiB) the writer waits for who moves the log: the disk is too slow for both.
const MOST: i64 = 12_000;
/// A log that a reader holds up is tried again when it has grown by such a part: each try sorts it.
const PART: i64 = 8;

/// The database as the one who works beside the writer has it.
#[derive(Debug)]
pub(crate) struct Beside {
    /// A connection of its own.
    pub(crate) db: Connection,
    /// The same file. Its last owner must outlive all connections to it: to close any descriptor
    /// of a file gives up all locks that the process has on it.
    pub(crate) file: Arc<File>,
}

/// What the writer knows of the log, and who moves it.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// How many frames the log has, as the last commit left it.
    frames: Arc<AtomicI64>,
    mark: Mark,
    at_work: bool,
    /// Taken at the end, which ends the thread.
    ask: Option<SyncSender<()>>,
    answers: Receiver<rusqlite::Result<Pass>>,
    thread: Option<JoinHandle<()>>,
}

/// What a checkpoint has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Of so many frames so many are in the database; a reader needs the others where they are.
    Moved { of: i64, are: i64 },
    /// Somebody else was at it, such as a tool that copies the file.
    Busy,
}

/// How far the log has been moved, and from how many frames on it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    seen: i64,
    moved: i64,
    next: i64,
    /// Whether a reader held up the last pass.
    held: bool,
}

/// What is to be done about a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Nothing,
    /// By the writer: it is little.
    Here,
    Beside,
}

impl Mark {
    const fn new() -> Self {
        Self {
            seen: 0,
            moved: 0,
            next: START,
            held: false,
        }
    }

    /// Of a log that has so many frames now.
    fn judge(&mut self, frames: i64) -> Move {
        if frames < self.seen {
            // It has begun anew.
            *self = Self::new();
        }
        self.seen = frames;
        if frames < self.next || self.rest() == 0 {
            return Move::Nothing;
        }
        if self.rest() <= REST {
            return Move::Here;
        }
        self.next = frames + REST.max(frames / PART);
        Move::Beside
    }

    /// Whether the writer has to wait for who moves a log of so many frames.
    fn waits(&self, frames: i64) -> bool {
        frames >= MOST && !self.held
    }

    fn rest(&self) -> i64 {
        self.seen - self.moved
    }

    /// A pass has ended.
    fn take(&mut self, pass: &rusqlite::Result<Pass>) {
        match pass {
            Ok(Pass::Moved { of, are }) => {
                self.moved = *are;
                // Short reads hold back a commit or two, and are no reason to let the log grow.
                self.held = of - are > REST;
                if self.rest() <= REST {
                    // What little is left is for the writer: at once, but not over and over.
                    let pause = if are < of { self.seen / 100 } else { 0 };
                    self.next = self.seen + pause;
                } else if !self.held {
                    self.next = self.seen;
                }
            }
            Ok(Pass::Busy) => self.next = self.seen + REST,
            Err(error) => {
                tracing::warn!(%error, "the store's log was not moved; tried again later");
                self.next = self.seen + REST;
            }
        }
    }
}

impl Checkpoints {
    /// Those of the writer's connection.
    ///
    /// # Errors
    /// When SQLite takes no hook, or the system has no thread.
    pub(crate) fn start(writer: &mut Connection, beside: Beside) -> std::io::Result<Self> {
        let frames = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&frames);
        // Takes the place of SQLite's own checkpoints, which are such a hook too.
        let hooked = writer.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            told.store(i64::from(pages), Ordering::Relaxed);
            Ok(())
        }));
        hooked.map_err(std::io::Error::other)?;
        let (ask, asked) = sync_channel(1);
        let (tell, answers) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store-log".into())
            .spawn(move || while asked.recv().is_ok() && tell.send(beside.pass()).is_ok() {})?;
        Ok(Self {
            frames,
            mark: Mark::new(),
            at_work: false,
            ask: Some(ask),
            answers,
            thread: Some(thread),
        })
    }

    /// Sees to the log after a transaction of the writer, with its connection.
    pub(crate) fn after_commit(&mut self, writer: &Connection) {
        let frames = self.frames.load(Ordering::Relaxed);
        let waits = self.mark.waits(frames);
        self.hear(waits);
        if self.at_work {
            return;
        }
        let beside = match self.mark.judge(frames) {
            Move::Nothing => return,
            Move::Here => false,
            Move::Beside => self
                .ask
                .as_ref()
                .is_some_and(|ask| ask.try_send(()).is_ok()),
        };
        self.at_work = beside;
        if !beside {
            self.mark.take(&passive(writer));
        } else if waits && self.mark.waits(frames) {
            // Nothing is written meanwhile, so all of it is moved, and the log begins anew.
            self.hear(true);
        }
    }

    /// Takes what the thread has to tell, and waits for it if need be.
    fn hear(&mut self, wait: bool) {
        if !self.at_work {
            return;
        }
        let answer = if wait {
            self.answers.recv().map_err(|_| TryRecvError::Disconnected)
        } else {
            self.answers.try_recv()
        };
        match answer {
            Ok(pass) => self.mark.take(&pass),
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => {
                tracing::error!("nobody moves the store's log any more; the writer does it");
                self.ask = None;
            }
        }
        self.at_work = false;
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.ask.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that moves the store's log panicked");
        }
    }
}

impl Beside {
    /// A pass, and what it has moved on the disk: SQLite syncs it only when nothing is left in the
    /// log, which would be in the writer.
    fn pass(&self) -> rusqlite::Result<Pass> {
        let pass = passive(&self.db)?;
        if let Err(error) = self.file.sync_data() {
            give_up(&self.db, &error);
        }
        Ok(pass)
    }
}

/// Moves what no reader needs where it is, and waits for nobody.
fn passive(db: &Connection) -> rusqlite::Result<Pass> {
    let sql = "PRAGMA wal_checkpoint(PASSIVE)";
    let pass = db.query_row(sql, [], |row| {
        Ok(match row.get(0)? {
            true => Pass::Busy,
            false => Pass::Moved {
                of: row.get(1)?,
                are: row.get(2)?,
            },
        })
    });
    synced(db, pass)
}

/// The last checkpoint, which leaves the data in one file: nothing to recover at the next start.
pub(crate) fn leave_tidy(db: &Connection) {
    let done = db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    if let Err(error) = synced(db, done) {
        tracing::warn!(%error, "the last checkpoint did not happen; the next start does it");
    }
}

/// What a checkpoint has answered, unless it could not sync the database.
fn synced<T>(db: &Connection, done: rusqlite::Result<T>) -> rusqlite::Result<T> {
    if let Err(rusqlite::Error::SqliteFailure(error, _)) = &done
        && error.extended_code == ffi::SQLITE_IOERR_FSYNC
    {
        give_up(db, error);
    }
    done
}

/// A sync of the database failed. The system reports that once and takes the pages for written:
/// another sync would succeed, the log begin anew, and with it what it alone has be lost. A new
/// process moves all of the log again.
fn give_up(db: &Connection, error: &dyn std::fmt::Display) -> ! {
    tracing::error!(%error, "the store's file cannot be synced; a new start recovers from its log");
    if let Some(error) = db.path().and_then(|path| forget_progress(path).err()) {
        tracing::error!(%error, "nobody else may have the store's file open at the next start");
    }
    std::process::abort()
}

/// How much of the log was moved stands in shared memory, which outlives this process where
/// another has the file open, such as a backup: `nBackfill`, at octet 96 of the wal-index (SQLite's
/// WAL file format, 2.2). With less there than was moved, more is moved again.
fn forget_progress(path: &str) -> std::io::Result<()> {
    let shared = OpenOptions::new().write(true).open(format!("{path}-shm"))?;
    shared.write_all_at(&[0; 4], 96)
}

#[cfg(test)]
mod tests;
