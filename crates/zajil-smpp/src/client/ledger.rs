//! What carriers have taken and not told the end of, by the ids that they gave: on the shelf, so
//! that a receipt finds its message after a restart and on any node (D19).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::message::Message;
use zajil_store::record::{
    SmppSubmitted, SmppUnmatched, decode_smpp_submitted, encode_smpp_submitted,
    encode_smpp_unmatched,
};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};
use zajil_store::{Error, Store};

use super::said::{self, Said};

/// So many receipts that came before their responses are known by their ids.
const MOST_EARLY: usize = 10_000;
/// So many ends are remembered, so that a receipt that comes twice is no riddle.
const MOST_ENDED: usize = 100_000;
/// So many records are read at a time.
const PAGE: u32 = 500;

/// The ledger of a node; its records are every node's.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<dyn Store>,
    recent: Mutex<Recent>,
}

/// What need not outlive the process.
#[derive(Debug, Default)]
struct Recent {
    /// Receipts that nothing was known of, by the names that they may mean.
    early: HashMap<String, (u64, Said)>,
    early_order: VecDeque<String>,
    /// Carriers that gave ids with letters of hexadecimal digits.
    hexadecimal: HashSet<FrontendName>,
    /// Names whose end was told.
    ended: HashSet<String>,
    ended_order: VecDeque<String>,
}

/// A part that is waited for, as it lies on the shelf.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) record: Record,
    pub(super) part: SmppSubmitted,
}

