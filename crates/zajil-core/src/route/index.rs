//! Finds the few routes whose prefixes and source may fit a message, among any number (D13).
//!
//! Each prefix of a number has a key. Only lengths that are in use are asked for, all at once: a
//! filter small enough for the caches of a core answers for nearly all prefixes that no route has.
//! The routes of those that are left lie side by side, the longest prefix is looked at first, and
//! each route has beside it all that nearly every choice needs. So a choice waits for far memory
//! about once, among 100,000 routes as among 100 (`benches/route.rs`).
//!
//! Routes are placed by hashes, and routes of other prefixes may lie beside them. Nothing depends
//! on that: the chooser checks each one that it is handed.

use std::collections::HashMap;
use std::sync::Arc;

use super::Route;
use super::compiled::{Compiled, Kind, Name, Names, Rank, Subject};
use super::key::{Key, LONGEST};
use super::places::{Filter, Listed, Places};

/// Up to this many routes of one called prefix are looked at one by one.
const FEW: usize = 8;

/// The enabled routes by called prefix; those of a prefix with many also by calling prefix and
/// source.
#[derive(Debug, Default)]
pub(super) struct Index {
    lengths: Lengths,
    /// For lengths 0, 1, …: the lowest priority of a route whose called prefix is not longer.
    least_priority: Vec<u8>,
    /// The commonest priority.
    common: u8,
    /// The places of routes of a lower than the commonest priority. In a table where most have the
    /// common one, few places are looked at once one of those is found.
    urgent: Filter,
    /// The called prefixes that have more than [`FEW`] routes.
    many: HashMap<Key, Beside>,
    places: Places,
    kinds: Vec<Kind>,
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
    pub(super) fn new(routes: &[Arc<Route>], names: &Names) -> Self {
        let enabled = routes.iter().filter(|route| route.terms.enabled);
        let enabled: Vec<_> = enabled
            .map(|route| (route, Compiled::new(route, names)))
            .collect();
        let mut sizes: HashMap<Key, usize> = HashMap::new();
        for (_, route) in &enabled {
            *sizes.entry(route.called).or_default() += 1;
        }
        let mut index = Self {
            least_priority: vec![u8::MAX; LONGEST + 1],
            common: commonest(enabled.iter().map(|(route, _)| route.terms.priority.get())),
            ..Self::default()
        };
        let mut kinds: HashMap<Kind, u32> = HashMap::new();
        let mut placed = Vec::with_capacity(enabled.len());
        let mut urgent = Vec::new();
        for (route, compiled) in enabled {
            index.measure(&compiled);
            let many = sizes.get(&compiled.called).is_some_and(|size| *size > FEW);
            let place = if many {
                index.place_beside(&compiled)
            } else {
                place(compiled.called)
            };
            if route.terms.priority.get() < index.common {
                urgent.extend([place, self::place(compiled.called)]);
            }
            let next = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
            let kind = *kinds.entry(compiled.kind).or_insert_with(|| {
                index.kinds.push(compiled.kind);
                next
            });
            let listed = Listed {
                called: compiled.called,
                calling: compiled.calling,
                route: Arc::clone(route),
                rank: compiled.preference.rank(),
                kind,
            };
            placed.push((place, listed));
        }
        index.urgent = Filter::new(&urgent);
        index.places = Places::new(placed, index.many.keys().map(|called| place(*called)));
        index
    }

    /// Takes down what the route says about all of its length.
    fn measure(&mut self, compiled: &Compiled) {
        let length = compiled.preference.called_prefix.min(LONGEST);
        self.lengths.add(length);
        for least in self.least_priority.iter_mut().skip(length) {
            *least = (*least).min(compiled.preference.priority);
        }
    }

    /// The place of a route whose called prefix has many.
    fn place_beside(&mut self, compiled: &Compiled) -> u64 {
        let beside = self.many.entry(compiled.called).or_default();
        let source = compiled.kind.source;
        let lengths = match source {
            None => &mut beside.any_source,
            Some(_) => &mut beside.named_source,
        };
        lengths.add(compiled.preference.calling_prefix);
        place_of_three(compiled.called, compiled.calling, source)
    }

