//! How often and when to try again (pure): waits between attempts, and rests of an endpoint that
//! is dead, so that it costs next to nothing.

use std::time::Duration;

use zajil_core::clock::Timestamp;

const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// So many failures in a row are more than bad luck.
const PATIENCE: u32 = 5;
const FIRST_REST: Duration = Duration::from_secs(15);
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);

/// The wait after so many failed attempts: four times longer each, with a fifth of chance either
/// way, so that what failed together does not come back together.
pub(crate) fn wait(attempts: u32, roll: u64) -> Duration {
    let steps = attempts.saturating_sub(1).min(8);
    let wait = FIRST_WAIT
        .saturating_mul(4_u32.pow(steps))
        .min(LONGEST_WAIT);
    let per_mille = 800 + u32::try_from(roll % 401).unwrap_or(200);
    wait * per_mille / 1_000
}

/// How an endpoint has behaved lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Health {
    failures: u32,
    until: Option<Timestamp>,
}

impl Health {
    /// Failures in a row.
    pub(crate) fn failures(self) -> u32 {
        self.failures
    }

    /// Until when nothing is tried, if that is not over.
    pub(crate) fn rests(self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until > now)
    }

    /// How many attempts may run at once, out of `most`: none while it rests, one to see whether
    /// the rest has helped.
    pub(crate) fn room(self, now: Timestamp, most: usize) -> usize {
        match self.until {
            None => most,
            Some(until) if until > now => 0,
            Some(_) => 1,
        }
    }

    /// An attempt failed; answers the rest that begins with it, if one does.
    pub(crate) fn failed(&mut self, now: Timestamp) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        // What was under way when the rest began says nothing new.
        if self.failures < PATIENCE || self.rests(now).is_some() {
            return None;
        }
        let doublings = (self.failures - PATIENCE).min(8);
        let rest = FIRST_REST.saturating_mul(1 << doublings).min(LONGEST_REST);
        self.until = Some(now.plus(rest));
        Some(rest)
    }

    /// An attempt succeeded; `true` when that ends a rest.
    pub(crate) fn succeeded(&mut self) -> bool {
        std::mem::take(self).until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_differ() {
        let seconds = |attempts, roll| wait(attempts, roll).as_secs();
        let middle: Vec<u64> = (1..=8).map(|attempts| seconds(attempts, 200)).collect();
        assert_eq!(middle, [5, 20, 80, 320, 1_280, 3_600, 3_600, 3_600]);
        assert_eq!((seconds(2, 0), seconds(2, 400)), (16, 24));
        assert_eq!(seconds(u32::MAX, 200), 3_600);
    }

    #[test]
    fn a_dead_endpoint_rests_is_probed_and_comes_back() {
        let at = Timestamp::from_secs;
        let mut health = Health::default();
        assert!((0..4).all(|_| health.failed(at(0)).is_none()));
        assert_eq!(health.room(at(0), 8), 8);
        assert_eq!(health.failed(at(0)), Some(Duration::from_secs(15)));
        assert_eq!(health.room(at(14), 8), 0);
        assert_eq!(health.failed(at(14)), None, "it was under way");
        assert_eq!(health.room(at(15), 8), 1);
        assert_eq!(health.failed(at(15)), Some(Duration::from_secs(60)));
        for _ in 0..100 {
            health.failed(at(1_000));
        }
        assert!(
            health
                .rests(at(1_000))
                .is_some_and(|until| until <= at(1_300))
        );
        assert!(health.succeeded());
        assert_eq!((health.room(at(1_000), 8), health.failures()), (8, 0));
        assert!(!health.succeeded());
    }
}
