//! Which route wins, and why each other lost (S4.2).

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::ops::ControlFlow;

use super::table::Table;
use super::{Action, Query, Route, SourceType};
use crate::frontend::FrontendName;
use crate::number;

/// What became of one route in a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It takes the message.
    Won,
    /// It is disabled.
    Disabled,
    /// The called number does not begin with its `called_prefix`.
    OtherCalledPrefix,
    /// The calling number does not begin with its `calling_prefix`.
    OtherCallingPrefix,
    /// The message came from another `source_smsc`.
    OtherSource,
    /// The message came in another way than its `source_type`.
    OtherSourceType,
    /// ENUM gave another domain than its `enum_domain`, or none.
    OtherEnumDomain,
    /// It would answer a message that is itself an automatic reply (S4.3).
    ReplyToReply,
    /// Another route has a lower `priority`.
    OutrankedByPriority,
    /// Another route has a longer `called_prefix`.
    OutrankedByCalledPrefix,
    /// Another route has a longer `calling_prefix`.
    OutrankedByCallingPrefix,
    /// Another route names the `source_smsc`.
    OutrankedBySource,
    /// An equal route won the draw by `weight`.
    LostDraw,
}

/// A choice with its reasons, for the simulator (S4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'t> {
    /// The route that takes the message.
    pub winner: Option<&'t Route>,
    /// Every route of the table, in its order, with what became of it.
    pub verdicts: Vec<(&'t Route, Verdict)>,
}

/// The order of preference: the least rank is the best. The order of the fields is the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    priority: u8,
    called_prefix: Reverse<u16>,
    calling_prefix: Reverse<u16>,
    names_source: Reverse<bool>,
}

/// What a choice needs of a route; prefixes are in the form in which numbers are compared.
#[derive(Debug)]
pub(super) struct Compiled {
    /// Its position in the table.
    at: usize,
    pub(super) enabled: bool,
    replies: bool,
    weight: u8,
    source_type: Option<SourceType>,
    pub(super) rank: Rank,
    pub(super) called_prefix: Box<str>,
    pub(super) calling_prefix: Box<str>,
    pub(super) source_smsc: Option<FrontendName>,
    enum_domain: Option<Box<str>>,
}

/// A query with its numbers in the form in which they are compared.
pub(super) struct Subject<'q> {
    pub(super) query: &'q Query<'q>,
    pub(super) called: Cow<'q, str>,
    pub(super) calling: Cow<'q, str>,
}

/// The route that takes the message, if any; `draw` decides among equals by weight.
#[must_use]
pub fn choose<'t>(table: &'t Table, query: &Query<'_>, draw: u64) -> Option<&'t Route> {
    let subject = Subject::new(query);
    let mut best: Option<Rank> = None;
    let mut equals = Vec::new();
    table.index().candidates(&subject, |bound, routes| {
        if best.is_some_and(|best| best < bound) {
            return ControlFlow::Break(());
        }
        for route in routes {
            if best.is_some_and(|best| best < route.rank) {
                break;
            }
            if mismatch(route, &subject).is_none() {
                if best != Some(route.rank) {
                    equals.clear();
                }
                best = Some(route.rank);
                equals.push(route);
            }
        }
        ControlFlow::Continue(())
    });
    equals.sort_unstable_by_key(|route| route.at);
    table.routes().get(drawn(&equals, draw)?)
}

/// The same choice with a verdict on every route. It looks at all of them, so it is not for the
/// path of a message.
#[must_use]
pub fn explain<'t>(table: &'t Table, query: &Query<'_>, draw: u64) -> Explanation<'t> {
    let subject = Subject::new(query);
    let all: Vec<Compiled> = table
        .routes()
        .iter()
        .enumerate()
        .map(|(at, route)| Compiled::new(at, route))
        .collect();
    let fits = |route: &&Compiled| mismatch(route, &subject).is_none();
    let best = all.iter().filter(fits).map(|route| route.rank).min();
    let is_best = |route: &&Compiled| Some(route.rank) == best;
    let equals: Vec<&Compiled> = all.iter().filter(is_best).filter(fits).collect();
    let winner = drawn(&equals, draw);

    let verdict = |route: &Compiled| match mismatch(route, &subject) {
        Some(mismatch) => mismatch,
        None if winner == Some(route.at) => Verdict::Won,
        None => best.map_or(Verdict::LostDraw, |best| outranked(route.rank, best)),
    };
    let verdicts = table.routes().iter().zip(all.iter().map(verdict));
    let verdicts: Vec<(&Route, Verdict)> = verdicts.collect();
    let won = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Won)
        .count();
    assert_eq!(
        won,
        usize::from(winner.is_some()),
        "one route wins, or none"
    );
    Explanation {
        winner: winner.and_then(|at| table.routes().get(at)),
        verdicts,
    }
}

