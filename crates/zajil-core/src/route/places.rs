//! Where routes lie: lists by hashes, and small filters that tell which lists are empty.

use std::sync::Arc;

use super::Route;
use super::compiled::Rank;
use super::key::Key;

/// A route in force: half a line of the caches.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) called: Key,
    pub(super) calling: Key,
    pub(super) route: Arc<Route>,
    pub(super) rank: Rank,
    /// The position of its kind among those of the index.
    pub(super) kind: u32,
}

/// Lists of routes, each in the bucket that the highest bits of its place name.
#[derive(Debug, Default)]
pub(super) struct Places {
    shift: u32,
    /// One more than there are: the last tells where the one before it ends.
    buckets: Vec<Bucket>,
    routes: Vec<Listed>,
}

/// Where a bucket begins, and a Bloom filter of the places in use in it: together in eight bytes,
/// so that one access answers for nearly every place that has no routes.
#[derive(Debug, Default, Clone, Copy)]
struct Bucket {
    begin: u32,
    used: u32,
}

impl Places {
    /// Each route at its place, and further places that [`Places::may_have`] is to know. Routes of
    /// one bucket are sorted by rank; among equals they stay in order.
    pub(super) fn new(mut placed: Vec<(u64, Listed)>, further: impl Iterator<Item = u64>) -> Self {
        let count = (placed.len() / 4).next_power_of_two().max(2);
        let shift = u64::BITS - count.trailing_zeros();
        placed.sort_by_key(|(place, listed)| (place >> shift, listed.rank));
        let mut buckets = vec![Bucket::default(); count + 1];
        let mut next = 0;
        for (bucket, number) in buckets.iter_mut().zip(0_u64..) {
            bucket.begin = u32::try_from(next).unwrap_or(u32::MAX);
            while let Some((place, _)) = placed.get(next)
                && place >> shift == number
            {
                bucket.used |= bits(*place);
                next += 1;
            }
        }
        for place in further {
            let bucket = usize::try_from(place >> shift).unwrap_or(0);
            if let Some(bucket) = buckets.get_mut(bucket) {
                bucket.used |= bits(place);
            }
        }
        Self {
            shift,
            buckets,
            routes: placed.into_iter().map(|(_, listed)| listed).collect(),
        }
    }

    /// False for nearly every place that is not in use.
    pub(super) fn may_have(&self, place: u64) -> bool {
        let bucket = usize::try_from(place >> self.shift).unwrap_or(0);
        let bucket = self.buckets.get(bucket);
        bucket.is_some_and(|bucket| bucket.used & bits(place) == bits(place))
    }

    /// All routes of this place, and perhaps others.
    pub(super) fn get(&self, place: u64) -> &[Listed] {
        let bucket = usize::try_from(place >> self.shift).unwrap_or(0);
        let Some([bucket, after]) = self.buckets.get(bucket..bucket + 2) else {
            return &[];
        };
        let (Ok(begin), Ok(end)) = (usize::try_from(bucket.begin), usize::try_from(after.begin))
        else {
            return &[];
        };
        self.routes.get(begin..end).unwrap_or(&[])
    }
}

/// A set of places that may seem to hold others.
#[derive(Debug, Default)]
pub(super) struct Filter {
    shift: u32,
    words: Vec<u32>,
}

impl Filter {
    pub(super) fn new(places: &[u64]) -> Self {
        let count = (places.len() / 2).next_power_of_two().max(2);
        let shift = u64::BITS - count.trailing_zeros();
        let mut words = vec![0; count];
        for place in places {
            let word = usize::try_from(place >> shift).unwrap_or(0);
            if let Some(word) = words.get_mut(word) {
                *word |= bits(*place);
            }
        }
        Self { shift, words }
    }

    /// False for nearly every place that was not given.
    pub(super) fn may_have(&self, place: u64) -> bool {
        let word = usize::try_from(place >> self.shift).unwrap_or(0);
        let word = self.words.get(word);
        word.is_some_and(|word| word & bits(place) == bits(place))
    }
}

/// Up to two of 32 bits, from the lowest bits of the place: the highest choose the bucket.
fn bits(place: u64) -> u32 {
    (1 << (place & 31)) | (1 << ((place >> 5) & 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_denies_no_place_that_it_was_given_and_nearly_all_others() {
        let place = |number: usize| Key::of(&number.to_string()).mixed(0);
        let given: Vec<u64> = (0..10_000).map(place).collect();
        let filter = Filter::new(&given);
        assert!(given.iter().all(|place| filter.may_have(*place)));
        let others = (10_000..20_000).map(place);
        let mistaken = others.filter(|place| filter.may_have(*place)).count();
        assert!(mistaken < 500, "{mistaken} of 10,000");
        assert!(!Filter::new(&[]).may_have(given[0]));
        assert!(!Filter::default().may_have(given[0]));
        assert!(Places::default().get(given[0]).is_empty());
    }

    #[test]
    fn a_listed_route_is_half_a_line() {
        assert_eq!(size_of::<Listed>(), 32);
        assert_eq!(size_of::<Bucket>(), 8);
    }
}
