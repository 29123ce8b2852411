//! Rows that are older than the operator keeps them (`cdr_retention_days`, S10.4).

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock;
use zajil_core::port::CdrSearch;

/// How often old rows are looked for.
pub const EVERY: Duration = Duration::from_secs(60 * 60);
/// Rows in one transaction: it holds up the writers for some milliseconds.
const BATCH: u32 = 1_000;
/// Between two transactions, so that a backlog of years leaves the database to others.
const BREATH: Duration = Duration::from_millis(50);

/// Deletes rows whose `submission_time` is longer ago than `age`, at once and then every
/// [`EVERY`], until the token is cancelled. What fails is tried again the next time.
pub async fn run(
    database: Arc<dyn CdrSearch>,
    clock: Arc<dyn Clock>,
    age: Duration,
    token: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let before = clock.now().minus(age);
        let mut deleted = 0_u64;
        loop {
            match database.purge(before, BATCH).await {
                Ok(rows) => {
                    deleted += rows;
                    if rows < u64::from(BATCH) {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "old CDRs cannot be deleted now");
                    break;
                }
            }
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                () = tokio::time::sleep(BREATH) => {}
            }
        }
        if deleted > 0 {
            tracing::info!(
                deleted,
                "deleted CDRs that are older than cdr_retention_days"
            );
        }
    }
}
