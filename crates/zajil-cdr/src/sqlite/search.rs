//! Searches beside the writer: on connections of their own, few at once, and not for ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle, OpenFlags, params_from_iter};
use tokio::sync::{Semaphore, oneshot};
use zajil_core::cdr::Cdr;
use zajil_core::port::CdrPlace;

use super::{BUSY, row};
use crate::filter::Query;
use crate::sink::chain;

/// Searches at once; the others wait for their turn.
const AT_ONCE: usize = 2;
/// How long one may take in all: a filter without an index reads the whole file.
const WITHIN: Duration = Duration::from_secs(10);

/// What looks rows up while others are written.
pub(super) struct Searches {
    path: PathBuf,
    turns: Arc<Semaphore>,
    within: Duration,
}

impl Searches {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            within: WITHIN,
        }
    }

    /// The rows of a query; a sentence for the operator when it fails or takes too long.
    pub(super) async fn run(&self, query: Query) -> Result<Vec<(CdrPlace, Cdr)>, String> {
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
            search(&path, &query, begun).map_err(|error| chain(&error))
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

fn search(
    path: &Path,
    query: &Query,
    begun: oneshot::Sender<InterruptHandle>,
) -> rusqlite::Result<Vec<(CdrPlace, Cdr)>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    if begun.send(connection.get_interrupt_handle()).is_err() {
        // Nobody waits.
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(&query.sql)?;
    let values = query.values.iter().map(row::value);
    let rows = statement.query_map(params_from_iter(values), row::read)?;
    rows.collect()
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
        let mut searches = Searches::new(&path);
        searches.within = Duration::from_millis(100);
        let query = |sql: &str| Query {
            sql: sql.to_owned(),
            values: Vec::new(),
        };
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                       SELECT count(*) FROM n";
        for _ in 0..=AT_ONCE {
            let given_up = searches.run(query(endless)).await.unwrap_err();
            assert_eq!(given_up, "the search was given up after 100ms");
        }
        searches.within = Duration::from_secs(30);
        assert_eq!(
            searches.run(query("SELECT id FROM t")).await,
            Ok(Vec::new())
        );
        let wrong = searches.run(query("SELECT x FROM t")).await.unwrap_err();
        assert!(wrong.contains("no such column"), "{wrong}");
    }
}
