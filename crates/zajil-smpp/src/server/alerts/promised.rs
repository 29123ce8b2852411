//! How many promises of alerts accounts have, so that none has more than it may: counted on the
//! shelf, with what this node has promised since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_store::record::decode_smpp_alerts;
use zajil_store::shelf::{Kind, Page, Start};
use zajil_store::{Error, Store};

/// An account may wait for so many subscribers, for each sender once. Nodes of a cluster promise
/// more by what each of them does not know of yet.
pub(super) const MOST_PROMISED: usize = 100_000;
/// Who may have so many is counted: most of what was promised since the last count may be over.
const MANY: usize = MOST_PROMISED / 4 * 3;
/// Nobody is promised more before the next count has told what is over.
const UNTIL_COUNTED: usize = 2 * MOST_PROMISED;
/// Looks between two counts for somebody of whom the last one has not found many.
const COUNT_EVERY: u64 = 5;
/// Looks between two counts for others: they read the whole shelf, and may find the same.
const COUNT_MANY_EVERY: u64 = 60;
/// So many records are read at a time: one may be long.
const PAGE: u32 = 100;

/// The promises of each account, as far as this node knows.
#[derive(Debug, Default)]
pub(in super::super) struct Promised(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    counted: BTreeMap<FrontendName, usize>,
    /// Promised here since the count began.
    since: BTreeMap<FrontendName, usize>,
    /// Who was refused, and has had no room since.
    full: BTreeSet<FrontendName>,
}

impl Known {
    /// What the last count has found, and what was promised since.
    fn of(&self, account: &FrontendName) -> (usize, usize) {
        let of = |counts: &BTreeMap<FrontendName, usize>| counts.get(account).copied();
        (of(&self.counted).unwrap_or(0), of(&self.since).unwrap_or(0))
    }

    /// What was promised since a count may be over: only a count refuses anybody on its account,
    /// or too many before there was one.
    fn has_room(&self, account: &FrontendName) -> bool {
        let (counted, since) = self.of(account);
        counted < MOST_PROMISED && counted + since < UNTIL_COUNTED
    }

    /// After how many looks since the last count the next is to be, for this account.
    fn count_after(&self, account: &FrontendName) -> Option<u64> {
        let (counted, since) = self.of(account);
        let wants = self.full.contains(account) || (since > 0 && counted + since >= MANY);
        let pause = if counted < MANY {
            COUNT_EVERY
        } else {
            COUNT_MANY_EVERY
        };
        wants.then_some(pause)
    }
}

impl Promised {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an account may be promised one more.
    pub(super) fn has_room(&self, account: &FrontendName) -> bool {
        let mut known = self.known();
        if known.has_room(account) {
            return true;
        }
        if known.full.insert(account.clone()) {
            let (counted, since) = known.of(account);
            tracing::warn!(%account, counted, since, "it is promised no more alerts");
        }
        false
    }

    /// An account was promised one more.
    pub(super) fn add(&self, account: &FrontendName) {
        let mut known = self.known();
        *known.since.entry(account.clone()).or_default() += 1;
    }

    /// Whether a count is due, so many looks after the last: it may make room for somebody.
    pub(super) fn wants_count(&self, looks: u64) -> bool {
        let known = self.known();
        let mut all = known.since.keys().chain(&known.full);
        all.any(|account| (known.count_after(account)).is_some_and(|after| looks >= after))
    }

    /// Counts what is on the shelf. Until that is done, what was counted before holds.
    pub(super) async fn count(&self, store: &dyn Store, now: Timestamp) -> Result<(), Error> {
        let before = self.known().since.clone();
        let counted = counted(store, now).await?;
        let mut known = self.known();
        // What was promised meanwhile may be counted twice, until the next count.
        known.since.retain(|account, count| {
            *count -= before.get(account).copied().unwrap_or(0).min(*count);
            *count > 0
        });
        known.counted = counted;
        let full = std::mem::take(&mut known.full);
        known.full = (full.into_iter())
            .filter(|account| !known.has_room(account))
            .collect();
        Ok(())
    }
}

