//! Which route wins, and why each other lost (S4.2).

use std::fmt;

use super::compiled::{Compiled, Rank, Subject, prefix};
use super::table::Table;
use super::{Query, Route};

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

/// What may become of one route when chance has not decided yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It takes `share` of `of` such messages: its weight, and that of all who may win.
    MayWin {
        /// Its part, at least 1.
        share: u32,
        /// The whole.
        of: u32,
    },
    /// It cannot win; never [`Verdict::Won`] or [`Verdict::LostDraw`].
    Loses(Verdict),
}

/// The route that takes the message, if any; `draw` decides among equals by weight.
#[must_use]
pub fn choose<'t>(table: &'t Table, query: &Query<'_>, draw: u64) -> Option<&'t Route> {
    let subject = Subject::new(table.conditions(), query);
    // The best rank that fits, and the list from the first such route on: its equals follow it.
    let mut best: Option<(Rank, &[Compiled])> = None;
    table.index().candidates(&subject, |routes| {
        for (at, route) in routes.iter().enumerate() {
            if best.is_some_and(|(best, _)| best <= route.rank) {
                break;
            }
            if mismatch(table, route, &subject).is_none() {
                best = routes.get(at..).map(|equals| (route.rank, equals));
                break;
            }
        }
        best.map(|(rank, _)| rank)
    });
    let (rank, list) = best?;
    let equals = list.iter().take_while(|route| route.rank == rank);
    let equals = equals.filter(|route| mismatch(table, route, &subject).is_none());
    table.at(drawn(equals, draw)?)
}

/// The same choice with a verdict on every route. It looks at all of them, so it is not for the
/// path of a message.
#[must_use]
pub fn explain<'t>(table: &'t Table, query: &Query<'_>, draw: u64) -> Explanation<'t> {
    let judged = judge(table, query);
    let equals = judged.iter().filter(|(_, lost)| lost.is_none());
    let winner = drawn(equals.map(|(route, _)| route), draw);

    let verdict = |(route, lost): &(Compiled, Option<Verdict>)| match lost {
        Some(lost) => *lost,
        None if winner == Some(route.at) => Verdict::Won,
        None => Verdict::LostDraw,
    };
    let verdicts = table.routes().iter().zip(judged.iter().map(verdict));
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
        winner: winner.and_then(|at| table.at(at)),
        verdicts,
    }
}

/// What may become of every route of the table, in its order, before the draw: all who may win
/// with their exact shares, and why each other cannot.
#[must_use]
pub fn outcomes<'t>(table: &'t Table, query: &Query<'_>) -> Vec<(&'t Route, Outcome)> {
    let judged = judge(table, query);
    let equals = judged.iter().filter(|(_, lost)| lost.is_none());
    let of = equals.map(|(route, _)| u32::from(route.weight)).sum();
    let outcome = |(route, lost): &(Compiled, Option<Verdict>)| match lost {
        Some(lost) => Outcome::Loses(*lost),
        None => Outcome::MayWin {
            share: u32::from(route.weight),
            of,
        },
    };
    let outcomes = table.routes().iter().zip(judged.iter().map(outcome));
    outcomes.collect()
}

/// Every route of the table with the reason why it cannot win; none for those left to the draw.
fn judge(table: &Table, query: &Query<'_>) -> Vec<(Compiled, Option<Verdict>)> {
    let subject = Subject::new(table.conditions(), query);
    let mut judged: Vec<(Compiled, Option<Verdict>)> = table
        .compiled()
        .map(|route| (route, mismatch(table, &route, &subject)))
        .collect();
    let fit = judged.iter().filter(|(_, lost)| lost.is_none());
    if let Some(best) = fit.map(|(route, _)| route.rank).min() {
        for (route, lost) in &mut judged {
            *lost = lost.or_else(|| outranked(route.rank, best));
        }
    }
    judged
}

/// The first condition of the route that does not hold, if any.
fn mismatch(table: &Table, route: &Compiled, subject: &Subject<'_>) -> Option<Verdict> {
    let text = |field: fn(&Route) -> Option<&str>| prefix(table.at(route.at).and_then(field));
    let called = || text(|route| route.terms.called_prefix.as_deref());
    let calling = || text(|route| route.terms.calling_prefix.as_deref());
    if !route.enabled {
        Some(Verdict::Disabled)
    } else if !subject.called.begins_with(route.called, called) {
        Some(Verdict::OtherCalledPrefix)
    } else if !subject.calling.begins_with(route.calling, calling) {
        Some(Verdict::OtherCallingPrefix)
    } else if route.source.is_some() && route.source != subject.source {
        Some(Verdict::OtherSource)
    } else if route.source_type.is_some() && route.source_type != subject.source_type {
        Some(Verdict::OtherSourceType)
    } else if route.domain.is_some() && route.domain != subject.domain {
        Some(Verdict::OtherEnumDomain)
    } else if route.replies && !subject.auto_reply_allowed {
        Some(Verdict::ReplyToReply)
    } else {
        None
    }
}

/// Why a route of this rank loses against the best; not at all if it is as good.
fn outranked(rank: Rank, best: Rank) -> Option<Verdict> {
    if rank.priority != best.priority {
        Some(Verdict::OutrankedByPriority)
    } else if rank.called_prefix != best.called_prefix {
        Some(Verdict::OutrankedByCalledPrefix)
    } else if rank.calling_prefix != best.calling_prefix {
        Some(Verdict::OutrankedByCallingPrefix)
    } else if rank.names_source != best.names_source {
        Some(Verdict::OutrankedBySource)
    } else {
        None
    }
}

/// The position that the draw falls on, each as wide as its weight, in the order of the table.
fn drawn<'c>(equals: impl Iterator<Item = &'c Compiled> + Clone, draw: u64) -> Option<u32> {
    let total: u64 = equals.clone().map(|route| u64::from(route.weight)).sum();
    let mut left = draw.checked_rem(total)?;
    for route in equals {
        let weight = u64::from(route.weight);
        if left < weight {
            return Some(route.at);
        }
        left -= weight;
    }
    None
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
