//! Opening the shared store: the tables, the writers, the readers, the hints.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Timestamp;
use zajil_database::Server;
use zajil_database::postgres::Dial;
use zajil_store::Error;
use zajil_telemetry::{Stopwatch, Telemetry};

use crate::conn::{Conn, Manners, Step};
use crate::endings::Horizon;
use crate::error::{Done, Fault};
use crate::front::Fronts;
use crate::held::Held;
use crate::hot::Hot;
use crate::lane::{Common, Job, Lane, Place, Queue, Task, Tx};
use crate::location;
use crate::notify::{self, Hints};
use crate::pooler::{self, Served};
use crate::pulse::Pulse;
use crate::read::Readers;
use crate::run::Runs;
use crate::schema::index::PATIENCE;
use crate::schema::unused;
use crate::schema::{self, Day};
use crate::ticket::{Ticket, ticket};
use crate::transfer;
use crate::turn::Walk;

/// How many jobs may wait; beyond it callers are refused with [`Error::Busy`].
const QUEUE: usize = 8_192;
/// What nobody waits for may take as long as the database needs.
const LONG: Duration = Duration::from_secs(60);
const SURVEY: Duration = Duration::from_secs(30);

/// How the store uses the database.
#[derive(Debug, Clone)]
pub struct Options {
    /// The schema that holds the tables; letters, digits and `_`.
    pub schema: String,
    /// Writers that share submits, reports and leases. With two the node prepares a transaction
    /// while the database runs the one before; more help a database with cores to spare.
    pub writers: u32,
    /// How long callers wait for a database that is silent, all questions of a request together,
    /// but for a twentieth of it for each after the first. Before it has been silent for so long
    /// each waits for three fifths of it at least.
    pub answer_within: Duration,
    /// How long to wait at the start for a database that does not answer.
    pub within: Duration,
    /// So many new messages of one frontend, committed together, share rows until they are leased;
    /// fewer have one each (ADR 26). 0 = all have.
    pub least_run: u32,
    /// Who is told of transactions, and of leases that ran out; none = nobody.
    pub telemetry: Option<Arc<Telemetry>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schema: "zajil".to_owned(),
            writers: 2,
            answer_within: Duration::from_millis(1_700),
            within: Duration::ZERO,
            least_run: 16,
            telemetry: None,
        }
    }
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings cannot be used; the end of a sentence about the URL.
    #[error("{0}")]
    Settings(String),
    /// There are no tables to read.
    #[error("{0} has no tables of zajil")]
    Missing(String),
    /// It cannot be reached, or its tables cannot be made.
    #[error("the database {0}")]
    Database(String, #[source] Error),
}

/// A store that nodes share.
pub struct PostgresStore {
    pub(crate) common: Arc<Common>,
    pub(crate) session: i64,
    hot: Door,
    chores: Door,
    /// What takes long: callers do not wait behind it.
    sweeps: Door,
    pulse: Arc<Pulse>,
    pub(crate) quick: Readers,
    pub(crate) slow: Readers,
    /// When the first location runs out, as far as this node has heard.
    first_end: AtomicI64,
    /// How far the order of endings is known.
    pub(crate) horizon: Horizon,
    /// Where turns come near that are not listed, as far as this node knows.
    pub(crate) walk: Walk,
    /// The outbox entries that this process has handed out. Only those are forgotten: one with a
    /// lower place may commit after a higher one was read.
    pub(crate) handed_out: Mutex<BTreeSet<u64>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    closing: CancellationToken,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("at", &self.common.dial)
            .field("schema", &self.common.manners.schema)
            .finish_non_exhaustive()
    }
}

/// The way to a queue; none once it is closed.
struct Door(Mutex<Option<mpsc::Sender<Job>>>);

impl Door {
    fn open() -> (Self, Queue) {
        let (send, receive) = mpsc::channel(QUEUE);
        let queue = Arc::new(tokio::sync::Mutex::new(receive));
        (Self(Mutex::new(Some(send))), queue)
    }

