//! A shared store that is open for nothing but moving: read row by row, or filled.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_database::Server;
use zajil_database::postgres::Dial;
use zajil_store::cluster::LEASE;
use zajil_store::transfer::{Mark, Port, Row, Table};
use zajil_store::{Error, Reply, record};
use zajil_telemetry::Stopwatch;

use crate::cluster::{self, TIME};
use crate::conn::{Conn, Manners, Step, bind};
use crate::error::{Done, Fault};
use crate::open::{self, OpenError};
use crate::pooler;
use crate::row::instant;
use crate::schema::{self, Day};

mod plain;
mod read;
mod write;

/// A page of any table is read or written well within this.
const STATEMENT: Duration = Duration::from_secs(600);

/// Of two that move this schema one is refused.
const LOCK: &str =
    "SELECT pg_try_advisory_lock(2053796725, hashtext(current_setting('search_path')))";

const SET_MARK: &str = "INSERT INTO transfer VALUES (true, $1) \
     ON CONFLICT (one) DO UPDATE SET mark = excluded.mark";

/// Tables in a database that no node works on.
pub struct PostgresPort {
    conn: Conn,
    place: String,
    /// The places of endings that are told of later than others which ended after them.
    late: Option<BTreeMap<i64, i64>>,
    /// The days that have been made.
    days: Vec<Day>,
}

impl fmt::Debug for PostgresPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresPort")
            .field("at", &self.place)
            .finish_non_exhaustive()
    }
}

impl PostgresPort {
    /// Opens a schema that has tables of this version's form; changes nothing.
    ///
    /// # Errors
    /// [`OpenError`]: no such tables, tables of another form, or nodes work on them.
    pub async fn existing(server: &Server, schema: &str) -> Result<Self, OpenError> {
        Self::open(server, schema, false).await
    }

    /// Opens a schema to be filled, making it when it is not there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn target(server: &Server, schema: &str) -> Result<Self, OpenError> {
        Self::open(server, schema, true).await
    }

    async fn open(server: &Server, schema: &str, make: bool) -> Result<Self, OpenError> {
        open::check_schema(schema)?;
        let dial = Dial::new(server).map_err(OpenError::Settings)?;
        let opened = Self::connect(&dial, schema, make).await;
        let place = named(server, schema);
        let conn = opened.map_err(|fault| match fault.into_error() {
            Error::NotFound => OpenError::Missing(place.clone()),
            error => OpenError::Database(place.clone(), error),
        })?;
        Ok(Self {
            conn,
            place,
            late: None,
            days: Vec::new(),
        })
    }

    async fn connect(dial: &Dial, schema: &str, make: bool) -> Done<Conn> {
        let manners = manners(schema);
        pooler::keep_out(dial, manners.silence).await?;
        let conn = Conn::open(dial, &manners, None).await?;
        alone(&conn).await?;
        match schema::is_current(&conn).await {
            // Tables that are there are never changed: they may be a cluster's.
            Err(Fault::Answer(Error::NotFound)) if make => {
                schema::migrate(&conn, schema).await?;
            }
            there => there?,
        }
        nobody_works(&conn).await?;
        Ok(conn)
    }

    /// The mark of a schema, whoever works on it; none without a mark, tables or a schema.
    ///
    /// # Errors
    /// [`OpenError`]: the database cannot be reached, or the tables have another form.
    pub async fn mark_of(server: &Server, schema: &str) -> Result<Option<Mark>, OpenError> {
        open::check_schema(schema)?;
        let dial = Dial::new(server).map_err(OpenError::Settings)?;
        let read = async {
            let conn = Conn::open(&dial, &manners(schema), None).await?;
            schema::is_current(&conn).await?;
            mark(&conn).await
        };
        match read.await.map_err(Fault::into_error) {
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(OpenError::Database(named(server, schema), error)),
            Ok(mark) => Ok(mark),
        }
    }

    /// Sets the mark while no node can join; those that have died are forgotten, so that one which
    /// comes back finds that it has lost its place.
    async fn change_mark(&self, mark: Option<&Mark>) -> Done<()> {
        const FORGET: &str = "DELETE FROM node; DELETE FROM duty; \
             WITH gone AS (DELETE FROM lane RETURNING messages, pending, outbox) \
             SELECT set_config('zajil.counted', coalesce(sum(messages), 0) || ',' || \
             coalesce(sum(pending), 0) || ',' || coalesce(sum(outbox), 0), true) FROM gone; \
             INSERT INTO lane SELECT 0, 0, 0, c[1], c[2], c[3] FROM (SELECT \
             string_to_array(current_setting('zajil.counted'), ',')::bigint[] AS c) AS counted;";
        self.conn.batch("BEGIN").await?;
        let changed = async {
            self.conn.ask(Step::bare(cluster::JOIN)).await?;
            nobody_works(&self.conn).await?;
            match mark {
                Some(mark) => {
                    self.conn.batch(FORGET).await?;
                    let text = record::encode_mark(mark);
                    self.conn.ask(Step::new(SET_MARK, bind![text])).await?;
                }
                None => self.conn.batch("DELETE FROM transfer").await?,
            }
            Ok(())
        };
        let changed = changed.await;
        let end = if changed.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        self.conn.batch(end).await?;
        changed
    }

    /// Makes the days that rows need.
    async fn make_days(&mut self, ids: impl Iterator<Item = i64>) -> Done<()> {
        for day in ids.map(Day::of) {
            if !self.days.contains(&day) {
                schema::add_day(&self.conn, day).await?;
                self.days.push(day);
            }
        }
        Ok(())
    }

    async fn late(&mut self) -> Done<&BTreeMap<i64, i64>> {
        let late = match self.late.take() {
            Some(late) => late,
            None => read::late(&self.conn).await?,
        };
        Ok(self.late.insert(late))
    }
}

