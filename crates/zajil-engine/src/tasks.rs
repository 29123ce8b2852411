//! Supervised tasks: named, restarted after a bug, cancelled by a token, joined within a deadline.
//!
//! The only place that spawns.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zajil_telemetry::Telemetry;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A group of background tasks with one token.
#[derive(Debug)]
pub struct Tasks {
    token: CancellationToken,
    telemetry: Arc<Telemetry>,
    running: Vec<(&'static str, JoinHandle<()>)>,
}

impl Tasks {
    /// An empty group; cancelling `token` asks all its tasks to end.
    #[must_use]
    pub fn new(token: CancellationToken, telemetry: Arc<Telemetry>) -> Self {
        Self {
            token,
            telemetry,
            running: Vec::new(),
        }
    }

    /// Starts a task. `work` makes its future: once, and again after each panic, which is counted.
    /// The future gets the token and must end soon after it is cancelled.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn<W, F>(&mut self, name: &'static str, work: W)
    where
        W: Fn(CancellationToken) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (token, telemetry) = (self.token.clone(), Arc::clone(&self.telemetry));
        let task = async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let began = Instant::now();
                let Err(panic) = Fence(Box::pin(work(token.clone()))).await else {
                    return;
                };
                telemetry.metrics.panics.inc();
                tracing::error!(
                    task = name,
                    panic = text(&*panic),
                    "task panicked; starting again"
                );
                if began.elapsed() > LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        self.running.push((name, tokio::spawn(task)));
    }

    /// Cancels the token and waits for all tasks; those that do not end in time are aborted.
    /// Answers with the names of the latter.
    pub async fn stop(mut self, within: Duration) -> Vec<&'static str> {
        self.token.cancel();
        let deadline = Instant::now() + within;
        let mut late = Vec::new();
        for (name, mut task) in std::mem::take(&mut self.running) {
            match tokio::time::timeout_at(deadline, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(task = name, %error, "task was lost"),
                Err(_) => {
                    task.abort();
                    tracing::error!(task = name, "task did not end in time");
                    late.push(name);
                }
            }
        }
        late
    }
}

/// Work that is done to its end although whoever wants its answer may go away.
#[derive(Debug, Default)]
pub struct Errands(TaskTracker);

impl Errands {
    /// Starts the work; the answer comes when it is done, and nothing comes of a bug.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn run<T, F>(&self, work: F) -> impl Future<Output = Option<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let task = tokio::spawn(self.0.track_future(work));
        async move {
            task.await
                .inspect_err(|error| tracing::error!(%error, "an errand was lost"))
                .ok()
        }
    }

    /// Work that goes on by itself when its future is dropped half-way. It runs in its caller's
    /// task as long as that waits, so nothing is spawned for it otherwise.
    pub fn to_the_end<F>(&self, work: F) -> ToTheEnd<F>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        ToTheEnd {
            work: Some(Box::pin(work)),
            begun: false,
            tracker: self.0.clone(),
        }
    }

    /// Waits until none runs, at the most so long; `false` when some still do.
    pub async fn end(&self, within: Duration) -> bool {
        self.0.close();
        tokio::time::timeout(within, self.0.wait()).await.is_ok()
    }
}

/// See [`Errands::to_the_end`].
pub struct ToTheEnd<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    /// Until it has ended, or has panicked.
    work: Option<Pin<Box<F>>>,
    begun: bool,
    tracker: TaskTracker,
}

impl<F> Future for ToTheEnd<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.begun = true;
        // Taken out meanwhile: after a panic there is nothing that could go on.
        let Some(mut work) = self.work.take() else {
            return Poll::Pending;
        };
        let poll = work.as_mut().poll(context);
        if poll.is_pending() {
            self.work = Some(work);
        }
        poll
    }
}

impl<F> Drop for ToTheEnd<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    fn drop(&mut self) {
        let Some(work) = self.work.take().filter(|_| self.begun) else {
            return;
        };
        // Without a runtime the process is ending, as it might have without notice.
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::spawn(self.tracker.track_future(work));
        }
    }
}

impl<F> std::fmt::Debug for ToTheEnd<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begun = self.begun;
        f.debug_struct("ToTheEnd").field("begun", &begun).finish()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// A future whose panic is an error of its own, not of the thread.
struct Fence<F>(Pin<Box<F>>);

impl<F: Future> Future for Fence<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn group() -> (Tasks, Arc<Telemetry>) {
        let telemetry = Arc::new(Telemetry::new().unwrap());
        (
            Tasks::new(CancellationToken::new(), Arc::clone(&telemetry)),
            telemetry,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_counted_and_the_task_starts_again() {
        let (mut tasks, telemetry) = group();
        let turns = Arc::new(AtomicU32::new(0));
        let (seen, (done, is_done)) = (Arc::clone(&turns), tokio::sync::watch::channel(false));
        tasks.spawn("shaky", move |_| {
            let (turn, done) = (seen.fetch_add(1, Ordering::SeqCst), done.clone());
            async move {
                assert!(turn >= 2, "turn {turn}");
                done.send_replace(true);
            }
        });
        let mut is_done = is_done;
        is_done.wait_for(|done| *done).await.unwrap();
        assert_eq!(turns.load(Ordering::SeqCst), 3);
        assert_eq!(telemetry.metrics.panics.get(), 2);
        assert!(tasks.stop(Duration::from_secs(1)).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_end_by_the_token_or_are_aborted_at_the_deadline() {
        let (mut tasks, _) = group();
        tasks.spawn("polite", |token| async move { token.cancelled().await });
        tasks.spawn("deaf", |_| std::future::pending());
        assert_eq!(tasks.stop(Duration::from_secs(1)).await, ["deaf"]);
    }

    #[tokio::test]
    async fn work_goes_on_when_whoever_waits_for_it_goes_away() {
        let (errands, done) = (Errands::default(), Arc::new(AtomicU32::new(0)));
        let (go, told) = tokio::sync::oneshot::channel::<()>();
        let count = Arc::clone(&done);
        let mut begun = Box::pin(errands.to_the_end(async move {
            told.await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let count = Arc::clone(&done);
        let never_begun = errands.to_the_end(async move {
            count.fetch_add(10, Ordering::SeqCst);
        });
        assert!(futures_util::poll!(begun.as_mut()).is_pending());
        drop((begun, never_begun));
        go.send(()).unwrap();
        assert!(errands.end(Duration::from_secs(20)).await);
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn work_that_panicked_is_not_begun_again() {
        let errands = Errands::default();
        let work = errands.to_the_end(async { assert_eq!(1, 2, "a bug") });
        assert!(Fence(Box::pin(work)).await.is_err());
        assert!(errands.end(Duration::from_secs(20)).await);
    }
}
