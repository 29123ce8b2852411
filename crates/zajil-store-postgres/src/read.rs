//! Readers: connections for look-ups, which share them, and one for what takes long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;
use zajil_store::Error;

use crate::conn::{Conn, Step};
use crate::error::{Done, Fault};
use crate::lane::Common;
use crate::open::run;
use crate::pulse::Pulse;

/// How many look-ups may wait for one connection; beyond it callers are refused.
const WAITING: usize = 1_024;
const LATE: Fault = Fault::Silent("answer");

/// Where a connection is, once it is made.
type Place = Arc<Mutex<Option<Arc<Conn>>>>;

/// Connections that look-ups take turns with. Statements of several callers are under way on one at
/// the same time; the database answers them in order.
#[derive(Debug)]
pub(crate) struct Readers {
    common: Arc<Common>,
    conns: Vec<Place>,
    next: AtomicUsize,
    places: Semaphore,
    pulse: Arc<Pulse>,
    /// For what may take long, while the database answers others.
    limit: Option<Duration>,
    closed: AtomicBool,
}

impl Readers {
    /// For look-ups that are answered at once, if at all.
    pub(crate) fn quick(common: Arc<Common>, pulse: Arc<Pulse>, count: usize) -> Self {
        Self::new(common, pulse, (count.max(1), None))
    }

    /// One connection for look-ups that may take so long.
    pub(crate) fn slow(common: Arc<Common>, pulse: Arc<Pulse>, limit: Duration) -> Self {
        Self::new(common, pulse, (1, Some(limit)))
    }

    fn new(
        common: Arc<Common>,
        pulse: Arc<Pulse>,
        (count, limit): (usize, Option<Duration>),
    ) -> Self {
        Self {
            common,
            conns: (0..count).map(|_| Place::default()).collect(),
            next: AtomicUsize::new(0),
            places: Semaphore::new(count * WAITING),
            pulse,
            limit,
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// The rows of one statement, tried again once when the connection was lost.
    pub(crate) async fn rows(
        &self,
        step: impl Fn() -> Step<'static> + Send,
    ) -> Result<Vec<Row>, Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        let _place = self.places.try_acquire().map_err(|_| Error::Busy)?;
        let answer = match self.limit {
            None => self.ask_twice(step, self.pulse.patience()).await,
            Some(limit) => tokio::select! {
                answer = self.ask_twice(step, limit) => answer,
                () = self.pulse.stopped() => Err(LATE),
            },
        };
        answer.map_err(Fault::into_error)
    }

    async fn ask_twice(
        &self,
        step: impl Fn() -> Step<'static> + Send,
        within: Duration,
    ) -> Done<Vec<Row>> {
        let end = Instant::now() + within;
        let answer = self.ask(step(), end).await;
        match answer {
            Err(fault)
                if (fault.loses_connection() || fault.is_passing()) && Instant::now() < end =>
            {
                self.ask(step(), end).await
            }
            answer => answer,
        }
    }

    /// What a statement answers, read.
    pub(crate) async fn read<T>(
        &self,
        step: impl Fn() -> Step<'static> + Send,
        read: impl FnOnce(&[Row]) -> Done<T>,
    ) -> Result<T, Error> {
        let rows = self.rows(step).await?;
        read(&rows).map_err(Fault::into_error)
    }

    /// A connection that does not answer by `end` is of no more use: a database that is stuck
    /// keeps it open, and those who come later would wait for it again.
    async fn ask(&self, step: Step<'static>, end: Instant) -> Done<Vec<Row>> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.conns.len();
        let place = self.conns.get(at).ok_or(LATE)?;
        let conn = timeout_at(end, self.conn(place)).await;
        let conn = conn.unwrap_or(Err(LATE))?;
        let asked = async {
            conn.check().await?;
            conn.ask(step).await
        };
        let answer = timeout_at(end, asked).await.unwrap_or(Err(LATE));
        // Whoever holds the place just now looks whether it is good, or makes it anew.
        if answer.as_ref().is_err_and(Fault::loses_connection)
            && let Ok(mut held) = place.try_lock()
            && held.as_ref().is_some_and(|held| Arc::ptr_eq(held, &conn))
        {
            *held = None;
        }
        answer
    }

    /// The connection of a place, made where there is none. That goes on when the caller no longer
    /// waits: while the database is away callers wait less long than it takes.
    async fn conn(&self, place: &Place) -> Done<Arc<Conn>> {
        let mut held = Arc::clone(place).lock_owned().await;
        // A leader that lost its place may be stuck, or answer with what was true once.
        let good = |conn: &&Arc<Conn>| conn.is_open() && !conn.is_left_behind(&self.common.dial);
        if let Some(conn) = held.as_ref().filter(good) {
            return Ok(Arc::clone(conn));
        }
        let (common, pulse) = (Arc::clone(&self.common), Arc::clone(&self.pulse));
        let made = run(async move {
            // Once every connection is given up, this is all that is asked of a stuck database.
            let made = Conn::open(&common.dial, &common.manners, None);
            let made = Arc::new(pulse.hear(made).await?);
            *held = Some(Arc::clone(&made));
            Ok(made)
        });
        made.await.unwrap_or(Err(LATE))
    }
}
