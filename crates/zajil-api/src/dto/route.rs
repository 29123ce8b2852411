//! A route on the wire (S4.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zajil_core::frontend::FrontendName;
use zajil_core::number::prefix::{check_called, check_calling};
use zajil_core::outcome::Refusal;
use zajil_core::route::{
    Action, Charged, Followers, Priority, Route, RouteId, SourceType, Terms, Weight,
};

use super::field::{Field, Read, SENTENCE, SHORT};
use crate::openapi::schema::{self, Described, Schema, given, list, shown};

/// The most characters of an automatic reply.
const LONGEST_REPLY: usize = 255 * 153;

/// A route as an operator writes it: the body of POST, PUT and PATCH, and one item of an import.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RouteIn<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    calling_prefix: Field<'a>,
    called_prefix: Field<'a>,
    source_smsc: Field<'a>,
    source_type: Field<'a>,
    enum_domain: Field<'a>,
    dest_smsc: Field<'a>,
    destination_smsc: Field<'a>,
    auto_reply: Field<'a>,
    auto_reply_message: Field<'a>,
    drop: Field<'a>,
    fallback: Field<'a>,
    fallback_after: Field<'a>,
    charged: Field<'a>,
    weight: Field<'a>,
    priority: Field<'a>,
    description: Field<'a>,
    enabled: Field<'a>,
}

impl RouteIn<'_> {
    /// The id it was exported with.
    pub(crate) fn take_id(&mut self) -> Result<Option<RouteId>, Refusal> {
        let id = std::mem::take(&mut self.id).integer("id", 1, 1 << 53)?;
        Ok(id.and_then(|id| u64::try_from(id).ok()).map(RouteId))
    }

    /// The terms: fields that are absent are as in `base`, or have their defaults without one.
    pub(crate) fn into_terms(self, base: Option<&Terms>) -> Result<Terms, Refusal> {
        let old = base.cloned().unwrap_or_else(blank);
        let wanted = Wanted {
            dest_smsc: self.dest_smsc.or(self.destination_smsc),
            auto_reply: self.auto_reply,
            auto_reply_message: self.auto_reply_message,
            drop: self.drop,
        };
        let words = SourceType::ALL.map(SourceType::as_str);
        let action = wanted.into_action(base.map(|terms| &terms.action))?;
        let followers = followers(self.fallback, self.fallback_after, old.followers, &action)?;
        Ok(Terms {
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
            source_type: self.source_type.or_keep(old.source_type, |field| {
                field.word("source_type", SourceType::parse, &words)
            })?,
            enum_domain: self
                .enum_domain
                .or_keep(old.enum_domain, |field| enum_domain(field))?,
            action,
            followers,
            charged: self
                .charged
                .or_keep(Some(old.charged), charged)?
                .unwrap_or(DEFAULT_CHARGED),
            weight: self
                .weight
                .or_keep(Some(old.weight), weight)?
                .unwrap_or_default(),
            priority: self
                .priority
                .or_keep(Some(old.priority), priority)?
                .unwrap_or_default(),
            description: self
                .description
                .or_keep(old.description, |field| field.text("description", SENTENCE))?,
            enabled: self.enabled.boolean("enabled")?.unwrap_or(old.enabled),
        })
    }
}

const DEFAULT_CHARGED: Charged = Charged::AsConfigured;

/// What a route says when its writer says nothing; the action must be said.
fn blank() -> Terms {
    Terms {
        calling_prefix: None,
        called_prefix: None,
        source_smsc: None,
        source_type: None,
        enum_domain: None,
        action: Action::Drop,
        followers: Followers::default(),
        charged: DEFAULT_CHARGED,
        weight: Weight::default(),
        priority: Priority::default(),
        description: None,
        enabled: true,
    }
}

/// The four fields that are one action.
struct Wanted<'a> {
    dest_smsc: Field<'a>,
    auto_reply: Field<'a>,
    auto_reply_message: Field<'a>,
    drop: Field<'a>,
}

