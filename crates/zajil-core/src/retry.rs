//! When a failed message is tried again (S3.2), and how the reason bears on that (D10).

use std::time::Duration;

pub mod schedule;

/// How often delivery of a message has failed; starts at 0 (S2 `delivery_attempts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attempt(u32);

impl Attempt {
    /// From a stored or submitted count.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self(count)
    }

    /// The count.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// One more; stops at `u32::MAX`.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The wait after the n-th failed attempt: 2^n minutes, so 2, 4, 8, 16 … (S3.2).
///
/// It has no ceiling of its own: a message ends at its `expires`, and the instant reached is
/// clamped to [`Timestamp::MAX`].
#[must_use]
pub fn backoff(failed: Attempt) -> Duration {
    let minutes = 1_u64.checked_shl(failed.get()).unwrap_or(u64::MAX / 60);
    Duration::from_secs(minutes.saturating_mul(60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn s3_2_waits_are_powers_of_two_minutes() {
        let minutes: Vec<u64> = (1..=8)
            .map(|n| backoff(Attempt::new(n)).as_secs() / 60)
            .collect();
        assert_eq!(minutes, [2, 4, 8, 16, 32, 64, 128, 256]);
    }

    #[test]
    fn s3_2_large_counts_stay_in_range() {
        for n in [31, 32, 63, 64, u32::MAX] {
            let due = Timestamp::from_secs(1).plus(backoff(Attempt::new(n)));
            assert!(due > Timestamp::from_secs(1) && due <= Timestamp::MAX);
        }
        assert_eq!(Attempt::new(u32::MAX).next().get(), u32::MAX);
    }
}
