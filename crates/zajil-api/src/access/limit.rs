//! How many calls a second somebody may make (S3.7): one number for each somebody, in a table that
//! never grows.
//!
//! The number is the instant at which all calls so far will have been paid for at the allowed rate
//! (the generic cell rate algorithm). A call moves it on by one interval, and is refused when that
//! would lead more than the allowance ahead of now. An instant that is past says the same as none,
//! so a place in the table can be taken over by somebody else once its instant is past. While more
//! somebodies than places are busy, the one nearest to its end is forgotten: it gets a fresh
//! allowance, which is less harm than memory that grows with the number of attackers.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many calls beyond the allowance may be owed: a batch at the most.
const DEBT: u64 = 1_000;
/// Places that one hash may use.
const WAYS: usize = 8;
/// Sets of places: 65,536 places of 24 octets in all, 1.5 MiB.
const SETS: usize = 8_192;
const NANOS: u64 = 1_000_000_000;

/// So many calls a second, and as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// `per_second` calls, which may come all at once; at least one.
    #[must_use]
    pub fn per_second(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        Self {
            per_second,
            burst: per_second,
        }
    }

    /// So many at once, and one more every `interval`.
    #[must_use]
    pub(crate) fn slow(burst: u32, interval: Duration) -> Paced {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Paced { burst, interval }
    }

    fn paced(self) -> Paced {
        Paced {
            burst: self.burst,
            interval: NANOS / u64::from(self.per_second),
        }
    }
}

/// A rate as the table counts: nanoseconds between two calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paced {
    burst: u32,
    interval: u64,
}

impl From<Rate> for Paced {
    fn from(rate: Rate) -> Self {
        rate.paced()
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it may go on.
    pub(crate) allowed: bool,
    /// How many may come at once from an even start.
    pub(crate) limit: u32,
    /// How many may still come now.
    pub(crate) remaining: u32,
    /// In how long the whole allowance is there again.
    pub(crate) full_in: Duration,
    /// In how long the next call is allowed.
    pub(crate) next_in: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    who: u64,
    /// Nanoseconds on the caller's time line.
    paid_at: u64,
    /// How far beyond the allowance that may lead: nothing but for a batch.
    owed: u64,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Table {
    sets: Box<[Mutex<[Place; WAYS]>]>,
    /// Unknown outside, so that nobody can choose whom to share a set with.
    hasher: RandomState,
}

impl Table {
    pub(crate) fn new() -> Self {
        let empty = || Mutex::new([Place::default(); WAYS]);
        Self {
            sets: std::iter::repeat_with(empty).take(SETS).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Counts a call of `who` at `now`, the time since some fixed instant.
    pub(crate) fn count(&self, who: impl Hash, rate: Paced, now: Duration) -> Verdict {
        self.visit(who, rate, now, Visit::Count)
    }

    /// Counts so many more calls of `who`, which come with one that was counted: the next ones
    /// wait until they are paid for. Refused, and not counted, of somebody who owes already: of
    /// batches that come at once, one passes.
    pub(crate) fn owe(&self, who: impl Hash, rate: Paced, now: Duration, calls: u32) -> Verdict {
        self.visit(who, rate, now, Visit::Owe(calls))
    }

    /// What [`Table::count`] would say, without counting.
    pub(crate) fn look(&self, who: impl Hash, rate: Paced, now: Duration) -> Verdict {
        self.visit(who, rate, now, Visit::Look)
    }

    fn visit(&self, who: impl Hash, rate: Paced, now: Duration, visit: Visit) -> Verdict {
        // Zero is an instant that is past: time begins after it.
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 2).max(1);
        let who = self.hasher.hash_one(who);
        let set = usize::try_from(who % SETS as u64).unwrap_or(0);
        let mut set = self.sets[set]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let at = set.iter().position(|place| place.who == who);
        // Else the place that is past for longest, or nearest to it.
        let oldest = || (0..WAYS).min_by_key(|&at| set[at].paid_at).unwrap_or(0);
        let known = at.is_some();
        let (at, place) = match at {
            Some(at) => (at, set[at]),
            None => (
                oldest(),
                Place {
                    who,
                    ..Place::default()
                },
            ),
        };
        let (verdict, place) = judge(place, rate, now, visit);
        // Also of a refused call: a clock that steps back cuts the debt.
        let is_to_last = match visit {
            Visit::Look => false,
            Visit::Count => verdict.allowed || known,
            Visit::Owe(_) => verdict.allowed,
        };
        if is_to_last {
            set[at] = place;
        }
        verdict
    }
}

/// What a place is looked up for.
#[derive(Debug, Clone, Copy)]
enum Visit {
    /// To know.
    Look,
    /// To make a call.
    Count,
    /// To pay for the others of a batch.
    Owe(u32),
}

/// The rule: the place so far, the rate, now and the visit lead to a verdict and the place from
/// then on. A clock that steps back cuts the debt to what it can be.
fn judge(place: Place, rate: Paced, now: u64, visit: Visit) -> (Verdict, Place) {
    let Paced { burst, interval } = rate;
    let interval = interval.max(1);
    let allowance = interval.saturating_mul(u64::from(burst));
    let most = allowance.saturating_add(interval.saturating_mul(DEBT));
    let ahead = place.paid_at.saturating_sub(now);
    let ahead = ahead.min(allowance.saturating_add(place.owed));
    let asked = ahead.saturating_add(interval);
    let allowed = match visit {
        Visit::Look | Visit::Count => asked <= allowance,
        Visit::Owe(_) => ahead <= allowance,
    };
    let ahead = match visit {
        Visit::Count if allowed => asked,
        Visit::Owe(calls) if allowed => {
            let debt = interval.saturating_mul(u64::from(calls));
            ahead.saturating_add(debt).min(most)
        }
        Visit::Look | Visit::Count | Visit::Owe(_) => ahead,
    };
    let left = allowance.saturating_sub(ahead) / interval;
    let next_in = (ahead + interval).saturating_sub(allowance);
    let verdict = Verdict {
        allowed,
        limit: burst,
        remaining: u32::try_from(left).unwrap_or(burst),
        full_in: Duration::from_nanos(ahead),
        next_in: Duration::from_nanos(next_in),
    };
    let place = Place {
        paid_at: now.saturating_add(ahead),
        owed: ahead.saturating_sub(allowance),
        ..place
    };
    (verdict, place)
}

#[cfg(test)]
mod tests;
