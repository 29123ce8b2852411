//! A translation rule on the wire (S5.1).

use serde::{Deserialize, Serialize};
use zajil_core::frontend::FrontendName;
use zajil_core::number::prefix::{check_called, check_calling};
use zajil_core::outcome::Refusal;
use zajil_core::translate::{Rule, RuleId, RuleTerms};

use super::field::{Field, Read, SENTENCE};
use super::route::priority;
use crate::openapi::schema::{self, Described, Schema, given, shown};

/// A rule as an operator writes it: the body of POST, PUT and PATCH.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RuleIn<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    calling_prefix: Field<'a>,
    called_prefix: Field<'a>,
    source_smsc: Field<'a>,
    calling_match: Field<'a>,
    calling_replace: Field<'a>,
    called_match: Field<'a>,
    called_replace: Field<'a>,
    priority: Field<'a>,
    description: Field<'a>,
    enabled: Field<'a>,
}

impl RuleIn<'_> {
    /// The id it was exported with.
    pub(crate) fn take_id(&mut self) -> Result<Option<RuleId>, Refusal> {
        let id = std::mem::take(&mut self.id).integer("id", 1, 1 << 53)?;
        Ok(id.and_then(|id| u64::try_from(id).ok()).map(RuleId))
    }

    /// The terms: fields that are absent are as in `base`, or have their defaults without one.
    /// Whether the patterns compile is the port's to say.
    pub(crate) fn into_terms(self, base: Option<&RuleTerms>) -> Result<RuleTerms, Refusal> {
        let blank = || RuleTerms {
            enabled: true,
            ..RuleTerms::default()
        };
        let old = base.cloned().unwrap_or_else(blank);
        let text = |field: Field<'_>, name: &str, old: Option<String>| {
            field.or_keep(old, |field| field.text(name, SENTENCE))
        };
        Ok(RuleTerms {
            calling_prefix: self.calling_prefix.or_prefix(
                "calling_prefix",
                old.calling_prefix,
                check_calling,
            )?,
            called_prefix: self.called_prefix.or_prefix(
                "called_prefix",
                old.called_prefix,
                check_called,
            )?,
            source_smsc: self
                .source_smsc
                .or_keep(old.source_smsc, |field| field.frontend("source_smsc"))?,
            calling_match: text(self.calling_match, "calling_match", old.calling_match)?,
            calling_replace: self.calling_replace.or_keep(old.calling_replace, |field| {
                replacement(field, "calling_replace")
            })?,
            called_match: text(self.called_match, "called_match", old.called_match)?,
            called_replace: self.called_replace.or_keep(old.called_replace, |field| {
                replacement(field, "called_replace")
            })?,
            priority: self
                .priority
                .or_keep(Some(old.priority), priority)?
                .unwrap_or_default(),
            description: text(self.description, "description", old.description)?,
            enabled: self.enabled.boolean("enabled")?.unwrap_or(old.enabled),
        })
    }
}

/// What takes the place of a match: here empty text says something, it removes the match.
fn replacement(field: Field<'_>, name: &str) -> Read<String> {
    match field {
        Field::Text(text) if text.is_empty() => Ok(Some(String::new())),
        field => field.text(name, SENTENCE),
    }
}

/// A rule as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct RuleOut<'a> {
    id: u64,
    calling_prefix: Option<&'a str>,
    called_prefix: Option<&'a str>,
    source_smsc: Option<&'a str>,
    calling_match: Option<&'a str>,
    calling_replace: Option<&'a str>,
    called_match: Option<&'a str>,
    called_replace: Option<&'a str>,
    priority: u8,
    description: Option<&'a str>,
    enabled: bool,
}

impl<'a> From<&'a Rule> for RuleOut<'a> {
    fn from(rule: &'a Rule) -> Self {
        let terms = &rule.terms;
        Self {
            id: rule.id.0,
            calling_prefix: terms.calling_prefix.as_deref(),
            called_prefix: terms.called_prefix.as_deref(),
            source_smsc: terms.source_smsc.as_ref().map(FrontendName::as_str),
            calling_match: terms.calling_match.as_deref(),
            calling_replace: terms.calling_replace.as_deref(),
            called_match: terms.called_match.as_deref(),
            called_replace: terms.called_replace.as_deref(),
            priority: terms.priority.get(),
            description: terms.description.as_deref(),
            enabled: terms.enabled,
        }
    }
}

impl Described for RuleIn<'_> {
    const NAME: &'static str = "TranslationTerms";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                (
                    "id",
                    given::integer(1, 1 << 53).says("Only read by an import."),
                ),
                ("calling_prefix", given::calling_prefix()),
                ("called_prefix", given::called_prefix()),
                ("source_smsc", given::frontend()),
                ("calling_match", given::text(SENTENCE)),
                ("calling_replace", given::text(SENTENCE)),
                (
                    "called_match",
                    given::text(SENTENCE).says("A regular expression."),
                ),
                (
                    "called_replace",
                    given::text(SENTENCE).says("With groups as `\\1`."),
                ),
                (
                    "priority",
                    given::integer(1, 255).says("The lowest is tried first."),
                ),
                ("description", given::text(SENTENCE)),
                ("enabled", given::boolean()),
            ],
        )
    }
}

impl Described for RuleOut<'_> {
    const NAME: &'static str = "Translation";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::id()),
            ("calling_prefix", shown::text().or_null()),
            ("called_prefix", shown::text().or_null()),
            ("source_smsc", shown::text().or_null()),
            ("calling_match", shown::text().or_null()),
            ("calling_replace", shown::text().or_null()),
            ("called_match", shown::text().or_null()),
            ("called_replace", shown::text().or_null()),
            ("priority", shown::integer(1, 255)),
            ("description", shown::text().or_null()),
            ("enabled", shown::boolean()),
        ])
    }
}
