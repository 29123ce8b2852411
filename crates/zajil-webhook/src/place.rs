//! How far the finished messages have been dealt with (pure): the place that is stored, so that
//! after a crash nothing is left out, and little is told twice.

use std::collections::BTreeMap;

/// What has been read and is not settled: neither acknowledged nor put on the shelf.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// How many deliveries of an entry are open.
    open: BTreeMap<u64, usize>,
}

impl Place {
    /// A delivery of this entry is under way.
    pub(crate) fn opened(&mut self, seq: u64) {
        *self.open.entry(seq).or_default() += 1;
    }

    /// A delivery of this entry is settled.
    pub(crate) fn settled(&mut self, seq: u64) {
        if let Some(open) = self.open.get_mut(&seq) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&seq);
            }
        }
    }

    /// How many entries are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The last entry that is settled together with all before it, when all up to `read` were read.
    pub(crate) fn done(&self, read: u64) -> u64 {
        self.open
            .keys()
            .next()
            .map_or(read, |first| first.saturating_sub(1).min(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_stays_before_the_first_that_is_open() {
        let mut place = Place::default();
        assert_eq!(place.done(7), 7);
        for seq in [3, 3, 5] {
            place.opened(seq);
        }
        assert_eq!(place.done(7), 2);
        place.settled(3);
        assert_eq!(place.done(7), 2);
        place.settled(3);
        assert_eq!((place.done(7), place.len()), (4, 1));
        place.settled(5);
        place.settled(5);
        assert_eq!(place.done(7), 7);
    }
}
