//! Answers, misses and failures by number, each until its time is up (S6.3).
//!
//! An entry whose time is up stays until it is asked for or pushed out: the bound on entries is a
//! bound on memory all the same.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use zajil_core::enum_query::Lookup;

/// Bounded; what is asked for often stays longest.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: quick_cache::sync::Cache<Box<str>, Entry>,
    era: AtomicU64,
}

#[derive(Debug, Clone)]
struct Entry {
    lookup: Lookup,
    until: Instant,
}

/// The time between two clearings: an answer to a question from before one is not kept after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Era(u64);

impl Cache {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            entries: quick_cache::sync::Cache::new(capacity.get()),
            era: AtomicU64::new(0),
        }
    }

    /// What is known of a number. Cheap: no allocation, no query, no waiting.
    pub(crate) fn get(&self, digits: &str, now: Instant) -> Option<Lookup> {
        let entry = self.entries.get(digits)?;
        (now < entry.until).then_some(entry.lookup)
    }

    pub(crate) fn era(&self) -> Era {
        Era(self.era.load(Ordering::Acquire))
    }

    /// Remembers an answer for `ttl`, if it was asked for in this era.
    pub(crate) fn put(
        &self,
        digits: &str,
        lookup: Lookup,
        (now, ttl): (Instant, Duration),
        era: Era,
    ) {
        if self.era() == era {
            let until = now + ttl;
            self.entries.insert(digits.into(), Entry { lookup, until });
            // Cleared in between: the entry may have come after the clearing.
            if self.era() != era {
                self.entries.remove(digits);
            }
        }
    }

    pub(crate) fn clear(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
        self.entries.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests;
