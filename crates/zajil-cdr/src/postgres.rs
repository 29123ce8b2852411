//! CDRs into PostgreSQL, 13 or newer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::types::ToSql;
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrFilter, CdrPlace, CdrSearch, CdrSink, Found, Written};
use zajil_telemetry::Telemetry;

use crate::adopt::Guard;
use crate::filter::{self, Query, Value};
use crate::pool::{Lease, Limits, Pool};
use crate::schema::Dialect;
use crate::server::Server;
use crate::sink::{self, Answer, Fault, Table};

mod connect;
mod migrate;
mod row;

use connect::Connector;

/// Why no connection can even be tried: the end of a sentence about `cdr.cdr_ca_file`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Writes CDRs to PostgreSQL and finds them there.
pub struct PostgresSink {
    pool: Pool<Connector>,
    /// None until the table was looked at, and again when it may have changed.
    guard: Mutex<Option<Guard>>,
}

impl PostgresSink {
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
        let work = migrate::run(&mut lease.client);
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

    async fn ask(&self, query: &Query) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let (lease, _) = self.ready().await?;
        let parameters = parameters(&query.values);
        let references: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|value| &**value as _).collect();
        let work = async {
            let rows = lease.client.query(&query.sql, &references).await;
            rows.map_err(connect::fault)
        };
        let rows = self.pool.answer(work).await;
        lease.settle(rows)
    }

    async fn execute(&self, query: &Query) -> Result<u64, Fault> {
        let (lease, _) = self.ready().await?;
        let parameters = parameters(&query.values);
        let references: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|value| &**value as _).collect();
        let work = async {
            let count = lease.client.execute(&query.sql, &references).await;
            count.map_err(connect::fault)
        };
        let count = self.pool.answer(work).await;
        lease.settle(count)
    }
}

fn parameters(values: &[Value]) -> Vec<Box<dyn ToSql + Sync + Send>> {
    let parameter = |value: &Value| -> Box<dyn ToSql + Sync + Send> {
        match value {
            Value::Int(number) => Box::new(*number),
            Value::Text(text) => Box::new(row::storable(text).into_owned()),
            Value::Time(at) => Box::new(row::Instant(*at)),
        }
    };
    values.iter().map(parameter).collect()
}

impl fmt::Debug for PostgresSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl Table for PostgresSink {
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

impl CdrSink for PostgresSink {
    fn write<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Written<'a> {
        Box::pin(self.pool.counted(sink::write(self, rows, now)))
    }
}

impl CdrSearch for PostgresSink {
    fn search<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Option<CdrPlace>,
        limit: u32,
    ) -> Found<'a, Vec<(CdrPlace, Cdr)>> {
        Box::pin(async move {
            let query = filter::query(Dialect::Postgres, filter, before, limit);
            let rows = self.ask(&query).await.map_err(Fault::text)?;
            let read = rows.iter().map(row::read).collect::<Result<_, _>>();
            read.map_err(|error| sink::chain(&error))
        })
    }

    fn purge(&self, before: Timestamp, limit: u32) -> Found<'_, u64> {
        Box::pin(async move {
            let query = filter::purge(Dialect::Postgres, before, limit);
            self.execute(&query).await.map_err(Fault::text)
        })
    }

    fn health(&self) -> Found<'_, ()> {
        Box::pin(async move {
            let query = Query {
                sql: "SELECT 1".to_owned(),
                values: Vec::new(),
            };
            self.ask(&query).await.map(drop).map_err(Fault::text)
        })
    }
}
