//! Rules compiled, and applied to the numbers of a message.
//!
//! The expressions run in linear time (no backtracking), so that no rule an operator enters can
//! stall the pipeline (D13).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::pattern::{Patterns, Rewrite};
use super::{Rule, RuleId, RuleTerms};
use crate::frontend::FrontendName;
use crate::number::key;
use crate::route::Priority;

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct BadRule {
    /// The field that is wrong.
    pub field: &'static str,
    /// What is wrong with it, as the rest of a sentence.
    pub rule: String,
}

/// What a rule made of the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The rule that did it.
    pub rule: RuleId,
    /// The calling number, if it changed.
    pub calling: Option<String>,
    /// The called number, if it changed.
    pub called: Option<String>,
}

/// What became of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It rewrote the numbers.
    Applied,
    /// It is disabled.
    Disabled,
    /// The calling number does not begin with its `calling_prefix`.
    OtherCallingPrefix,
    /// The called number does not begin with its `called_prefix`.
    OtherCalledPrefix,
    /// The message came from another `source_smsc`.
    OtherSource,
    /// Its `calling_match` does not match.
    CallingMatch,
    /// Its `called_match` does not match.
    CalledMatch,
    /// It would hold, but an earlier rule is applied.
    Outranked,
}

/// A translation with its reasons, for the test call and the simulator (S4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the rule that is applied makes of the numbers.
    pub translated: Option<Translated>,
    /// Every rule, in the order in which they are tried, with what became of it.
    pub verdicts: Vec<(RuleId, Verdict)>,
}

/// All rules, the enabled ones compiled, in the order in which they are tried.
#[derive(Debug, Default)]
pub struct Rules {
    enabled: Vec<Arc<Compiled>>,
    disabled: Vec<(Priority, RuleId)>,
}

#[derive(Debug)]
struct Compiled {
    /// What it was compiled from.
    rule: Arc<Rule>,
    calling_prefix: Option<String>,
    called_prefix: Option<String>,
    calling: Option<Rewrite>,
    called: Option<Rewrite>,
}

/// The numbers of a message, and the forms in which they are compared.
struct Subject<'a> {
    calling: &'a str,
    called: &'a str,
    calling_key: Cow<'a, str>,
    called_key: Cow<'a, str>,
    source_smsc: Option<&'a str>,
}

/// Checks a rule before it is stored.
///
/// # Errors
/// [`BadRule`] names the field: an expression that does not compile, or half a pair of match and
/// replace.
pub fn check(terms: &RuleTerms) -> Result<(), BadRule> {
    rewrites(terms, &mut Patterns::default()).map(drop)
}

impl Rules {
    /// Compiles the enabled ones of `rules`; of the others only explanations speak.
    ///
    /// # Errors
    /// The first rule that cannot be used, with its id.
    pub fn compile<'r>(
        rules: impl IntoIterator<Item = &'r Arc<Rule>>,
    ) -> Result<Self, (RuleId, BadRule)> {
        Self::default().after(rules)
    }

    /// The same for the rules that follow these: what has not changed is not compiled again, and
    /// both share it.
    ///
    /// # Errors
    /// As [`Rules::compile`].
    pub fn after<'r>(
        &self,
        rules: impl IntoIterator<Item = &'r Arc<Rule>>,
    ) -> Result<Self, (RuleId, BadRule)> {
        let mut sorted: Vec<&Arc<Rule>> = rules.into_iter().collect();
        sorted.sort_by_key(|rule| (rule.terms.priority, rule.id));
        let (enabled, disabled): (Vec<_>, Vec<_>) =
            sorted.into_iter().partition(|rule| rule.terms.enabled);
        let former = self.enabled.iter().map(|rule| (rule.rule.id, rule));
        let former: HashMap<RuleId, &Arc<Compiled>> = former.collect();
        let mut patterns = self.patterns();
        let compiled = enabled.into_iter().map(|rule| {
            if let Some(same) = former.get(&rule.id).filter(|same| same.rule == *rule) {
                return Ok(Arc::clone(same));
            }
            let compiled = compile(rule, &mut patterns);
            compiled.map(Arc::new).map_err(|error| (rule.id, error))
        });
        let disabled = disabled.into_iter().map(|r| (r.terms.priority, r.id));
        Ok(Self {
            enabled: compiled.collect::<Result<_, _>>()?,
            disabled: disabled.collect(),
        })
    }

    /// Every expression in use, by how it was written.
    fn patterns(&self) -> Patterns<'_> {
        let mut patterns = Patterns::default();
        for Compiled {
            rule,
            calling,
            called,
            ..
        } in self.enabled.iter().map(AsRef::as_ref)
        {
            patterns.keep(rule.terms.calling_match.as_deref(), calling.as_ref());
            patterns.keep(rule.terms.called_match.as_deref(), called.as_ref());
        }
        patterns
    }

    /// Applies the first rule whose conditions and patterns all hold; none leaves the numbers.
    #[must_use]
    pub fn apply(
        &self,
        calling: &str,
        called: &str,
        source_smsc: Option<&str>,
    ) -> Option<Translated> {
        if self.enabled.is_empty() {
            return None;
        }
        let subject = Subject::new(calling, called, source_smsc);
        let holds = |rule: &&Arc<Compiled>| rule.mismatch(&subject).is_none();
        Some(self.enabled.iter().find(holds)?.run(&subject))
    }

    /// The same with a verdict on every rule. It tries all of them, so it is not for the path of a
    /// message.
    #[must_use]
    pub fn explain(&self, calling: &str, called: &str, source_smsc: Option<&str>) -> Explanation {
        let subject = Subject::new(calling, called, source_smsc);
        let mut translated = None;
        let mut verdicts: Vec<(Priority, RuleId, Verdict)> = Vec::new();
        for rule in &self.enabled {
            let verdict = match rule.mismatch(&subject) {
                Some(mismatch) => mismatch,
                None if translated.is_some() => Verdict::Outranked,
                None => {
                    translated = Some(rule.run(&subject));
                    Verdict::Applied
                }
            };
            verdicts.push((rule.rule.terms.priority, rule.rule.id, verdict));
        }
        let disabled = self.disabled.iter();
        verdicts.extend(disabled.map(|(priority, id)| (*priority, *id, Verdict::Disabled)));
        verdicts.sort_by_key(|(priority, id, _)| (*priority, *id));
        let verdicts = verdicts.into_iter().map(|(_, id, verdict)| (id, verdict));
        Explanation {
            translated,
            verdicts: verdicts.collect(),
        }
    }
}

