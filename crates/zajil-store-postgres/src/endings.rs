//! The order of endings, safe against transactions that commit late.
//!
//! A place is drawn from a sequence while its transaction runs, so one that was drawn first may
//! become visible last. Readers are shown places only up to a horizon: the last place that had been
//! drawn at an instant, once every transaction that was under way then has ended. Whoever draws a
//! place has locked or written a row before, so it has a transaction id by then, and what the
//! database calls a snapshot's `xmin` tells when it is over. Ids, places and all come from the
//! database: no clock is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zajil_core::cdr::Cdr;
use zajil_store::contract::{Endings, OutboxSeq};
use zajil_store::{Error, Reply};
use zajil_telemetry::Stopwatch;

use crate::conn::{Step, bind};
use crate::look;
use crate::open::PostgresStore;
use crate::row::{message_columns, stored};
use crate::tables::only;

/// How long a reader waits for transactions that are under way; behind them it looks again.
const WITHIN: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(5);

const DRAWN: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_seq";

/// A transaction id above all that have been given. A snapshot's `xmax` is none: it is only one
/// past those that have ended.
const NEXT: &str = "SELECT pg_current_xact_id()::text::bigint";

/// Every transaction below this one has ended. That is true of those below [`NEXT`] too, which has
/// ended itself and so stands among what a snapshot looks at.
const ENDED_BELOW: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

/// How far the order of endings is known.
#[derive(Debug, Default)]
pub(crate) struct Horizon(Mutex<Known>);

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// Nothing becomes visible any more up to this place.
    settled: i64,
    /// The same holds up to the first of these, once no transaction below the second is under way.
    next: Option<(i64, i64)>,
}

impl Known {
    /// Transactions below this one have ended.
    fn ended_below(&mut self, lowest: i64) {
        if let Some((place, _)) = self.next.take_if(|(_, bound)| *bound <= lowest) {
            self.settled = self.settled.max(place);
        }
    }
}

impl Horizon {
    fn update<T>(&self, with: impl FnOnce(&mut Known) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PostgresStore {
    /// The place up to which all is visible, and whether that is all that has been drawn.
    async fn horizon(&self) -> Result<(i64, bool), Error> {
        // First the place, then the bound: who drew it has a lower id.
        let drawn = stored(self.quick.read(|| Step::bare(DRAWN), only).await?);
        let all = |known: &mut Known| {
            if drawn < known.settled {
                // A database that has lost its last transactions draws their places again.
                *known = Known::default();
            }
            known.settled >= drawn
        };
        if self.horizon.update(all) {
            return Ok((drawn, true));
        }
        let bound = stored(self.quick.read(|| Step::bare(NEXT), only).await?);
        let watch = Stopwatch::start();
        loop {
            let lowest = self.quick.read(|| Step::bare(ENDED_BELOW), only).await?;
            let settled = self.horizon.update(|known| {
                known.ended_below(stored(lowest));
                if known.settled < drawn && known.next.is_none() {
                    known.next = Some((drawn, bound));
                    known.ended_below(stored(lowest));
                }
                known.settled
            });
            if settled >= drawn || watch.elapsed() >= WITHIN {
                return Ok((settled, settled >= drawn));
            }
            tokio::time::sleep(STEP).await;
        }
    }
}

impl Endings for PostgresStore {
    fn finished(&self, after: OutboxSeq, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>> {
        const ENDED: &str = concat!(
            "SELECT ",
            message_columns!(),
            ", f.seq FROM fin f JOIN msg m ON m.id = f.id LEFT JOIN q ON false \
             WHERE f.seq > $1 AND f.seq <= $2 ORDER BY f.seq LIMIT $3"
        );
        Box::pin(async move {
            let (settled, _) = self.horizon().await?;
            let after = stored(after.0);
            if settled <= after {
                return Ok(Vec::new());
            }
            let step = move || Step::new(ENDED, bind![after, settled, i64::from(limit)]);
            self.quick.read(step, look::entries).await
        })
    }

    fn finished_last(&self) -> Reply<'_, OutboxSeq> {
        Box::pin(async move {
            match self.horizon().await? {
                (settled, true) => Ok(OutboxSeq(u64::try_from(settled).unwrap_or(0))),
                // Somebody else's transaction is under way for long: from where on is not known.
                (_, false) => Err(Error::Busy),
            }
        })
    }

    fn takes_turn(&self) -> Reply<'_, bool> {
        Box::pin(self.has_duty("endings"))
    }

    fn is_shared(&self) -> bool {
        true
    }
}