impl Port for PostgresPort {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn mark(&mut self) -> Reply<'_, Option<Mark>> {
        Box::pin(async { mark(&self.conn).await.map_err(Fault::into_error) })
    }

    fn set_mark(&mut self, mark: Option<Mark>) -> Reply<'_, ()> {
        Box::pin(async move {
            let changed = self.change_mark(mark.as_ref()).await;
            changed.map_err(Fault::into_error)
        })
    }

    fn rows(&mut self, table: Table, after: Row, limit: u32) -> Reply<'_, Vec<Row>> {
        Box::pin(async move {
            let read = async {
                match table {
                    Table::Counter => {
                        let more = read::last_of(self.late().await?);
                        read::counters(&self.conn, &after, more).await
                    }
                    Table::Message => {
                        self.late().await?;
                        let late = self.late.as_ref();
                        read::messages(&self.conn, &after, limit, late).await
                    }
                    Table::Log => read::logs(&self.conn, &after, limit).await,
                    table => plain::rows(&self.conn, table, &after, limit).await,
                }
            };
            read.await.map_err(Fault::into_error)
        })
    }

    fn put(&mut self, table: Table, rows: Vec<Row>, mark: Mark) -> Reply<'_, ()> {
        Box::pin(async move {
            let put = async {
                self.late = None;
                if matches!(table, Table::Message | Table::Log) {
                    self.make_days(write::ids(&rows)).await?;
                }
                write::put(&self.conn, table, &rows, &mark).await
            };
            put.await.map_err(Fault::into_error)
        })
    }
}

fn manners(schema: &str) -> Manners {
    Manners {
        schema: schema.to_owned(),
        session: open::new_session(),
        statement: STATEMENT,
        silence: STATEMENT + Duration::from_secs(1),
        served: std::sync::Arc::default(),
        pulse: None,
    }
}

fn named(server: &Server, schema: &str) -> String {
    format!("{server} schema {schema}")
}

/// Keeps others from moving the schema. One that was killed holds it until the database notices.
async fn alone(conn: &Conn) -> Done<()> {
    const WITHIN: Duration = Duration::from_secs(5);
    const STEP: Duration = Duration::from_millis(50);
    let watch = Stopwatch::start();
    loop {
        let rows = conn.ask(Step::bare(LOCK)).await?;
        if rows.first().map_or(Ok(false), |row| row.try_get(0))? {
            return Ok(());
        }
        if watch.elapsed() >= WITHIN {
            return Err(Error::Conflict("is being moved by another process".into()).into());
        }
        tokio::time::sleep(STEP).await;
    }
}

/// The mark of a move, if the tables are part of one.
pub(crate) async fn mark(conn: &Conn) -> Done<Option<Mark>> {
    let rows = conn.ask(Step::bare("SELECT mark FROM transfer")).await?;
    let mark = rows.first().map(|row| -> Done<Mark> {
        let text: &str = row.try_get(0)?;
        Ok(record::decode_mark(text)?)
    });
    mark.transpose()
}

/// Refuses tables that are part of a move.
pub(crate) async fn keep_out(conn: &Conn) -> Done<()> {
    match mark(conn).await?.and_then(|mark| mark.keeps_out()) {
        Some(why) => Err(Error::Conflict(format!("is part of a move: {why}")).into()),
        None => Ok(()),
    }
}

/// Refuses while a node has a connection, or may only be out of reach.
async fn nobody_works(conn: &Conn) -> Done<()> {
    const NODES: &str = "SELECT name, seen_at, \
         EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1 \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND l.classid::bigint = session >> 32 AND l.objid::bigint = session & 4294967295) \
         FROM node ORDER BY number";
    let rows = conn.ask(Step::bare(TIME)).await?;
    let now = rows
        .first()
        .map_or(Ok(Timestamp::EPOCH), |row| instant(row, 0))?;
    for row in conn.ask(Step::bare(NODES)).await? {
        let (name, seen): (String, Timestamp) = (row.try_get(0)?, instant(&row, 1)?);
        let silent = now.since(seen);
        if row.try_get(2)? {
            return Err(Error::Conflict(format!("the node {name} runs: stop it first")).into());
        }
        if silent < LEASE {
            let left = (LEASE - silent).as_secs() + 1;
            let told = format!(
                "the node {name} was heard of {} s ago and did not say that it stops: if it does \
                 not run any more, try again in {left} s",
                silent.as_secs()
            );
            return Err(Error::Conflict(told).into());
        }
    }
    Ok(())
}