    /// What the route is like besides its prefixes and rank.
    pub(super) fn kind(&self, listed: &Listed) -> Option<&Kind> {
        self.kinds.get(usize::try_from(listed.kind).ok()?)
    }

    /// Hands lists of routes to `look`, the best rank first within each, and in the order of the
    /// table among equals. They hold every route that fits the subject, those of one rank in one
    /// list; each is still to be checked. `look` answers with the best rank that it has found: of
    /// routes that cannot be better, it may see none.
    pub(super) fn candidates<'t>(
        &'t self,
        subject: &Subject<'_>,
        mut look: impl FnMut(&'t [Listed]) -> Option<Rank>,
    ) {
        let mut best: Option<Rank> = None;
        let called = |length: usize| subject.called.key(length);
        let lengths = self.lengths.up_to(subject.called.length());
        let mut left = lengths.those(|length| self.places.may_have(place(called(length))));
        let mut only_urgent = false;
        while let Some(length) = left.longest() {
            left.remove(length);
            let told_apart = if length < LONGEST { length } else { usize::MAX };
            let is_beaten = |least_priority: u8| {
                let bound = Rank::bound(least_priority, told_apart);
                best.is_some_and(|best| best < bound)
            };
            if is_beaten(self.least_priority.get(length).copied().unwrap_or(0)) {
                return;
            }
            only_urgent = only_urgent || is_beaten(self.common);
            let called = called(length);
            if only_urgent && !self.urgent.may_have(place(called)) {
                continue;
            }
            let mut look = |place: u64| {
                let routes = self.places.get(place);
                if !routes.is_empty() {
                    best = look(routes);
                }
            };
            match self.beside(called) {
                Some(beside) => beside
                    .places(called, subject)
                    .filter(|place| self.places.may_have(*place))
                    .filter(|place| !only_urgent || self.urgent.may_have(*place))
                    .for_each(look),
                None => look(place(called)),
            }
        }
    }

    fn beside(&self, called: Key) -> Option<&Beside> {
        if self.many.is_empty() {
            return None;
        }
        self.many.get(&called)
    }
}

impl Beside {
    /// Where the routes of this called prefix are that may fit.
    fn places(&self, called: Key, subject: &Subject<'_>) -> impl Iterator<Item = u64> {
        let most = subject.calling.length();
        let named = subject
            .source
            .map_or(Lengths::default(), |_| self.named_source);
        let named = named.falling(most).map(|length| (length, subject.source));
        let any = self.any_source.falling(most).map(|length| (length, None));
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

impl Lengths {
    fn add(&mut self, length: usize) {
        self.0 |= 1 << length.min(LONGEST);
    }

    fn remove(&mut self, length: usize) {
        self.0 &= !(1 << length.min(LONGEST));
    }

    fn longest(self) -> Option<usize> {
        usize::try_from(self.0.checked_ilog2()?).ok()
    }

    fn up_to(self, most: usize) -> Self {
        Self(self.0 & (u64::MAX >> (LONGEST - most.min(LONGEST))))
    }

    /// Those of the set that `keep` is true for. It is asked for all of them, without a jump, so
    /// that what it waits for it waits for at once.
    fn those(self, keep: impl Fn(usize) -> bool) -> Self {
        let kept = self
            .falling(LONGEST)
            .map(|length| u64::from(keep(length)) << length);
        Self(kept.fold(0, |kept, bit| kept | bit))
    }

    /// The lengths of the set up to `most`, falling.
    fn falling(self, most: usize) -> impl Iterator<Item = usize> {
        let mut left = self.up_to(most);
        std::iter::from_fn(move || {
            let longest = left.longest()?;
            left.remove(longest);
            Some(longest)
        })
    }
}
