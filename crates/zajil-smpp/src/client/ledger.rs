//! What carriers have taken and not told the end of, by the ids that they gave: in the store, so
//! that a receipt finds its message after a restart and on any node (D19).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::smpp::Awaited;
use zajil_core::smpp::carrier::Carrier;
use zajil_store::awaited::AwaitedPart;
use zajil_store::record::{SmppUnmatched, encode_smpp_unmatched};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};
use zajil_store::{Error, Store};

use super::said::{self, Said};

/// So many receipts that came before their responses are known by their ids.
const MOST_EARLY: usize = 10_000;
/// So many ends are remembered, so that a receipt that comes twice is no riddle.
const MOST_ENDED: usize = 100_000;
/// Of so many messages that have ended the parts wait to be forgotten; others are found when they
/// are overdue.
const MOST_CLOSED: usize = 100_000;
/// The parts of so many messages are forgotten in one transaction.
const AT_ONCE: usize = 500;
/// So many receipts that belonged to nothing are looked at again at a time.
const AGAIN_AT_ONCE: u32 = 200;
/// So many receipts that belonged to nothing are forgotten at a time.
const PURGED_AT_ONCE: u32 = 500;

/// A message, and when the carrier had taken the parts that a receipt was about.
pub(super) type Turn = (MessageId, Timestamp);

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
    /// What has ended, and is to be forgotten.
    closed: BTreeSet<Turn>,
    /// Names whose end was told, and which are forgotten.
    ended: HashSet<String>,
    ended_order: VecDeque<String>,
}

/// What a receipt belongs to.
#[derive(Debug)]
pub(super) enum Found {
    /// This part.
    Part(Box<AwaitedPart>),
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

    /// What is waited for when a carrier has given these ids.
    pub(super) fn awaited(
        &self,
        carrier: &Carrier,
        (destination, ids): (&str, &[String]),
        until: Timestamp,
    ) -> Awaited {
        if ids.iter().any(|id| said::is_hexadecimal(id)) {
            self.recent(|recent| recent.hexadecimal.insert(carrier.name.clone()));
        }
        let mut keys: Vec<String> = ids.iter().map(|id| said::key(id)).collect();
        // A carrier that gives the parts of a message one id ends them by one receipt.
        keys.sort();
        keys.dedup();
        Awaited {
            carrier: carrier.name.clone(),
            ids: keys,
            tail: said::tail(destination),
            until,
        }
    }

    /// The receipts that came before what is waited for was written down.
    pub(super) async fn early(
        &self,
        awaited: &Awaited,
        now: Timestamp,
    ) -> Result<Vec<Said>, Error> {
        let early: Vec<(u64, Said)> = self.recent(|recent| {
            let names = awaited.ids.iter().map(|key| name(&awaited.carrier, key));
            names
                .filter_map(|name| recent.early.remove(&name))
                .collect()
        });
        for (record, _) in &early {
            self.forget_unmatched(*record, now).await?;
        }
        Ok(early.into_iter().map(|(_, said)| said).collect())
    }

    /// What a receipt belongs to: of the parts that it may mean the likeliest whose number agrees;
    /// the number counts for nothing where the id is certain.
    pub(super) async fn find(&self, carrier: &Carrier, said: &Said) -> Result<Found, Error> {
        let mut keys = said::keys(&said.id, carrier.receipt_ids);
        let Some(certain) = keys.first().cloned() else {
            return Ok(Found::Nothing);
        };
        // A carrier that gives ids in hexadecimal and writes this one without a letter writes it in
        // decimal more likely than not.
        let given = self.recent(|recent| recent.hexadecimal.contains(&carrier.name));
        if given && !said::is_hexadecimal(&said.id) && keys.len() > 1 {
            keys.swap(0, 1);
        }
        let named = self.store.awaited_parts(carrier.name.clone(), keys.clone());
        let parts = named.await?;
        let tail = said::tail(&said.from);
        let of = |key: &String| parts.iter().find(|part| part.id == *key);
        let agrees = keys.iter().filter_map(of).find(|part| part.tail == tail);
        let found = agrees.or_else(|| of(&certain));
        Ok(self.recent(|recent| match found {
            Some(part) if recent.closed.contains(&(part.message, part.taken_at)) => Found::Ended,
            Some(part) => Found::Part(Box::new(part.clone())),
            None => {
                let ended = |key: &String| recent.ended.contains(&name(&carrier.name, key));
                if keys.iter().any(ended) {
                    Found::Ended
                } else {
                    Found::Nothing
                }
            }
        }))
    }

