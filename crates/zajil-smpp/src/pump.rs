//! Takes what is due for a peer, as much as there is room for, and works on it at once.

use std::future::Future;

use futures_util::future::OptionFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use zajil_core::port::Answer;

use crate::link::Handle;

/// After an error of ours nothing is asked for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Where a pump takes things from, and what it does with them.
pub(crate) trait Source {
    /// What is taken.
    type Item;

    /// How many things may be worked on at a time, as things are now.
    fn room(&self) -> usize;

    /// Asks for at most so many, and waits for the first.
    fn ask(&self, limit: usize) -> Answer<'_, Vec<Self::Item>>;

    /// Works on one to its end.
    fn work(&self, item: Self::Item) -> impl Future<Output = ()> + Send;

    /// Gives one back that was taken when it was too late.
    fn give_back(&self, item: Self::Item) -> impl Future<Output = ()> + Send;
}

/// Pumps until the session ends or `stop`; what it holds then is brought to an end, and nothing new
/// is taken.
pub(crate) async fn run<S: Source>(source: &S, handle: &Handle, stop: &CancellationToken) {
    let mut active = FuturesUnordered::new();
    let mut asking: OptionFuture<Answer<'_, Vec<S::Item>>> = None.into();
    let mut is_asking = false;
    let mut ask_after = Instant::now();
    while !handle.is_leaving() && !stop.is_cancelled() {
        let free = source.room().saturating_sub(active.len());
        if !is_asking && free > 0 && ask_after <= Instant::now() {
            asking = Some(source.ask(free)).into();
            is_asking = true;
        }
        tokio::select! {
            () = handle.ended() => {}
            () = stop.cancelled() => {}
            () = sleep_until(ask_after), if !is_asking && free > 0 => {}
            // Never dropped half-way: what it has leased would wait for the lease to end.
            Some(offered) = &mut asking, if is_asking => {
                is_asking = false;
                match offered {
                    Ok(items) => active.extend(items.into_iter().map(|item| source.work(item))),
                    Err(refusal) => {
                        tracing::warn!(%refusal, "nothing could be asked for");
                        ask_after = Instant::now() + PAUSE;
                    }
                }
            }
            Some(()) = active.next(), if !active.is_empty() => {}
        }
    }
    while active.next().await.is_some() {}
    if is_asking && let Some(Ok(items)) = asking.await {
        for item in items {
            source.give_back(item).await;
        }
    }
}
