//! The clock of a cluster: the store's, read now and then, and counted on from there (ADR 14).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::{Clock, Timestamp};
use zajil_store::Cluster;
use zajil_store::contract::Error;
use zajil_telemetry::Stopwatch;

/// How often the store is asked.
const ASKED_EVERY: Duration = Duration::from_secs(5);
/// The answer to a longer question says too little: half of it is how far off it may be.
const LONGEST: Duration = Duration::from_millis(500);
/// After so long without a short one a long one is better than none.
const STALE: Duration = Duration::from_secs(300);

/// Tells the store's time. Nobody sets what it counts on, whatever becomes of the machine's clock.
#[derive(Debug)]
pub struct SharedClock {
    since: Stopwatch,
    /// The store's time when `since` began, in milliseconds.
    began: AtomicI64,
    /// When that was found out, in milliseconds after `since` began; below 0 = never.
    known: AtomicI64,
}

impl SharedClock {
    /// How far apart the clocks of two nodes may be: each is off by half its question at the most.
    pub const APART: Duration = LONGEST;

    /// Asks the store for the first time.
    ///
    /// # Errors
    /// As every call of the store.
    pub async fn new(cluster: &dyn Cluster) -> Result<Self, Error> {
        let clock = Self {
            since: Stopwatch::start(),
            began: AtomicI64::new(0),
            known: AtomicI64::new(-1),
        };
        clock.ask(cluster).await?;
        Ok(clock)
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Asks the store once.
    ///
    /// # Errors
    /// As every call of the store.
    pub async fn ask(&self, cluster: &dyn Cluster) -> Result<(), Error> {
        let asked = self.elapsed();
        let time = cluster.time().await?;
        self.learn(time, asked, self.elapsed());
        Ok(())
    }

    /// It was `time` at some instant between the two.
    fn learn(&self, time: Timestamp, asked: i64, answered: i64) {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let known = self.known.load(Ordering::Acquire);
        let fresh = known >= 0 && answered - known < millis(STALE);
        if fresh && answered - asked > millis(LONGEST) {
            return;
        }
        let middle = asked + (answered - asked) / 2;
        self.began.store(time.millis() - middle, Ordering::Release);
        self.known.store(answered, Ordering::Release);
    }

    /// Asks again and again, until the token is cancelled.
    pub async fn follow(&self, cluster: &dyn Cluster, token: CancellationToken) {
        let mut ticks = tokio::time::interval(ASKED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.ask(cluster).await {
                tracing::debug!(%error, "the store does not say what time it is");
            }
        }
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(
            self.began
                .load(Ordering::Acquire)
                .saturating_add(self.elapsed()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> SharedClock {
        SharedClock {
            since: Stopwatch::start(),
            began: AtomicI64::new(0),
            known: AtomicI64::new(-1),
        }
    }

    fn began(clock: &SharedClock) -> i64 {
        clock.began.load(Ordering::Acquire)
    }

    #[test]
    fn a_short_question_is_believed_to_half_its_length() {
        let clock = clock();
        clock.learn(Timestamp::from_millis(5_000_050), 0, 100);
        assert_eq!(began(&clock), 5_000_000);
        clock.learn(Timestamp::from_millis(5_001_300), 1_200, 1_400);
        assert_eq!(began(&clock), 5_000_000);
    }

    #[test]
    fn a_long_question_says_nothing_unless_nothing_else_is_known() {
        let clock = clock();
        clock.learn(Timestamp::from_millis(1_000_000), 0, 4_000);
        assert_eq!(began(&clock), 998_000, "better than none");
        clock.learn(Timestamp::from_millis(9_000_000), 5_000, 6_000);
        assert_eq!(began(&clock), 998_000);
        clock.learn(Timestamp::from_millis(9_000_000), 400_000, 401_000);
        assert_eq!(began(&clock), 8_599_500, "the old one is too old");
    }

    #[test]
    fn a_step_of_the_stores_clock_is_followed() {
        let clock = clock();
        clock.learn(Timestamp::from_millis(1_000_000), 0, 0);
        clock.learn(Timestamp::from_millis(900_000), 10, 10);
        assert_eq!(began(&clock), 899_990);
    }
}
