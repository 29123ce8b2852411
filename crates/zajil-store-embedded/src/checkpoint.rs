//! Moves the log into the database beside the writer, and what little is left in the writer itself.
//!
//! A checkpoint beside a busy writer never catches up with it, so the log would never begin anew;
//! one in the writer makes everybody wait until thousands of pages are copied and synced. So most
//! of it happens beside the writer, and the writer does what was added meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

/// Frames of the log (a page each, 8 KiB) from which on it is moved.
const START: i64 = 4_000;
/// The writer moves no more than so many at once, unless there are [`MOST`]; and what could not be
/// moved is tried again so many later.
const REST: i64 = 1_000;
/// With so many (512 MiB) the writer waits until the log has been moved.
const MOST: i64 = 65_536;

/// How many of the log's frames are in the database.
type Moved = Result<i64, rusqlite::Error>;

/// What the writer knows of the log, and who moves it.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// How many frames the log has, as the last commit left it.
    frames: Arc<AtomicI64>,
    mark: Mark,
    at_work: bool,
    /// Taken at the end, which ends the thread.
    ask: Option<SyncSender<()>>,
    answers: Receiver<Moved>,
    thread: Option<JoinHandle<()>>,
}

/// How far the log has been moved, and from how many frames on it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    seen: i64,
    moved: i64,
    next: i64,
}

/// What is to be done about a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Nothing,
    /// By the writer: it is little, or there is too much to go on.
    Here,
    Beside,
}

impl Mark {
    const fn new() -> Self {
        Self {
            seen: 0,
            moved: 0,
            next: START,
        }
    }

    /// Of a log that has so many frames now.
    fn judge(&mut self, frames: i64) -> Move {
        if frames < self.seen {
            // It has begun anew.
            *self = Self::new();
        }
        self.seen = frames;
        if frames >= MOST {
            return Move::Here;
        }
        if frames < self.next {
            return Move::Nothing;
        }
        if frames - self.moved <= REST {
            return Move::Here;
        }
        self.next = frames + REST;
        Move::Beside
    }

    /// The log was moved so far.
    fn take(&mut self, moved: &Moved) {
        match moved {
            Ok(moved) => {
                self.moved = *moved;
                // What little is left is for the writer, at once.
                if self.seen - self.moved <= REST {
                    self.next = START;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the store's log was not moved; tried again later");
                self.next = self.seen + REST;
            }
        }
    }
}

impl Checkpoints {
    /// Those of the writer's connection, with one of their own to the same file.
    ///
    /// # Errors
    /// When SQLite takes no hook, or the system has no thread.
    pub(crate) fn start(writer: &mut Connection, beside: Connection) -> std::io::Result<Self> {
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
            .spawn(move || while asked.recv().is_ok() && tell.send(passive(&beside)).is_ok() {})?;
        Ok(Self {
            frames,
            mark: Mark::new(),
            at_work: false,
            ask: Some(ask),
            answers,
            thread: Some(thread),
        })
    }

    /// Sees to the log after a commit of the writer, with its connection.
    pub(crate) fn after_commit(&mut self, writer: &Connection) {
        let frames = self.frames.load(Ordering::Relaxed);
        self.hear(frames >= MOST);
        if self.at_work {
            return;
        }
        match self.mark.judge(frames) {
            Move::Nothing => {}
            Move::Here => self.mark.take(&passive(writer)),
            Move::Beside => {
                let ask = self.ask.as_ref();
                self.at_work = ask.is_some_and(|ask| ask.try_send(()).is_ok());
            }
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
            Ok(moved) => self.mark.take(&moved),
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => {}
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

/// Moves what no reader needs where it is, and waits for nobody.
fn passive(db: &Connection) -> Moved {
    let sql = "PRAGMA wal_checkpoint(PASSIVE)";
    let (busy, moved): (bool, i64) = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(2)?)))?;
    // Somebody else is at it, such as a tool that copies the file.
    Ok(if busy { 0 } else { moved })
}

#[cfg(test)]
mod tests;
