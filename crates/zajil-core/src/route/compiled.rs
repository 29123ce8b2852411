//! What a choice needs of a route, in few bytes: the cost of a choice is that of memory.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::num::NonZeroU32;

use super::key::{Key, Number};
use super::{Action, Query, Route, SourceType};
use crate::number;

/// The order of preference: the least rank is the best. The order of the fields is the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) priority: u8,
    pub(super) called_prefix: Reverse<u16>,
    pub(super) calling_prefix: Reverse<u16>,
    pub(super) names_source: Reverse<bool>,
}

/// The conditions and the rank of a route, with integers for every text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compiled {
    pub(super) called: Key,
    pub(super) calling: Key,
    pub(super) source: Option<Name>,
    pub(super) domain: Option<Name>,
    /// Its position in the table.
    pub(super) at: u32,
    pub(super) rank: Rank,
    pub(super) weight: u8,
    pub(super) source_type: Option<SourceType>,
    pub(super) enabled: bool,
    pub(super) replies: bool,
}

/// Stands for a text of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    pub(super) fn new(at: u32, route: &Route, names: &Names) -> Self {
        let terms = &route.terms;
        let called = prefix(terms.called_prefix.as_deref());
        let calling = prefix(terms.calling_prefix.as_deref());
        let source = terms.source_smsc.as_ref();
        Self {
            called: Key::of(&called),
            calling: Key::of(&calling),
            source: source.and_then(|name| names.source(name.as_str())),
            domain: terms.enum_domain.as_deref().and_then(|d| names.domain(d)),
            at,
            rank: Rank {
                priority: terms.priority.get(),
                called_prefix: length(called.len()),
                calling_prefix: length(calling.len()),
                names_source: Reverse(source.is_some()),
            },
            weight: terms.weight.get(),
            source_type: terms.source_type,
            enabled: terms.enabled,
            replies: matches!(terms.action, Action::AutoReply { .. }),
        }
    }
}

/// A prefix in the form in which numbers are compared; none is the empty one.
pub(super) fn prefix(text: Option<&str>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), number::key)
}

/// No number comes near the largest length, so that all beyond it may be equal.
fn length(bytes: usize) -> Reverse<u16> {
    Reverse(u16::try_from(bytes).unwrap_or(u16::MAX))
}

impl Rank {
    /// The best rank that a route of this priority and called prefix, or a lesser one, can have.
    pub(super) fn bound(priority: u8, called_prefix: usize) -> Self {
        Self {
            priority,
            called_prefix: length(called_prefix),
            calling_prefix: Reverse(u16::MAX),
            names_source: Reverse(true),
        }
    }
}

impl Name {
    /// A number of its own.
    pub(super) fn get(self) -> u32 {
        self.0.get()
    }
}

impl Names {
    pub(super) fn new(routes: &[Route]) -> Self {
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
