//! Finds the few routes whose prefixes and source may fit a message, among any number (D13).
//!
//! Each prefix of a number has a key; only lengths that are in use are looked up, the longest
//! first. A filter small enough for the caches of a core answers for nearly all prefixes that no
//! route has; the routes of those that are left lie side by side. So a choice waits for far memory
//! about once, among 100,000 routes as among 100 (`benches/route.rs`).
//!
//! Routes are placed by hashes, and routes of other prefixes may lie beside them. Nothing depends
//! on that: the chooser checks each one that it is handed.

use std::collections::HashMap;

use super::compiled::{Compiled, Name, Rank, Subject};
use super::key::{Key, LONGEST};

/// Up to this many routes of one called prefix are looked at one by one.
const FEW: usize = 8;

/// The enabled routes by called prefix; those of a prefix with many also by calling prefix and
/// source.
#[derive(Debug, Default)]
pub(super) struct Index {
    lengths: Lengths,
    /// For lengths 0, 1, …: the lowest priority of a route whose called prefix is not longer.
    least_priority: Vec<u8>,
    /// The called prefixes that have more than [`FEW`] routes.
    many: HashMap<Key, Beside>,
    places: Places,
}

/// The lengths of the calling prefixes beside a called one: of routes that name no source, and of
/// those that do.
#[derive(Debug, Default)]
struct Beside {
    any_source: Lengths,
    named_source: Lengths,
}

/// A set of prefix lengths up to [`LONGEST`], one bit each.
#[derive(Debug, Default, Clone, Copy)]
struct Lengths(u64);

impl Index {
    /// Indexes the enabled ones of `routes`.
    pub(super) fn new(routes: impl Iterator<Item = Compiled>) -> Self {
        let routes: Vec<Compiled> = routes.filter(|route| route.enabled).collect();
        let mut sizes: HashMap<Key, usize> = HashMap::new();
        for route in &routes {
            *sizes.entry(route.called).or_default() += 1;
        }
        let mut index = Self {
            least_priority: vec![u8::MAX; LONGEST + 1],
            ..Self::default()
        };
        let mut placed = Vec::with_capacity(routes.len());
        for route in routes {
            let length = usize::from(route.rank.called_prefix.0).min(LONGEST);
            index.lengths.add(length);
            for least in index.least_priority.iter_mut().skip(length) {
                *least = (*least).min(route.rank.priority);
            }
            let place = if sizes.get(&route.called).is_some_and(|size| *size > FEW) {
                let beside = index.many.entry(route.called).or_default();
                let lengths = match route.source {
                    None => &mut beside.any_source,
                    Some(_) => &mut beside.named_source,
                };
                lengths.add(usize::from(route.rank.calling_prefix.0));
                place_of_three(route.called, route.calling, route.source)
            } else {
                place(route.called)
            };
            placed.push((place, route));
        }
        index.places = Places::new(placed);
        index
    }

    /// Hands lists of routes to `look`, the best rank first within each, and in the order of the
    /// table among equals. They hold every route that fits the subject, those of one rank in one
    /// list; each is still to be checked. `look` answers with the best rank that it has found: of
    /// routes that cannot be better, it may see none.
    pub(super) fn candidates<'t>(
        &'t self,
        subject: &Subject<'_>,
        mut look: impl FnMut(&'t [Compiled]) -> Option<Rank>,
    ) {
        let mut best: Option<Rank> = None;
        for length in self.lengths.down_from(subject.called.length()) {
            let called = subject.called.key(length);
            let told_apart = if length < LONGEST { length } else { usize::MAX };
            let is_beaten = |least_priority: u8| {
                let bound = Rank::bound(least_priority, told_apart);
                best.is_some_and(|best| best < bound)
            };
            if is_beaten(self.least_priority.get(length).copied().unwrap_or(0)) {
                return;
            }
            let sought = if is_beaten(self.places.common) {
                Sought::Urgent
            } else {
                Sought::All
            };
            let mut look = |place: u64| {
                let routes = self.places.get(place, sought);
                if !routes.is_empty() {
                    best = look(routes);
                }
            };
            if self.many.is_empty() {
                look(place(called));
            } else if let Some(beside) = self.many.get(&called) {
                beside.places(called, subject).for_each(look);
            } else {
                look(place(called));
            }
        }
    }
}

