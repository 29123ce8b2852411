//! How long to wait before the next attempt to connect: longer each time, never all at once.

use std::time::Duration;

/// A session that held so long was a good one: the waits begin again.
const GOOD: Duration = Duration::from_secs(30);

/// The waits of one session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    next: Duration,
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Waits that grow from the first to the longest.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            first,
            longest,
        }
    }

    /// The next wait: between a half and the whole of what it grew to, drawn with `roll`, so that
    /// sessions that fell together do not come back together.
    pub(crate) fn wait(&mut self, roll: u64) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.longest);
        let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX);
        Duration::from_millis(half + roll % (half + 1))
    }

    /// A session was bound for so long.
    pub(crate) fn held(&mut self, bound: Duration) {
        if bound >= GOOD {
            self.begin_again();
        }
    }

    /// All is well: the next wait is the first.
    pub(crate) const fn begin_again(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    #[test]
    fn waits_grow_to_a_bound_and_are_spread() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let longest: Vec<_> = (0..8)
            .map(|_| {
                let mut same = backoff;
                let low = same.wait(0);
                let high = backoff.wait(low.as_millis().try_into().unwrap());
                assert!(low * 2 >= high && high >= low, "{low:?} {high:?}");
                high
            })
            .collect();
        assert_eq!(longest.first(), Some(&FIRST));
        assert_eq!(longest.last(), Some(&LONGEST));
        backoff.held(Duration::from_secs(5));
        assert_eq!(
            backoff.next, LONGEST,
            "a session that fell at once was none"
        );
        backoff.held(GOOD);
        assert_eq!(backoff.next, FIRST);
    }
}
