//! What carriers have taken and not told the end of, by the ids that they gave: in the store, so
//! that a receipt finds its message after a restart and on any node (D19).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use smpp_codec::state::MessageState;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::smpp::Awaited;
use zajil_core::smpp::carrier::Carrier;
use zajil_store::awaited::AwaitedPart;
use zajil_store::record::encode_smpp_unmatched;
use zajil_store::shelf::{Change, Kind, Page, Record, Start};
use zajil_store::{Error, Store};

use super::said::{self, Said};
use super::written::{Coming, Written};

/// So many receipts that came before their responses are known by their ids.
const MOST_EARLY: usize = 10_000;
/// A receipt that came before its response is known for so long: the response is seconds away.
const EARLY_FOR: Duration = Duration::from_secs(600);
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
/// So many receipts that belonged to nothing are kept; the oldest make room.
const MOST_UNMATCHED: u32 = 20_000;

/// A message, and when the carrier had taken the parts that a receipt was about.
pub(super) type Turn = (MessageId, Timestamp);

/// The ledger of a node; its records are every node's.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<dyn Store>,
    recent: Mutex<Recent>,
    written: Written,
}

/// What need not outlive the process.
#[derive(Debug, Default)]
struct Recent {
    /// Receipts that nothing was known of, by the names that they may mean.
    early: HashMap<String, Early>,
    early_order: VecDeque<String>,
    /// Carriers that gave ids with letters of hexadecimal digits.
    hexadecimal: HashSet<FrontendName>,
    /// What has ended, and is to be forgotten.
    closed: BTreeSet<Turn>,
    /// Names whose end was told, with the ends of their numbers where those are known.
    ended: HashMap<String, Option<String>>,
    ended_order: VecDeque<String>,
}

/// A receipt that came before what it is about was known.
#[derive(Debug, Clone)]
struct Early {
    /// The record that was kept of it, if there is one.
    record: Option<u64>,
    said: Said,
    at: Timestamp,
}

impl Recent {
    /// Whether the turn of a part is over.
    fn is_closed(&self, part: &AwaitedPart) -> bool {
        let from = (part.message, part.taken_at);
        let to = (part.message, Timestamp::MAX);
        self.closed.range(from..=to).next().is_some()
    }

    fn end(&mut self, name: String, tail: Option<String>) {
        let known = self.ended.entry(name.clone());
        let known = known.or_insert_with(|| {
            self.ended_order.push_back(name);
            None
        });
        if tail.is_some() {
            *known = tail;
        }
        while self.ended_order.len() > MOST_ENDED {
            if let Some(oldest) = self.ended_order.pop_front() {
                self.ended.remove(&oldest);
            }
        }
    }

    /// What is remembered of the ends of a carrier that a receipt may tell again, by the likeliest
    /// of its keys: `Some(true)` when the number agrees.
    fn ended(&self, carrier: &FrontendName, keys: &[String], tail: &str) -> Option<bool> {
        let end = |key: &String| self.ended.get(&name(carrier, key));
        let agrees = |key: &&String| end(key).is_some_and(|end| end.as_deref() == Some(tail));
        if keys.iter().any(|key| agrees(&key)) {
            return Some(true);
        }
        // Only the first is certain.
        end(keys.first()?).map(|_| false)
    }
}

/// The keys that the id of a receipt may stand for.
struct Keys {
    /// The id as it is.
    certain: String,
    likeliest: Vec<String>,
}

/// What a receipt belongs to.
#[derive(Debug)]
pub(super) enum Found {
    /// This part.
    Part(Box<AwaitedPart>),
    /// One whose end was told before, or another by the same id whose response is not known yet;
    /// that is likelier where the number does not agree.
    Ended { agrees: bool },
    /// Nothing that is known yet.
    Nothing,
}

