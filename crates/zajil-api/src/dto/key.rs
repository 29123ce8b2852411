//! API keys on the wire (S3.8).

use serde::{Deserialize, Serialize};
use zajil_core::clock::Timestamp;
use zajil_core::outcome::Refusal;
use zajil_store::shelf::Record;

use super::At;
use super::field::{Field, MOST_ITEMS, SHORT};
use crate::access::{Key, Network, Proof, SCOPE_WORDS, Scopes};
use crate::openapi::schema::{self, Described, Schema, given, list, shown};

/// The most calls a second of one key.
const FASTEST: i64 = 1_000_000;

/// The body of `POST /api/keys`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeyIn<'a> {
    #[serde(borrow)]
    name: Field<'a>,
    scopes: Field<'a>,
    certificate: Field<'a>,
    networks: Field<'a>,
    rate_per_second: Field<'a>,
    expires_at: Field<'a>,
}

/// A key that is asked for: its terms, and the proof if it is a certificate.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What people call it.
    pub(crate) label: String,
    /// The name in the certificate; none = a secret is to be made.
    pub(crate) certificate: Option<String>,
    pub(crate) scopes: Scopes,
    pub(crate) networks: Vec<Network>,
    pub(crate) rate: Option<u32>,
    pub(crate) expires: Option<Timestamp>,
}

impl KeyIn<'_> {
    /// The terms, checked field by field.
    pub(crate) fn into_asked(self, now: Timestamp) -> Result<Asked, Refusal> {
        let label = self.name.text("name", SHORT)?.unwrap_or_default();
        let label = label.trim();
        if label.is_empty() {
            return Err(Refusal::field("name", "is required: say whose key it is"));
        }
        // It is read in logs and lists, by people who must be able to believe them.
        if label.chars().any(char::is_control) {
            let rule = "must hold printable characters only";
            return Err(Refusal::field("name", rule));
        }
        let words = texts(self.scopes, "scopes")?;
        let scopes = Scopes::parse(words.iter().map(String::as_str));
        let scopes = scopes.map_err(|rule| Refusal::field("scopes", rule))?;
        if scopes.is_empty() {
            let rule = format!("is required: an array of {SCOPE_WORDS}");
            return Err(Refusal::field("scopes", rule));
        }
        let certificate = self.certificate.text("certificate", SHORT)?;
        let networks = texts(self.networks, "networks")?;
        let networks = networks.iter().map(|text| text.parse::<Network>());
        let networks = networks.collect::<Result<_, _>>();
        let rate = self
            .rate_per_second
            .integer("rate_per_second", 1, FASTEST)?;
        let expires = self.expires_at.time("expires_at")?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(Refusal::field("expires_at", "must be in the future"));
        }
        Ok(Asked {
            label: label.to_owned(),
            certificate: certificate.filter(|name| !name.is_empty()),
            scopes,
            networks: networks.map_err(|rule| Refusal::field("networks", rule))?,
            rate: rate.and_then(|rate| u32::try_from(rate).ok()),
            expires,
        })
    }
}

/// A short array of short texts.
fn texts(field: Field<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let items = field.items(name, MOST_ITEMS, "texts")?;
    let text = |item: Field<'_>| Ok(item.text(name, 2 * SHORT)?.unwrap_or_default());
    items.unwrap_or_default().into_iter().map(text).collect()
}

/// A key as it is shown. The secret is there once, when it is made.
#[derive(Debug, Serialize)]
pub(crate) struct KeyOut<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    certificate: Option<&'a str>,
    scopes: Vec<String>,
    networks: Vec<String>,
    rate_per_second: Option<u32>,
    expires_at: Option<At>,
    last_used_at: Option<At>,
    inserted_at: At,
}

impl<'a> KeyOut<'a> {
    pub(crate) fn new(record: &'a Record, key: &'a Key) -> Self {
        Self {
            id: record.name.as_deref().unwrap_or_default(),
            name: &key.label,
            key: None,
            certificate: match &key.proof {
                Proof::Secret(_) => None,
                Proof::Certificate(name) => Some(name),
            },
            scopes: key.scopes.words(),
            networks: key.networks.iter().map(ToString::to_string).collect(),
            rate_per_second: key.rate,
            expires_at: key.expires.map(At),
            last_used_at: key.last_used.map(At),
            inserted_at: At(record.added_at),
        }
    }

    /// With the secret.
    pub(crate) fn with_secret(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }
}

impl Described for KeyIn<'_> {
    const NAME: &'static str = "KeyTerms";

    fn schema() -> Schema {
        let networks = list(given::needed_network(), Some(MOST_ITEMS)).or_null();
        schema::object(
            &["name", "scopes"],
            [
                ("name", given::needed_frontend().says("Whose key it is.")),
                (
                    "scopes",
                    list(given::scope(), Some(MOST_ITEMS))
                        .at_least(1)
                        .says(SCOPE_WORDS),
                ),
                (
                    "certificate",
                    given::text(SHORT).says("A name in a client certificate, instead of a secret."),
                ),
                (
                    "networks",
                    networks.says("Where it may be used: addresses and networks."),
                ),
                ("rate_per_second", given::integer(1, FASTEST)),
                ("expires_at", given::time()),
            ],
        )
    }
}

impl Described for KeyOut<'_> {
    const NAME: &'static str = "Key";

    fn schema() -> Schema {
        schema::object(
            &[
                "id",
                "name",
                "certificate",
                "scopes",
                "networks",
                "rate_per_second",
                "expires_at",
                "last_used_at",
                "inserted_at",
            ],
            [
                ("id", shown::text()),
                ("name", shown::text()),
                (
                    "key",
                    shown::text().says("Only in the answer that made it."),
                ),
                ("certificate", shown::text().or_null()),
                ("scopes", list(shown::text(), None)),
                ("networks", list(shown::text(), None)),
                ("rate_per_second", shown::count().or_null()),
                ("expires_at", shown::time().or_null()),
                ("last_used_at", shown::time().or_null()),
                ("inserted_at", shown::time()),
            ],
        )
    }
}
