//! Looks for receipts that do not come, and again at those that belonged to nothing (D19).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use zajil_core::smpp::carrier::WithoutReceipt;
use zajil_store::awaited::AwaitedPart;
use zajil_store::record::decode_smpp_unmatched;
use zajil_store::shelf::Start;

use super::ledger::Turn;
use super::said::Said;
use super::settle::{Again, give_up};
use super::standing::Standing;
use super::{Carriers, Client};

/// How often late receipts are looked for, and what is over is forgotten.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same on a node without carriers: one that was removed may have left waits behind.
const LOOK_IDLE_EVERY: Duration = Duration::from_secs(600);
/// So many parts are looked through at a time, in so many pages.
const PAGE: u32 = 500;
const PAGES_AT_ONCE: usize = 20;
/// So many waits are ended at the same time: they share the commits of the store.
const ENDED_AT_ONCE: usize = 50;
/// Every so many looks those receipts are looked at again that belonged to nothing.
const UNMATCHED_EVERY: u64 = 5;
/// In so many pages, newest first, and in so many at the start.
const PAGES_AGAIN: usize = 5;
const PAGES_AT_START: usize = 100;
/// Every so many looks those are forgotten that are old.
const PURGE_EVERY: u64 = 60;
/// For so long: another node writes down what it has in much less.
const AGAIN_FOR: Duration = Duration::from_secs(600);
/// Receipts that belong to nothing are kept for so long.
const UNMATCHED_FOR: Duration = Duration::from_secs(7 * 86_400);

/// All carriers, as they change.
type Watched = watch::Receiver<Carriers>;

/// Looks for receipts that do not come, and forgets what is over, until `stop`. May run on every
/// node.
pub(super) async fn look(client: Arc<Client>, mut carriers: Watched, stop: CancellationToken) {
    let mut rounds = 0_u64;
    loop {
        let stopped = wait(&mut carriers, &stop).await;
        if let Err(error) = client.ledger.forget_closed().await {
            tracing::warn!(%error, "parts of messages that have ended were not forgotten");
        }
        if stopped {
            return;
        }
        for _ in 0..PAGES_AT_ONCE {
            if !matches!(late(&client, &carriers).await, Ok(true)) {
                break;
            }
        }
        if carriers.borrow().is_empty() {
            continue;
        }
        // At first at all of them: what was early may have been kept by a process that is gone.
        let back = match rounds {
            0 => (UNMATCHED_FOR, PAGES_AT_START),
            _ => (AGAIN_FOR, PAGES_AGAIN),
        };
        if rounds.is_multiple_of(UNMATCHED_EVERY) {
            look_again(&client, &carriers, back).await;
        }
        if rounds.is_multiple_of(PURGE_EVERY) {
            let before = client.parts.clock.now().minus(UNMATCHED_FOR);
            if let Err(error) = client.ledger.purge(before).await {
                tracing::warn!(%error, "old receipts that matched nothing were not forgotten");
            }
        }
        rounds = rounds.wrapping_add(1);
    }
}

/// Waits for the next look; answers whether it is the last. A node without carriers has next to
/// nothing to look for, and leaves the store alone.
async fn wait(carriers: &mut Watched, stop: &CancellationToken) -> bool {
    let began = Instant::now();
    loop {
        let every = match carriers.borrow_and_update().is_empty() {
            true => LOOK_IDLE_EVERY,
            false => LOOK_EVERY,
        };
        tokio::select! {
            () = stop.cancelled() => return true,
            () = sleep_until(began + every) => return false,
            Ok(()) = carriers.changed() => {}
        }
    }
}