    /// Keeps a receipt that belongs to nothing: it is shown, and found when its response comes.
    pub(super) async fn park(
        &self,
        carrier: &Carrier,
        said: &Said,
        now: Timestamp,
    ) -> Result<(), Error> {
        let body = encode_smpp_unmatched(&SmppUnmatched {
            carrier: carrier.name.clone(),
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
            for key in said::keys(&said.id, carrier.receipt_ids) {
                let name = name(&carrier.name, &key);
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
        carrier: &Carrier,
        said: &Said,
        now: Timestamp,
    ) -> Result<(), Error> {
        let record = self.recent(|recent| {
            let names = said::keys(&said.id, carrier.receipt_ids).into_iter();
            let taken = names.map(|key| recent.early.remove(&name(&carrier.name, &key)));
            taken.flatten().next()
        });
        match record {
            Some((record, _)) => self.forget_unmatched(record, now).await,
            None => Ok(()),
        }
    }

    /// Forgets a receipt that belonged to nothing; it may be gone already.
    pub(super) async fn forget_unmatched(&self, id: u64, now: Timestamp) -> Result<(), Error> {
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
    pub(super) async fn delivered(&self, part: &AwaitedPart) -> Result<bool, Error> {
        if part.parts < 2 {
            return Ok(true);
        }
        let id = part.id.clone();
        let told = self.store.part_delivered(part.carrier.clone(), id);
        Ok(told.await? == Some(0))
    }

    /// The end of a message was reported: its parts are forgotten with those of others.
    pub(super) fn close(&self, part: &AwaitedPart) {
        self.recent(|recent| {
            if recent.closed.len() < MOST_CLOSED {
                recent.closed.insert((part.message, part.taken_at));
            }
        });
    }

    /// Forgets the parts of messages that have ended.
    pub(super) async fn forget_closed(&self) -> Result<(), Error> {
        loop {
            let of: Vec<Turn> =
                self.recent(|recent| recent.closed.iter().take(AT_ONCE).copied().collect());
            if of.is_empty() {
                return Ok(());
            }
            self.forget(of).await?;
        }
    }

    /// Forgets the parts of these turns now.
    pub(super) async fn forget(&self, of: Vec<Turn>) -> Result<(), Error> {
        let gone = self.store.forget_parts(of.clone()).await?;
        self.recent(|recent| {
            for turn in &of {
                recent.closed.remove(turn);
            }
            for (carrier, id) in gone {
                let name = name(&carrier, &id);
                recent.ended.insert(name.clone());
                recent.ended_order.push_back(name);
            }
            while recent.ended_order.len() > MOST_ENDED {
                if let Some(oldest) = recent.ended_order.pop_front() {
                    recent.ended.remove(&oldest);
                }
            }
        });
        Ok(())
    }

    /// The parts whose receipts are overdue, at most so many.
    pub(super) async fn overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AwaitedPart>, Error> {
        self.store.overdue_parts(now, limit).await
    }

    /// The receipts that belonged to nothing when they came, after `since`, newest first.
    pub(super) async fn unmatched(&self, since: Timestamp) -> Result<Vec<Record>, Error> {
        let page = Page {
            kind: Kind::SmppUnmatched,
            from: Start::Newest,
            offset: 0,
            limit: AGAIN_AT_ONCE,
        };
        let mut records = self.store.shelf(page).await?;
        records.retain(|record| record.added_at > since);
        Ok(records)
    }

    /// Forgets receipts that belonged to nothing, from before.
    pub(super) async fn purge(&self, before: Timestamp) -> Result<u64, Error> {
        let purged = self
            .store
            .purge_shelf(Kind::SmppUnmatched, before, PURGED_AT_ONCE);
        purged.await
    }

    /// The message that a part belongs to waits for its receipt still: it was neither ended nor
    /// given to somebody else since.
    pub(super) async fn still_waits(
        &self,
        part: &AwaitedPart,
        margin: Duration,
    ) -> Result<bool, Error> {
        let message = self.store.message(part.message).await?;
        let held = message.as_ref().and_then(said::held_until);
        Ok(held == Some(part.until.plus(margin)))
    }
}

/// The name by which a part is remembered: the id first, whatever the carrier is called.
fn name(carrier: &FrontendName, key: &str) -> String {
    format!("{key}/{carrier}")
}
