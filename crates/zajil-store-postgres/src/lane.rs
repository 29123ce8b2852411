//! A writer: takes all jobs that wait, runs them in one transaction, commits once, then answers
//! (group commit). The longer a commit takes, the more jobs share the next one.
//!
//! Every transaction ends by moving the number in the lane's own row on by one. So what became of a
//! commit whose answer was lost can be read afterwards; and because whoever asks moves the number
//! on as well, a transaction that is still on its way then finds another number and undoes itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, mpsc};
use zajil_core::frontend::FrontendName;
use zajil_database::postgres::Dial;
use zajil_store::Error;
use zajil_telemetry::{Stopwatch, Telemetry};

use crate::conn::{Conn, Manners, Step, bind};
use crate::error::{Done, Fault};
use crate::front::Fronts;
use crate::held::Held;
use crate::hot::{self, Batch, Hot};
use crate::notify::Hints;
use crate::run::Runs;
use crate::schema::{self, Day};
use crate::ticket::Ticket;

/// How many jobs share a transaction at most, and how many rows: bounds the latency of the first.
const JOBS: usize = 512;
const ROWS: usize = 2_000;
/// How long a lost answer is looked for.
const RESOLVE: Duration = Duration::from_secs(2);
/// How often the same transaction is tried before the caller hears of it.
const TRIES: u32 = 5;

/// By how much a transaction changes the counts once it commits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) messages: i64,
    pub(crate) pending: i64,
    pub(crate) outbox: i64,
}

/// What is left to be sent of a transaction.
pub(crate) struct Writes<'a> {
    pub(crate) steps: Vec<Step<'a>>,
    pub(crate) delta: Delta,
    /// Whether its only step is all of it, and moves the number on: what [`MARK`] takes comes
    /// behind its own parameters, and there is no BEGIN and no COMMIT.
    pub(crate) whole: bool,
    /// Whether anything was put into a queue that may be due before what is there.
    pub(crate) queued: bool,
}

/// A transaction in progress, as chores see it.
#[derive(Debug)]
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a Conn,
    delta: std::sync::Mutex<Delta>,
    pub(crate) hints: &'a Hints,
    queued: AtomicBool,
}

