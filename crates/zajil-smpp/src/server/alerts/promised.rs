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
    /// Who was promised nothing since the count: some may have been kept.
    full: BTreeSet<FrontendName>,
}

impl Promised {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an account may be promised one more. The first that is not asks for a count.
    pub(super) fn has_room(&self, account: &FrontendName) -> bool {
        let mut known = self.known();
        let of = |counts: &BTreeMap<FrontendName, usize>| counts.get(account).copied();
        let all = of(&known.counted).unwrap_or(0) + of(&known.since).unwrap_or(0);
        if all < MOST_PROMISED {
            return true;
        }
        if known.full.insert(account.clone()) {
            tracing::warn!(%account, "it is promised no more alerts: {all} are promised");
        }
        false
    }

    /// An account was promised one more.
    pub(super) fn add(&self, account: &FrontendName) {
        let mut known = self.known();
        *known.since.entry(account.clone()).or_default() += 1;
    }

    /// Whether a count may make room for somebody.
    pub(super) fn is_full(&self) -> bool {
        !self.known().full.is_empty()
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
        known.full.clear();
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

    /// What is on the shelf already is not counted again as promised since; what is over is not.
    #[tokio::test]
    async fn a_count_takes_the_place_of_what_was_promised_before_it() {
        let (store, promised) = (MemoryStore::new(), Promised::default());
        let shop = FrontendName::parse("shop").unwrap();
        let now = Timestamp::EPOCH;
        for (number, until) in [("46700000001", now), ("46700000002", Timestamp::MAX)] {
            let mut waiting = Waiting::on(&store, number).await.unwrap();
            waiting.all.push(SmppAlert {
                account: shop.clone(),
                subscriber: Named::default(),
                application: Named::default(),
                messages: vec![MessageId::new(1).unwrap()],
                until: Some(until),
            });
            waiting.write(&store, Vec::new(), now).await.unwrap();
        }
        (0..MOST_PROMISED).for_each(|_| promised.add(&shop));
        assert!(!promised.has_room(&shop) && promised.is_full());
        promised.count(&store, now).await.unwrap();
        assert!(promised.has_room(&shop) && !promised.is_full());
        (2..MOST_PROMISED).for_each(|_| promised.add(&shop));
        assert!(promised.has_room(&shop));
        promised.add(&shop);
        assert!(!promised.has_room(&shop));
    }
}
