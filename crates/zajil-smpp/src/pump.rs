//! Takes what is due for a peer, as much as there is room for, works on it at once, and writes down
//! what became of it, as much as has ended at a time.

use std::future::Future;

use futures_util::FutureExt as _;
use futures_util::future::OptionFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use zajil_core::port::Answer;

use crate::link::Handle;

/// After an error of ours nothing is asked for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// Nothing is asked for while less than this share of the room is free: each question is a
/// transaction, for one thing as for many.
const SHARE: usize = 4;

/// Where a pump takes things from, and what it does with them.
pub(crate) trait Source {
    /// What is taken.
    type Item;
    /// What became of one.
    type Done;

    /// How many things may be worked on at a time, as things are now.
    fn room(&self) -> usize;

    /// Asks for at most so many, and waits for the first.
    fn ask(&self, limit: usize) -> Answer<'_, Vec<Self::Item>>;

    /// Works on one to its end; none when it was given back.
    fn work(&self, item: Self::Item) -> impl Future<Output = Option<Self::Done>> + Send;

    /// Writes down what became of those that ended at the same time; never empty.
    fn finish(&self, done: Vec<Self::Done>) -> impl Future<Output = ()> + Send;

    /// Gives one back that was taken when it was too late.
    fn give_back(&self, item: Self::Item) -> impl Future<Output = ()> + Send;
}

/// Pumps until the session ends or `stop`; what it holds then is brought to an end, and nothing new
/// is taken. What is being written down takes no room until it is as much as that again.
pub(crate) async fn run<S: Source>(source: &S, handle: &Handle, stop: &CancellationToken) {
    let mut active = FuturesUnordered::new();
    let mut finishing = FuturesUnordered::new();
    let mut unfinished = 0;
    let mut asking: OptionFuture<Answer<'_, Vec<S::Item>>> = None.into();
    let mut is_asking = false;
    let mut ask_after = Instant::now();
    while !handle.is_leaving() && !stop.is_cancelled() {
        let room = source.room();
        // The peer need not wait while we write down, but not without a bound.
        let unwritten = (2 * room).saturating_sub(active.len() + unfinished);
        let free = room.saturating_sub(active.len()).min(unwritten);
        let is_worth_it = free > 0 && free >= room / SHARE;
        if !is_asking && is_worth_it && ask_after <= Instant::now() {
            asking = Some(source.ask(free)).into();
            is_asking = true;
        }
        tokio::select! {
            () = handle.ended() => {}
            () = stop.cancelled() => {}
            () = sleep_until(ask_after), if !is_asking && is_worth_it => {}
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
            Some(first) = active.next(), if !active.is_empty() => {
                let done = ended_with(first, &mut active);
                if !done.is_empty() {
                    unfinished += done.len();
                    finishing.push(finish(source, done));
                }
            }
            Some(count) = finishing.next(), if !finishing.is_empty() => unfinished -= count,
        }
    }
    loop {
        tokio::select! {
            Some(first) = active.next(), if !active.is_empty() => {
                let done = ended_with(first, &mut active);
                if !done.is_empty() {
                    finishing.push(finish(source, done));
                }
            }
            Some(_) = finishing.next(), if !finishing.is_empty() => {}
            else => break,
        }
    }
    if is_asking && let Some(Ok(items)) = asking.await {
        for item in items {
            source.give_back(item).await;
        }
    }
}

/// What has ended by now.
fn ended_with<F: Future<Output = Option<D>>, D>(
    first: Option<D>,
    active: &mut FuturesUnordered<F>,
) -> Vec<D> {
    let mut done: Vec<D> = first.into_iter().collect();
    while let Some(Some(next)) = active.next().now_or_never() {
        done.extend(next);
    }
    done
}

/// Writes down what became of some; answers how many.
async fn finish<S: Source>(source: &S, done: Vec<S::Done>) -> usize {
    let count = done.len();
    source.finish(done).await;
    count
}
