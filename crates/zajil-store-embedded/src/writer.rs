//! The one writer: takes all jobs that wait, runs them in one transaction, syncs once, then answers
//! (group commit). The longer a sync takes, the more jobs share the next one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, PrepFlags, Statement};
use tokio::sync::oneshot;
use zajil_store::Error;
use zajil_store::scales::{Load, Scales};
use zajil_telemetry::{Stopwatch, Telemetry};

use crate::checkpoint::{Beside, Checkpoints, leave_tidy};
use crate::error::{Done, Fault, meaning};
use crate::pack::Place;
use crate::run;
use crate::store::LAST_ENDING;

/// What the jobs that wait or are at work may hold together, in octets; beyond it callers are
/// refused with [`Error::Busy`]. A job that is alone may hold more.
const MOST_HELD: usize = 256 << 20;
/// How many jobs may wait; beyond it callers are refused with [`Error::Busy`].
const QUEUE: usize = 8_192;
/// How many jobs share a transaction at most: bounds the latency of the first.
const BATCH: usize = 512;
/// How long a batch is gathered while more of it comes: where other work keeps the processor busy,
/// to let it run takes longer than it looks.
const GATHER_WITHIN: Duration = Duration::from_millis(1);

/// Counts kept beside the tables, because counting rows costs what it counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) messages: AtomicI64,
    pub(crate) pending: AtomicI64,
    pub(crate) outbox: AtomicI64,
}

/// By how much a transaction changes the counts once it commits.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Delta {
    pub(crate) messages: i64,
    pub(crate) pending: i64,
    pub(crate) outbox: i64,
}

/// The transaction in progress, as jobs see it.
#[derive(Debug)]
pub(crate) struct Tx<'db> {
    pub(crate) db: &'db Connection,
    /// By where the text lies, see [`Tx::kept`].
    statements: BTreeMap<(usize, usize), Statement<'db>>,
    pub(crate) delta: Delta,
    /// The numbers of frontend names in `dest`; emptied when a transaction is undone.
    pub(crate) dests: HashMap<String, i64>,
    /// The next entry of `finished`; gaps are harmless, repetition is not.
    pub(crate) next_seq: i64,
    /// What is written together at the end, as all jobs leave it.
    pub(crate) runs: run::Changes,
    pub(crate) turns: Vec<Place>,
}

impl<'db> Tx<'db> {
    pub(crate) fn new(db: &'db Connection) -> Self {
        Self {
            db,
            statements: BTreeMap::new(),
            delta: Delta::default(),
            dests: HashMap::new(),
            next_seq: 0,
            runs: run::Changes::default(),
            turns: Vec::new(),
        }
    }