impl Wanted<'_> {
    fn into_action(self, old: Option<&Action>) -> Result<Action, Refusal> {
        let (old_text, replied) = match old {
            Some(Action::AutoReply { text, .. }) => (Some(text.clone()), true),
            Some(Action::Deliver(_) | Action::Drop) | None => (None, false),
        };
        let old_dest = old.and_then(Action::dest_smsc).cloned();
        let dropped = matches!(old, Some(Action::Drop));
        let dest = self
            .dest_smsc
            .or_keep(old_dest, |field| field.frontend("dest_smsc"))?;
        let text = self.auto_reply_message.or_keep(old_text, |field| {
            field.text("auto_reply_message", LONGEST_REPLY)
        })?;
        let drop = self.drop.boolean("drop")?;
        let reply = self.auto_reply.boolean("auto_reply")?;
        // Of two that exclude each other the one asked for now counts, and the old one goes.
        let (drop, reply) = match (drop, reply) {
            (Some(true), Some(true)) => {
                return Err(Refusal::field("auto_reply", "cannot be true when drop is"));
            }
            (Some(true), _) => (true, false),
            (_, Some(true)) => (false, true),
            (drop, reply) => (drop.unwrap_or(dropped), reply.unwrap_or(replied)),
        };
        if drop {
            return Ok(Action::Drop);
        }
        if reply {
            let missing = || Refusal::field("auto_reply_message", "is required with auto_reply");
            return Ok(Action::AutoReply {
                text: text.ok_or_else(missing)?,
                deliver: dest,
            });
        }
        let missing =
            || Refusal::field("dest_smsc", "is required unless auto_reply or drop is true");
        dest.map(Action::Deliver).ok_or_else(missing)
    }
}

/// A host name as ENUM's answers have it: lower case, no dot at the end.
pub(super) fn enum_domain(field: Field<'_>) -> Read<String> {
    field.parsed("enum_domain", |text| {
        let host = text.trim_end_matches('.').to_ascii_lowercase();
        let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if host.is_empty() || text.len() > SHORT || !host.bytes().all(sound) {
            return Err("must be a host name, as voip.example.com");
        }
        Ok(host)
    })
}

/// Who follows (D12). A route that comes to deliver to nobody loses its followers, unless they are
/// asked for now.
fn followers(
    to: Field<'_>,
    after: Field<'_>,
    old: Followers,
    action: &Action,
) -> Result<Followers, Refusal> {
    let asked = to.is_given();
    let names = to.or_keep(Some(old.to), |field| {
        field.frontends("fallback", Followers::MOST)
    })?;
    let range = Followers::AFTER;
    let bound = |secs: u64| i64::try_from(secs).unwrap_or(i64::MAX);
    let after = after.or_keep(Some(bound(old.after.as_secs())), |field| {
        field.integer("fallback_after", bound(*range.start()), bound(*range.end()))
    })?;
    let mut to = names.unwrap_or_default();
    match action.dest_smsc() {
        Some(first) if to.contains(first) => {
            return Err(Refusal::field("fallback", "must not hold dest_smsc itself"));
        }
        None if asked && !to.is_empty() => {
            return Err(Refusal::field("fallback", "must come with dest_smsc"));
        }
        None => to.clear(),
        Some(_) => {}
    }
    let after = after.and_then(|secs| u64::try_from(secs).ok());
    Ok(Followers {
        to,
        after: after.map_or(Followers::default().after, Duration::from_secs),
    })
}

fn charged(field: Field<'_>) -> Read<Charged> {
    match field {
        Field::Boolean(true) => Ok(Some(Charged::Yes)),
        Field::Boolean(false) => Ok(Some(Charged::No)),
        field => field.word(
            "charged",
            Charged::parse,
            &Charged::ALL.map(Charged::as_str),
        ),
    }
}

fn weight(field: Field<'_>) -> Read<Weight> {
    Ok(field
        .integer("weight", 1, 100)?
        .and_then(|n| Weight::new(n).ok()))
}

pub(super) fn priority(field: Field<'_>) -> Read<Priority> {
    Ok(field
        .integer("priority", 1, 255)?
        .and_then(|n| Priority::new(n).ok()))
}

/// A route as it is shown and exported.
#[derive(Debug, Serialize)]
pub(crate) struct RouteOut<'a> {
    id: u64,
    calling_prefix: Option<&'a str>,
    called_prefix: Option<&'a str>,
    source_smsc: Option<&'a str>,
    source_type: Option<&'static str>,
    enum_domain: Option<&'a str>,
    dest_smsc: Option<&'a str>,
    auto_reply: bool,
    auto_reply_message: Option<&'a str>,
    drop: bool,
    fallback: Vec<&'a str>,
    fallback_after: u64,
    charged: &'static str,
    weight: u8,
    priority: u8,
    description: Option<&'a str>,
    enabled: bool,
}

