//! The real time and the real dice: the one place that reads the wall clock.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use zajil_core::clock::{Clock, Dice, Timestamp};

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        // A clock set to before 1970 shows the epoch.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::EPOCH.plus(since)
    }
}

/// Dice of their own for every thread. Good for sharing load, not for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadDice;

thread_local! {
    /// Never zero: xorshift would stay there.
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one("dice") | 1);
}

impl Dice for ThreadDice {
    fn roll(&self) -> u64 {
        STATE.with(|state| {
            let mut x = state.get();
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            state.set(x);
            // The low bits of a plain xorshift are weak, and weights are drawn from them.
            x.wrapping_mul(0x2545_F491_4F6C_DD1D).rotate_left(32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_reach_every_side() {
        let mut sides = [0_u32; 10];
        for _ in 0..10_000 {
            let side = usize::try_from(ThreadDice.roll() % 10).unwrap();
            sides[side] += 1;
        }
        assert!(
            sides.iter().all(|count| (800..1_200).contains(count)),
            "{sides:?}"
        );
    }
}
