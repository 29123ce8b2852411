//! The parts of the model that carriers have not told the end of.

use std::collections::BTreeMap;

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::smpp::Awaited;

use super::keep::count;
use super::{MemoryStore, size};
use crate::awaited::{AwaitedPart, AwaitedParts};
use crate::contract::Reply;

/// Every part, by carrier and id.
#[derive(Debug, Default)]
pub(super) struct Parts(BTreeMap<(FrontendName, String), AwaitedPart>);

impl Parts {
    /// Writes down what a carrier took.
    pub(super) fn taken(&mut self, message: MessageId, parts: &Awaited, now: Timestamp) {
        let all = count(parts.ids.len());
        for id in &parts.ids {
            let part = AwaitedPart {
                carrier: parts.carrier.clone(),
                id: id.clone(),
                message,
                tail: parts.tail.clone(),
                taken_at: now,
                until: parts.until,
                parts: all,
                delivered: false,
            };
            self.0.insert((parts.carrier.clone(), id.clone()), part);
        }
    }

    fn delivered(&mut self, key: &(FrontendName, String)) -> Option<u64> {
        let part = self.0.get_mut(key)?;
        part.delivered = true;
        let turn = (part.message, part.taken_at);
        let of_turn = |part: &&AwaitedPart| (part.message, part.taken_at) == turn;
        let left = self.0.values().filter(of_turn);
        Some(count(left.filter(|part| !part.delivered).count()))
    }
}

impl AwaitedParts for MemoryStore {
    fn awaited_parts(
        &self,
        carrier: FrontendName,
        mut ids: Vec<String>,
    ) -> Reply<'_, Vec<AwaitedPart>> {
        ids.sort();
        ids.dedup();
        let keys = ids.into_iter().map(move |id| (carrier.clone(), id));
        self.run(|state| {
            let found = keys.filter_map(|key| state.awaited.0.get(&key).cloned());
            Ok(found.collect())
        })
    }

    fn part_delivered(&self, carrier: FrontendName, id: String) -> Reply<'_, Option<u64>> {
        self.run(|state| Ok(state.awaited.delivered(&(carrier, id))))
    }

    fn overdue_parts(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<AwaitedPart>> {
        self.run(|state| {
            let all = state.awaited.0.values();
            let mut late: Vec<&AwaitedPart> = all.filter(|part| part.until < now).collect();
            // Stable: by carrier and id within an instant.
            late.sort_by_key(|part| part.until);
            Ok(late.into_iter().take(size(limit)).cloned().collect())
        })
    }

    fn forget_parts(
        &self,
        of: Vec<(MessageId, Timestamp)>,
    ) -> Reply<'_, Vec<(FrontendName, String)>> {
        self.run(|state| {
            let told = |part: &AwaitedPart| {
                let of_it = |(id, at): &(_, _)| part.message == *id && part.taken_at <= *at;
                of.iter().any(of_it)
            };
            let gone = state.awaited.0.extract_if(.., |_, part| told(part));
            Ok(gone.map(|(key, _)| key).collect())
        })
    }
}
