//! A sink over the connections to a database server, whichever it is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrFilter, CdrPlace, CdrSearch, CdrSink, Found, Written};
use zajil_telemetry::Telemetry;

use crate::adopt::{self, Guard};
use crate::filter::{self, Page, Query};
use crate::pool::{Connect, Lease, Limits, Pool};
use crate::report::{Reports, Rows};
use crate::schema::Dialect;
use crate::server::{Engine, Server};
use crate::sink::{self, Answer, Fault, Table};
use crate::{mysql, postgres};

/// Why no connection can even be tried: the end of a sentence about `cdr.cdr_ca_file`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// What CDRs are written to, found in and reported from.
pub trait Database: CdrSink + CdrSearch + Reports {}

impl<T: CdrSink + CdrSearch + Reports> Database for T {}

/// Prepares connections to a server; none is made before it is asked for something.
///
/// # Errors
/// [`Error`] when the certificates cannot be used.
pub fn open(server: &Server, telemetry: Arc<Telemetry>) -> Result<Arc<dyn Database>, Error> {
    let limits = Limits {
        size: server.pool_size,
        connect: server.connect_timeout,
        statement: server.statement_timeout,
    };
    Ok(match server.engine {
        Engine::Postgres => {
            let connector = postgres::Connector::new(server).map_err(Error)?;
            Arc::new(ServerSink::new(Pool::new(connector, limits, telemetry)))
        }
        Engine::MySql => {
            let connector = mysql::Connector::new(server).map_err(Error)?;
            Arc::new(ServerSink::new(Pool::new(connector, limits, telemetry)))
        }
    })
}

/// What a kind of server does on one of its connections. A [`Fault::Down`] ends the connection.
pub(crate) trait Speak: Connect + 'static {
    /// How it spells SQL.
    const DIALECT: Dialect;

    /// Brings the table to the form of S10.1.
    fn migrate(connection: &mut Self::Connection) -> Answer<'_, Guard>;

    /// Writes the rows, all or none.
    fn insert<'a>(
        connection: &'a mut Self::Connection,
        guard: Guard,
        rows: &'a [Cdr],
        now: Timestamp,
    ) -> Answer<'a, ()>;

    /// The rows of a page.
    fn search<'a>(
        connection: &'a mut Self::Connection,
        page: Page<'a>,
    ) -> Answer<'a, Vec<(CdrPlace, Cdr)>>;

    /// Does something; answers how many rows it changed.
    fn execute(connection: &mut Self::Connection, query: Query) -> Answer<'_, u64>;

    /// The answer to one query, as text, in a transaction that may only read.
    fn report<'a>(connection: &'a mut Self::Connection, sql: &'a str) -> Answer<'a, Rows>;
}

struct ServerSink<C: Speak> {
    pool: Pool<C>,
    /// None until the table was looked at, and again when it may have changed.
    guard: Mutex<Option<Guard>>,
}

impl<C: Speak> ServerSink<C> {
    fn new(pool: Pool<C>) -> Self {
        Self {
            pool,
            guard: Mutex::default(),
        }
    }

    fn guard(&self) -> std::sync::MutexGuard<'_, Option<Guard>> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a database whose table has been looked at.
    async fn ready(&self) -> Result<(Lease<'_, C>, Guard), Fault> {
        let mut lease = self.pool.take().await?;
        let known = *self.guard();
        if let Some(guard) = known {
            return Ok((lease, guard));
        }
        let work = C::migrate(&mut lease);
        let guard = self.pool.answer_within(adopt::WITHIN, work).await?;
        if guard == Guard::Look {
            adopt::warn_without_key(&format!("{:?}", self.pool));
        }
        *self.guard() = Some(guard);
        Ok((lease, guard))
    }

    async fn write_all(&self, rows: &[Cdr], now: Timestamp) -> Result<(), Fault> {
        let (mut lease, guard) = self.ready().await?;
        let work = C::insert(&mut lease, guard, rows, now);
        let done = self.pool.answer(work).await;
        if matches!(done, Err(Fault::Down(_))) {
            // It may have come back without the table, or with another.
            *self.guard() = None;
        }
        lease.settle(done)
    }

    async fn execute(&self, query: Query) -> Result<u64, String> {
        let (mut lease, _) = self.ready().await.map_err(Fault::text)?;
        let count = self.pool.answer(C::execute(&mut lease, query)).await;
        lease.settle(count).map_err(Fault::text)
    }
}

impl<C: Speak> fmt::Debug for ServerSink<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSink")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl<C: Speak> Table for ServerSink<C> {
    fn insert<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Answer<'a, ()> {
        Box::pin(self.write_all(rows, now))
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            *self.guard() = None;
            let (lease, _) = self.ready().await?;
            lease.settle(Ok(()))
        })
    }
}

impl<C: Speak> CdrSink for ServerSink<C> {
    fn write<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Written<'a> {
        Box::pin(self.pool.counted(sink::write(self, rows, now)))
    }
}

impl<C: Speak> CdrSearch for ServerSink<C> {
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
        Box::pin(async move {
            let (mut lease, _) = self.ready().await.map_err(Fault::text)?;
            let rows = self.pool.answer(C::search(&mut lease, page)).await;
            lease.settle(rows).map_err(Fault::text)
        })
    }

    fn purge(&self, before: Timestamp, limit: u32) -> Found<'_, u64> {
        Box::pin(self.execute(filter::purge(C::DIALECT, before, limit)))
    }

    fn health(&self) -> Found<'_, ()> {
        Box::pin(async move {
            let query = Query {
                sql: "SELECT 1".to_owned(),
                values: Vec::new(),
            };
            self.execute(query).await.map(drop)
        })
    }
}

/// A report needs no right but to read, so the table is not looked at.
impl<C: Speak> Reports for ServerSink<C> {
    fn dialect(&self) -> Dialect {
        C::DIALECT
    }

    fn report<'a>(&'a self, sql: &'a str) -> Found<'a, Rows> {
        Box::pin(async move {
            let mut lease = self.pool.take().await.map_err(Fault::text)?;
            let rows = self.pool.answer(C::report(&mut lease, sql)).await;
            lease.settle(rows).map_err(Fault::text)
        })
    }
}
