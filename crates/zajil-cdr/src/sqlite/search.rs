//! Searches beside the writer: on connections of their own, few at once, and not for ever.
//! Reports are made the same way.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, InterruptHandle, OpenFlags, params_from_iter};
use tokio::sync::{Semaphore, oneshot};
use zajil_core::cdr::Cdr;
use zajil_core::port::{CdrPlace, Found};

use super::{BUSY, row};
use crate::filter::Query;
use crate::report::{Reports, Rows};
use crate::schema::Dialect;

/// Searches at once; the others wait for their turn.
const AT_ONCE: usize = 2;
/// How long one may take in all: a filter without an index reads the whole file.
const WITHIN: Duration = Duration::from_secs(10);

/// Looks rows up in a CDR file, which is not written to: it needs no more than to be read.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    turns: Arc<Semaphore>,
    within: Duration,
}

impl Reader {
    /// A reader of this file that is opened for each answer, which may take so long.
    #[must_use]
    pub fn new(path: &Path, within: Duration) -> Self {
        Self {
            path: path.to_owned(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            within,
        }
    }

    /// For searches.
    pub(super) fn of(path: &Path) -> Self {
        Self::new(path, WITHIN)
    }

    /// The rows of a query; a sentence for the operator when it fails or takes too long.
    pub(super) async fn search(&self, query: Query) -> Result<Vec<(CdrPlace, Cdr)>, String> {
        let found = self.ask(move |connection| {
            let mut statement = connection.prepare(&query.sql)?;
            let values = query.values.iter().map(row::value);
            let rows = statement.query_map(params_from_iter(values), row::read)?;
            rows.collect()
        });
        found.await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let too_long = || format!("the search was given up after {:?}", self.within);
        let deadline = tokio::time::Instant::now() + self.within;
        let turn = Arc::clone(&self.turns).acquire_owned();
        let Ok(turn) = tokio::time::timeout_at(deadline, turn).await else {
            return Err(too_long());
        };
        let (begun, begins) = oneshot::channel();
        let path = self.path.clone();
        let mut work = tokio::task::spawn_blocking(move || {
            // Held by the work, not by who waits for it: that one may go away.
            let _turn = turn;
            let answer = answer(&path, begun, question);
            answer.map_err(|error| zajil_telemetry::chain(&error))
        });
        // Also when nobody waits any more.
        let _stop = Stop(begins);
        match tokio::time::timeout_at(deadline, &mut work).await {
            Ok(Ok(found)) => found,
            Ok(Err(failure)) => Err(format!("the search was left: {failure}")),
            Err(_) => Err(too_long()),
        }
    }
}

/// Interrupts a search that is still under way when this is dropped.
struct Stop(oneshot::Receiver<InterruptHandle>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.close();
        if let Ok(handle) = self.0.try_recv() {
            handle.interrupt();
        }
    }
}

fn answer<T>(
    path: &Path,
    begun: oneshot::Sender<InterruptHandle>,
    question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    if let Err(handle) = begun.send(connection.get_interrupt_handle()) {
        // Nobody waits.
        handle.interrupt();
    }
    question(&connection)
}

impl Reports for Reader {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn report<'a>(&'a self, sql: &'a str) -> Found<'a, Rows> {
        let sql = sql.to_owned();
        Box::pin(self.ask(move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let count = columns.len();
            let values = |row: &rusqlite::Row<'_>| {
                (0..count)
                    .map(|at| row.get(at))
                    .map(|value| Ok(text(value?)))
                    .collect()
            };
            let rows = statement.query_map([], values)?.collect::<Result<_, _>>()?;
            Ok(Rows { columns, rows })
        }))
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        // As SQLite writes it: 50.0 is not 50.
        Value::Real(number) => Some(format!("{number:?}")),
        Value::Text(text) => Some(text),
        Value::Blob(octets) => Some(String::from_utf8_lossy(&octets).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s10_3_a_search_that_takes_too_long_ends_and_gives_its_turn_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cdr.db");
        let made = Connection::open(&path).unwrap();
        made.execute_batch("CREATE TABLE t (id)").unwrap();
        let mut searches = Reader::new(&path, Duration::from_millis(100));
        let query = |sql: &str| Query {
            sql: sql.to_owned(),
            values: Vec::new(),
        };
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                       SELECT count(*) FROM n";
        for _ in 0..=AT_ONCE {
            let given_up = searches.search(query(endless)).await.unwrap_err();
            assert_eq!(given_up, "the search was given up after 100ms");
        }
        searches.within = Duration::from_secs(30);
        assert_eq!(
            searches.search(query("SELECT id FROM t")).await,
            Ok(Vec::new())
        );
        let wrong = searches.search(query("SELECT x FROM t")).await.unwrap_err();
        assert!(wrong.contains("no such column"), "{wrong}");
    }
}
