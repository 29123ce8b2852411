//! Which route wins, and why each other lost (S4.2).

use std::fmt;

use super::compiled::{Compiled, Kind, Preference, Rank, Subject, prefix};
use super::key::Key;
use super::places::Listed;
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
    let index = table.index();
    let fitting = |listed: &'t Listed| {
        let route = &*listed.route;
        if other_number(route, listed.called, listed.calling, &subject).is_some() {
            return None;
        }
        let kind = index.kind(listed)?;
        other_kind(kind, &subject)
            .is_none()
            .then_some((kind.weight, route))
    };
    // The best rank that fits, and the list from the first such route on: its equals follow it.
    let mut best: Option<(Rank, &[Listed])> = None;
    index.candidates(&subject, |routes| {
        for (at, listed) in routes.iter().enumerate() {
            if best.is_some_and(|(best, _)| best <= listed.rank) {
                break;
            }
            if fitting(listed).is_some() {
                best = routes.get(at..).map(|equals| (listed.rank, equals));
                break;
            }
        }
        best.map(|(rank, _)| rank)
    });
    let (rank, list) = best?;
    let equals = list.iter().take_while(|listed| listed.rank == rank);
    drawn(equals.filter_map(fitting), draw)
}

/// The same choice with a verdict on every route. It looks at all of them, so it is not for the
/// path of a message.
#[must_use]
pub fn explain<'t>(table: &'t Table, query: &Query<'_>, draw: u64) -> Explanation<'t> {
    let judged = judge(table, query);
    let equals = (0_usize..)
        .zip(&judged)
        .filter(|(_, (_, lost))| lost.is_none());
    let winner = drawn(equals.map(|(at, (weight, _))| (*weight, at)), draw);

    let verdict = |(at, (_, lost)): (usize, &(u8, Option<Verdict>))| match lost {
        Some(lost) => *lost,
        None if winner == Some(at) => Verdict::Won,
        None => Verdict::LostDraw,
    };
    let routes = table.routes().iter().map(AsRef::as_ref);
    let verdicts: Vec<(&Route, Verdict)> =
        routes.zip(judged.iter().enumerate().map(verdict)).collect();
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
        winner: winner.and_then(|at| table.routes().get(at).map(AsRef::as_ref)),
        verdicts,
    }
}

/// What may become of every route of the table, in its order, before the draw: all who may win
/// with their exact shares, and why each other cannot.
#[must_use]
pub fn outcomes<'t>(table: &'t Table, query: &Query<'_>) -> Vec<(&'t Route, Outcome)> {
    let judged = judge(table, query);
    let equals = judged.iter().filter(|(_, lost)| lost.is_none());
    let of = equals.map(|(weight, _)| u32::from(*weight)).sum();
    let outcome = |(weight, lost): &(u8, Option<Verdict>)| match lost {
        Some(lost) => Outcome::Loses(*lost),
        None => Outcome::MayWin {
            share: u32::from(*weight),
            of,
        },
    };
    let routes = table.routes().iter().map(AsRef::as_ref);
    routes.zip(judged.iter().map(outcome)).collect()
}

/// The weight of every route of the table, in its order, with the reason why it cannot win; none
/// for those left to the draw.
fn judge(table: &Table, query: &Query<'_>) -> Vec<(u8, Option<Verdict>)> {
    let subject = Subject::new(table.conditions(), query);
    let judged = table.routes().iter().map(|route| {
        let compiled = Compiled::new(route, table.conditions());
        let lost = if route.terms.enabled {
            other_number(route, compiled.called, compiled.calling, &subject)
                .or_else(|| other_kind(&compiled.kind, &subject))
        } else {
            Some(Verdict::Disabled)
        };
        (compiled.preference, compiled.kind.weight, lost)
    });
    let judged: Vec<(Preference, u8, Option<Verdict>)> = judged.collect();
    let fit = judged.iter().filter(|(.., lost)| lost.is_none());
    let best = fit.min_by_key(|(preference, ..)| preference.rank());
    let best = best.map(|(preference, ..)| *preference);
    let decided = judged.iter().map(|(preference, weight, lost)| {
        let lost = lost.or_else(|| outranked(*preference, best?));
        (*weight, lost)
    });
    decided.collect()
}

/// The first prefix of a route that does not fit, if any; the keys are those of its prefixes.
fn other_number(
    route: &Route,
    called: Key,
    calling: Key,
    subject: &Subject<'_>,
) -> Option<Verdict> {
    let called_prefix = || prefix(route.terms.called_prefix.as_deref());
    let calling_prefix = || prefix(route.terms.calling_prefix.as_deref());
    if !subject.called.begins_with(called, called_prefix) {
        Some(Verdict::OtherCalledPrefix)
    } else if !subject.calling.begins_with(calling, calling_prefix) {
        Some(Verdict::OtherCallingPrefix)
    } else {
        None
    }
}

/// The first of the other conditions that does not hold, if any.
fn other_kind(kind: &Kind, subject: &Subject<'_>) -> Option<Verdict> {
    if kind.source.is_some() && kind.source != subject.source {
        Some(Verdict::OtherSource)
    } else if kind.source_type.is_some() && kind.source_type != subject.source_type {
        Some(Verdict::OtherSourceType)
    } else if kind.domain.is_some() && kind.domain != subject.domain {
        Some(Verdict::OtherEnumDomain)
    } else if kind.replies && !subject.auto_reply_allowed {
        Some(Verdict::ReplyToReply)
    } else {
        None
    }
}

/// Why a route of this preference loses against the best; not at all if it is as good.
fn outranked(preference: Preference, best: Preference) -> Option<Verdict> {
    if preference.priority != best.priority {
        Some(Verdict::OutrankedByPriority)
    } else if preference.called_prefix != best.called_prefix {
        Some(Verdict::OutrankedByCalledPrefix)
    } else if preference.calling_prefix != best.calling_prefix {
        Some(Verdict::OutrankedByCallingPrefix)
    } else if preference.names_source != best.names_source {
        Some(Verdict::OutrankedBySource)
    } else {
        None
    }
}

/// The one that the draw falls on, each as wide as its weight, in their order.
fn drawn<T>(equals: impl Iterator<Item = (u8, T)> + Clone, draw: u64) -> Option<T> {
    let total: u64 = equals.clone().map(|(weight, _)| u64::from(weight)).sum();
    let mut left = draw.checked_rem(total)?;
    for (weight, one) in equals {
        let weight = u64::from(weight);
        if left < weight {
            return Some(one);
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
