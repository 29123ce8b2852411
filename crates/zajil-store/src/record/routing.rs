//! Routes and translation rules as JSON objects, in the words of S4.1 and S5.1.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use zajil_core::frontend::FrontendName;
use zajil_core::route::{Action, Charged, Followers, Priority, SourceType, Terms, Weight};
use zajil_core::translate::RuleTerms;

use super::{Form, VERSION, damaged, decode, encode, is_false, name};
use crate::contract::Error;

/// A route, version 1.
#[derive(Serialize, Deserialize)]
struct RouteForm {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    calling_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_smsc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enum_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_smsc: Option<String>,
    /// Present: the route answers by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_reply_message: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    drop: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fallback: Vec<String>,
    /// In seconds; the default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_after: Option<u64>,
    charged: String,
    weight: i64,
    priority: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    enabled: bool,
}

/// A translation rule, version 1.
#[derive(Serialize, Deserialize)]
struct RuleForm {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    calling_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_smsc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calling_match: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calling_replace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_match: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_replace: Option<String>,
    priority: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    enabled: bool,
}

impl Form for RouteForm {
    const WHAT: &'static str = "route";

    fn version(&self) -> u32 {
        self.v
    }
}

impl Form for RuleForm {
    const WHAT: &'static str = "translation rule";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a route.
#[must_use]
pub fn encode_route(terms: &Terms) -> String {
    let auto_reply_message = match &terms.action {
        Action::AutoReply { text, .. } => Some(text.clone()),
        Action::Deliver(_) | Action::Drop => None,
    };
    encode(&RouteForm {
        v: VERSION,
        calling_prefix: terms.calling_prefix.clone(),
        called_prefix: terms.called_prefix.clone(),
        source_smsc: terms.source_smsc.as_ref().map(FrontendName::to_string),
        source_type: terms.source_type.map(|kind| kind.as_str().to_owned()),
        enum_domain: terms.enum_domain.clone(),
        dest_smsc: terms.action.dest_smsc().map(FrontendName::to_string),
        auto_reply_message,
        drop: terms.action == Action::Drop,
        fallback: terms
            .followers
            .to
            .iter()
            .map(FrontendName::to_string)
            .collect(),
        fallback_after: Some(terms.followers.after.as_secs())
            .filter(|secs| *secs != Followers::default().after.as_secs()),
        charged: terms.charged.as_str().to_owned(),
        weight: terms.weight.get().into(),
        priority: terms.priority.get().into(),
        description: terms.description.clone(),
        enabled: terms.enabled,
    })
}

/// Reads a route.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a route of a known version.
pub fn decode_route(text: &str) -> Result<Terms, Error> {
    let form: RouteForm = decode(text)?;
    let bad = |why: &str| damaged(RouteForm::WHAT, why);
    let frontend = |text: String| name(RouteForm::WHAT, &text);
    let dest_smsc = form.dest_smsc.map(frontend).transpose()?;
    let action = match (form.drop, form.auto_reply_message, dest_smsc) {
        (true, None, None) => Action::Drop,
        (false, Some(text), deliver) => Action::AutoReply { text, deliver },
        (false, None, Some(to)) => Action::Deliver(to),
        (true, _, _) | (false, None, None) => return Err(bad("it has no single action")),
    };
    let source_type = form
        .source_type
        .map(|word| SourceType::parse(&word).ok_or_else(|| bad("an unknown source_type")));
    let to = form.fallback.into_iter().map(frontend);
    let followers = Followers {
        to: to.collect::<Result<_, _>>()?,
        after: form
            .fallback_after
            .map_or(Followers::default().after, Duration::from_secs),
    };
    Ok(Terms {
        calling_prefix: form.calling_prefix,
        called_prefix: form.called_prefix,
        source_smsc: form.source_smsc.map(frontend).transpose()?,
        source_type: source_type.transpose()?,
        enum_domain: form.enum_domain,
        action,
        followers,
        charged: Charged::parse(&form.charged).ok_or_else(|| bad("an unknown charged"))?,
        weight: Weight::new(form.weight).map_err(|why| damaged(RouteForm::WHAT, why))?,
        priority: Priority::new(form.priority).map_err(|why| damaged(RouteForm::WHAT, why))?,
        description: form.description,
        enabled: form.enabled,
    })
}

/// Writes a translation rule.
#[must_use]
pub fn encode_rule(terms: &RuleTerms) -> String {
    encode(&RuleForm {
        v: VERSION,
        calling_prefix: terms.calling_prefix.clone(),
        called_prefix: terms.called_prefix.clone(),
        source_smsc: terms.source_smsc.as_ref().map(FrontendName::to_string),
        calling_match: terms.calling_match.clone(),
        calling_replace: terms.calling_replace.clone(),
        called_match: terms.called_match.clone(),
        called_replace: terms.called_replace.clone(),
        priority: terms.priority.get().into(),
        description: terms.description.clone(),
        enabled: terms.enabled,
    })
}

/// Reads a translation rule.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a rule of a known version.
pub fn decode_rule(text: &str) -> Result<RuleTerms, Error> {
    let form: RuleForm = decode(text)?;
    let source_smsc = form
        .source_smsc
        .map(|text| name(RuleForm::WHAT, &text))
        .transpose()?;
    Ok(RuleTerms {
        calling_prefix: form.calling_prefix,
        called_prefix: form.called_prefix,
        source_smsc,
        calling_match: form.calling_match,
        calling_replace: form.calling_replace,
        called_match: form.called_match,
        called_replace: form.called_replace,
        priority: Priority::new(form.priority).map_err(|why| damaged(RuleForm::WHAT, why))?,
        description: form.description,
        enabled: form.enabled,
    })
}