impl<'a> From<&'a Route> for RouteOut<'a> {
    fn from(route: &'a Route) -> Self {
        let terms = &route.terms;
        let text = match &terms.action {
            Action::AutoReply { text, .. } => Some(text.as_str()),
            Action::Deliver(_) | Action::Drop => None,
        };
        Self {
            id: route.id.0,
            calling_prefix: terms.calling_prefix.as_deref(),
            called_prefix: terms.called_prefix.as_deref(),
            source_smsc: terms.source_smsc.as_ref().map(FrontendName::as_str),
            source_type: terms.source_type.map(SourceType::as_str),
            enum_domain: terms.enum_domain.as_deref(),
            dest_smsc: terms.action.dest_smsc().map(FrontendName::as_str),
            auto_reply: text.is_some(),
            auto_reply_message: text,
            drop: matches!(terms.action, Action::Drop),
            fallback: terms
                .followers
                .to
                .iter()
                .map(FrontendName::as_str)
                .collect(),
            fallback_after: terms.followers.after.as_secs(),
            charged: terms.charged.as_str(),
            weight: terms.weight.get(),
            priority: terms.priority.get(),
            description: terms.description.as_deref(),
            enabled: terms.enabled,
        }
    }
}

impl Described for RouteIn<'_> {
    const NAME: &'static str = "RouteTerms";

    fn schema() -> Schema {
        let after = Followers::AFTER;
        let bound = |secs: u64| i64::try_from(secs).unwrap_or(i64::MAX);
        schema::object(
            &[],
            [
                (
                    "id",
                    given::integer(1, 1 << 53).says("Only read by an import."),
                ),
                ("calling_prefix", given::calling_prefix()),
                ("called_prefix", given::called_prefix().example("+1555")),
                ("source_smsc", given::frontend()),
                (
                    "source_type",
                    given::word(SourceType::ALL.map(SourceType::as_str)),
                ),
                (
                    "enum_domain",
                    given::enum_domain().says("The domain that ENUM must have given."),
                ),
                (
                    "dest_smsc",
                    given::frontend().says("Required unless it drops or replies."),
                ),
                (
                    "destination_smsc",
                    given::frontend().says("As `dest_smsc`.").older(),
                ),
                ("auto_reply", given::boolean()),
                ("auto_reply_message", given::text(LONGEST_REPLY)),
                ("drop", given::boolean()),
                (
                    "fallback",
                    list(given::needed_frontend(), Some(Followers::MOST))
                        .or_null()
                        .says("Frontends that follow, in order."),
                ),
                (
                    "fallback_after",
                    given::integer(bound(*after.start()), bound(*after.end()))
                        .says("Seconds after which the next frontend has its turn."),
                ),
                ("charged", charged_words()),
                ("weight", given::integer(1, 100)),
                ("priority", given::integer(1, 255).says("Lower wins.")),
                ("description", given::text(SENTENCE)),
                ("enabled", given::boolean()),
            ],
        )
    }
}

/// The words, and the truth values that older exports have.
fn charged_words() -> Schema {
    let [yes, no, default] = Charged::ALL.map(Charged::as_str);
    Schema::plain(serde_json::json!({ "enum": [yes, no, default, true, false, null, ""] }))
}

impl Described for RouteOut<'_> {
    const NAME: &'static str = "Route";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::id()),
            ("calling_prefix", shown::text().or_null()),
            ("called_prefix", shown::text().or_null()),
            ("source_smsc", shown::text().or_null()),
            (
                "source_type",
                shown::word(SourceType::ALL.map(SourceType::as_str)).or_null(),
            ),
            ("enum_domain", shown::text().or_null()),
            ("dest_smsc", shown::text().or_null()),
            ("auto_reply", shown::boolean()),
            ("auto_reply_message", shown::text().or_null()),
            ("drop", shown::boolean()),
            ("fallback", list(shown::text(), None)),
            ("fallback_after", shown::count()),
            ("charged", shown::word(Charged::ALL.map(Charged::as_str))),
            ("weight", shown::integer(1, 100)),
            ("priority", shown::integer(1, 255)),
            ("description", shown::text().or_null()),
            ("enabled", shown::boolean()),
        ])
    }
}

#[cfg(test)]
mod tests;
