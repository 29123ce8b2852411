//! Poolers that give a connection to somebody else after each transaction.
//!
//! Prepared statements, settings, advisory locks and LISTEN belong to a connection of the database.
//! Behind PgBouncer in transaction mode they would be somebody else's now and then: a node would
//! count as alive that is dead, and another schema would be written to. So it is refused at the
//! start, where an operator reads it. One that is put before the database while nodes run is
//! noticed by what serves their connections: no process of the database serves two, and none
//! changes. Then nothing is asked any more until connections last again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;
use zajil_database::postgres::{Dial, Link};
use zajil_store::Error;

use crate::error::{Done, Fault};

/// How often two connections are asked in turn: others may use the same pool meanwhile.
const ROUNDS: u32 = 10;

pub(crate) const TOLD: &str = "hands connections on after each transaction, as PgBouncer does with \
     pool_mode = transaction: the store needs connections that last. Name the database itself, or \
     a pool with pool_mode = session";

/// Asks two connections who serves them.
///
/// # Errors
/// [`Error::Conflict`] when it is the same process, or not always the same one.
pub(crate) async fn keep_out(dial: &Dial, within: Duration) -> Done<()> {
    let looked = tokio::time::timeout(within, look(dial)).await;
    looked.unwrap_or(Err(Fault::Silent("answer")))
}

async fn look(dial: &Dial) -> Done<()> {
    let (one, other) = (dial.connect(None).await?, dial.connect(None).await?);
    let mut first = None;
    for _ in 0..ROUNDS {
        let served = (server(&one).await?, server(&other).await?);
        let known = first.get_or_insert_with(|| served.clone());
        if *known != served || served.0 == served.1 {
            return Err(Error::Conflict(TOLD.to_owned()).into());
        }
    }
    Ok(())
}

/// What serves a connection, unlike any other process of any server.
pub(crate) const SERVED_BY: &str = "SELECT pid || ' ' || extract(epoch FROM backend_start) \
     FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// The process that serves a connection just now; as text, so that nothing is prepared.
async fn server(link: &Link) -> Done<Option<String>> {
    let told = link.client.simple_query(SERVED_BY).await?;
    Ok(last_row(&told))
}

/// What the last row says.
pub(crate) fn last_row(told: &[SimpleQueryMessage]) -> Option<String> {
    told.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

/// What serves the connections of this node.
#[derive(Debug, Default)]
pub(crate) struct Served(Mutex<State>);

/// Whether a connection is open.
type IsOpen = Box<dyn Fn() -> bool + Send>;

#[derive(Default)]
struct State {
    /// Which connection each serves.
    by: HashMap<String, (u64, IsOpen)>,
    seats: u64,
    pooled: bool,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("pooled", &self.pooled)
            .finish_non_exhaustive()
    }
}

/// A connection that is served, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    served: Arc<Served>,
    by: Option<String>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(by) = &self.by {
            let mut state = self.served.lock();
            if state
                .by
                .get(by)
                .is_some_and(|(seat, _)| *seat == self.number)
            {
                state.by.remove(by);
            }
        }
    }
}

impl Served {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection is served by this.
    ///
    /// # Errors
    /// [`Fault::Pooled`] when that serves one already. It may have served one that is closed: a
    /// pooler whose connections last gives it to the next one then.
    pub(crate) fn seat(
        self: &Arc<Self>,
        by: Option<String>,
        is_open: impl Fn() -> bool + Send + 'static,
    ) -> Done<Seat> {
        let (number, former) = {
            let mut state = self.lock();
            state.seats += 1;
            let entry = (state.seats, Box::new(is_open) as IsOpen);
            let former = by.clone().and_then(|by| state.by.insert(by, entry));
            (state.seats, former)
        };
        if former.is_some_and(|(_, is_open)| is_open()) {
            return Err(self.found());
        }
        let served = Arc::clone(self);
        Ok(Seat { served, by, number })
    }

    /// Connections do not last.
    fn found(&self) -> Fault {
        let before = std::mem::replace(&mut self.lock().pooled, true);
        if !before {
            tracing::error!("what store.url leads to {TOLD}; nothing is stored until then");
        }
        Fault::Pooled
    }

    pub(crate) fn is_pooled(&self) -> bool {
        self.lock().pooled
    }

    /// Looks, after a pooler was found, whether it has gone.
    pub(crate) async fn look_again(&self, dial: &Dial, within: Duration) -> Done<()> {
        if !self.is_pooled() {
            return Ok(());
        }
        match keep_out(dial, within).await {
            Err(Fault::Answer(_)) => Err(Fault::Pooled),
            Err(fault) => Err(fault),
            Ok(()) => {
                self.lock().pooled = false;
                tracing::info!("connections to the database last again");
                Ok(())
            }
        }
    }
}

impl Seat {
    /// Compares what serves the connection now.
    pub(crate) fn check(&self, by: Option<String>) -> Done<()> {
        if self.by == by {
            return Ok(());
        }
        Err(self.served.found())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s11_2_one_process_that_serves_two_connections_or_another_one_than_before_is_a_pooler() {
        let by = |who: &str| Some(who.to_owned());
        let served = Arc::new(Served::default());
        let first = served.seat(by("1 0.5"), || true).unwrap();
        let second = served.seat(by("2 0.5"), || true).unwrap();
        drop(first);
        let third = served.seat(by("1 0.5"), || true).unwrap();
        assert!(third.check(by("1 0.5")).is_ok());
        assert!(!served.is_pooled());
        let twice = served.seat(by("2 0.5"), || true);
        assert!(matches!(twice, Err(Fault::Pooled)));
        assert!(served.is_pooled());
        drop(second);
        let served = Arc::new(Served::default());
        let only = served.seat(by("1 0.5"), || true).unwrap();
        assert!(matches!(only.check(by("3 0.5")), Err(Fault::Pooled)));
        assert!(served.is_pooled());
    }

    #[test]
    fn s11_2_what_served_a_connection_that_is_closed_may_serve_the_next() {
        let served = Arc::new(Served::default());
        let by = || Some("1 0.5".to_owned());
        let closed = served.seat(by(), || false).unwrap();
        let next = served.seat(by(), || true).unwrap();
        drop(closed);
        assert!(matches!(served.seat(by(), || true), Err(Fault::Pooled)));
        drop(next);
    }
}