impl Found {
    /// Whether it is of the number that a receipt tells of.
    pub(super) fn agrees(&self, said: &Said) -> bool {
        match self {
            Self::Part(part) => part.tail == said::tail(&said.from),
            Self::Ended { agrees } => *agrees,
            Self::Nothing => false,
        }
    }
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            recent: Mutex::default(),
            written: Written::default(),
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
        self.recent(|recent| {
            for key in &keys {
                // Given again: it has not ended any more.
                recent.ended.remove(&name(&carrier.name, key));
            }
        });
        Awaited {
            carrier: carrier.name.clone(),
            ids: keys,
            tail: said::tail(destination),
            until,
        }
    }

    /// These ids were given for parts that were delivered with their responses.
    pub(super) fn decided(&self, carrier: &FrontendName, (destination, ids): (&str, &[String])) {
        let tail = said::tail(destination);
        self.recent(|recent| {
            for id in ids {
                recent.end(name(carrier, &said::key(id)), Some(tail.clone()));
            }
        });
    }

    /// What the ids of a carrier that are about to be waited for meant before.
    pub(super) async fn known(
        &self,
        carrier: &FrontendName,
        ids: Vec<String>,
    ) -> Result<Vec<AwaitedPart>, Error> {
        self.store.awaited_parts(carrier.clone(), ids).await
    }

    /// The receipts that came before what is waited for was written down; they are kept until
    /// [`Ledger::used`].
    pub(super) fn early(&self, awaited: &Awaited, now: Timestamp) -> Vec<Said> {
        self.recent(|recent| {
            let names = awaited.ids.iter().map(|key| name(&awaited.carrier, key));
            let early = names.filter_map(|name| recent.early.get(&name));
            // An id that was given before is told by the number and the time.
            let early = early.filter(|early| {
                now.since(early.at) < EARLY_FOR && said::tail(&early.said.from) == awaited.tail
            });
            early.map(|early| early.said.clone()).collect()
        })
    }

    /// What a receipt may mean; none when it names nothing.
    fn keys(&self, carrier: &Carrier, said: &Said) -> Option<Keys> {
        let mut likeliest = said::keys(&said.id, carrier.receipt_ids);
        let certain = likeliest.first().cloned()?;
        // A carrier that gives ids in hexadecimal and writes this one without a letter writes it in
        // decimal more likely than not.
        let given = self.recent(|recent| recent.hexadecimal.contains(&carrier.name));
        if given && !said::is_hexadecimal(&said.id) && likeliest.len() > 1 {
            likeliest.swap(0, 1);
        }
        Some(Keys { certain, likeliest })
    }

    /// Ids that a carrier has given and that are not written down yet.
    pub(super) fn coming(&self, carrier: &FrontendName, ids: &[String]) -> Coming {
        let names = ids.iter().map(|id| name(carrier, &said::key(id)));
        self.written.coming(names.collect())
    }

    /// The parts that these receipts end, of those that this node has written down; it waits for
    /// what is about to be, of `sisters` too. Only once: whoever comes again asks the store.
    pub(super) async fn near(
        &self,
        (carrier, sisters): (&Carrier, &[FrontendName]),
        all: &[Said],
    ) -> Vec<Option<AwaitedPart>> {
        let names = all.iter().map(|said| {
            let keys = self.keys(carrier, said)?.likeliest;
            let own = keys.iter().map(|key| name(&carrier.name, key));
            let theirs = sisters
                .iter()
                .flat_map(|one| keys.iter().map(|key| name(one, key)));
            Some(own.chain(theirs).collect())
        });
        let names: Vec<Option<Vec<String>>> = names.collect();
        self.written.settled(names.iter().flatten().flatten()).await;
        let parts = all.iter().zip(names).map(|(said, names)| {
            let likeliest = names?.into_iter().next()?;
            let ends = said.state == Some(MessageState::Delivered) && said.is_final();
            ends.then(|| self.written.take(&likeliest, &said::tail(&said.from)))?
        });
        parts.collect()
    }

    /// What a receipt belongs to: of the parts that it may mean the likeliest whose number agrees;
    /// the number counts for nothing where the id is certain.
    pub(super) async fn find(&self, carrier: &Carrier, said: &Said) -> Result<Found, Error> {
        let Some(Keys { certain, likeliest }) = self.keys(carrier, said) else {
            return Ok(Found::Nothing);
        };
        let keys = likeliest;
        let named = self.store.awaited_parts(carrier.name.clone(), keys.clone());
        let parts = named.await?;
        let tail = said::tail(&said.from);
        Ok(self.recent(|recent| {
            let over = |part: &&AwaitedPart| recent.is_closed(part);
            let (over, open): (Vec<&AwaitedPart>, Vec<_>) = parts.iter().partition(over);
            let of = |key: &String| open.iter().find(|part| part.id == *key);
            // What waits comes before what has ended, and a number that agrees before one that
            // does not.
            if let Some(part) = keys.iter().filter_map(of).find(|part| part.tail == tail) {
                return Found::Part(Box::new(AwaitedPart::clone(part)));
            }
            let ended = recent.ended(&carrier.name, &plain_first(&certain, &keys), &tail);
            if over.iter().any(|part| part.tail == tail) || ended == Some(true) {
                return Found::Ended { agrees: true };
            }
            if let Some(part) = of(&certain) {
                return Found::Part(Box::new(AwaitedPart::clone(part)));
            }
            if over.iter().any(|part| part.id == certain) || ended.is_some() {
                return Found::Ended { agrees: false };
            }
            Found::Nothing
        }))
    }

    /// Keeps a receipt that belongs to nothing: it is shown, and found when its response comes.
    /// Answers whether it was not kept already.
    pub(super) async fn park(
        &self,
        carrier: &Carrier,
        said: &Said,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let keys = said::keys(&said.id, carrier.receipt_ids);
        let kept = self.recent(|recent| {
            let same = keys.first().map(|key| name(&carrier.name, key));
            let kept = same.and_then(|same| recent.early.get(&same));
            kept.is_some_and(|early| {
                early.record.is_some() && early.said == *said && now.since(early.at) < EARLY_FOR
            })
        });
        if kept {
            return Ok(false);
        }
        let body = encode_smpp_unmatched(&said.unmatched(carrier.name.clone()));
        let add = Change::Add {
            kind: Kind::SmppUnmatched,
            name: None,
            body,
        };
        let added = self.store.change_shelf(vec![add], now).await?;
        let record = added.first().map(|record| record.id);
        self.remember(carrier, keys, (record, said), now);
        Ok(true)
    }

    /// Remembers a receipt of what has ended: the id may have been given again, and the response
    /// be on its way. Only the id as it is: another reading of it has ended.
    pub(super) fn remember_ended(&self, carrier: &Carrier, said: &Said, now: Timestamp) {
        let keys = said::keys(&said.id, carrier.receipt_ids);
        let tail = said::tail(&said.from);
        let certain: Vec<String> = keys.into_iter().take(1).collect();
        let doubled = self.recent(|recent| recent.ended(&carrier.name, &certain, &tail));
        // What is told twice of the same id and number is no news.
        if doubled != Some(true) {
            self.remember(carrier, certain, (None, said), now);
        }
    }

    fn remember(
        &self,
        carrier: &Carrier,
        keys: Vec<String>,
        (record, said): (Option<u64>, &Said),
        now: Timestamp,
    ) {
        let early = Early {
            record,
            said: said.clone(),
            at: now,
        };
        self.recent(|recent| {
            for key in keys {
                let name = name(&carrier.name, &key);
                recent.early_order.push_back(name.clone());
                recent.early.insert(name, early.clone());
            }
            while recent.early_order.len() > MOST_EARLY {
                if let Some(oldest) = recent.early_order.pop_front() {
                    recent.early.remove(&oldest);
                }
            }
        });
    }

    /// A receipt that was kept has found its message and was reported: it is forgotten.
    pub(super) async fn used(
        &self,
        carrier: &Carrier,
        said: &Said,
        now: Timestamp,
    ) -> Result<(), Error> {
        let records: BTreeSet<u64> = self.recent(|recent| {
            let keys = said::keys(&said.id, carrier.receipt_ids).into_iter();
            let taken = keys.filter_map(|key| {
                let name = name(&carrier.name, &key);
                let same = recent
                    .early
                    .get(&name)
                    .is_some_and(|early| early.said == *said);
                same.then(|| recent.early.remove(&name)).flatten()
            });
            taken.filter_map(|early| early.record).collect()
        });
        for record in records {
            self.forget_unmatched(record, now).await?;
        }
        Ok(())
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
            recent.end(name(&part.carrier, &part.id), Some(part.tail.clone()));
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
                recent.end(name(&carrier, &id), None);
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

    /// A page of the receipts that belonged to nothing when they came, after `since`, newest first.
    pub(super) async fn unmatched(
        &self,
        since: Timestamp,
        from: Start,
    ) -> Result<Vec<Record>, Error> {
        let page = Page {
            kind: Kind::SmppUnmatched,
            from,
            offset: 0,
            limit: AGAIN_AT_ONCE,
        };
        let mut records = self.store.shelf(page).await?;
        records.retain(|record| record.added_at > since);
        Ok(records)
    }

    /// Forgets receipts that belonged to nothing, from before and those that are too many.
    pub(super) async fn purge(&self, before: Timestamp) -> Result<(), Error> {
        let page = Page {
            kind: Kind::SmppUnmatched,
            from: Start::Newest,
            offset: MOST_UNMATCHED,
            limit: 1,
        };
        let beyond = self.store.shelf(page).await?;
        let beyond = beyond.first().map(|record| record.added_at);
        let before = beyond.map_or(before, |at| before.max(at.plus(Duration::from_millis(1))));
        loop {
            let purging = self
                .store
                .purge_shelf(Kind::SmppUnmatched, before, PURGED_AT_ONCE);
            if purging.await? < u64::from(PURGED_AT_ONCE) {
                return Ok(());
            }
        }
    }
}

/// The name by which a part is remembered: the id first, whatever the carrier is called.
fn name(carrier: &FrontendName, key: &str) -> String {
    format!("{key}/{carrier}")
}

/// The keys of a receipt with the certain one first, whichever is the likeliest.
fn plain_first(certain: &str, keys: &[String]) -> Vec<String> {
    let others = keys.iter().filter(|key| *key != certain).cloned();
    std::iter::once(certain.to_owned()).chain(others).collect()
}

#[cfg(test)]
mod tests;
