//! The receipts of the model.

use std::collections::BTreeMap;

use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::frontend::FrontendName;
use zajil_core::message::Message;
use zajil_core::receipt;

use super::keep::count;
use super::{MemoryStore, State, next_id, size};
use crate::contract::Reply;
use crate::receipts::{Owed, ReceiptSeq, Receipts, Told};

/// What is owed, with what only the store knows of it.
#[derive(Debug, Default)]
pub(super) struct Book {
    owed: BTreeMap<ReceiptSeq, Entry>,
    last: u64,
}

#[derive(Debug)]
struct Entry {
    due: Timestamp,
    made_at: Timestamp,
    owed: Owed,
}

impl State {
    /// Writes the receipt that a change of a message calls for.
    pub(super) fn owe(&mut self, message: &Message, events: &[Event]) {
        let Some(receipt) = receipt::owed(message, events) else {
            return;
        };
        let book = &mut self.receipts;
        book.owed
            .retain(|_, entry| entry.owed.receipt.message != message.id);
        let seq = ReceiptSeq(next_id(&mut book.last));
        let owed = Owed {
            seq,
            tries: 0,
            receipt,
        };
        let made_at = message.updated_at;
        let entry = Entry {
            due: made_at,
            made_at,
            owed,
        };
        book.owed.insert(seq, entry);
    }

    fn tell(&mut self, seq: ReceiptSeq, told: Told) {
        let book = &mut self.receipts;
        match (told, book.owed.get_mut(&seq)) {
            (_, None) => {}
            (Told::Again(at), Some(entry)) => {
                entry.due = at;
                entry.owed.tries += 1;
            }
            (Told::Unsent(at), Some(entry)) => entry.due = at,
            (Told::Done(event), Some(entry)) => {
                let id = entry.owed.receipt.message;
                book.owed.remove(&seq);
                if let Some(log) = self.logs.get_mut(&id) {
                    log.push(event);
                }
            }
        }
    }
}

impl Receipts for MemoryStore {
    fn lease_receipts(
        &self,
        account: FrontendName,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Reply<'_, Vec<Owed>> {
        self.run(|state| {
            let all = state.receipts.owed.values_mut();
            let mut due: Vec<&mut Entry> = all
                .filter(|entry| entry.owed.receipt.account == account && entry.due <= now)
                .collect();
            due.sort_by_key(|entry| (entry.due, entry.owed.seq));
            let taken = due.into_iter().take(size(limit)).map(|entry| {
                entry.due = until;
                entry.owed.clone()
            });
            Ok(taken.collect())
        })
    }

    fn receipts_due(&self, account: FrontendName, now: Timestamp) -> Reply<'_, bool> {
        self.run(|state| {
            let mut all = state.receipts.owed.values();
            Ok(all.any(|entry| entry.owed.receipt.account == account && entry.due <= now))
        })
    }

    fn tell_receipts(&self, told: Vec<(ReceiptSeq, Told)>) -> Reply<'_, ()> {
        self.run(|state| {
            for (seq, told) in told {
                state.tell(seq, told);
            }
            Ok(())
        })
    }

    fn stale_receipts(&self, before: Timestamp, limit: u32) -> Reply<'_, Vec<Owed>> {
        self.run(|state| {
            let all = state.receipts.owed.values();
            let mut stale: Vec<&Entry> = all.filter(|entry| entry.made_at < before).collect();
            stale.sort_by_key(|entry| (entry.made_at, entry.owed.seq));
            let oldest = stale.into_iter().take(size(limit));
            Ok(oldest.map(|entry| entry.owed.clone()).collect())
        })
    }

    fn receipts_owed(&self) -> Reply<'_, u64> {
        self.run(|state| Ok(count(state.receipts.owed.len())))
    }
}
