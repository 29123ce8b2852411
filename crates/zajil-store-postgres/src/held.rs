//! What this node holds for its frontends, as the claim has found it.
//!
//! Nearly every message that is leased ends with the report that follows at once. Its row and its
//! text need not be locked and read for that a second time: `xmin` of a row says which transaction
//! has written it, and everything that changes a message that waits writes its row in `q`. So as
//! long as the claim was the last to write the row, the message is what the claim has found, and
//! the row is deleted on that condition.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;

use crate::lease::Leased;
use crate::report::What;

/// So many are remembered of late, and as many from before: about 1 KB each.
const MOST: usize = 8_192;
/// Larger ones are read again, in octets.
const LARGEST: usize = 2_048;

/// Which transaction has written a row: its id without the epoch, as `xmin` compares with integers.
pub(crate) type Version = i32;

/// A message that this node has leased.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    pub(crate) version: Version,
    /// How many connections had been lost when it was claimed.
    losses: u64,
}

/// All that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// A promoted standby may give the id of a transaction to another one: with a connection goes
    /// all that was claimed until then.
    losses: u64,
    new: HashMap<MessageId, Entry>,
    old: HashMap<MessageId, Entry>,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections have been lost.
    pub(crate) fn losses(&self) -> u64 {
        self.lock().losses
    }

    /// A connection was lost.
    pub(crate) fn lose(&self) {
        let mut state = self.lock();
        *state = State {
            losses: state.losses + 1,
            ..State::default()
        };
    }

    /// Remembers what was leased.
    pub(crate) fn keep(&self, leased: &Leased) {
        let Some(version) = leased.version else {
            return;
        };
        let small = leased.messages.iter().filter(|message| is_small(message));
        let entries: Vec<Entry> = small
            .map(|message| Entry {
                message: message.clone(),
                version,
                losses: leased.losses,
            })
            .collect();
        let mut state = self.lock();
        if leased.losses != state.losses {
            return;
        }
        for entry in entries {
            if state.new.len() >= MOST {
                state.old = std::mem::take(&mut state.new);
            }
            state.new.insert(entry.message.id, entry);
        }
    }

    /// Hands out what these reports end for certain, each once.
    pub(crate) fn take(&self, all: &[(MessageId, What)]) -> Vec<Entry> {
        let mut state = self.lock();
        if state.new.is_empty() && state.old.is_empty() {
            return Vec::new();
        }
        let mut taken = Vec::with_capacity(all.len());
        for (id, what) in all {
            let older = state.old.remove(id);
            let entry = state.new.remove(id).or(older);
            taken.extend(entry.filter(|_| ends(what)));
        }
        taken
    }
}

/// Whether it may be kept.
fn is_small(message: &Message) -> bool {
    let content = &message.content;
    content.body.len() <= LARGEST && content.raw_pdu.is_none()
}

/// Whether it ends every message that waits.
fn ends(what: &What) -> bool {
    matches!(
        what,
        What::Report(Report::Delivered { .. } | Report::Ended { .. })
    )
}