impl Tx<'_> {
    pub(crate) async fn ask(&self, step: Step<'_>) -> Done<Vec<tokio_postgres::Row>> {
        self.conn.ask(step).await
    }

    /// The counts change by so much once this commits.
    pub(crate) fn count(&self, more: Delta) {
        let mut delta = self.lock();
        delta.messages += more.messages;
        delta.pending += more.pending;
        delta.outbox += more.outbox;
    }

    /// Something was put into this queue.
    pub(crate) fn queued(&self, queue: Option<&FrontendName>) {
        self.queued.store(true, Ordering::Relaxed);
        self.hints.touch(queue);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Delta> {
        self.delta
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A job with a transaction of its own.
pub(crate) trait Chore: Send {
    /// Whether somebody still wants it; takes it.
    fn begin(&self) -> bool;
    /// Does it. May run again when the transaction was undone.
    fn run<'a>(&'a mut self, tx: &'a Tx<'a>) -> BoxFuture<'a, Done<()>>;
    /// It has committed, or not.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

/// A chore made of a function.
pub(crate) struct Task<T, F> {
    pub(crate) work: F,
    pub(crate) result: Option<T>,
    pub(crate) ticket: Ticket<T>,
}

impl<T, F> Chore for Task<T, F>
where
    T: Send,
    F: for<'a> FnMut(&'a Tx<'a>) -> BoxFuture<'a, Done<T>> + Send,
{
    fn begin(&self) -> bool {
        self.ticket.begin()
    }

    fn run<'a>(&'a mut self, tx: &'a Tx<'a>) -> BoxFuture<'a, Done<()>> {
        Box::pin(async move {
            self.result = Some((self.work)(tx).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let Self { result, ticket, .. } = *self;
        ticket.answer(committed.and_then(|()| result.ok_or(Error::Closed)));
    }
}

/// What a writer is asked for.
pub(crate) enum Job {
    /// Shares a transaction.
    Hot(Hot),
    /// Has one of its own.
    Chore(Box<dyn Chore>),
}

impl Job {
    fn rows(&self) -> usize {
        match self {
            Self::Hot(hot) => hot.rows(),
            Self::Chore(_) => ROWS,
        }
    }

    fn begin(&self) -> bool {
        match self {
            Self::Hot(hot) => hot.begin(),
            Self::Chore(chore) => chore.begin(),
        }
    }
}

/// Who a lane is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Of this process, drawn at its start.
    pub(crate) session: i64,
    /// Within the process.
    pub(crate) lane: i64,
}

/// What all lanes of a store have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) dial: Arc<Dial>,
    pub(crate) manners: Manners,
    pub(crate) hints: Arc<Hints>,
    pub(crate) telemetry: Option<Arc<Telemetry>>,
    /// What was leased here.
    pub(crate) held: Held,
    /// Where the queues begin.
    pub(crate) fronts: Fronts,
    /// Whether new messages share rows.
    pub(crate) runs: Runs,
    /// Whether this process has had a place among the nodes: without one it may not write then.
    pub(crate) joined: AtomicBool,
}

/// Jobs that several lanes take from.
pub(crate) type Queue = Arc<Mutex<mpsc::Receiver<Job>>>;

/// One writer.
pub(crate) struct Lane {
    common: Arc<Common>,
    place: Place,
    conn: Option<Conn>,
    /// The number in our row; none until it was read.
    n: Option<i64>,
    /// Whether our row has been made.
    entered: bool,
    /// Whether the last reports were of messages that do not wait.
    missed: AtomicBool,
}

/// How far an attempt came.
enum Attempt {
    Committed,
    /// Nothing has happened.
    Undone(Fault),
    /// The answer to the commit did not come; the number that it would have written.
    Unknown(Fault, i64),
}

impl Lane {
    pub(crate) fn new(common: Arc<Common>, place: Place) -> Self {
        Self {
            common,
            place,
            conn: None,
            n: None,
            entered: false,
            missed: AtomicBool::default(),
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) async fn serve(mut self, jobs: Queue) {
        while let Some(batch) = self.take(&jobs).await {
            self.work(batch).await;
        }
        if let Some(conn) = &self.conn {
            // The counts of this lane go into those of all: its row would stay for ever.
            let parameters = bind![self.place.session, self.place.lane];
            if let Err(fault) = conn.ask(Step::new(FOLD, parameters)).await {
                tracing::debug!(error = %fault.into_error(), "a writer's row stays");
            }
        }
    }

    /// All jobs that wait, as far as they fit into one transaction; a chore comes alone.
    async fn take(&self, jobs: &Queue) -> Option<Vec<Job>> {
        let mut jobs = jobs.lock().await;
        let mut batch = Vec::new();
        let mut rows = 0;
        let first = jobs.recv().await?;
        rows += first.rows();
        batch.push(first);
        while batch.len() < JOBS
            && rows < ROWS
            && let Ok(next) = jobs.try_recv()
        {
            rows += next.rows();
            batch.push(next);
        }
        if let Some(telemetry) = &self.common.telemetry {
            let taken = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            telemetry.metrics.store_queue.sub(taken);
        }
        Some(batch)
    }

    async fn work(&mut self, batch: Vec<Job>) {
        let mut hot = Vec::with_capacity(batch.len());
        for job in batch {
            match job {
                job if !job.begin() => {}
                Job::Hot(job) => hot.push(job),
                Job::Chore(chore) => self.chore(chore).await,
            }
        }
        if hot.is_empty() {
            return;
        }
        let watch = Stopwatch::start();
        let count = u32::try_from(hot.len()).unwrap_or(u32::MAX);
        let mut batch = Batch::new(hot);
        let done = self.commit(&mut Work::Hot(&mut batch)).await;
        if let (Ok(()), Some(telemetry)) = (&done, &self.common.telemetry) {
            telemetry.metrics.store_batch.observe(f64::from(count));
            let took = watch.elapsed().as_secs_f64();
            telemetry.metrics.store_commit.observe(took);
        }
        match done {
            Ok(()) => batch.tell(&self.common.hints),
            // One of them failed and took the others with it: give each its own transaction, so
            // that only the one at fault is refused.
            Err(Error::Conflict(_) | Error::Damaged(_)) if batch.len() > 1 => {
                for mut alone in batch.split() {
                    match self.commit(&mut Work::Hot(&mut alone)).await {
                        Ok(()) => alone.tell(&self.common.hints),
                        Err(error) => alone.refuse(&error),
                    }
                }
            }
            Err(error) => batch.refuse(&error),
        }
    }

    async fn chore(&mut self, mut chore: Box<dyn Chore>) {
        let done = self.commit(&mut Work::Chore(&mut *chore)).await;
        chore.answer(done);
    }

    /// Runs one transaction until it is known what became of it, as far as that can be known.
    async fn commit(&mut self, work: &mut Work<'_>) -> Result<(), Error> {
        for tries in 1.. {
            if let Err(fault) = self.ready().await {
                return Err(fault.into_error());
            }
            let attempt = match (&self.conn, self.n) {
                (Some(conn), Some(n)) => self.attempt(conn, n, work).await,
                _ => return Err(Error::Down("no connection to the database".into())),
            };
            let fault = match attempt {
                Attempt::Committed => {
                    self.n = self.n.map(|n| n + 1);
                    return Ok(());
                }
                Attempt::Undone(fault) => fault,
                Attempt::Unknown(fault, number) => {
                    self.lose();
                    match self.resolve(number).await {
                        Ok(true) => {
                            self.common.fronts.reset();
                            return work.known_late();
                        }
                        Ok(false) => fault,
                        Err(_) => {
                            self.common.fronts.reset();
                            return Err(Error::Unknown(text(fault)));
                        }
                    }
                }
            };
            self.note_undone();
            let again = fault.is_stale()
                || fault.is_passing()
                || fault.loses_connection()
                || fault.lacks_partition();
            if fault.loses_connection() {
                self.lose();
            }
            if fault.lacks_partition()
                && let Err(fault) = self.add_days(&work.ids()).await
                && !(fault.is_passing() && tries < TRIES)
            {
                return Err(fault.into_error());
            }
            if !again || tries >= TRIES || matches!(fault, Fault::Silent(_)) {
                return Err(fault.into_error());
            }
        }
        Err(Error::Busy)
    }

    async fn attempt(&self, conn: &Conn, n: i64, work: &mut Work<'_>) -> Attempt {
        let outcome = match work {
            Work::Hot(batch) => {
                let known = (&self.missed, &*self.common);
                let prepared = hot::prepare(conn, batch, known).await;
                let outcome = self.finish(conn, n, prepared).await;
                outcome.map(|rows| batch.take_rows(rows, &self.common.fronts))
            }
            Work::Chore(chore) => {
                let prepared = self.run(conn, &mut **chore).await;
                let queued = prepared.as_ref().is_ok_and(|writes| writes.queued);
                let outcome = self.finish(conn, n, prepared).await.map(drop);
                if queued {
                    self.common.fronts.reset();
                }
                outcome
            }
        };
        match outcome {
            Ok(()) => Attempt::Committed,
            Err(attempt) => attempt,
        }
    }

    /// Sends what is left of a transaction with its end; answers the rows of each step.
    async fn finish(
        &self,
        conn: &Conn,
        n: i64,
        prepared: Done<Writes<'_>>,
    ) -> Result<Vec<Vec<tokio_postgres::Row>>, Attempt> {
        let writes = match prepared {
            Ok(prepared) => prepared,
            Err(fault) if fault.loses_connection() => return Err(Attempt::Undone(fault)),
            Err(fault) => {
                // What cannot even be undone is closed, and so is the transaction.
                let undone = conn.batch("ROLLBACK").await;
                let fault = undone.err().filter(|_| fault.is_passing()).unwrap_or(fault);
                return Err(Attempt::Undone(fault));
            }
        };
        conn.ask_all(self.marked(writes, n))
            .await
            .map_err(|fault| match fault {
                fault if fault.loses_connection() => Attempt::Unknown(fault, n + 1),
                // The commit behind it has undone everything.
                Fault::Sql(error) if error.code().is_some_and(|code| code.code() == "22012") => {
                    Attempt::Undone(Fault::Expelled)
                }
                fault => Attempt::Undone(fault),
            })
    }

    /// With what moves the number on and ends the transaction.
    fn marked<'a>(&self, writes: Writes<'a>, n: i64) -> Vec<Step<'a>> {
        let place = self.place;
        let Writes {
            mut steps,
            delta,
            whole,
            ..
        } = writes;
        let counts = (delta.messages, delta.pending, delta.outbox);
        let mark = bind![place.session, place.lane, n, counts.0, counts.1, counts.2];
        match steps.last_mut().filter(|_| whole) {
            Some(only) => only.parameters.extend(mark),
            None => steps.extend([Step::new(MARK, mark), Step::bare("COMMIT")]),
        }
        steps
    }

    async fn run<'s>(&self, conn: &Conn, chore: &mut dyn Chore) -> Done<Writes<'s>> {
        conn.batch("BEGIN").await?;
        let tx = Tx {
            conn,
            delta: std::sync::Mutex::default(),
            hints: &self.common.hints,
            queued: AtomicBool::default(),
        };
        chore.run(&tx).await?;
        let delta = *tx.lock();
        Ok(Writes {
            steps: Vec::new(),
            delta,
            whole: false,
            queued: tx.queued.load(Ordering::Relaxed),
        })
    }

    /// Whether the transaction that was to write this number into our row has committed. It does
    /// not any more after this. Asks for as long as somebody may wait for the answer, but moves the
    /// number on only once: after a second time it would say nothing of the transaction.
    async fn resolve(&mut self, number: i64) -> Done<bool> {
        const STEP: Duration = Duration::from_millis(100);
        let watch = Stopwatch::start();
        let conn = loop {
            match self.connect().await {
                Ok(conn) => break conn,
                Err(fault) if watch.elapsed() > RESOLVE => return Err(fault),
                Err(_) => tokio::time::sleep(STEP).await,
            }
        };
        self.enter(conn).await?;
        Ok(self.n.is_some_and(|n| n == number + 1))
    }

    /// A connection, and our row with a number that no former transaction of ours expects.
    async fn ready(&mut self) -> Done<()> {
        if let (Some(conn), Some(_)) = (self.conn.as_ref().filter(|conn| conn.is_open()), self.n) {
            match conn.check().await {
                Ok(()) => return Ok(()),
                // Nobody waits for a silent one a second time.
                Err(fault @ Fault::Silent(_)) => {
                    self.lose();
                    return Err(fault);
                }
                Err(_) => {}
            }
        }
        self.lose();
        let conn = self.connect().await?;
        self.enter(conn).await
    }

    async fn connect(&self) -> Done<Conn> {
        let manners = &self.common.manners;
        let made = Conn::open(&self.common.dial, manners, None);
        match &manners.pulse {
            Some(pulse) => pulse.hear(made).await,
            None => made.await,
        }
    }

    /// Makes our row, once; later it must be there, or others have taken us for dead.
    async fn enter(&mut self, conn: Conn) -> Done<()> {
        let parameters = bind![self.place.session, self.place.lane];
        let sql = match (self.entered, self.common.joined.load(Ordering::Acquire)) {
            (true, _) => REENTER,
            (false, true) => ENTER_PLACE,
            (false, false) => ENTER,
        };
        let rows = conn.ask(Step::new(sql, parameters)).await?;
        let row = rows.first().ok_or(Fault::Expelled)?;
        self.n = Some(row.try_get(0)?);
        self.entered = true;
        self.conn = Some(conn);
        // It may lead to another server than the others do by now.
        self.common.held.lose();
        Ok(())
    }

    fn lose(&mut self) {
        if self.conn.take().is_some() {
            self.common.held.lose();
        }
        self.n = None;
    }

    fn note_undone(&self) {
        // Others may have passed over what a claim had taken that was undone.
        self.common.fronts.reset();
        if let Some(telemetry) = &self.common.telemetry {
            telemetry.metrics.store_undone.inc();
        }
    }

    async fn add_days(&self, ids: &[i64]) -> Done<()> {
        let mut days: Vec<Day> = ids.iter().copied().map(Day::of).collect();
        days.sort_unstable();
        days.dedup();
        if let Some(conn) = &self.conn {
            for day in days {
                schema::add_day(conn, day).await?;
            }
        }
        Ok(())
    }
}