    fn send(&self, job: Job) -> Result<(), Error> {
        let door = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match door.as_ref().ok_or(Error::Closed)?.try_send(job) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Closed),
        }
    }

    fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl PostgresStore {
    /// Connects, and makes the tables or brings them to this version's form.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then, or what was is whole.
    pub async fn open(server: &Server, options: Options) -> Result<Self, OpenError> {
        check_schema(&options.schema)?;
        let dial = Arc::new(Dial::new(server).map_err(OpenError::Settings)?);
        let session = new_session();
        let pulse = Arc::new(Pulse::new(options.answer_within));
        let served = Arc::new(Served::default());
        let mut quick = manners(&options, session, server.statement_timeout, &served);
        let known = prepare(&dial, &options, &quick).await.map_err(|fault| {
            let place = server.to_string();
            OpenError::Database(place, fault.into_error())
        })?;
        quick.pulse = Some(Arc::clone(&pulse));
        let hints = Arc::new(Hints::new(session));
        let common = |manners| {
            Arc::new(Common {
                dial: Arc::clone(&dial),
                manners,
                hints: Arc::clone(&hints),
                telemetry: options.telemetry.clone(),
                held: Held::default(),
                fronts: Fronts::default(),
                runs: Runs::new(options.least_run, known),
                joined: AtomicBool::new(false),
            })
        };
        let shared = common(quick);
        let slow = common(manners(&options, session, SURVEY, &served));
        let ((hot, hot_jobs), (chores, chore_jobs)) = (Door::open(), Door::open());
        let (sweeps, sweep_jobs) = Door::open();
        let closing = CancellationToken::new();
        let mut tasks = Vec::new();
        let writers = i64::from(options.writers.clamp(1, 16));
        let mut queues = vec![hot_jobs; usize::try_from(writers).unwrap_or(1)];
        queues.extend([chore_jobs, sweep_jobs]);
        for (lane, jobs) in (0..).zip(queues) {
            let place = Place { session, lane };
            tasks.push(run(supervise(Arc::clone(&shared), place, jobs)));
        }
        tasks.push(run(notify::serve(Arc::clone(&shared), closing.clone())));
        // The writers, the one for surveys and the one for hints have one each.
        let others = options.writers.clamp(1, 16) + 4;
        let readers = server.pool_size.saturating_sub(others).max(1);
        let readers = usize::try_from(readers).unwrap_or(1);
        Ok(Self {
            session,
            hot,
            chores,
            sweeps,
            quick: Readers::quick(Arc::clone(&shared), Arc::clone(&pulse), readers),
            slow: Readers::slow(slow, Arc::clone(&pulse), SURVEY + Duration::from_secs(1)),
            pulse,
            common: shared,
            first_end: AtomicI64::new(0),
            horizon: Horizon::default(),
            walk: Walk::default(),
            handed_out: Mutex::default(),
            tasks: Mutex::new(tasks),
            closing,
        })
    }

    /// Asks the writers that share transactions.
    pub(crate) async fn ask<T>(&self, job: impl FnOnce(Ticket<T>) -> Hot) -> Result<T, Error> {
        let (ticket, claim) = ticket();
        self.count(self.hot.send(Job::Hot(job(ticket))))?;
        let (begin, answer) = self.patience();
        claim.redeem(begin, answer).await
    }

    /// How long a caller waits for its job to be begun, and for its answer after that.
    fn patience(&self) -> (Duration, Duration) {
        let whole = self.pulse.patience();
        let answer = whole / 5;
        (whole - answer, answer)
    }

    /// A transaction of its own. `work` may run again when it was undone.
    pub(crate) async fn chore<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnMut(&'a Tx<'a>) -> BoxFuture<'a, Done<T>> + Send + 'static,
    {
        self.chore_within(work, &self.chores, self.patience()).await
    }

    /// A transaction that may take long, behind others that may.
    pub(crate) async fn long_chore<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnMut(&'a Tx<'a>) -> BoxFuture<'a, Done<T>> + Send + 'static,
    {
        self.chore_within(work, &self.sweeps, (LONG, LONG)).await
    }

    async fn chore_within<T, F>(
        &self,
        work: F,
        door: &Door,
        (begin, answer): (Duration, Duration),
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnMut(&'a Tx<'a>) -> BoxFuture<'a, Done<T>> + Send + 'static,
    {
        let (ticket, claim) = ticket();
        let task = Task {
            work,
            result: None,
            ticket,
        };
        self.count(door.send(Job::Chore(Box::new(task))))?;
        claim.redeem(begin, answer).await
    }

    fn count(&self, sent: Result<(), Error>) -> Result<(), Error> {
        if let (Ok(()), Some(telemetry)) = (&sent, &self.common.telemetry) {
            telemetry.metrics.store_queue.inc();
        }
        sent
    }

    /// A location ends at this instant.
    pub(crate) fn note_end(&self, end: Timestamp) {
        self.first_end.fetch_min(end.millis(), Ordering::AcqRel);
    }

    /// Whether a location may have run out that has not been swept yet.
    pub(crate) fn location_over(&self, now: Timestamp) -> bool {
        self.first_end.load(Ordering::Acquire) <= now.millis()
    }

    /// Looks again when the first location runs out. What is noted meanwhile counts too.
    pub(crate) async fn find_first_end(&self) -> Result<(), Error> {
        self.first_end.store(i64::MAX, Ordering::Release);
        let read = |rows: &[tokio_postgres::Row]| match rows.first() {
            Some(row) => Ok(row.try_get::<_, Option<i64>>(0)?),
            None => Ok(None),
        };
        let step = || Step::bare(location::FIRST_END);
        match self.quick.read(step, read).await {
            Ok(end) => {
                self.first_end
                    .fetch_min(end.unwrap_or(i64::MAX), Ordering::AcqRel);
                Ok(())
            }
            Err(error) => {
                self.first_end.store(0, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Lets the jobs that wait finish, then ends the writers.
    pub(crate) async fn stop(&self) {
        self.hot.close();
        self.chores.close();
        self.sweeps.close();
        self.quick.close();
        self.slow.close();
        self.closing.cancel();
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a writer of the store panicked");
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closing.is_cancelled()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.closing.cancel();
        let tasks = self.tasks.lock();
        for task in tasks.unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

/// Whether this may be the name of a schema.
pub(crate) fn check_schema(schema: &str) -> Result<(), OpenError> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if schema.is_empty() || !schema.chars().all(word) {
        let told = "must name a schema of lower-case letters, digits and _";
        return Err(OpenError::Settings(told.to_owned()));
    }
    Ok(())
}

fn manners(options: &Options, session: i64, statement: Duration, served: &Arc<Served>) -> Manners {
    Manners {
        schema: options.schema.clone(),
        session,
        statement,
        // The database gives up first, so that its reason is the one that is told.
        silence: statement + Duration::from_millis(500),
        served: Arc::clone(served),
        pulse: None,
    }
}

/// Makes the tables, and the partitions of today and tomorrow by the database's clock.
/// Answers whether every node that is there knows of runs.
async fn prepare(dial: &Dial, options: &Options, manners: &Manners) -> Done<bool> {
    const STEP: Duration = Duration::from_millis(500);
    let watch = Stopwatch::start();
    loop {
        let prepared = async {
            pooler::keep_out(dial, manners.silence).await?;
            let conn = Conn::open(dial, manners, None).await?;
            match schema::is_current(&conn).await {
                Ok(()) => {}
                Err(Fault::Answer(Error::NotFound | Error::Conflict(_))) => {
                    // Tables that are full take as long as they need, on a connection of its own.
                    let patient = Conn::open(dial, manners, None).await?;
                    let patient = patient.patient(PATIENCE);
                    schema::migrate(&patient, &options.schema).await?;
                }
                Err(fault) => return Err(fault),
            }
            transfer::keep_out(&conn).await?;
            unused::contract(&conn).await?;
            let rows = conn.ask(Step::bare(crate::cluster::TIME)).await?;
            if let Some(row) = rows.first() {
                let today = Day::at(Timestamp::from_millis(row.try_get(0)?));
                schema::add_day(&conn, today).await?;
                schema::add_day(&conn, today.next()).await?;
            }
            unused::read(&conn.ask(Step::bare(unused::RUNS_KNOWN)).await?)
        };
        match prepared.await {
            Err(fault)
                if !matches!(fault, Fault::Answer(_)) && watch.elapsed() < options.within =>
            {
                tracing::warn!(error = %fault.into_error(), "waiting for the database");
                tokio::time::sleep(STEP).await;
            }
            done => return done,
        }
    }
}

/// A number that no other process has drawn.
pub(crate) fn new_session() -> i64 {
    let drawn = RandomState::new().hash_one(std::process::id());
    i64::try_from(drawn >> 1).unwrap_or(i64::MAX).max(1)
}

/// Makes a writer anew when a bug has ended it.
async fn supervise(common: Arc<Common>, place: Place, jobs: Queue) {
    loop {
        let lane = Lane::new(Arc::clone(&common), place);
        if run(lane.serve(Arc::clone(&jobs))).await.is_ok() {
            return;
        }
        tracing::error!("a writer of the store ended by a bug; another takes over");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the store's own tasks: joined by `stop` and aborted with the store, or at their end \
              within the time of a connection"
)]
pub(crate) fn run<T>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T>
where
    T: Send + 'static,
{
    tokio::spawn(task)
}