/// Those of them that may still be believed, when nothing else is reported of them.
pub(crate) fn current<'a>(
    jobs: impl Iterator<Item = (&'a [(MessageId, What)], Vec<Entry>)>,
    losses: u64,
) -> HashMap<MessageId, Entry> {
    let mut held = HashMap::new();
    let mut reported: HashMap<MessageId, u32> = HashMap::new();
    for (all, entries) in jobs {
        for (id, _) in all {
            *reported.entry(*id).or_default() += 1;
        }
        let current = entries.into_iter().filter(|entry| entry.losses == losses);
        held.extend(current.map(|entry| (entry.message.id, entry)));
    }
    held.retain(|id, _| reported.get(id) == Some(&1));
    held
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use zajil_core::clock::Timestamp;
    use zajil_core::event::NodeName;
    use zajil_core::message::{Arranged, Content, Life, TransferFields};
    use zajil_core::number::{Msisdn, Sender};
    use zajil_core::retry::Attempt;

    use super::*;

    const DELIVERED: Report = Report::Delivered { by: None, at: None };

    fn message(number: u64, body: &str) -> Message {
        Message {
            id: MessageId::new(number).unwrap(),
            content: Content {
                source: Sender::restore("1"),
                destination: Msisdn::restore("+15550001111"),
                body: body.to_owned(),
                source_smsc: None,
                source_imsi: None,
                dest_imsi: None,
                parts: NonZeroU32::MIN,
                part_number: None,
                tp: TransferFields::default(),
                send_time: None,
                raw_pdu: None,
                raw_data: false,
                raw_sip: false,
            },
            dest_smsc: None,
            inserted_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            expires: Timestamp::EPOCH,
            deliver_after: None,
            attempts: Attempt::default(),
            charge_failed: false,
            arranged: Arranged::default(),
            origin_node: NodeName::new("n1"),
            life: Life::Pending { leased_until: None },
        }
    }

    fn lease(held: &Held, numbers: impl IntoIterator<Item = u64>, version: Version) {
        held.keep(&Leased {
            messages: numbers.into_iter().map(|n| message(n, "text")).collect(),
            version: Some(version),
            losses: held.losses(),
            ..Leased::default()
        });
    }

    fn reports(numbers: impl IntoIterator<Item = u64>) -> Vec<(MessageId, What)> {
        let delivered = |n| (MessageId::new(n).unwrap(), What::Report(DELIVERED));
        numbers.into_iter().map(delivered).collect()
    }

    fn taken(held: &Held, all: &[(MessageId, What)]) -> Vec<(u64, Version)> {
        let taken = held.take(all).into_iter();
        taken
            .map(|entry| (entry.message.id.get(), entry.version))
            .collect()
    }

    #[test]
    fn adr15_what_was_leased_is_known_to_the_report_that_ends_it_and_to_no_other() {
        let held = Held::default();
        lease(&held, 1..=3, 7);
        lease(&held, [2], 8);
        assert_eq!(taken(&held, &reports([2, 2, 9])), [(2, 8)]);
        let removal = [(MessageId::new(1).unwrap(), What::Remove)];
        assert_eq!(taken(&held, &removal), []);
        assert_eq!(taken(&held, &reports([1, 2, 3])), [(3, 7)]);
    }

    #[test]
    fn adr15_what_is_reported_twice_in_one_transaction_is_looked_at() {
        let held = Held::default();
        lease(&held, 1..=3, 7);
        let (one, other) = (reports([1, 2]), reports([2, 3]));
        let jobs = [&one, &other].map(|all| (all.as_slice(), held.take(all)));
        let known = current(jobs.into_iter(), held.losses());
        let mut known: Vec<u64> = known.keys().map(|id| id.get()).collect();
        known.sort_unstable();
        assert_eq!(known, [1, 3]);
    }

    #[test]
    fn adr15_with_a_connection_goes_all_that_was_claimed_until_then() {
        let held = Held::default();
        lease(&held, [1], 7);
        let waiting = held.take(&reports([1]));
        lease(&held, [2], 7);
        let late = Leased {
            messages: vec![message(3, "text")],
            version: Some(7),
            losses: held.losses(),
            ..Leased::default()
        };
        held.lose();
        held.keep(&late);
        assert_eq!(taken(&held, &reports([2, 3])), []);
        let all = reports([1]);
        let jobs = [(all.as_slice(), waiting)];
        assert!(current(jobs.into_iter(), held.losses()).is_empty());
    }

    #[test]
    fn adr15_so_many_are_remembered_and_large_ones_are_not() {
        let held = Held::default();
        let most = u64::try_from(MOST).unwrap();
        lease(&held, 1..=3 * most, 7);
        let state = held.lock();
        assert_eq!((state.new.len(), state.old.len()), (MOST, MOST));
        drop(state);
        assert_eq!(taken(&held, &reports([1, most + 1, 3 * most])).len(), 2);
        held.keep(&Leased {
            messages: vec![message(1, &"x".repeat(LARGEST + 1))],
            version: Some(7),
            losses: held.losses(),
            ..Leased::default()
        });
        assert_eq!(taken(&held, &reports([1])), []);
    }
}
