//! Chance that repeats: all that is drawn in a run follows from its seed.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zajil_core::clock::Dice;

/// An odd constant near 2^64 divided by the golden ratio: the step of SplitMix64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of numbers. Every actor has its own, so that one more draw of one does not move the
/// others.
#[derive(Debug)]
pub(crate) struct Rng(AtomicU64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The stream of an actor.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.roll())
    }

    /// From zero to below `end`; zero when there is nothing below.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.roll().checked_rem(end).unwrap_or(0)
    }

    pub(crate) fn within(&self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// `true` so often in a thousand.
    pub(crate) fn per_mille(&self, times: u64) -> bool {
        self.below(1_000) < times
    }

    pub(crate) fn percent(&self, times: u64) -> bool {
        self.below(100) < times
    }

    pub(crate) fn millis(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// An index below `length`, which is not zero.
    pub(crate) fn index(&self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(length)).unwrap_or(0)
    }

    pub(crate) fn pick<'a, T>(&self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.index(all.len()))
    }
}

impl Dice for Rng {
    fn roll(&self) -> u64 {
        let mut x = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }
}
