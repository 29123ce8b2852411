//! How long the database has been silent, and so how long a caller may still wait for it.
//!
//! A request asks the store several times, one after the other. If each waited its full time for a
//! database that is away, the client would hear of it only after the sum.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Done, Fault};

/// Of a database that has been silent for the whole time, a caller waits for so many parts of it:
/// an answer takes less.
const LEAST: u32 = 20;

/// After so long without a question nothing is known any more.
const FRESH: Duration = Duration::from_secs(1);

/// Shared by the connections of a store.
///
/// One slow answer proves nothing: until the database has been silent for the whole time, every
/// caller waits for three fifths of it at least. It has proved silent only when somebody waited in
/// vain; a question whose caller went away, or an idle hour behind it, is no proof. Where questions
/// may take less than the whole time, several in vain, one soon after the other, prove it together.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// How long a caller waits for a database that is silent from then on.
    within: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the first question was asked after the last answer.
    asked: Option<Instant>,
    /// Questions that somebody waits for.
    waiting: usize,
    /// When the last of them was given up.
    given_up: Option<Instant>,
    /// Counts answers: a question from before one says nothing of the silence after it.
    answers: u64,
}

/// A question that somebody waits for. Dropped, it is given up.
#[derive(Debug)]
pub(crate) struct Question {
    pulse: Arc<Pulse>,
    answers: u64,
    /// Whether it was waited for to the end.
    vain: bool,
}

impl Drop for Question {
    fn drop(&mut self) {
        let within = self.pulse.within;
        let mut state = self.pulse.lock();
        if state.answers != self.answers {
            return;
        }
        state.waiting = state.waiting.saturating_sub(1);
        state.given_up = Some(Instant::now());
        if state.waiting == 0 && state.silent() < within && !self.vain {
            state.asked = None;
        }
    }
}

impl State {
    fn silent(&self) -> Duration {
        self.asked.map(|asked| asked.elapsed()).unwrap_or_default()
    }

    /// Forgets a silence that nobody has listened to of late.
    fn refresh(&mut self) {
        let old = self.given_up.is_some_and(|at| at.elapsed() >= FRESH);
        if self.waiting == 0 && old {
            self.asked = None;
        }
    }
}

impl Pulse {
    pub(crate) fn new(within: Duration) -> Self {
        Self {
            within,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A question goes out.
    pub(crate) fn asked(self: &Arc<Self>) -> Question {
        let mut state = self.lock();
        state.refresh();
        state.asked.get_or_insert_with(Instant::now);
        state.waiting += 1;
        Question {
            pulse: Arc::clone(self),
            answers: state.answers,
            vain: false,
        }
    }

    /// Asks, and notes whether it was answered, or waited for in vain.
    pub(crate) async fn hear<T>(
        self: &Arc<Self>,
        answer: impl Future<Output = Done<T>>,
    ) -> Done<T> {
        let mut question = self.asked();
        let answer = answer.await;
        match &answer {
            Err(Fault::Silent(_)) => question.vain = true,
            Err(fault) if fault.loses_connection() => {}
            _ => self.answered(),
        }
        answer
    }

    /// The database has answered, whatever: the others that wait begin anew.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        state.answers += 1;
        (state.asked, state.waiting) = (None, 0);
    }

    /// How long a caller may wait from now on: what the others have waited in vain is taken off.
    pub(crate) fn patience(&self) -> Duration {
        let left = self.left();
        if left.is_zero() {
            return self.within / LEAST;
        }
        left.max(self.within * 3 / 5)
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
        let mut state = self.lock();
        state.refresh();
        self.within.saturating_sub(state.silent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_millis(1_700);
    const LEAST: Duration = Duration::from_millis(85);

    fn pulse() -> Arc<Pulse> {
        Arc::new(Pulse::new(WITHIN))
    }

    async fn pass(millis: u64) {
        tokio::time::advance(Duration::from_millis(millis)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn d15_callers_of_a_silent_database_wait_once_between_them() {
        let pulse = pulse();
        assert_eq!(pulse.patience(), WITHIN);
        let first = pulse.asked();
        pass(500).await;
        let second = pulse.asked();
        assert_eq!(pulse.patience(), Duration::from_millis(1_200));
        pass(1_200).await;
        // Whoever has waited in vain asks again on behalf of the same request.
        drop(first);
        assert_eq!(pulse.patience(), LEAST);
        pass(60_000).await;
        assert_eq!(pulse.patience(), LEAST, "somebody still waits");
        pulse.answered();
        assert_eq!(pulse.patience(), WITHIN);
        drop(second);
        assert_eq!(pulse.patience(), WITHIN);
    }

    /// Whenever it is asked, and however slow the one before it is.
    #[tokio::test(start_paused = true)]
    async fn d15_an_answer_within_a_second_is_waited_for() {
        for silent in (0..=1_000).step_by(50) {
            let pulse = pulse();
            let slow = pulse.asked();
            pass(silent).await;
            let patience = pulse.patience();
            assert!(patience >= Duration::from_secs(1), "{silent}: {patience:?}");
            drop(slow);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn d15_a_question_whose_caller_went_away_proves_nothing_after_an_idle_spell() {
        let pulse = pulse();
        drop(pulse.asked());
        pass(60_000).await;
        assert_eq!(pulse.patience(), WITHIN);
        // Nor does one that was waited for, once that is long ago.
        let vain = pulse.asked();
        pass(1_700).await;
        drop(vain);
        assert_eq!(pulse.patience(), LEAST);
        pass(1_000).await;
        assert_eq!(pulse.patience(), WITHIN);
    }

    /// Questions that may take less than that, by the settings, are asked one after the other.
    #[tokio::test(start_paused = true)]
    async fn d15_short_questions_in_vain_prove_a_silence_together() {
        let silent = async |pulse: &Arc<Pulse>, millis| {
            let mut tried = Duration::ZERO;
            while pulse.patience() != LEAST && tried < Duration::from_secs(10) {
                let answer = pulse.hear(async {
                    pass(millis).await;
                    Err::<(), _>(Fault::Silent("answer"))
                });
                assert!(answer.await.is_err());
                tried += Duration::from_millis(millis);
            }
            tried
        };
        for millis in [550, 800, 1_500] {
            let pulse = pulse();
            let took = silent(&pulse, millis).await;
            assert!(took < WITHIN * 2, "{millis}: {took:?}");
            assert!(pulse.hear(async { Ok(()) }).await.is_ok());
            assert_eq!(pulse.patience(), WITHIN, "an answer heals");
        }
    }

    /// However many questions a request asks, and whenever it comes into the silence.
    #[tokio::test(start_paused = true)]
    async fn d15_a_request_to_a_silent_database_is_over_within_two_seconds() {
        for silent in (0..=3_000).step_by(100) {
            let pulse = pulse();
            let before = pulse.asked();
            pass(silent).await;
            let begun = Instant::now();
            for _ in 0..3 {
                let question = pulse.asked();
                tokio::time::advance(pulse.patience()).await;
                drop(question);
            }
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(2), "{silent}: {took:?}");
            drop(before);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_has_stopped_once_a_question_was_not_answered_in_time() {
        let pulse = pulse();
        let minute = tokio::time::timeout(Duration::from_secs(60), pulse.stopped());
        assert!(minute.await.is_err(), "nobody has asked");
        let question = pulse.asked();
        let begun = Instant::now();
        pulse.stopped().await;
        assert_eq!(begun.elapsed(), WITHIN);
        drop(question);
    }
}
