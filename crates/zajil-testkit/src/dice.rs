//! Dice that roll what a test says.

use std::sync::atomic::{AtomicUsize, Ordering};

use zajil_core::clock::Dice;

/// Rolls the given numbers in turn, over and over.
#[derive(Debug)]
pub struct FixedDice {
    rolls: Vec<u64>,
    next: AtomicUsize,
}

impl FixedDice {
    /// Dice that roll these numbers; zeros if there are none.
    #[must_use]
    pub fn new(rolls: impl Into<Vec<u64>>) -> Self {
        Self {
            rolls: rolls.into(),
            next: AtomicUsize::new(0),
        }
    }
}

impl Dice for FixedDice {
    fn roll(&self) -> u64 {
        let turn = self.next.fetch_add(1, Ordering::SeqCst);
        let at = turn.checked_rem(self.rolls.len()).unwrap_or(0);
        self.rolls.get(at).copied().unwrap_or(0)
    }
}
