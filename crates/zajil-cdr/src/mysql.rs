//! CDRs into MySQL, 8 or newer, or MariaDB, 10.5 or newer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Params, Row};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrFilter, CdrPlace, CdrSearch, CdrSink, Found, Written};
use zajil_telemetry::Telemetry;

use crate::adopt::Guard;
use crate::filter::{self, Query};
use crate::pool::{Lease, Limits, Pool};
use crate::schema::Dialect;
use crate::server::Server;
use crate::sink::{self, Answer, Fault, Table};

mod connect;
mod migrate;
mod row;

use connect::{Connector, fault};

/// Why no connection can even be tried: the end of a sentence about `cdr.cdr_ca_file`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Writes CDRs to MySQL or MariaDB and finds them there.
pub struct MySqlSink {
    pool: Pool<Connector>,
    /// None until the table was looked at, and again when it may have changed.
    guard: Mutex<Option<Guard>>,
}

impl MySqlSink {
    /// Prepares connections; none is made before the first rows.
    ///
    /// # Errors
    /// [`Error`] when the certificates cannot be used.
    pub fn new(server: &Server, telemetry: Arc<Telemetry>) -> Result<Self, Error> {
        let limits = Limits {
            size: server.pool_size,
            connect: server.connect_timeout,
            statement: server.statement_timeout,
        };
        let connector = Connector::new(server).map_err(Error)?;
        Ok(Self {
            pool: Pool::new(connector, limits, telemetry),
            guard: Mutex::default(),
        })
    }

    fn guard(&self) -> std::sync::MutexGuard<'_, Option<Guard>> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a database whose table has been looked at.
    async fn ready(&self) -> Result<(Lease<'_, Connector>, Guard), Fault> {
        let mut lease = self.pool.take().await?;
        let known = *self.guard();
        if let Some(guard) = known {
            return Ok((lease, guard));
        }
        let work = migrate::run(&mut lease);
        let guard = self.pool.answer_within(migrate::WITHIN, work).await?;
        if guard == Guard::Look {
            crate::adopt::warn_without_key(&format!("{:?}", self.pool));
        }
        *self.guard() = Some(guard);
        Ok((lease, guard))
    }

    async fn write_all(&self, rows: &[Cdr], now: Timestamp) -> Result<(), Fault> {
        let (mut lease, guard) = self.ready().await?;
        let work = row::insert(&mut lease, guard, rows, now);
        let done = self.pool.answer(work).await;
        if matches!(done, Err(Fault::Down(_))) {
            // It may have come back without the table, or with another.
            *self.guard() = None;
        }
        lease.settle(done)
    }

    /// The rows of an answer, and how many were changed.
    async fn ask(&self, query: Query) -> Result<(Vec<Row>, u64), Fault> {
        let (mut lease, _) = self.ready().await?;
        let parameters = query.values.iter().map(row::value).collect();
        let work = async {
            let rows = lease.exec(query.sql, Params::Positional(parameters)).await;
            let rows = rows.map_err(fault)?;
            Ok((rows, lease.affected_rows()))
        };
        let answer = self.pool.answer(work).await;
        lease.settle(answer)
    }
}

impl fmt::Debug for MySqlSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlSink")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl Table for MySqlSink {
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

impl CdrSink for MySqlSink {
    fn write<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Written<'a> {
        Box::pin(self.pool.counted(sink::write(self, rows, now)))
    }
}

/// How an answer shows `ER_KEY_DOES_NOT_EXIST`.
const NO_SUCH_KEY: &str = "error 1176";

impl CdrSearch for MySqlSink {
    fn search<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Option<CdrPlace>,
        limit: u32,
    ) -> Found<'a, Vec<(CdrPlace, Cdr)>> {
        Box::pin(async move {
            let query = filter::query(Dialect::MySql, filter, before, limit);
            let asked = match self.ask(query.clone()).await.map_err(Fault::text) {
                Err(why) if why.contains(NO_SUCH_KEY) => {
                    self.ask(query.without_hints()).await.map_err(Fault::text)
                }
                asked => asked,
            };
            let (rows, _) = asked?;
            rows.iter().map(row::read).collect()
        })
    }

    fn purge(&self, before: Timestamp, limit: u32) -> Found<'_, u64> {
        Box::pin(async move {
            let query = filter::purge(Dialect::MySql, before, limit);
            let (_, count) = self.ask(query).await.map_err(Fault::text)?;
            Ok(count)
        })
    }

    fn health(&self) -> Found<'_, ()> {
        Box::pin(async move {
            let query = Query {
                sql: "SELECT 1".to_owned(),
                values: Vec::new(),
            };
            self.ask(query).await.map(drop).map_err(Fault::text)
        })
    }
}