fn text(fault: Fault) -> String {
    fault.into_error().to_string()
}

/// Makes our row; a former try may have done so already.
const ENTER: &str = "INSERT INTO lane AS l VALUES ($1, $2, 1, 0, 0, 0) \
     ON CONFLICT (session, lane) DO UPDATE SET n = l.n + 1 RETURNING n";

/// The same for a node, as long as it has its place: who takes that waits for this, or this finds
/// it gone. A writer that had nothing to do before must not begin when others think us dead.
const ENTER_PLACE: &str = "INSERT INTO lane AS l SELECT $1, $2, 1, 0, 0, 0 \
     FROM (SELECT 1 FROM node WHERE session = $1 FOR KEY SHARE) AS place \
     ON CONFLICT (session, lane) DO UPDATE SET n = l.n + 1 RETURNING n";

/// Moves the number of our row on.
const REENTER: &str = "UPDATE lane SET n = n + 1 WHERE session = $1 AND lane = $2 RETURNING n";

/// Fails when the number is another one: dividing by zero undoes the transaction. What comes before
/// it in a WITH, and its parameters.
macro_rules! mark {
    ($before:expr; $session:literal $lane:literal $n:literal
     $messages:literal $pending:literal $outbox:literal) => {
        concat!(
            "WITH ",
            $before,
            "mark AS (UPDATE lane SET n = n + 1, messages = messages + ",
            $messages,
            ", pending = pending + ",
            $pending,
            ", outbox = outbox + ",
            $outbox,
            " WHERE session = ",
            $session,
            " AND lane = ",
            $lane,
            " AND n = ",
            $n,
            " RETURNING 1) SELECT 1 / count(*) FROM mark"
        )
    };
}
pub(crate) use mark;

const MARK: &str = mark!(""; "$1" "$2" "$3" "$4" "$5" "$6");

const FOLD: &str = "WITH gone AS (DELETE FROM lane WHERE session = $1 AND lane = $2 \
     RETURNING messages, pending, outbox) \
     INSERT INTO lane AS l SELECT 0, 0, 0, messages, pending, outbox FROM gone \
     ON CONFLICT (session, lane) DO UPDATE SET messages = l.messages + excluded.messages, \
     pending = l.pending + excluded.pending, outbox = l.outbox + excluded.outbox";

/// What one transaction is for.
enum Work<'a> {
    Hot(&'a mut Batch),
    Chore(&'a mut dyn Chore),
}

impl Work<'_> {
    /// It committed, and what the last steps answered is lost.
    fn known_late(&mut self) -> Result<(), Error> {
        if let Self::Hot(batch) = self {
            batch.lose_rows();
        }
        Ok(())
    }

    fn ids(&self) -> Vec<i64> {
        match self {
            Self::Hot(batch) => batch.ids(),
            Self::Chore(_) => Vec::new(),
        }
    }
}
