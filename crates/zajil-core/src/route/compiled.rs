//! What a choice needs of a route, in few bytes: the cost of a choice is that of memory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::key::{Key, Number};
use super::{Action, Query, Route, SourceType};
use crate::number;

/// The order of preference in one integer: the least is the best. From the highest bits on: the
/// priority, then what the called and the calling prefix lack of [`Rank::LONGEST`], then whether
/// no source is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u32);

/// All that a choice looks at besides the prefixes and the rank. Few kinds serve many routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) source: Option<Name>,
    pub(super) domain: Option<Name>,
    pub(super) source_type: Option<SourceType>,
    pub(super) weight: u8,
    pub(super) replies: bool,
}

/// What a rank is made of (S4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preference {
    pub(super) priority: u8,
    /// In bytes, as the next.
    pub(super) called_prefix: usize,
    pub(super) calling_prefix: usize,
    pub(super) names_source: bool,
}

/// The conditions and the preference of a route, with integers for every text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compiled {
    pub(super) called: Key,
    pub(super) calling: Key,
    pub(super) preference: Preference,
    pub(super) kind: Kind,
}

/// Stands for a text of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(NonZeroU32);

/// The names of a table, each with its number.
#[derive(Debug, Default)]
pub(super) struct Names {
    sources: HashMap<Box<str>, Name>,
    /// In lower case.
    domains: HashMap<Box<str>, Name>,
}

/// A query in the terms of a table.
#[derive(Debug)]
pub(super) struct Subject<'q> {
    pub(super) called: Number<'q>,
    pub(super) calling: Number<'q>,
    /// None also when no route names it.
    pub(super) source: Option<Name>,
    pub(super) domain: Option<Name>,
    pub(super) source_type: Option<SourceType>,
    pub(super) auto_reply_allowed: bool,
}

impl Compiled {
    pub(super) fn new(route: &Route, names: &Names) -> Self {
        let terms = &route.terms;
        let called = prefix(terms.called_prefix.as_deref());
        let calling = prefix(terms.calling_prefix.as_deref());
        let source = terms.source_smsc.as_ref();
        let preference = Preference {
            priority: terms.priority.get(),
            called_prefix: called.len(),
            calling_prefix: calling.len(),
            names_source: source.is_some(),
        };
        Self {
            called: Key::of(&called),
            calling: Key::of(&calling),
            preference,
            kind: Kind {
                source: source.and_then(|name| names.source(name.as_str())),
                domain: terms.enum_domain.as_deref().and_then(|d| names.domain(d)),
                source_type: terms.source_type,
                weight: terms.weight.get(),
                replies: matches!(terms.action, Action::AutoReply { .. }),
            },
        }
    }
}

/// A prefix in the form in which numbers are compared; none is the empty one.
pub(super) fn prefix(text: Option<&str>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), number::key)
}

impl Preference {
    /// Where the route comes among those that fit.
    pub(super) fn rank(self) -> Rank {
        let lacks = |length: usize| Rank::LONGEST - length.min(Rank::LONGEST);
        let ranked = lacks(self.called_prefix) << Rank::BITS | lacks(self.calling_prefix);
        let ranked = u32::try_from(ranked).unwrap_or(u32::MAX);
        let priority = u32::from(self.priority) << (2 * Rank::BITS);
        Rank((priority | ranked) << 1 | u32::from(!self.names_source))
    }
}

impl Rank {
    const BITS: u32 = 9;
    /// All lengths beyond it are equal: no number comes near.
    const LONGEST: usize = (1 << Self::BITS) - 1;

    /// The best rank that a route of this priority and called prefix, or a lesser one, can have.
    pub(super) fn bound(priority: u8, called_prefix: usize) -> Self {
        let preference = Preference {
            priority,
            called_prefix,
            calling_prefix: Self::LONGEST,
            names_source: true,
        };
        preference.rank()
    }
}

impl Name {
    /// A number of its own.
    pub(super) fn get(self) -> u32 {
        self.0.get()
    }
}

impl Names {
    pub(super) fn new(routes: &[Arc<Route>]) -> Self {
        let mut names = Self::default();
        for route in routes {
            if let Some(source) = &route.terms.source_smsc {
                add(&mut names.sources, source.as_str().into());
            }
            if let Some(domain) = &route.terms.enum_domain {
                add(&mut names.domains, domain.to_ascii_lowercase().into());
            }
        }
        names
    }

    fn source(&self, text: &str) -> Option<Name> {
        self.sources.get(text).copied()
    }

    fn domain(&self, text: &str) -> Option<Name> {
        if self.domains.is_empty() {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        self.domains.get(lower.as_str()).copied()
    }
}

fn add(names: &mut HashMap<Box<str>, Name>, text: Box<str>) {
    let number = u32::try_from(names.len() + 1).unwrap_or(u32::MAX);
    if let Some(number) = NonZeroU32::new(number) {
        names.entry(text).or_insert(Name(number));
    }
}

impl<'q> Subject<'q> {
    pub(super) fn new(names: &Names, query: &Query<'q>) -> Self {
        Self {
            called: Number::new(query.called),
            calling: Number::new(query.calling),
            source: query.source_smsc.and_then(|name| names.source(name)),
            domain: query.enum_domain.and_then(|domain| names.domain(domain)),
            source_type: query.source_type,
            auto_reply_allowed: query.auto_reply_allowed,
        }
    }
}