impl Beside {
    /// Where the routes of this called prefix are that may fit.
    fn places(&self, called: Key, subject: &Subject<'_>) -> impl Iterator<Item = u64> {
        let most = subject.calling.length();
        let named = subject
            .source
            .map_or(Lengths::default(), |_| self.named_source);
        let named = named.down_from(most).map(|length| (length, subject.source));
        let any = self.any_source.down_from(most).map(|length| (length, None));
        named.chain(any).map(move |(length, source)| {
            place_of_three(called, subject.calling.key(length), source)
        })
    }
}

fn place(called: Key) -> u64 {
    called.mixed(0)
}

fn place_of_three(called: Key, calling: Key, source: Option<Name>) -> u64 {
    calling.mixed(called.mixed(1 + source.map_or(0, |name| u64::from(name.get()))))
}

impl Lengths {
    fn add(&mut self, length: usize) {
        self.0 |= 1 << length.min(LONGEST);
    }

    /// The lengths of the set up to `most`, falling.
    fn down_from(self, most: usize) -> impl Iterator<Item = usize> {
        let mut left = self.0 & (u64::MAX >> (LONGEST - most.min(LONGEST)));
        std::iter::from_fn(move || {
            let highest = left.checked_ilog2()?;
            left &= !(1 << highest);
            usize::try_from(highest).ok()
        })
    }
}

/// Lists of routes, each in the bucket that the highest bits of its place name.
#[derive(Debug, Default)]
struct Places {
    /// The commonest priority.
    common: u8,
    shift: u32,
    /// One more than there are: the last tells where the one before it ends.
    buckets: Vec<Bucket>,
    routes: Vec<Compiled>,
}

/// Where a bucket begins, and two small Bloom filters that tell whether to go there: all in eight
/// bytes, so that one access answers for nearly every place that has no routes.
#[derive(Debug, Default, Clone, Copy)]
struct Bucket {
    begin: u32,
    /// The places of its routes.
    all: u16,
    /// The places of those of a lower than the commonest priority.
    urgent: u16,
}

/// Which routes are still of interest. In a table where most have the common priority, few places
/// are looked at once one of those is found.
#[derive(Debug, Clone, Copy)]
enum Sought {
    All,
    /// Those of a lower than the commonest priority.
    Urgent,
}

impl Places {
    fn new(mut placed: Vec<(u64, Compiled)>) -> Self {
        let count = (placed.len() / 2).next_power_of_two().max(2);
        let shift = u64::BITS - count.trailing_zeros();
        placed.sort_by_key(|(place, route)| (place >> shift, route.rank, route.at));
        let common = commonest(placed.iter().map(|(_, route)| route.rank.priority));
        let mut buckets = vec![Bucket::default(); count + 1];
        let mut next = 0;
        for (bucket, number) in buckets.iter_mut().zip(0_u64..) {
            bucket.begin = u32::try_from(next).unwrap_or(u32::MAX);
            while let Some((place, route)) = placed.get(next)
                && place >> shift == number
            {
                bucket.all |= bits(*place);
                if route.rank.priority < common {
                    bucket.urgent |= bits(*place);
                }
                next += 1;
            }
        }
        Self {
            common,
            shift,
            buckets,
            routes: placed.into_iter().map(|(_, route)| route).collect(),
        }
    }

    /// All routes of this place, and perhaps others; none for most places where none is sought.
    fn get(&self, place: u64, sought: Sought) -> &[Compiled] {
        let bucket = usize::try_from(place >> self.shift).unwrap_or(0);
        let Some([bucket, after]) = self.buckets.get(bucket..bucket + 2) else {
            return &[];
        };
        let filter = match sought {
            Sought::All => bucket.all,
            Sought::Urgent => bucket.urgent,
        };
        if filter & bits(place) != bits(place) {
            return &[];
        }
        let (Ok(begin), Ok(end)) = (usize::try_from(bucket.begin), usize::try_from(after.begin))
        else {
            return &[];
        };
        self.routes.get(begin..end).unwrap_or(&[])
    }
}

fn commonest(priorities: impl Iterator<Item = u8>) -> u8 {
    let mut counts = [0_usize; 1 << u8::BITS];
    for priority in priorities {
        if let Some(count) = counts.get_mut(usize::from(priority)) {
            *count += 1;
        }
    }
    let counted = (0..=u8::MAX).zip(counts);
    let most = counted.max_by_key(|(_, count)| *count);
    most.map_or(0, |(priority, _)| priority)
}

/// Up to two of 16 bits, from the lowest bits of the place: the highest choose the bucket.
fn bits(place: u64) -> u16 {
    (1 << (place & 15)) | (1 << ((place >> 4) & 15))
}
