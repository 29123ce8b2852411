//! What a carrier has taken is held until its receipts come (D19): many messages at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::smpp::Awaited;
use zajil_store::awaited::AwaitedPart;

use super::Upstream;
use super::said::{self, Said};
use super::settle::{Again, MARGIN, give_up};
use super::written::Coming;

/// So long before the end of a message's life its receipt is not waited for any more.
const BEFORE_EXPIRY: Duration = Duration::from_secs(10);
/// The receipts of so many messages that came before their responses are used at the same time:
/// they share the commits of the store.
const USED_AT_ONCE: usize = 50;
/// So many ids are looked up at a time.
const IDS_AT_ONCE: usize = 500;

/// A message that a carrier has taken whole, with the ids that it gave for the parts.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: MessageId,
    destination: String,
    expires: Timestamp,
    ids: Vec<String>,
    coming: Coming,
}

impl Taken {
    pub(super) fn new(message: &Message, ids: Vec<String>, coming: Coming) -> Self {
        Self {
            id: message.id,
            destination: message.content.destination.as_str().to_owned(),
            expires: message.expires,
            ids,
            coming,
        }
    }
}

/// One of them with what is waited for.
struct Waits {
    id: MessageId,
    awaited: Awaited,
    coming: Coming,
}

impl Upstream {
    /// Holds messages until their receipts come. Those that came before their responses are used.
    pub(super) async fn taken(&self, all: Vec<Taken>) {
        let now = self.parts.clock.now();
        for turn in apart(all) {
            let (waiting, reports) = turn.into_iter().map(|one| self.wait(one, now)).unzip();
            let waiting: Vec<Waits> = waiting;
            let released = self.release(&waiting).await;
            if released.is_err() {
                let count = waiting.len();
                tracing::warn!(count, "the waits of what had these ids before did not end");
            }
            let refused = self.frontend().report(reports).await;
            let at = self.parts.clock.now();
            let early = waiting.into_iter().filter_map(|one| {
                let Waits {
                    id,
                    awaited,
                    coming,
                } = one;
                if refused.contains(&id) {
                    // Unless it has ended, its lease does, and it is submitted again: at least
                    // once, here twice.
                    self.counts.unanswered.inc();
                    return None;
                }
                // Receipts that wait for this go on; others came before the response did. Where the
                // former meaning of an id was not ended, only the store says what it means.
                if released.is_ok() {
                    coming.end(id, &awaited, at);
                }
                let early = self.ledger.early(&awaited, at);
                (!early.is_empty()).then_some((id, early))
            });
            let early: Vec<(MessageId, Vec<Said>)> = early.collect();
            let using = early
                .into_iter()
                .map(|(id, said)| self.use_early(id, said, at));
            let using = stream::iter(using).buffer_unordered(USED_AT_ONCE);
            using.collect::<()>().await;
        }
    }

    fn wait(&self, taken: Taken, now: Timestamp) -> (Waits, (MessageId, Report)) {
        let until = waits_until(now, self.carrier.receipt_timeout, taken.expires);
        let awaited = self
            .ledger
            .awaited(&self.carrier, (&taken.destination, &taken.ids), until);
        let report = Report::Taken {
            by: Some(self.carrier.name.clone()),
            until: until.plus(MARGIN),
            told: format!(
                "'{}' took it as {}",
                self.carrier.name,
                taken.ids.join(", ")
            ),
            parts: Some(awaited.clone()),
        };
        let id = taken.id;
        let coming = taken.coming;
        let waits = Waits {
            id,
            awaited,
            coming,
        };
        (waits, (id, report))
    }

    /// A carrier that gives an id again means the new message by it: the former one hears nothing
    /// more, and its wait ends now, as if it were over.
    async fn release(&self, waiting: &[Waits]) -> Result<(), Again> {
        let mut new: BTreeMap<&str, MessageId> = BTreeMap::new();
        for one in waiting {
            new.extend(one.awaited.ids.iter().map(|key| (key.as_str(), one.id)));
        }
        let ids: Vec<String> = new.keys().map(|key| (*key).to_owned()).collect();
        let mut former: BTreeMap<_, Vec<AwaitedPart>> = BTreeMap::new();
        for ids in ids.chunks(IDS_AT_ONCE) {
            for part in self.ledger.known(&self.carrier.name, ids.to_vec()).await? {
                // What was delivered of a message leaves the rest of it to its own receipts.
                if new.get(part.id.as_str()) != Some(&part.message) && !part.delivered {
                    let turn = (part.message, part.taken_at);
                    former.entry(turn).or_default().push(part);
                }
            }
        }
        if former.is_empty() {
            return Ok(());
        }
        for part in former.values().filter_map(|parts| parts.first()) {
            let part = std::slice::from_ref(part);
            give_up(&self.parts, self.carrier.without_receipt, part).await?;
        }
        Ok(self.ledger.forget(former.into_keys().collect()).await?)
    }

    async fn use_early(&self, id: MessageId, early: Vec<Said>, now: Timestamp) {
        for said in early {
            // Forgotten after it was used: until then it is looked at again.
            let used = match self.receipt(&said, None).await {
                Ok(()) => self.ledger.used(&self.carrier, &said, now).await,
                Err(Again) => continue,
            };
            if let Err(error) = used {
                tracing::warn!(%id, %error, "an early receipt was not forgotten");
            }
        }
    }
}

/// In turns within which no id is given twice: where one is, the later message is meant by it, and
/// finds the former one written down.
fn apart(all: Vec<Taken>) -> Vec<Vec<Taken>> {
    let mut turns: Vec<Vec<Taken>> = Vec::new();
    let mut given = BTreeSet::new();
    for taken in all {
        let keys: BTreeSet<String> = taken.ids.iter().map(|id| said::key(id)).collect();
        if turns.is_empty() || !given.is_disjoint(&keys) {
            turns.push(Vec::new());
            given.clear();
        }
        given.extend(keys);
        if let Some(turn) = turns.last_mut() {
            turn.push(taken);
        }
    }
    turns
}

/// Until when a receipt is waited for. A message that ends by its age while nobody has looked for
/// its receipt would be expired whatever the carrier's rule for that is, so the look comes before.
fn waits_until(now: Timestamp, timeout: Duration, expires: Timestamp) -> Timestamp {
    let before = BEFORE_EXPIRY.min(expires.since(now) / 2);
    now.plus(timeout).min(expires.minus(before)).max(now)
}

#[cfg(test)]
mod tests;
