//! How an optional part is: asked in the background, told at once.
//!
//! Whoever asks starts a check when the last one is old, and waits for it a moment only. The check
//! goes on without it, so that a slow part is known to be slow, and one that is well but slow is
//! not called ill; many who ask at once cost one check.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use zajil_engine::tasks::Errands;

use super::in_time;

/// How long a check may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long its result holds.
const FRESH: Duration = Duration::from_secs(3);
/// A check that has said nothing for so long was lost.
const LOST: Duration = Duration::from_secs(10);

type State = Result<(), String>;
type Asking = Pin<Box<dyn Future<Output = State> + Send>>;

/// One optional part.
pub(super) struct Probe {
    name: &'static str,
    ask: Box<dyn Fn() -> Asking + Send + Sync>,
    known: Arc<watch::Sender<Known>>,
    errands: Errands,
}

/// What is known of it.
#[derive(Debug, Default)]
struct Known {
    /// None before the first check has ended.
    state: Option<State>,
    /// When the last check began.
    asked: Option<Instant>,
    under_way: bool,
}

impl Probe {
    pub(super) fn new(
        name: &'static str,
        ask: impl Fn() -> Asking + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            ask: Box::new(ask),
            known: Arc::default(),
            errands: Errands::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Starts a check, if it is time for one.
    pub(super) fn begin(&self) {
        let due = self.known.send_if_modified(|known| {
            let lasts = if known.under_way { LOST } else { FRESH };
            let due = known.asked.is_none_or(|at| at.elapsed() >= lasts);
            if due {
                known.under_way = true;
                known.asked = Some(Instant::now());
            }
            due
        });
        if due {
            let (check, known) = ((self.ask)(), Arc::clone(&self.known));
            // Nobody needs its end: what it learns is left here.
            drop(self.errands.run(async move {
                let state = in_time(ANSWERS_WITHIN, check).await;
                known.send_modify(|known| {
                    known.state = Some(state);
                    known.under_way = false;
                });
            }));
        }
    }

    /// How it is, as far as that is known by `deadline`.
    pub(super) async fn state(&self, deadline: Instant) -> State {
        let mut news = self.known.subscribe();
        let settled = timeout_at(deadline, news.wait_for(|known| !known.under_way));
        drop(settled.await);
        let state = self.known.borrow().state.clone();
        state.unwrap_or_else(|| Err("it has not answered yet".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn s14_a_part_that_does_not_answer_is_waited_for_a_moment_and_asked_once() {
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (count, hold) = (Arc::clone(&asked), Arc::clone(&answer));
        let probe = Probe::new("slow", move || {
            count.fetch_add(1, Ordering::SeqCst);
            let hold = Arc::clone(&hold);
            Box::pin(async move {
                hold.notified().await;
                Ok(())
            })
        });
        let moment = Duration::from_millis(20);
        for _ in 0..5 {
            probe.begin();
            let state = probe.state(Instant::now() + moment).await;
            assert_eq!(state.unwrap_err(), "it has not answered yet");
        }
        answer.notify_one();
        let late = Instant::now() + Duration::from_secs(20);
        assert_eq!(probe.state(late).await, Ok(()));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        probe.begin();
        assert_eq!(probe.state(Instant::now() + moment).await, Ok(()));
        assert_eq!(asked.load(Ordering::SeqCst), 1, "it is known for a while");
    }

    #[tokio::test]
    async fn s14_a_check_that_never_ends_becomes_a_sentence() {
        let probe = Probe::new("dead", || Box::pin(std::future::pending()));
        probe.begin();
        let state = probe.state(Instant::now() + Duration::from_secs(30)).await;
        assert_eq!(state.unwrap_err(), "no answer within 2000 ms");
    }
}
