//! Finds the few routes whose prefixes and source may fit a message, among any number (D13).
//!
//! Each step of a prefix's hash is the hash of a shorter prefix, so one pass over a number gives
//! the keys of all its prefixes; only lengths that are in use are looked up, the longest first.
//! The keys are hashes alone: a collision adds a candidate that does not fit, so the chooser
//! checks each one and the answer never depends on them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{ControlFlow, Range};

use super::choose::{Compiled, Rank, Subject};

/// Prefixes are told apart by their first this many bytes: no number is longer.
const LONGEST: usize = 63;

/// Up to this many routes of one called prefix are looked at one by one.
const FEW: usize = 8;

/// The enabled routes by called prefix, calling prefix and source.
#[derive(Debug, Default)]
pub(super) struct Index {
    lengths: Lengths,
    /// For lengths 0, 1, …: the lowest priority of a route whose called prefix is not longer.
    least_priority: Vec<u8>,
    by_called: HashMap<u64, Group, BuildHasherDefault<Hashed>>,
    /// The lists of groups of more than [`FEW`] routes.
    lists: HashMap<u64, Range<usize>, BuildHasherDefault<Hashed>>,
    /// The routes, those of a group or list together, each with the best rank first.
    routes: Vec<Compiled>,
}

/// The routes of one called prefix.
#[derive(Debug, Default)]
struct Group {
    routes: Range<usize>,
    /// The calling prefixes beside it: of routes that name no source, and of those that do.
    of_any_source: Lengths,
    of_named_source: Lengths,
}

/// A set of prefix lengths up to [`LONGEST`], one bit each.
#[derive(Debug, Default, Clone, Copy)]
struct Lengths(u64);

/// The hashes of the prefixes of a text, by length.
struct Prefixes {
    hashes: [u64; LONGEST + 1],
    length: usize,
}

impl Index {
    /// Indexes the enabled ones of `routes`.
    pub(super) fn new(routes: impl Iterator<Item = Compiled>) -> Self {
        let mut keyed: Vec<(Keys, Compiled)> = routes
            .filter(|route| route.enabled)
            .map(|route| (Keys::of(&route), route))
            .collect();
        let mut sizes: HashMap<u64, usize> = HashMap::new();
        for (keys, _) in &keyed {
            *sizes.entry(keys.called).or_default() += 1;
        }
        let is_large = |keys: &Keys| sizes.get(&keys.called).is_some_and(|size| *size > FEW);
        let list = |keys: &Keys| is_large(keys).then(|| keys.list());
        keyed.sort_by_key(|(keys, route)| (keys.called, list(keys), route.rank));

        let mut index = Self {
            least_priority: vec![u8::MAX; LONGEST + 1],
            ..Self::default()
        };
        for (at, (keys, route)) in keyed.iter().enumerate() {
            let group = index.by_called.entry(keys.called).or_default();
            extend(&mut group.routes, at);
            match keys.source {
                None => group.of_any_source.add(route.calling_prefix.len()),
                Some(_) => group.of_named_source.add(route.calling_prefix.len()),
            }
            if let Some(list) = list(keys) {
                extend(index.lists.entry(list).or_default(), at);
            }
            index.lengths.add(route.called_prefix.len());
            for least in index
                .least_priority
                .iter_mut()
                .skip(route.called_prefix.len().min(LONGEST))
            {
                *least = (*least).min(route.rank.priority());
            }
        }
        index.routes = keyed.into_iter().map(|(_, route)| route).collect();
        index
    }

    /// Hands lists of routes to `look`, the best rank first within each, until it answers that it
    /// has seen enough. They hold every route that fits the subject; each is still to be checked.
    /// `look` also gets the best rank that this or any later list can hold.
    pub(super) fn candidates<'t>(
        &'t self,
        subject: &Subject<'_>,
        mut look: impl FnMut(Rank, &'t [Compiled]) -> ControlFlow<()>,
    ) {
        let called = Prefixes::of(&subject.called);
        for length in self.lengths.down_from(called.length) {
            let key = called.hash(length);
            let Some(group) = self.by_called.get(&key) else {
                continue;
            };
            let priority = self.least_priority.get(length).copied().unwrap_or(0);
            let bound = Rank::bound(priority, if length < LONGEST { length } else { usize::MAX });
            let mut look = |range: &Range<usize>| {
                self.routes
                    .get(range.clone())
                    .map_or(ControlFlow::Continue(()), |l| look(bound, l))
            };
            let end = if group.routes.len() <= FEW {
                look(&group.routes)
            } else {
                self.lists_of(group, key, subject).try_for_each(look)
            };
            if end.is_break() {
                return;
            }
        }
    }

    fn lists_of(
        &self,
        group: &Group,
        called: u64,
        subject: &Subject<'_>,
    ) -> impl Iterator<Item = &Range<usize>> {
        let calling = Prefixes::of(&subject.calling);
        let source = subject.query.source_smsc.map(hash);
        let named = source.map_or(Lengths::default(), |_| group.of_named_source);
        let named = named
            .down_from(calling.length)
            .map(move |length| (length, source));
        let any = group
            .of_any_source
            .down_from(calling.length)
            .map(|length| (length, None));
        named.chain(any).filter_map(move |(length, source)| {
            self.lists.get(
                &Keys {
                    called,
                    calling: calling.hash(length),
                    source,
                }
                .list(),
            )
        })
    }
}

/// Makes the range, empty at first, reach to the position.
fn extend(range: &mut Range<usize>, at: usize) {
    if range.start == range.end {
        range.start = at;
    }
    range.end = at + 1;
}

/// The hashes of what the index tells routes apart by.
#[derive(Debug, Clone, Copy)]
struct Keys {
    called: u64,
    calling: u64,
    source: Option<u64>,
}

impl Keys {
    fn of(route: &Compiled) -> Self {
        Self {
            called: Prefixes::of(&route.called_prefix).whole(),
            calling: Prefixes::of(&route.calling_prefix).whole(),
            source: route.source_smsc.as_ref().map(|name| hash(name.as_str())),
        }
    }

    /// The key of the routes that share all three.
    fn list(self) -> u64 {
        [self.calling, self.source.unwrap_or(0)]
            .into_iter()
            .fold(self.called, |key, part| {
                (key.rotate_left(23) ^ part).wrapping_mul(FNV_PRIME)
            })
    }
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

/// FNV-1a: its state after each byte is the hash of the prefix that ends there.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

fn step(state: u64, byte: u8) -> u64 {
    (state ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(FNV_BASIS, step)
}

impl Prefixes {
    fn of(text: &str) -> Self {
        let mut hashes = [FNV_BASIS; LONGEST + 1];
        let mut state = FNV_BASIS;
        for (hash, byte) in hashes.iter_mut().skip(1).zip(text.bytes()) {
            state = step(state, byte);
            *hash = state;
        }
        Self {
            hashes,
            length: text.len().min(LONGEST),
        }
    }

    fn hash(&self, length: usize) -> u64 {
        self.hashes.get(length).copied().unwrap_or(FNV_BASIS)
    }

    fn whole(&self) -> u64 {
        self.hash(self.length)
    }
}

/// A hasher for keys that are hashes already.
#[derive(Debug, Default, Clone, Copy)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        // The table takes its tags from the highest bits: fold the lower ones in.
        self.0 ^ (self.0 << 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |state, byte| step(state, *byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