    /// A statement that runs for nearly every message, compiled once for the life of the writer.
    ///
    /// The connection's own cache hashes the text twice, moves the entry twice and unbinds every
    /// parameter each time: a sixth of what the writer did for a message. What runs seldom is left
    /// to it, because what is kept here stays.
    pub(crate) fn kept(&mut self, sql: &'static str) -> rusqlite::Result<&mut Statement<'db>> {
        match self.statements.entry((sql.as_ptr().addr(), sql.len())) {
            Entry::Occupied(kept) => Ok(kept.into_mut()),
            Entry::Vacant(new) => {
                let flags = PrepFlags::SQLITE_PREPARE_PERSISTENT;
                Ok(new.insert(self.db.prepare_with_flags(sql, flags)?))
            }
        }
    }
}

trait Job: Send {
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), rusqlite::Error>;
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

struct Task<T, F> {
    work: F,
    /// For as long as it is here.
    load: Load,
    result: Option<Result<T, Error>>,
    only_if_wanted: bool,
    /// The work goes back with the answer: who made it has the time to take it apart.
    reply: oneshot::Sender<(Result<T, Error>, F)>,
}

impl<T: Send, F: FnMut(&mut Tx<'_>) -> Done<T> + Send> Job for Task<T, F> {
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), rusqlite::Error> {
        // A caller that went away before its turn wants nothing: a lease would only hold messages.
        if self.only_if_wanted && self.reply.is_closed() {
            return Ok(());
        }
        self.result = Some(match (self.work)(tx) {
            Ok(value) => Ok(value),
            // Found while writing: what this job wrote before must go.
            Err(Fault::Answer(error @ Error::Damaged(_))) => return Err(undoes(error)),
            // Any other answer is given before the first write.
            Err(Fault::Answer(error)) => Err(error),
            Err(Fault::Sql(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let Self {
            work,
            load,
            result,
            reply,
            ..
        } = *self;
        let result = match committed {
            Ok(()) => result.unwrap_or(Err(Error::Closed)),
            Err(error) => Err(error),
        };
        // Who is answered finds room for the next job.
        drop(load);
        // A caller that no longer waits (a closed connection) needs no answer.
        drop(reply.send((result, work)));
    }
}

/// The handle to the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    scales: Arc<Scales>,
    telemetry: Option<Arc<Telemetry>>,
    jobs: std::sync::Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Writer {
    /// Starts the thread on a connection that only it uses, and what moves the log on another.
    pub(crate) fn start(
        mut db: Connection,
        beside: Beside,
        counts: Arc<Counts>,
        telemetry: Option<Arc<Telemetry>>,
    ) -> std::io::Result<Self> {
        let checkpoints = Checkpoints::start(&mut db, beside)?;
        let (send, receive) = sync_channel(QUEUE);
        let told = telemetry.clone();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                Loop::new(&db, counts, told, checkpoints).serve(&receive);
                leave_tidy(&db);
            })?;
        Ok(Self {
            scales: Scales::new(MOST_HELD),
            telemetry,
            jobs: std::sync::Mutex::new(Some(send)),
            thread: std::sync::Mutex::new(Some(thread)),
        })
    }

    /// Runs `work` in the next transaction; the answer comes after its sync. `work` may run again
    /// when another job of its batch failed, so it must not consume what it captured.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Done<T> + Send + 'static,
    {
        self.enqueue(work, false, 0).await
    }

    /// Like [`Writer::run`], of a job that holds so many octets.
    pub(crate) async fn run_heavy<T, F>(&self, octets: usize, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Done<T> + Send + 'static,
    {
        self.enqueue(work, false, octets).await
    }

    /// Like [`Writer::run`], but does nothing for a caller that has gone by then.
    pub(crate) async fn run_if_wanted<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Done<T> + Send + 'static,
    {
        self.enqueue(work, true, 0).await
    }

    async fn enqueue<T, F>(&self, work: F, only_if_wanted: bool, octets: usize) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Done<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Task {
            work,
            load: self.scales.put(octets).ok_or(Error::Busy)?,
            result: None,
            only_if_wanted,
            reply,
        });
        {
            let jobs = self
                .jobs
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            match jobs.as_ref().ok_or(Error::Closed)?.try_send(job) {
                Ok(()) => {
                    if let Some(telemetry) = &self.telemetry {
                        telemetry.metrics.store_queue.inc();
                    }
                }
                Err(TrySendError::Full(_)) => return Err(Error::Busy),
                Err(TrySendError::Disconnected(_)) => return Err(Error::Closed),
            }
        }
        let (result, _work) = answer.await.map_err(|_| Error::Closed)?;
        result
    }

    /// Lets the jobs that wait finish, then ends the thread. Blocks; a second call does nothing.
    pub(crate) fn stop(&self) {
        let jobs = self
            .jobs
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        drop(jobs);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Takes the jobs that wait. As long as that brings more, those who make them get the processor
/// first: they are just being answered, and without it one of them wakes this thread, which then
/// syncs for that one alone while the others wait behind it. A free processor makes this a look.
fn gather(jobs: &Receiver<Box<dyn Job>>, batch: &mut Vec<Box<dyn Job>>) {
    let watch = Stopwatch::start();
    loop {
        let before = batch.len();
        while batch.len() < BATCH
            && let Ok(next) = jobs.try_recv()
        {
            batch.push(next);
        }
        if batch.len() == before || batch.len() == BATCH || watch.elapsed() >= GATHER_WITHIN {
            return;
        }
        std::thread::yield_now();
    }
}

struct Loop<'db> {
    tx: Tx<'db>,
    checkpoints: Checkpoints,
    counts: Arc<Counts>,
    telemetry: Option<Arc<Telemetry>>,
}

impl<'db> Loop<'db> {
    fn new(
        db: &'db Connection,
        counts: Arc<Counts>,
        telemetry: Option<Arc<Telemetry>>,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            tx: Tx::new(db),
            checkpoints,
            counts,
            telemetry,
        }
    }

    fn serve(mut self, jobs: &Receiver<Box<dyn Job>>) {
        let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH);
        while let Ok(first) = jobs.recv() {
            batch.push(first);
            gather(jobs, &mut batch);
            if let Some(telemetry) = &self.telemetry {
                let taken = i64::try_from(batch.len()).unwrap_or(i64::MAX);
                telemetry.metrics.store_queue.sub(taken);
            }
            self.commit(&mut batch);
            // Whoever waited has been answered.
            self.checkpoints.after_commit(self.tx.db);
        }
    }