/// Looks again at the receipts that belonged to nothing, so far back and in so many pages. One that
/// cannot be read or reported does not keep the others from it.
async fn look_again(client: &Arc<Client>, carriers: &Watched, (back, pages): (Duration, usize)) {
    let since = client.parts.clock.now().minus(back);
    let known = carriers.borrow().clone();
    let mut from = Start::Newest;
    for _ in 0..pages {
        let records = match client.ledger.unmatched(since, from).await {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "receipts that matched nothing were not looked at again");
                return;
            }
        };
        let Some(last) = records.last() else {
            return;
        };
        from = Start::Before(last.id);
        for record in records {
            let kept = match decode_smpp_unmatched(&record.body) {
                Ok(kept) => kept,
                Err(error) => {
                    tracing::debug!(id = record.id, %error, "a kept receipt cannot be read");
                    continue;
                }
            };
            let carrier = known.iter().find(|carrier| carrier.name == kept.carrier);
            if let Some(carrier) = carrier {
                let upstream = client.upstream(carrier, carriers, Standing::default());
                if upstream.again(record.id, &Said::kept(&kept)).await.is_err() {
                    tracing::warn!(id = record.id, "a kept receipt was not used");
                }
            }
        }
    }
}

/// One page of what is overdue; answers whether there may be more.
async fn late(client: &Client, carriers: &Watched) -> Result<bool, Again> {
    let now = client.parts.clock.now();
    let parts = client.ledger.overdue(now, PAGE).await?;
    let full = parts.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
    let mut turns: BTreeMap<Turn, Vec<AwaitedPart>> = BTreeMap::new();
    for part in parts {
        let turn = turns.entry((part.message, part.taken_at));
        turn.or_default().push(part);
    }
    let known = carriers.borrow().clone();
    let ending = turns.into_iter().map(|(turn, parts)| {
        let carrier = parts.first().map(|part| &part.carrier);
        let carrier = known.iter().find(|known| Some(&known.name) == carrier);
        let rule = carrier.map_or(WithoutReceipt::Fail, |carrier| carrier.without_receipt);
        async move { (turn, give_up(&client.parts, rule, &parts).await) }
    });
    let mut ending = stream::iter(ending).buffer_unordered(ENDED_AT_ONCE);
    // What could not be reported keeps the others from nothing, and is found again.
    let (mut over, mut all) = (Vec::new(), true);
    while let Some((turn, ended)) = ending.next().await {
        match ended {
            Ok(()) => over.push(turn),
            Err(Again) => all = false,
        }
    }
    if !over.is_empty() {
        client.ledger.forget(over).await?;
    }
    Ok(full && all)
}

#[cfg(test)]
mod tests {
    use zajil_core::frontend::FrontendName;
    use zajil_core::smpp::carrier::{Carrier, Host, Password};

    use super::*;

    fn carriers() -> Carriers {
        let host = Host::parse("127.0.0.1:2775").unwrap();
        let us = ("zajil".to_owned(), Password::new("secret08".to_owned()));
        let name = FrontendName::parse("up").unwrap();
        Arc::new([Arc::new(Carrier::new(name, host, us))])
    }

    /// A node without carriers asks the store next to never; one that gets its first carrier does
    /// from then on.
    #[tokio::test(start_paused = true)]
    async fn a_node_without_carriers_leaves_the_store_alone() {
        let (list, mut watched) = watch::channel(Carriers::default());
        let stop = CancellationToken::new();
        let began = Instant::now();
        assert!(!wait(&mut watched, &stop).await);
        assert_eq!(began.elapsed(), LOOK_IDLE_EVERY);
        let began = Instant::now();
        let adding = async {
            let later = Duration::from_secs(30);
            drop(tokio::time::timeout(later, std::future::pending::<()>()).await);
            list.send_replace(carriers());
        };
        let (last, ()) = tokio::join!(wait(&mut watched, &stop), adding);
        assert!(!last);
        assert_eq!(began.elapsed(), Duration::from_secs(30));
        let began = Instant::now();
        assert!(!wait(&mut watched, &stop).await);
        assert_eq!(began.elapsed(), LOOK_EVERY);
        // Nobody changes them any more.
        drop(list);
        assert!(!wait(&mut watched, &stop).await);
        stop.cancel();
        assert!(wait(&mut watched, &stop).await);
    }
}
