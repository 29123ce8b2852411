//! Rules compiled, and applied to the numbers of a message.
//!
//! The expressions run in linear time (no backtracking), so that no rule an operator enters can
//! stall the pipeline (D13).

use regex::{Regex, RegexBuilder};

use super::{Rule, RuleId, RuleTerms};
use crate::number::key;

/// How large a compiled expression may become.
const SIZE_LIMIT: usize = 1 << 20;

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

/// All enabled rules, compiled, in the order in which they are tried.
#[derive(Debug, Default)]
pub struct Rules(Vec<Compiled>);

#[derive(Debug)]
struct Compiled {
    id: RuleId,
    calling_prefix: Option<String>,
    called_prefix: Option<String>,
    source_smsc: Option<String>,
    calling: Option<Rewrite>,
    called: Option<Rewrite>,
}

#[derive(Debug)]
struct Rewrite {
    pattern: Regex,
    replacement: String,
}

/// Checks a rule before it is stored.
///
/// # Errors
/// [`BadRule`] names the field: an expression that does not compile, or half a pair of match and
/// replace.
pub fn check(terms: &RuleTerms) -> Result<(), BadRule> {
    compile(RuleId(0), terms).map(drop)
}

impl Rules {
    /// Compiles the enabled ones of `rules`.
    ///
    /// # Errors
    /// The first rule that cannot be used, with its id.
    pub fn compile(rules: &[Rule]) -> Result<Self, (RuleId, BadRule)> {
        let mut enabled: Vec<&Rule> = rules.iter().filter(|rule| rule.terms.enabled).collect();
        enabled.sort_by_key(|rule| (rule.terms.priority, rule.id));
        let compiled = enabled
            .into_iter()
            .map(|rule| compile(rule.id, &rule.terms).map_err(|error| (rule.id, error)));
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Applies the first rule whose conditions and patterns all hold; none leaves the numbers.
    #[must_use]
    pub fn apply(
        &self,
        calling: &str,
        called: &str,
        source_smsc: Option<&str>,
    ) -> Option<Translated> {
        if self.0.is_empty() {
            return None;
        }
        let (calling_key, called_key) = (key(calling), key(called));
        let rule = self.0.iter().find(|rule| {
            begins(&calling_key, rule.calling_prefix.as_deref())
                && begins(&called_key, rule.called_prefix.as_deref())
                && rule
                    .source_smsc
                    .as_deref()
                    .is_none_or(|name| source_smsc == Some(name))
                && rule
                    .calling
                    .as_ref()
                    .is_none_or(|rewrite| rewrite.pattern.is_match(calling))
                && rule
                    .called
                    .as_ref()
                    .is_none_or(|rewrite| rewrite.pattern.is_match(called))
        })?;
        let run = |rewrite: &Option<Rewrite>, text: &str| {
            let rewrite = rewrite.as_ref()?;
            let new = rewrite
                .pattern
                .replace_all(text, rewrite.replacement.as_str());
            (new != text).then(|| new.into_owned())
        };
        Some(Translated {
            rule: rule.id,
            calling: run(&rule.calling, calling),
            called: run(&rule.called, called),
        })
    }
}

fn begins(number: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| number.starts_with(prefix))
}

fn compile(id: RuleId, terms: &RuleTerms) -> Result<Compiled, BadRule> {
    let calling = rewrite(
        ("calling_match", terms.calling_match.as_deref()),
        ("calling_replace", terms.calling_replace.as_deref()),
    )?;
    let called = rewrite(
        ("called_match", terms.called_match.as_deref()),
        ("called_replace", terms.called_replace.as_deref()),
    )?;
    if calling.is_none() && called.is_none() {
        let rule = "or calling_match must be given with its replacement".to_owned();
        return Err(BadRule {
            field: "called_match",
            rule,
        });
    }
    let prefix = |text: &Option<String>| text.as_deref().map(|text| key(text).into_owned());
    Ok(Compiled {
        id,
        calling_prefix: prefix(&terms.calling_prefix),
        called_prefix: prefix(&terms.called_prefix),
        source_smsc: terms.source_smsc.as_ref().map(ToString::to_string),
        calling,
        called,
    })
}

type Field<'a> = (&'static str, Option<&'a str>);

fn rewrite(
    (match_field, pattern): Field<'_>,
    (replace_field, replacement): Field<'_>,
) -> Result<Option<Rewrite>, BadRule> {
    let (pattern, replacement) = match (pattern, replacement) {
        (None, None) => return Ok(None),
        (Some(pattern), Some(replacement)) => (pattern, replacement),
        (Some(_), None) => {
            let rule = format!("must be given with {match_field}");
            return Err(BadRule {
                field: replace_field,
                rule,
            });
        }
        (None, Some(_)) => {
            let rule = format!("must be given with {replace_field}");
            return Err(BadRule {
                field: match_field,
                rule,
            });
        }
    };
    let pattern = RegexBuilder::new(pattern)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            let line: Vec<&str> = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect();
            BadRule {
                field: match_field,
                rule: format!("is no usable expression: {}", line.join(" ")),
            }
        })?;
    let replacement = template(replacement, pattern.captures_len()).map_err(|rule| BadRule {
        field: replace_field,
        rule,
    })?;
    Ok(Some(Rewrite {
        pattern,
        replacement,
    }))
}

/// Turns `\1` into the library's `${1}`; a dollar sign is only a dollar sign.
fn template(text: &str, groups: usize) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('\\') => out.push('\\'),
                Some(digit) if digit.is_ascii_digit() => {
                    if digit.to_digit(10).is_some_and(|n| n as usize >= groups) {
                        return Err(format!("names group \\{digit}, which its pattern lacks"));
                    }
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                _ => return Err("must have a digit or '\\' after each '\\'".to_owned()),
            },
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