    fn commit(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        if self.transact(batch).is_ok() {
            for job in batch.drain(..) {
                job.answer(Ok(()));
            }
            return;
        }
        // One of them failed and took the others with it: give each its own transaction, so that
        // only the one at fault is refused.
        for mut job in batch.drain(..) {
            let outcome = self.transact(std::slice::from_mut(&mut job));
            job.answer(outcome);
        }
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Error> {
        let watch = Stopwatch::start();
        match self.attempt(jobs) {
            Ok(()) => {
                if let Some(telemetry) = &self.telemetry {
                    let count = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
                    let metrics = &telemetry.metrics;
                    metrics.store_batch.observe(f64::from(count));
                    metrics.store_commit.observe(watch.elapsed().as_secs_f64());
                }
                Ok(())
            }
            Err(error) => {
                if let Some(telemetry) = &self.telemetry {
                    telemetry.metrics.store_undone.inc();
                }
                self.tx.dests.clear();
                // Fails when SQLite has rolled back by itself; then there is nothing to undo.
                if !self.tx.db.is_autocommit()
                    && let Err(error) = self.tx.db.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "rollback failed");
                }
                let error = meaning(&error);
                tracing::warn!(%error, jobs = jobs.len(), "a store transaction was undone");
                Err(error)
            }
        }
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), rusqlite::Error> {
        let tx = &mut self.tx;
        if tx.next_seq == 0 {
            let last: i64 = tx.db.query_row(LAST_ENDING, [], |row| row.get(0))?;
            tx.next_seq = 1 + last;
        }
        tx.delta = Delta::default();
        tx.runs.clear();
        tx.turns.clear();
        tx.kept("BEGIN IMMEDIATE")?.execute([])?;
        for job in jobs {
            job.run(tx)?;
        }
        settle(tx)?;
        tx.kept("COMMIT")?.execute([])?;
        let delta = tx.delta;
        self.counts
            .messages
            .fetch_add(delta.messages, Ordering::Relaxed);
        self.counts
            .pending
            .fetch_add(delta.pending, Ordering::Relaxed);
        self.counts
            .outbox
            .fetch_add(delta.outbox, Ordering::Relaxed);
        Ok(())
    }
}

/// As the failure of a statement, which undoes the transaction.
fn undoes(error: Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// Writes what the jobs have left to be written together.
fn settle(tx: &mut Tx<'_>) -> Result<(), rusqlite::Error> {
    match tx.settle_runs().and_then(|()| tx.settle_turns()) {
        Ok(()) => Ok(()),
        Err(Fault::Sql(error)) => Err(error),
        Err(Fault::Answer(error)) => Err(undoes(error)),
    }
}

#[cfg(test)]
mod tests;