/// How many promises of each account are on the shelf.
async fn counted(
    store: &dyn Store,
    now: Timestamp,
) -> Result<BTreeMap<FrontendName, usize>, Error> {
    let mut counted = BTreeMap::new();
    let mut last = 0;
    loop {
        let page = store.shelf(Page {
            kind: Kind::SmppWatch,
            from: Start::After(last),
            offset: 0,
            limit: PAGE,
        });
        let page = page.await?;
        let Some(record) = page.last() else {
            return Ok(counted);
        };
        last = record.id;
        // One that cannot be read is told of when its number is looked for.
        let all = page
            .iter()
            .flat_map(|record| decode_smpp_alerts(&record.body));
        for alert in all.flatten() {
            if alert.until.is_none_or(|until| until > now) {
                *counted.entry(alert.account).or_default() += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use zajil_core::id::MessageId;
    use zajil_core::smpp::Named;
    use zajil_store::memory::MemoryStore;
    use zajil_store::record::SmppAlert;
    use zajil_store::watch::Waiting;

    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn shop() -> FrontendName {
        FrontendName::parse("shop").unwrap()
    }

    async fn wait_for(store: &MemoryStore, number: &str, until: Timestamp) {
        let mut waiting = Waiting::on(store, number).await.unwrap();
        waiting.all.push(SmppAlert {
            account: shop(),
            subscriber: Named::default(),
            application: Named::default(),
            messages: vec![MessageId::new(1).unwrap()],
            until: Some(until),
        });
        waiting.write(store, Vec::new(), NOW).await.unwrap();
    }

    /// A count that has found so many.
    fn found(count: usize) -> Promised {
        let promised = Promised::default();
        promised.known().counted.insert(shop(), count);
        promised
    }

    /// What is on the shelf already is not counted again as promised since; what is over is not.
    #[tokio::test]
    async fn a_count_takes_the_place_of_what_was_promised_before_it() {
        let (store, promised) = (MemoryStore::new(), Promised::default());
        wait_for(&store, "46700000001", NOW).await;
        wait_for(&store, "46700000002", Timestamp::MAX).await;
        (0..UNTIL_COUNTED).for_each(|_| promised.add(&shop()));
        promised.count(&store, NOW).await.unwrap();
        assert_eq!(promised.known().of(&shop()), (1, 0));
    }

    /// Whose promises are all over by the time they are counted is never refused.
    #[tokio::test]
    async fn who_was_promised_many_since_a_count_is_counted_before_it_is_refused() {
        let (store, promised) = (MemoryStore::new(), Promised::default());
        (1..MANY).for_each(|_| promised.add(&shop()));
        assert!(!promised.wants_count(u64::MAX));
        promised.add(&shop());
        assert!(!promised.wants_count(COUNT_EVERY - 1));
        assert!(promised.wants_count(COUNT_EVERY));
        (MANY..UNTIL_COUNTED - 1).for_each(|_| promised.add(&shop()));
        assert!(promised.has_room(&shop()));
        promised.add(&shop());
        assert!(!promised.has_room(&shop()), "no count came");
        promised.count(&store, NOW).await.unwrap();
        assert!(promised.has_room(&shop()) && !promised.wants_count(u64::MAX));
    }

    /// Those are told of once, and looked for seldom.
    #[tokio::test]
    async fn who_is_found_to_have_all_its_promises_is_refused_until_it_has_room() {
        let promised = found(MOST_PROMISED);
        assert!(!promised.wants_count(u64::MAX), "nobody asked");
        assert!(!promised.has_room(&shop()));
        assert!(!promised.wants_count(COUNT_MANY_EVERY - 1));
        assert!(promised.wants_count(COUNT_MANY_EVERY));
        promised.count(&MemoryStore::new(), NOW).await.unwrap();
        assert!(promised.has_room(&shop()) && promised.known().full.is_empty());
        assert!(found(MOST_PROMISED - 1).has_room(&shop()));
    }
}
