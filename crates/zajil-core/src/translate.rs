//! Number translation: the first rule that fits rewrites the numbers of a message (S5).

use std::fmt;

use crate::frontend::FrontendName;
use crate::route::Priority;

pub mod apply;
mod pattern;

/// The id of a rule, given by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u64);

/// A rule without its id, as an operator writes it (S5.1). `None` in a condition means any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleTerms {
    /// `calling_prefix`.
    pub calling_prefix: Option<String>,
    /// `called_prefix`.
    pub called_prefix: Option<String>,
    /// `source_smsc`.
    pub source_smsc: Option<FrontendName>,
    /// `calling_match`: a regular expression; none leaves the calling number.
    pub calling_match: Option<String>,
    /// `calling_replace`: its replacement, with `\1` groups.
    pub calling_replace: Option<String>,
    /// `called_match`.
    pub called_match: Option<String>,
    /// `called_replace`.
    pub called_replace: Option<String>,
    /// `priority`, lowest first.
    pub priority: Priority,
    /// `description`.
    pub description: Option<String>,
    /// `enabled`.
    pub enabled: bool,
}

/// A translation rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `id`.
    pub id: RuleId,
    /// The rest.
    pub terms: RuleTerms,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
