//! What things that wait may hold together, in octets: to count them bounds nothing when each may
//! be large.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bound, and what is held now.
#[derive(Debug)]
pub struct Scales {
    most: usize,
    held: AtomicUsize,
}

/// The share of one thing, until it is dropped.
#[derive(Debug)]
pub struct Load {
    on: Arc<Scales>,
    octets: usize,
}

impl Scales {
    /// Room for `most` octets.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        let held = AtomicUsize::new(0);
        Arc::new(Self { most, held })
    }

    /// A share of so many octets; none when there is no room. What is alone may be larger than all
    /// the room there is: it would never be taken otherwise.
    #[must_use]
    pub fn put(self: &Arc<Self>, octets: usize) -> Option<Load> {
        let more = |held: usize| {
            let sum = held.checked_add(octets)?;
            (held == 0 || sum <= self.most).then_some(sum)
        };
        let put = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        put.is_ok().then(|| Load {
            on: Arc::clone(self),
            octets,
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.on.held.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room() {
        let scales = Scales::new(10);
        let first = scales.put(6).unwrap();
        let second = scales.put(4).unwrap();
        assert!(scales.put(1).is_none());
        drop(first);
        assert!(scales.put(7).is_none());
        assert!(scales.put(6).is_some(), "and dropped at once");
        drop(second);
        assert_eq!(scales.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_alone_may_be_larger_than_the_room() {
        let scales = Scales::new(10);
        let large = scales.put(11).unwrap();
        assert!(scales.put(1).is_none());
        drop(large);
        assert!(scales.put(usize::MAX).is_some());
    }
}
