//! Subscriptions to events on the wire.

use serde::{Deserialize, Serialize};
use zajil_core::number;
use zajil_core::outcome::Refusal;
use zajil_core::webhook::{Change, Dead, Pinged, Secret, Terms, Webhook};
use zajil_telemetry::live::NAMES;

use super::At;
use super::field::{Field, MOST_ITEMS, Read, SENTENCE, SHORT};
use crate::openapi::schema::{self, Described, Schema, given, list, shown};

/// The most characters of a URL.
const LONGEST_URL: usize = 2_000;
/// The highest id of a record.
const HIGHEST: i64 = i64::MAX;

/// The body of a POST or PATCH.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WebhookIn<'a> {
    #[serde(borrow)]
    url: Field<'a>,
    events: Field<'a>,
    frontend: Field<'a>,
    number: Field<'a>,
    masked: Field<'a>,
    enabled: Field<'a>,
    description: Field<'a>,
}

impl WebhookIn<'_> {
    /// What changes.
    pub(crate) fn into_change(self) -> Result<Change, Refusal> {
        Ok(Change {
            url: self.url.text("url", LONGEST_URL)?,
            events: events(self.events)?,
            frontend: self.frontend.change(|field| field.frontend("frontend"))?,
            number: self.number.change(digits)?,
            masked: self.masked.boolean("masked")?,
            enabled: self.enabled.boolean("enabled")?,
            description: self
                .description
                .change(|field| field.text("description", SENTENCE))?,
        })
    }

    /// A new subscription.
    pub(crate) fn into_terms(self) -> Result<Terms, Refusal> {
        let change = self.into_change()?;
        let missing = |name| Refusal::field(name, "is required");
        let terms = Terms {
            url: change.url.clone().ok_or_else(|| missing("url"))?,
            events: change.events.clone().ok_or_else(|| missing("events"))?,
            frontend: None,
            number: None,
            masked: false,
            enabled: true,
            description: None,
        };
        Ok(terms.after(change))
    }
}

fn events(field: Field<'_>) -> Read<Vec<String>> {
    let Some(items) = field.items("events", MOST_ITEMS, "names")? else {
        return Ok(None);
    };
    let mut events = Vec::with_capacity(items.len());
    for item in items {
        let name = item.text("events", SHORT)?;
        let name = name.ok_or_else(|| Refusal::field("events", "must not hold an empty name"))?;
        if !events.contains(&name) {
            events.push(name);
        }
    }
    Ok(Some(events))
}

fn digits(field: Field<'_>) -> Read<String> {
    let Some(text) = field.text("number", number::LONGEST)? else {
        return Ok(None);
    };
    let key = number::key(text.trim()).into_owned();
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::field("number", "must hold digits"));
    }
    Ok(Some(key))
}

/// The body of `replay`; may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReplayIn<'a> {
    #[serde(borrow)]
    deliveries: Field<'a>,
}

impl ReplayIn<'_> {
    /// Which deliveries; none = all.
    pub(crate) fn into_deliveries(self) -> Read<Vec<u64>> {
        let Some(items) = self.deliveries.items("deliveries", MOST_ITEMS, "ids")? else {
            return Ok(None);
        };
        let id = |item: Field<'_>| {
            let id = item.integer("deliveries", 1, HIGHEST)?;
            let id = id.ok_or_else(|| Refusal::field("deliveries", "must not hold null"))?;
            Ok(id.unsigned_abs())
        };
        let ids: Result<_, _> = items.into_iter().map(id).collect();
        ids.map(Some)
    }
}

/// A subscription as it is shown; its secret only once.
#[derive(Debug, Serialize)]
pub(crate) struct WebhookOut<'a> {
    id: u64,
    url: &'a str,
    events: &'a [String],
    frontend: Option<&'a str>,
    number: Option<&'a str>,
    masked: bool,
    enabled: bool,
    description: Option<&'a str>,
    inserted_at: At,
    updated_at: At,
    waiting: u64,
    dead: u64,
    failures: u32,
    resting_until: Option<At>,
    last_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> WebhookOut<'a> {
    pub(crate) fn new(webhook: &'a Webhook, secret: Option<&'a Secret>) -> Self {
        let Webhook { terms, figures, .. } = webhook;
        Self {
            id: webhook.id,
            url: &terms.url,
            events: &terms.events,
            frontend: terms.frontend.as_ref().map(|name| name.as_str()),
            number: terms.number.as_deref(),
            masked: terms.masked,
            enabled: terms.enabled,
            description: terms.description.as_deref(),
            inserted_at: At(webhook.inserted_at),
            updated_at: At(webhook.updated_at),
            waiting: figures.waiting,
            dead: figures.dead,
            failures: figures.failures,
            resting_until: figures.resting_until.map(At),
            last_error: figures.last_error.as_deref(),
            secret: secret.map(|secret| secret.0.as_str()),
        }
    }
}

