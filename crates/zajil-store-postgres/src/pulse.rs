//! How long the database has been silent, and so how long a caller may still wait for it.
//!
//! A request asks the store several times, one after the other. If each waited its full time for a
//! database that is away, the client would hear of it only after the sum.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Whatever the silence, a caller waits for so many parts of the whole: an answer takes less.
const LEAST: u32 = 20;

/// Shared by the connections of a store.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// How long a caller waits for a database that is silent from then on.
    within: Duration,
    /// When the first question was asked after the last answer.
    asked: Mutex<Option<Instant>>,
}

impl Pulse {
    pub(crate) fn new(within: Duration) -> Self {
        Self {
            within,
            asked: Mutex::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A question goes out.
    pub(crate) fn asked(&self) {
        self.lock().get_or_insert_with(Instant::now);
    }

    /// The database has answered, whatever.
    pub(crate) fn answered(&self) {
        *self.lock() = None;
    }

    /// How long a caller may wait from now on: what the others have waited in vain is taken off.
    pub(crate) fn patience(&self) -> Duration {
        self.left().max(self.within / LEAST)
    }

    /// Comes back once the database has been silent for too long: whoever waits for what may take
    /// long need not wait for it any more.
    pub(crate) async fn stopped(&self) {
        loop {
            let left = self.left();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    fn left(&self) -> Duration {
        let silent = self.lock().map(|asked| asked.elapsed());
        self.within.saturating_sub(silent.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn callers_of_a_silent_database_wait_once_between_them() {
        let pulse = Pulse::new(Duration::from_secs(2));
        assert_eq!(pulse.patience(), Duration::from_secs(2));
        pulse.asked();
        tokio::time::advance(Duration::from_millis(500)).await;
        pulse.asked();
        assert_eq!(pulse.patience(), Duration::from_millis(1_500));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(pulse.patience(), Duration::from_millis(100));
        pulse.answered();
        assert_eq!(pulse.patience(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn it_has_stopped_once_a_question_was_not_answered_in_time() {
        let pulse = Pulse::new(Duration::from_secs(2));
        let minute = tokio::time::timeout(Duration::from_secs(60), pulse.stopped());
        assert!(minute.await.is_err(), "nobody has asked");
        pulse.asked();
        let begun = Instant::now();
        pulse.stopped().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    }
}