/// What a receipt belongs to.
#[derive(Debug)]
pub(super) enum Found {
    /// This part.
    Part(Box<Kept>),
    /// One whose end was told before.
    Ended,
    /// Nothing that is known yet.
    Nothing,
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            recent: Mutex::default(),
        }
    }

    fn recent<T>(&self, change: impl FnOnce(&mut Recent) -> T) -> T {
        change(&mut self.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down what a carrier took, all parts at once. Answers with the receipts that came for
    /// them before.
    pub(super) async fn keep(
        &self,
        (carrier, message, ids): (&FrontendName, &Message, &[String]),
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Said>, Error> {
        let names: Vec<String> = ids.iter().map(|id| name(carrier, &said::key(id))).collect();
        if ids.iter().any(|id| said::is_hexadecimal(id)) {
            self.recent(|recent| recent.hexadecimal.insert(carrier.clone()));
        }
        let part = SmppSubmitted {
            carrier: carrier.clone(),
            message: message.id,
            tail: said::tail(message.content.destination.as_str()),
            parts: names.clone(),
            delivered: false,
            until,
        };
        let body = encode_smpp_submitted(&part);
        let add = |name: &String| Change::Add {
            kind: Kind::SmppSubmitted,
            name: Some(name.clone()),
            body: body.clone(),
        };
        let adds: Vec<Change> = names.iter().map(add).collect();
        match self.store.change_shelf(adds.clone(), now).await {
            // The carrier gives an id again: of the message that had it nothing more is told.
            Err(Error::Conflict(_)) => {
                tracing::warn!(%carrier, "it gave the id of a message that it has not ended");
                let mut changes = self.removals(&names).await?;
                changes.extend(adds);
                self.store.change_shelf(changes, now).await?;
            }
            added => drop(added?),
        }
        let early: Vec<(u64, Said)> = self.recent(|recent| {
            let found = names.iter().filter_map(|name| recent.early.remove(name));
            found.collect()
        });
        for (record, _) in &early {
            self.forget_unmatched(*record, now).await?;
        }
        Ok(early.into_iter().map(|(_, said)| said).collect())
    }

    /// What a receipt belongs to.
    pub(super) async fn find(&self, carrier: &FrontendName, said: &Said) -> Result<Found, Error> {
        let tail = said::tail(&said.from);
        let mut keys = said::keys(&said.id);
        let plain = keys.first().cloned();
        // A carrier that gives ids in hexadecimal and writes this one without a letter writes it in
        // decimal more likely than not.
        let given = self.recent(|recent| recent.hexadecimal.contains(carrier));
        if given && !said::is_hexadecimal(&said.id) && keys.len() > 1 {
            keys.swap(0, 1);
        }
        for key in keys {
            let is_plain = plain.as_ref() == Some(&key);
            let name = name(carrier, &key);
            let named = self.store.shelf_named(Kind::SmppSubmitted, name.clone());
            if let Some(record) = named.await? {
                let part = decode_smpp_submitted(&record.body)?;
                if is_plain || part.tail == tail {
                    return Ok(Found::Part(Box::new(Kept { record, part })));
                }
            }
            if self.recent(|recent| recent.ended.contains(&name)) {
                return Ok(Found::Ended);
            }
        }
        Ok(Found::Nothing)
    }

    /// Keeps a receipt that belongs to nothing: it is shown, and found when its response comes.
    pub(super) async fn park(
        &self,
        carrier: &FrontendName,
        said: &Said,
        now: Timestamp,
    ) -> Result<(), Error> {
        let body = encode_smpp_unmatched(&SmppUnmatched {
            carrier: carrier.clone(),
            id: said.id.clone(),
            from: said.from.clone(),
            state: said.state.word().to_owned(),
            error: said.error.clone(),
        });
        let add = Change::Add {
            kind: Kind::SmppUnmatched,
            name: None,
            body,
        };
        let added = self.store.change_shelf(vec![add], now).await?;
        let record = added.first().map_or(0, |record| record.id);
        self.recent(|recent| {
            for key in said::keys(&said.id) {
                let name = name(carrier, &key);
                recent.early_order.push_back(name.clone());
                recent.early.insert(name, (record, said.clone()));
            }
            while recent.early_order.len() > MOST_EARLY {
                if let Some(oldest) = recent.early_order.pop_front() {
                    recent.early.remove(&oldest);
                }
            }
        });
        Ok(())
    }

    /// Takes a receipt that was parked back, unless somebody has done so already.
    pub(super) async fn unpark(
        &self,
        carrier: &FrontendName,
        said: &Said,
        now: Timestamp,
    ) -> Result<(), Error> {
        let record = self.recent(|recent| {
            let names = said::keys(&said.id).into_iter();
            let taken = names.map(|key| recent.early.remove(&name(carrier, &key)));
            taken.flatten().next()
        });
        match record {
            Some((record, _)) => self.forget_unmatched(record, now).await,
            None => Ok(()),
        }
    }

    async fn forget_unmatched(&self, id: u64, now: Timestamp) -> Result<(), Error> {
        let remove = Change::Remove {
            kind: Kind::SmppUnmatched,
            id,
            base: None,
        };
        match self.store.change_shelf(vec![remove], now).await {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes down that a part was delivered; answers whether all parts of its message are.
    pub(super) async fn delivered(&self, kept: &Kept, now: Timestamp) -> Result<bool, Error> {
        if kept.part.parts.len() < 2 {
            return Ok(true);
        }
        let done = SmppSubmitted {
            delivered: true,
            ..kept.part.clone()
        };
        let set = Change::Set {
            kind: Kind::SmppSubmitted,
            id: kept.record.id,
            base: None,
            body: encode_smpp_submitted(&done),
        };
        match self.store.change_shelf(vec![set], now).await {
            Ok(_) => {}
            // Another receipt has just ended the message.
            Err(Error::NotFound) => return Ok(false),
            Err(error) => return Err(error),
        }
        // Written first, read afterwards: of receipts that come together the last sees all.
        for name in &kept.part.parts {
            let named = self.store.shelf_named(Kind::SmppSubmitted, name.clone());
            let Some(record) = named.await? else {
                return Ok(false);
            };
            if !decode_smpp_submitted(&record.body)?.delivered {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Forgets all parts of a message whose end was reported.
    pub(super) async fn close(&self, part: &SmppSubmitted, now: Timestamp) -> Result<(), Error> {
        self.recent(|recent| {
            for name in &part.parts {
                recent.ended.insert(name.clone());
                recent.ended_order.push_back(name.clone());
            }
            while recent.ended_order.len() > MOST_ENDED {
                if let Some(oldest) = recent.ended_order.pop_front() {
                    recent.ended.remove(&oldest);
                }
            }
        });
        let removals = self.removals(&part.parts).await?;
        if removals.is_empty() {
            return Ok(());
        }
        match self.store.change_shelf(removals, now).await {
            // Another node was faster.
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn removals(&self, names: &[String]) -> Result<Vec<Change>, Error> {
        let mut removals = Vec::new();
        for name in names {
            let named = self.store.shelf_named(Kind::SmppSubmitted, name.clone());
            removals.extend(named.await?.map(|record| Change::Remove {
                kind: Kind::SmppSubmitted,
                id: record.id,
                base: None,
            }));
        }
        Ok(removals)
    }

    /// The next records after `last`, in the order in which carriers took them.
    pub(super) async fn page(&self, last: u64) -> Result<Vec<Record>, Error> {
        let page = Page {
            kind: Kind::SmppSubmitted,
            from: Start::After(last),
            offset: 0,
            limit: PAGE,
        };
        self.store.shelf(page).await
    }

    /// Forgets receipts that belonged to nothing, from before.
    pub(super) async fn purge(&self, before: Timestamp) -> Result<u64, Error> {
        self.store
            .purge_shelf(Kind::SmppUnmatched, before, PAGE)
            .await
    }
}

/// The name of a record: the id first, whatever the carrier is called.
fn name(carrier: &FrontendName, key: &str) -> String {
    format!("{key}/{carrier}")
}