/// What came of a test, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct PingedOut<'a> {
    acknowledged: bool,
    status: Option<u16>,
    error: Option<&'a str>,
    took_ms: u64,
}

impl<'a> PingedOut<'a> {
    pub(crate) fn new(pinged: &'a Pinged) -> Self {
        Self {
            acknowledged: pinged.error.is_none(),
            status: pinged.status,
            error: pinged.error.as_deref(),
            took_ms: pinged.took_ms,
        }
    }
}

/// A delivery that was given up, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct DeadOut<'a> {
    id: u64,
    webhook_id: &'a str,
    event: &'a str,
    message_id: u64,
    attempts: u32,
    happened_at: At,
    last_error: &'a str,
}

impl<'a> DeadOut<'a> {
    pub(crate) fn new(dead: &'a Dead) -> Self {
        Self {
            id: dead.id,
            webhook_id: &dead.webhook_id,
            event: &dead.event,
            message_id: dead.message_id,
            attempts: dead.attempts,
            happened_at: At(dead.born),
            last_error: &dead.last_error,
        }
    }
}

impl Described for WebhookIn<'_> {
    const NAME: &'static str = "WebhookTerms";

    fn schema() -> Schema {
        let events = list(given::needed_word(NAMES), Some(MOST_ITEMS))
            .at_least(1)
            .or_null();
        schema::object(
            &[],
            [
                (
                    "url",
                    given::text(LONGEST_URL).says("Who is told; a POST needs it."),
                ),
                ("events", events.says("Names of events; a POST needs them.")),
                (
                    "frontend",
                    given::frontend().says("Only what is of this frontend."),
                ),
                (
                    "number",
                    given::part_of_number().says("Only what is of a number with these digits."),
                ),
                (
                    "masked",
                    given::boolean().says("Numbers without their last four digits."),
                ),
                ("enabled", given::boolean()),
                ("description", given::text(SENTENCE)),
            ],
        )
    }
}

impl Described for ReplayIn<'_> {
    const NAME: &'static str = "Replay";

    fn schema() -> Schema {
        let ids = list(given::needed_integer(1, HIGHEST), Some(MOST_ITEMS)).or_null();
        schema::object(
            &[],
            [("deliveries", ids.says("Their ids; all when absent."))],
        )
    }
}

impl Described for WebhookOut<'_> {
    const NAME: &'static str = "Webhook";

    fn schema() -> Schema {
        schema::object(
            &[
                "id",
                "url",
                "events",
                "frontend",
                "number",
                "masked",
                "enabled",
                "description",
                "inserted_at",
                "updated_at",
                "waiting",
                "dead",
                "failures",
                "resting_until",
                "last_error",
            ],
            [
                ("id", shown::id()),
                ("url", shown::text()),
                ("events", list(shown::text(), None)),
                ("frontend", shown::text().or_null()),
                ("number", shown::text().or_null()),
                ("masked", shown::boolean()),
                ("enabled", shown::boolean()),
                ("description", shown::text().or_null()),
                ("inserted_at", shown::time()),
                ("updated_at", shown::time()),
                ("waiting", shown::count()),
                ("dead", shown::count()),
                ("failures", shown::count()),
                ("resting_until", shown::time().or_null()),
                ("last_error", shown::text().or_null()),
                (
                    "secret",
                    shown::text().says("Only in the answer that made it."),
                ),
            ],
        )
    }
}

impl Described for PingedOut<'_> {
    const NAME: &'static str = "WebhookTest";

    fn schema() -> Schema {
        schema::record([
            ("acknowledged", shown::boolean()),
            ("status", shown::count().or_null()),
            ("error", shown::text().or_null()),
            ("took_ms", shown::count()),
        ])
    }
}

impl Described for DeadOut<'_> {
    const NAME: &'static str = "DeadDelivery";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::id()),
            ("webhook_id", shown::text()),
            ("event", shown::text()),
            ("message_id", shown::id()),
            ("attempts", shown::count()),
            ("happened_at", shown::time()),
            ("last_error", shown::text()),
        ])
    }
}