impl<'a> Subject<'a> {
    fn new(calling: &'a str, called: &'a str, source_smsc: Option<&'a str>) -> Self {
        Self {
            calling,
            called,
            calling_key: key(calling),
            called_key: key(called),
            source_smsc,
        }
    }
}

impl Compiled {
    /// The first condition or pattern that does not hold, if any.
    fn mismatch(&self, subject: &Subject<'_>) -> Option<Verdict> {
        let begins = |number: &str, prefix: &Option<String>| {
            prefix.as_ref().is_none_or(|p| number.starts_with(p))
        };
        let matches = |number: &str, rewrite: &Option<Rewrite>| {
            rewrite.as_ref().is_none_or(|r| r.matches(number))
        };
        let source = self.rule.terms.source_smsc.as_ref();
        let source = source.map(FrontendName::as_str);
        if !begins(&subject.calling_key, &self.calling_prefix) {
            Some(Verdict::OtherCallingPrefix)
        } else if !begins(&subject.called_key, &self.called_prefix) {
            Some(Verdict::OtherCalledPrefix)
        } else if source.is_some() && source != subject.source_smsc {
            Some(Verdict::OtherSource)
        } else if !matches(subject.calling, &self.calling) {
            Some(Verdict::CallingMatch)
        } else if !matches(subject.called, &self.called) {
            Some(Verdict::CalledMatch)
        } else {
            None
        }
    }

    fn run(&self, subject: &Subject<'_>) -> Translated {
        Translated {
            rule: self.rule.id,
            calling: self.calling.as_ref().and_then(|r| r.run(subject.calling)),
            called: self.called.as_ref().and_then(|r| r.run(subject.called)),
        }
    }
}

fn compile<'r>(rule: &'r Arc<Rule>, patterns: &mut Patterns<'r>) -> Result<Compiled, BadRule> {
    let [calling, called] = rewrites(&rule.terms, patterns)?;
    let prefix = |text: &Option<String>| text.as_deref().map(|text| key(text).into_owned());
    Ok(Compiled {
        rule: Arc::clone(rule),
        calling_prefix: prefix(&rule.terms.calling_prefix),
        called_prefix: prefix(&rule.terms.called_prefix),
        calling,
        called,
    })
}

/// What becomes of the calling and of the called number.
fn rewrites<'r>(
    terms: &'r RuleTerms,
    patterns: &mut Patterns<'r>,
) -> Result<[Option<Rewrite>; 2], BadRule> {
    let calling = rewrite(
        ("calling_match", terms.calling_match.as_deref()),
        ("calling_replace", terms.calling_replace.as_deref()),
        patterns,
    )?;
    let called = rewrite(
        ("called_match", terms.called_match.as_deref()),
        ("called_replace", terms.called_replace.as_deref()),
        patterns,
    )?;
    if calling.is_none() && called.is_none() {
        let rule = "or calling_match must be given with its replacement".to_owned();
        return Err(BadRule {
            field: "called_match",
            rule,
        });
    }
    Ok([calling, called])
}

type Field<'a> = (&'static str, Option<&'a str>);

fn rewrite<'r>(
    (match_field, pattern): Field<'r>,
    (replace_field, replacement): Field<'_>,
    patterns: &mut Patterns<'r>,
) -> Result<Option<Rewrite>, BadRule> {
    let bad = |field| move |rule: String| BadRule { field, rule };
    match (pattern, replacement) {
        (None, None) => Ok(None),
        (Some(pattern), Some(replacement)) => {
            let pattern = patterns.compile(pattern).map_err(bad(match_field))?;
            let rewrite = Rewrite::new(pattern, replacement);
            rewrite.map(Some).map_err(bad(replace_field))
        }
        (Some(_), None) => Err(bad(replace_field)(format!(
            "must be given with {match_field}"
        ))),
        (None, Some(_)) => Err(bad(match_field)(format!(
            "must be given with {replace_field}"
        ))),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "applied",
            Self::Disabled => "disabled",
            Self::OtherCallingPrefix => "the calling number does not begin with calling_prefix",
            Self::OtherCalledPrefix => "the called number does not begin with called_prefix",
            Self::OtherSource => "came from another source_smsc",
            Self::CallingMatch => "calling_match does not match",
            Self::CalledMatch => "called_match does not match",
            Self::Outranked => "outranked by an earlier rule",
        })
    }
}

#[cfg(test)]
mod tests;
