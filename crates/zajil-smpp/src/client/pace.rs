//! How fast a carrier is sent to: up to its rate, slower while it says that this is too much.
//!
//! Additive increase, multiplicative decrease: at `ESME_RTHROTTLED` or `ESME_RMSGQFUL` nothing is
//! sent for a second, then half as much as before; each second that ends well adds a tenth.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// Rates are kept in thousandths of a message a second.
const ONE: u64 = 1_000;
/// However often it refuses, a carrier is asked so often: it may have recovered.
const SLOWEST: u64 = ONE;
/// Above this there is nothing to hold back any more.
const UNLIMITED: u64 = 100_000 * ONE;
/// Nothing is sent for so long after a refusal.
const HOLD: Duration = Duration::from_secs(1);
/// Changes are a second apart: refusals of one burst are one refusal.
const STEP: Duration = Duration::from_secs(1);
/// What was not sent in time may be made up for, so far back.
const BURST: Duration = Duration::from_millis(100);

/// How fast one carrier is sent to from this node.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    ceiling: Option<u64>,
    rate: Option<u64>,
    next: Instant,
    held_until: Instant,
    changed: Instant,
    counted_since: Instant,
    accepted: u32,
    recent: u64,
}

impl Pace {
    pub(crate) fn new(ceiling: Option<NonZeroU32>, now: Instant) -> Self {
        let ceiling = ceiling.map(|rate| u64::from(rate.get()) * ONE);
        Self {
            ceiling,
            rate: ceiling,
            next: now,
            held_until: now,
            changed: now,
            counted_since: now,
            accepted: 0,
            recent: 0,
        }
    }

    /// The moment at which one more may be sent; each moment is given to one caller, in order.
    pub(crate) fn reserve(&mut self, now: Instant) -> Instant {
        let Some(rate) = self.rate else {
            return now.max(self.held_until);
        };
        let earliest = now.checked_sub(BURST).unwrap_or(now).max(self.held_until);
        let at = self.next.max(earliest);
        self.next = at + Duration::from_micros(ONE * 1_000_000 / rate.max(1));
        at.max(now)
    }

    /// Whether a moment that was reserved is still good: not when a refusal has come since.
    pub(crate) fn is_held(&self, now: Instant) -> bool {
        self.held_until > now
    }

    /// The carrier took one.
    pub(crate) fn accepted(&mut self, now: Instant) {
        self.accepted = self.accepted.saturating_add(1);
        let counted = now - self.counted_since;
        if counted >= STEP {
            let millis = u64::try_from(counted.as_millis()).unwrap_or(u64::MAX);
            self.recent = u64::from(self.accepted) * ONE * 1_000 / millis.max(1);
            self.accepted = 0;
            self.counted_since = now;
        }
        let Some(rate) = self.rate.filter(|_| now - self.changed >= STEP) else {
            return;
        };
        let faster = rate + (rate / 10).max(ONE);
        self.changed = now;
        self.rate = match self.ceiling {
            Some(ceiling) => Some(faster.min(ceiling)),
            None => Some(faster).filter(|faster| *faster < UNLIMITED),
        };
    }

    /// The carrier said that it is too much.
    pub(crate) fn throttled(&mut self, now: Instant) {
        self.held_until = now + HOLD;
        if self.rate.is_some() && now - self.changed < STEP {
            return;
        }
        let recent = self.recent.max(u64::from(self.accepted) * ONE);
        let was = self.rate.unwrap_or(recent).min(recent.max(2 * SLOWEST));
        self.rate = Some((was / 2).max(SLOWEST));
        self.changed = now;
        self.next = self.held_until;
    }

    /// Messages a second, rounded up; none = as many as it takes.
    pub(crate) fn rate(&self) -> Option<u32> {
        self.rate
            .map(|rate| u32::try_from(rate.div_ceil(ONE)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pace: &mut Pace, from: Instant, seconds: u64) -> usize {
        let until = from + Duration::from_secs(seconds);
        let mut now = from;
        let mut count = 0;
        loop {
            now = pace.reserve(now);
            if now >= until {
                return count;
            }
            count += 1;
            pace.accepted(now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_evenly() {
        let now = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(50), now);
        assert_eq!(sent(&mut pace, now, 10), 500);
        let mut free = Pace::new(None, now);
        assert!((0..1_000).all(|_| free.reserve(now) == now));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_halve_the_rate_and_success_brings_it_back() {
        let start = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(100), start);
        sent(&mut pace, start, 2);
        let now = start + Duration::from_secs(2);
        pace.throttled(now);
        pace.throttled(now + Duration::from_millis(5));
        assert_eq!(pace.rate(), Some(50), "refusals of one burst are one");
        assert!(pace.is_held(now + Duration::from_millis(900)));
        let first = pace.reserve(now + Duration::from_millis(10));
        assert!(first >= now + HOLD, "nothing is sent for a second");
        let later = now + Duration::from_secs(60);
        sent(&mut pace, now + HOLD, 59);
        assert_eq!(pace.rate(), Some(100), "and never above its ceiling");
        assert!(!pace.is_held(later));
    }

    #[tokio::test(start_paused = true)]
    async fn a_carrier_without_a_rate_is_slowed_from_what_it_took() {
        let start = Instant::now();
        let mut pace = Pace::new(None, start);
        for millis in 0..2_000 {
            pace.accepted(start + Duration::from_millis(millis));
        }
        pace.throttled(start + Duration::from_secs(2));
        let rate = pace.rate().unwrap();
        assert!((400..=600).contains(&rate), "{rate}");
        for second in 3..40 {
            pace.throttled(start + Duration::from_secs(second));
        }
        assert_eq!(pace.rate(), Some(1), "it is still asked");
    }
}
