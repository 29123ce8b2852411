//! A bounded pool of connections to a database that may be slow, stopped or gone.
//!
//! A connection whose last answer did not come is never used again: what it is still doing is not
//! known. Every wait has a limit: for a place in the pool, for the connection, for each answer.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use zajil_core::port::Unwritten;
use zajil_telemetry::{Stopwatch, Telemetry};

use crate::sink::{Answer, Fault};

/// Makes connections.
pub(crate) trait Connect: Send + Sync + fmt::Debug {
    type Connection: Send;

    /// A connection that is ready for statements. The pool limits the time.
    fn connect(&self) -> Answer<'_, Self::Connection>;

    /// Whether the other end has not said that it is gone.
    fn is_open(connection: &Self::Connection) -> bool;
}

/// How many connections there may be, and how long anything may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) size: u32,
    pub(crate) connect: Duration,
    pub(crate) statement: Duration,
}

pub(crate) struct Pool<C: Connect> {
    connector: C,
    limits: Limits,
    places: Semaphore,
    idle: Mutex<Vec<C::Connection>>,
    telemetry: Arc<Telemetry>,
}

/// A connection taken from the pool. It is closed unless [`Lease::settle`] puts it back.
pub(crate) struct Lease<'a, C: Connect> {
    connection: C::Connection,
    counted: Counted<'a, C>,
}

/// A place in the pool, and a connection in the figures.
struct Counted<'a, C: Connect> {
    pool: &'a Pool<C>,
    stays: bool,
    _place: SemaphorePermit<'a>,
}

impl<C: Connect> Pool<C> {
    pub(crate) fn new(connector: C, limits: Limits, telemetry: Arc<Telemetry>) -> Self {
        Self {
            connector,
            limits,
            places: Semaphore::new(usize::try_from(limits.size.max(1)).unwrap_or(1)),
            idle: Mutex::default(),
            telemetry,
        }
    }

    /// A connection: one that is open, or a new one.
    pub(crate) async fn take(&self) -> Result<Lease<'_, C>, Fault> {
        let waited = Stopwatch::start();
        let place = tokio::time::timeout(self.limits.connect, self.places.acquire()).await;
        let Ok(Ok(place)) = place else {
            return Err(self.silent("a free connection", self.limits.connect));
        };
        self.telemetry.metrics.database_queued(waited.elapsed());
        let connection = match self.open_one() {
            Some(connection) => connection,
            None => {
                let made = tokio::time::timeout(self.limits.connect, self.connector.connect());
                let made = made.await;
                let made = made.map_err(|_| self.silent("a connection", self.limits.connect))??;
                self.telemetry.metrics.database_connected.inc();
                made
            }
        };
        Ok(Lease {
            connection,
            counted: Counted {
                pool: self,
                stays: false,
                _place: place,
            },
        })
    }

    fn open_one(&self) -> Option<C::Connection> {
        loop {
            let connection = self.idle().pop()?;
            if C::is_open(&connection) {
                return Some(connection);
            }
            self.telemetry.metrics.database_connected.dec();
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<C::Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the answer to a statement, for as long as one may take.
    pub(crate) async fn answer<T>(
        &self,
        statement: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.answer_within(self.limits.statement, statement).await
    }

    /// Likewise, with another limit.
    pub(crate) async fn answer_within<T>(
        &self,
        limit: Duration,
        statement: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let took = Stopwatch::start();
        let answer = tokio::time::timeout(limit, statement).await;
        self.telemetry.metrics.database_asked(took.elapsed());
        answer.unwrap_or_else(|_| Err(self.silent("an answer", limit)))
    }

    /// A batch of rows, counted when it has to be tried again.
    pub(crate) async fn counted(
        &self,
        batch: impl Future<Output = Result<(), Unwritten>>,
    ) -> Result<(), Unwritten> {
        let written = batch.await;
        if matches!(written, Err(Unwritten::Down(_))) {
            self.telemetry.metrics.cdr_failures.inc();
        }
        written
    }

    fn silent(&self, what: &str, limit: Duration) -> Fault {
        Fault::Down(format!(
            "{:?} did not give {what} within {} ms",
            self.connector,
            limit.as_millis()
        ))
    }
}

impl<C: Connect> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("to", &self.connector)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<C: Connect> Drop for Pool<C> {
    fn drop(&mut self) {
        for _closed in self.idle().drain(..) {
            self.telemetry.metrics.database_connected.dec();
        }
    }
}

impl<C: Connect> Lease<'_, C> {
    /// Puts the connection back, unless the answer leaves open what it is doing.
    pub(crate) fn settle<T>(self, answer: Result<T, Fault>) -> Result<T, Fault> {
        let Self {
            connection,
            mut counted,
        } = self;
        if !matches!(answer, Err(Fault::Down(_))) {
            counted.stays = true;
            counted.pool.idle().push(connection);
        }
        answer
    }
}

impl<C: Connect> Deref for Lease<'_, C> {
    type Target = C::Connection;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl<C: Connect> DerefMut for Lease<'_, C> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl<C: Connect> Drop for Counted<'_, C> {
    fn drop(&mut self) {
        if !self.stays {
            self.pool.telemetry.metrics.database_connected.dec();
        }
    }
}