/// The first condition of the route that does not hold, if any.
fn mismatch(route: &Compiled, subject: &Subject<'_>) -> Option<Verdict> {
    let query = subject.query;
    let source_fits = route
        .source_smsc
        .as_ref()
        .is_none_or(|name| query.source_smsc == Some(name.as_str()));
    let domain_fits = route.enum_domain.as_ref().is_none_or(|wanted| {
        query
            .enum_domain
            .is_some_and(|domain| domain.eq_ignore_ascii_case(wanted))
    });
    if !route.enabled {
        Some(Verdict::Disabled)
    } else if !subject.called.starts_with(&*route.called_prefix) {
        Some(Verdict::OtherCalledPrefix)
    } else if !subject.calling.starts_with(&*route.calling_prefix) {
        Some(Verdict::OtherCallingPrefix)
    } else if !source_fits {
        Some(Verdict::OtherSource)
    } else if route.source_type.is_some() && route.source_type != query.source_type {
        Some(Verdict::OtherSourceType)
    } else if !domain_fits {
        Some(Verdict::OtherEnumDomain)
    } else if route.replies && !query.auto_reply_allowed {
        Some(Verdict::ReplyToReply)
    } else {
        None
    }
}

/// Why a route of this rank lost against the best.
fn outranked(rank: Rank, best: Rank) -> Verdict {
    if rank.priority != best.priority {
        Verdict::OutrankedByPriority
    } else if rank.called_prefix != best.called_prefix {
        Verdict::OutrankedByCalledPrefix
    } else if rank.calling_prefix != best.calling_prefix {
        Verdict::OutrankedByCallingPrefix
    } else if rank.names_source != best.names_source {
        Verdict::OutrankedBySource
    } else {
        Verdict::LostDraw
    }
}

/// The position that the draw falls on, each as wide as its weight, in the order of the table.
fn drawn(equals: &[&Compiled], draw: u64) -> Option<usize> {
    let total: u64 = equals.iter().map(|route| u64::from(route.weight)).sum();
    let mut left = draw.checked_rem(total)?;
    let hit = equals.iter().find(|route| {
        let hit = left < u64::from(route.weight);
        left = left.saturating_sub(u64::from(route.weight));
        hit
    });
    hit.map(|route| route.at)
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

    pub(super) fn priority(self) -> u8 {
        self.priority
    }
}

/// No number comes near the largest length, so that all beyond it may be equal.
fn length(bytes: usize) -> Reverse<u16> {
    Reverse(u16::try_from(bytes).unwrap_or(u16::MAX))
}

impl Compiled {
    pub(super) fn new(at: usize, route: &Route) -> Self {
        let terms = &route.terms;
        let key = |prefix: &Option<String>| -> Box<str> {
            prefix
                .as_deref()
                .map_or(Cow::Borrowed(""), number::key)
                .into()
        };
        let called_prefix = key(&terms.called_prefix);
        let calling_prefix = key(&terms.calling_prefix);
        Self {
            at,
            enabled: terms.enabled,
            replies: matches!(terms.action, Action::AutoReply { .. }),
            weight: terms.weight.get(),
            source_type: terms.source_type,
            rank: Rank {
                priority: terms.priority.get(),
                called_prefix: length(called_prefix.len()),
                calling_prefix: length(calling_prefix.len()),
                names_source: Reverse(terms.source_smsc.is_some()),
            },
            called_prefix,
            calling_prefix,
            source_smsc: terms.source_smsc.clone(),
            enum_domain: terms.enum_domain.as_deref().map(Box::from),
        }
    }
}

impl<'q> Subject<'q> {
    fn new(query: &'q Query<'q>) -> Self {
        Self {
            query,
            called: number::key(query.called),
            calling: number::key(query.calling),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Won => "won",
            Self::Disabled => "disabled",
            Self::OtherCalledPrefix => "the called number does not begin with called_prefix",
            Self::OtherCallingPrefix => "the calling number does not begin with calling_prefix",
            Self::OtherSource => "came from another source_smsc",
            Self::OtherSourceType => "came in by another source_type",
            Self::OtherEnumDomain => "enum gave another enum_domain, or none",
            Self::ReplyToReply => "automatic replies are not answered automatically",
            Self::OutrankedByPriority => "outranked by a lower priority",
            Self::OutrankedByCalledPrefix => "outranked by a longer called_prefix",
            Self::OutrankedByCallingPrefix => "outranked by a longer calling_prefix",
            Self::OutrankedBySource => "outranked by one that names source_smsc",
            Self::LostDraw => "lost the draw by weight",
        })
    }
}

#[cfg(test)]
mod tests;
