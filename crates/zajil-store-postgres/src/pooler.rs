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

use tokio::time::Instant;
use tokio_postgres::SimpleQueryMessage;
use zajil_database::postgres::{Dial, Link};
use zajil_store::Error;

use crate::error::{Done, Fault};

/// How often two connections are asked in turn: others may use the same pool meanwhile.
const ROUNDS: u32 = 10;

/// How often it is looked whether a pooler that was found has gone.
const AGAIN: Duration = Duration::from_millis(500);
/// In so long it is known that a connection was closed.
const CLOSED: Duration = Duration::from_millis(100);

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
    /// Whether somebody looks just now, and when somebody did.
    looking: bool,
    looked: Option<Instant>,
}

/// Somebody looks whether a pooler has gone, until this is dropped.
struct Looking<'a>(&'a Served);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.looking, state.looked) = (false, Some(Instant::now()));
    }
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
    /// [`Fault::Pooled`] when that serves one already, and `look`, as [`keep_out`], says so too. It
    /// may have served one that is closed, perhaps so lately that nobody has read it: a pooler
    /// whose connections last gives it to the next one then. Else what `look` says.
    pub(crate) async fn seat(
        self: &Arc<Self>,
        by: Option<String>,
        is_open: impl Fn() -> bool + Send + 'static,
        look: impl Future<Output = Done<()>>,
    ) -> Done<Seat> {
        let (number, former) = {
            let mut state = self.lock();
            state.seats += 1;
            let entry = (state.seats, Box::new(is_open) as IsOpen);
            let former = by.clone().and_then(|by| state.by.insert(by, entry));
            (state.seats, former)
        };
        let served = Arc::clone(self);
        let seat = Seat { served, by, number };
        let Some((_, is_open)) = former.filter(|(_, is_open)| is_open()) else {
            return Ok(seat);
        };
        tokio::time::sleep(CLOSED).await;
        if is_open() {
            look.await.map_err(|fault| match fault {
                Fault::Answer(_) => self.found(),
                fault => fault,
            })?;
        }
        Ok(seat)
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

    /// Who may look whether a pooler has gone: one at a time, and not at once again.
    fn begin_look(&self) -> Option<Looking<'_>> {
        let mut state = self.lock();
        let soon = state.looked.is_some_and(|at| at.elapsed() < AGAIN);
        if state.looking || soon {
            return None;
        }
        state.looking = true;
        Some(Looking(self))
    }

    /// Looks, after a pooler was found, whether it has gone. Others are refused at once meanwhile.
    pub(crate) async fn look_again(&self, look: impl Future<Output = Done<()>>) -> Done<()> {
        if !self.is_pooled() {
            return Ok(());
        }
        let _looking = self.begin_look().ok_or(Fault::Pooled)?;
        match look.await {
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

    fn by(who: &str) -> Option<String> {
        Some(who.to_owned())
    }

    async fn pooler() -> Done<()> {
        Err(Error::Conflict(TOLD.to_owned()).into())
    }

    async fn none() -> Done<()> {
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn s11_2_one_process_that_serves_two_connections_or_another_one_than_before_is_a_pooler()
    {
        let served = Arc::new(Served::default());
        let first = served.seat(by("1 0.5"), || true, pooler()).await.unwrap();
        let second = served.seat(by("2 0.5"), || true, pooler()).await.unwrap();
        drop(first);
        let third = served.seat(by("1 0.5"), || true, pooler()).await.unwrap();
        assert!(third.check(by("1 0.5")).is_ok());
        assert!(!served.is_pooled());
        let twice = served.seat(by("2 0.5"), || true, pooler()).await;
        assert!(matches!(twice, Err(Fault::Pooled)));
        assert!(served.is_pooled());
        assert_eq!(served.lock().by.len(), 1, "what was refused is not kept");
        drop(second);
        let served = Arc::new(Served::default());
        let only = served.seat(by("1 0.5"), || true, pooler()).await.unwrap();
        assert!(matches!(only.check(by("3 0.5")), Err(Fault::Pooled)));
        assert!(served.is_pooled());
    }

    #[tokio::test(start_paused = true)]
    async fn s11_2_what_served_a_connection_that_is_closed_may_serve_the_next() {
        let served = Arc::new(Served::default());
        let closed = served.seat(by("1"), || false, pooler()).await.unwrap();
        let next = served.seat(by("1"), || true, pooler()).await.unwrap();
        drop(closed);
        let again = served.seat(by("1"), || true, pooler()).await;
        assert!(matches!(again, Err(Fault::Pooled)));
        drop(next);
    }

    /// The end of the former one is read a moment after the next one was made, or later still.
    #[tokio::test(start_paused = true)]
    async fn s11_2_a_connection_whose_end_was_not_read_yet_proves_no_pooler() {
        let served = Arc::new(Served::default());
        let begun = Instant::now();
        let open = move || begun.elapsed() < Duration::from_millis(50);
        let closing = served.seat(by("1"), open, pooler()).await.unwrap();
        let next = served.seat(by("1"), || true, pooler()).await.unwrap();
        assert!(!served.is_pooled());
        let later = served.seat(by("1"), || true, none()).await.unwrap();
        assert!(!served.is_pooled());
        let silent = async { Err(Fault::Silent("answer")) };
        let unknown = served.seat(by("1"), || true, silent).await;
        assert!(matches!(unknown, Err(Fault::Silent(_))));
        assert!(!served.is_pooled());
        drop((closing, next, later));
    }

    #[tokio::test(start_paused = true)]
    async fn s11_2_one_at_a_time_looks_whether_a_pooler_has_gone_twice_a_second() {
        let served = Arc::new(Served::default());
        served.look_again(pooler()).await.unwrap();
        let only = served.seat(by("1"), || true, pooler()).await.unwrap();
        only.check(by("2")).unwrap_err();
        let slow = async {
            tokio::task::yield_now().await;
            pooler().await
        };
        let (slow, other) = tokio::join!(served.look_again(slow), served.look_again(none()));
        assert!(matches!(slow, Err(Fault::Pooled)));
        assert!(
            matches!(other, Err(Fault::Pooled)),
            "refused, and not asked"
        );
        assert!(matches!(
            served.look_again(none()).await,
            Err(Fault::Pooled)
        ));
        // One that is given up leaves the place to the next.
        tokio::time::advance(AGAIN).await;
        let never = served.look_again(std::future::pending());
        let given_up = tokio::time::timeout(Duration::from_secs(1), never).await;
        assert!(given_up.is_err());
        tokio::time::advance(AGAIN).await;
        served.look_again(none()).await.unwrap();
        assert!(!served.is_pooled());
    }
}
