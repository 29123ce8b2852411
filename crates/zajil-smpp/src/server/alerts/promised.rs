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

    /// Counts what is on the shelf.
    pub(super) async fn count(&self, store: &dyn Store, now: Timestamp) -> Result<(), Error> {
        // What is promised meanwhile may be counted twice, until the next count.
        self.known().since.clear();
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
                break;
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
        let mut known = self.known();
        known.counted = counted;
        known.full.clear();
        Ok(())
    }
}
