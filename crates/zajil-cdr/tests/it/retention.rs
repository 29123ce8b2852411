//! `cdr_retention_days`: old rows go, whatever is younger stays, and a stop ends it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zajil_cdr::retention;
use zajil_core::cdr::Cdr;
use zajil_core::clock::{Clock, Timestamp};
use zajil_core::port::{CdrFilter, CdrPlace, CdrSearch, Found};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NOW: i64 = 1_800_000_000;

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW)
    }
}

/// Rows by their submission time, and whether the database answers.
#[derive(Debug, Default)]
struct Rows {
    submitted: Mutex<Vec<Timestamp>>,
    largest: Mutex<u64>,
    away: Mutex<u32>,
}

impl CdrSearch for Rows {
    fn search<'a>(
        &'a self,
        _: &'a CdrFilter,
        _: Option<CdrPlace>,
        _: u32,
    ) -> Found<'a, Vec<(CdrPlace, Cdr)>> {
        Box::pin(async { Err("not asked here".to_owned()) })
    }

    fn purge(&self, before: Timestamp, limit: u32) -> Found<'_, u64> {
        let mut away = self.away.lock().unwrap();
        if *away > 0 {
            *away -= 1;
            return Box::pin(async { Err("away".to_owned()) });
        }
        let (mut rows, mut left) = (self.submitted.lock().unwrap(), limit);
        let count = rows.len();
        rows.retain(|at| {
            let goes = *at < before && left > 0;
            left -= u32::from(goes);
            !goes
        });
        let deleted = (count - rows.len()) as u64;
        let mut largest = self.largest.lock().unwrap();
        *largest = deleted.max(*largest);
        Box::pin(async move { Ok(deleted) })
    }

    fn health(&self) -> Found<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn s10_4_rows_older_than_the_retention_go_in_small_transactions() {
    let rows = Arc::new(Rows::default());
    let limit = Timestamp::from_secs(NOW).minus(30 * DAY);
    let old = (1..=3_500).map(|s| limit.minus(Duration::from_secs(s)));
    let kept = [limit, limit.plus(DAY), Timestamp::from_secs(NOW)];
    *rows.submitted.lock().unwrap() = old.chain(kept).collect();
    *rows.away.lock().unwrap() = 1;
    let token = CancellationToken::new();
    let database = Arc::clone(&rows) as Arc<dyn CdrSearch>;
    let work = retention::run(database, Arc::new(Fixed), 30 * DAY, token.clone());
    let mut work = std::pin::pin!(work);
    let ended = tokio::time::timeout(retention::EVERY / 2, &mut work).await;
    assert!(ended.is_err(), "it goes on");
    assert_eq!(rows.submitted.lock().unwrap().len(), 3_503, "it was away");

    let ended = tokio::time::timeout(retention::EVERY, &mut work).await;
    assert!(ended.is_err(), "it goes on");
    assert_eq!(*rows.submitted.lock().unwrap(), kept);
    assert_eq!(*rows.largest.lock().unwrap(), 1_000);
    token.cancel();
    work.await;
}
