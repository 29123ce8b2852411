//! Stored forms: what lies on the shelf, with its version.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::webhook::{Secret, Terms};
use zajil_store::Error;
use zajil_store::shelf::Record;

/// The name of the record that holds the place.
pub(crate) const PLACE: &str = "place";
const VERSION: u32 = 1;

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredWebhook {
    version: u32,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) frontend: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) masked: bool,
    pub(crate) enabled: bool,
    pub(crate) description: Option<String>,
    /// Endings up to this place are not told.
    pub(crate) since: u64,
    /// The newest first.
    pub(crate) secrets: Vec<StoredSecret>,
}

/// A secret; one that was replaced signs until then.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredSecret {
    pub(crate) key: String,
    pub(crate) until: Option<i64>,
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A delivery that waits or was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredDelivery {
    version: u32,
    pub(crate) webhook: u64,
    /// The place of the ending that it tells.
    pub(crate) seq: u64,
    pub(crate) webhook_id: String,
    pub(crate) event: String,
    pub(crate) message_id: u64,
    pub(crate) body: String,
    pub(crate) attempts: u32,
    /// When it happened, in milliseconds; so too `due`.
    pub(crate) born: i64,
    pub(crate) due: i64,
    pub(crate) dead: bool,
    pub(crate) last_error: String,
}

/// How far finished messages have been dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPlace {
    version: u32,
    pub(crate) done: u64,
}

impl StoredPlace {
    pub(crate) fn new(done: u64) -> Self {
        Self {
            version: VERSION,
            done,
        }
    }
}

impl StoredWebhook {
    pub(crate) fn new(terms: Terms, since: u64, secrets: Vec<StoredSecret>) -> Self {
        Self {
            version: VERSION,
            url: terms.url,
            events: terms.events,
            frontend: terms.frontend.map(|name| name.to_string()),
            number: terms.number,
            masked: terms.masked,
            enabled: terms.enabled,
            description: terms.description,
            since,
            secrets,
        }
    }

    pub(crate) fn terms(&self) -> Terms {
        let name = self.frontend.as_deref();
        Terms {
            url: self.url.clone(),
            events: self.events.clone(),
            frontend: name.and_then(|name| FrontendName::parse(name).ok()),
            number: self.number.clone(),
            masked: self.masked,
            enabled: self.enabled,
            description: self.description.clone(),
        }
    }

    /// The secrets that sign now.
    pub(crate) fn secrets(&self, now: Timestamp) -> Vec<Secret> {
        let good = |secret: &&StoredSecret| secret.until.is_none_or(|until| until > now.millis());
        let secrets = self.secrets.iter().filter(good);
        secrets.map(|secret| Secret(secret.key.clone())).collect()
    }
}

impl StoredDelivery {
    /// One that has not been tried.
    pub(crate) fn new(webhook: u64, seq: u64, fresh: crate::event::Told) -> Self {
        Self {
            version: VERSION,
            webhook,
            seq,
            webhook_id: fresh.webhook_id,
            event: fresh.event.to_owned(),
            message_id: fresh.message_id,
            body: fresh.body,
            attempts: 0,
            born: fresh.born.millis(),
            due: 0,
            dead: false,
            last_error: String::new(),
        }
    }

    /// To be tried from the beginning. It is as old as its replay, or it would be given up at once.
    pub(crate) fn anew(self, now: Timestamp) -> Self {
        Self {
            attempts: 0,
            born: now.millis(),
            due: now.millis(),
            dead: false,
            ..self
        }
    }
}

/// As it is written.
pub(crate) fn written(record: &impl Serialize) -> String {
    // Neither maps with odd keys nor anything else that cannot be written is in these.
    serde_json::to_string(record).unwrap_or_default()
}

/// As it was written.
pub(crate) fn read<T: DeserializeOwned>(record: &Record) -> Result<T, Error> {
    serde_json::from_str(&record.body).map_err(|error| {
        // Where, and not what: the sentence of serde may quote a secret.
        let (kind, id, column) = (record.kind, record.id, error.column());
        Error::Damaged(format!("{kind} {id} cannot be read at column {column}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_what_a_log_may_hold() {
        let body = r#"{"version":1,"url":"https://a.example","events":"whsec_AAAA"}"#;
        let record = Record {
            kind: zajil_store::shelf::Kind::Webhook,
            id: 7,
            name: None,
            revision: 1,
            added_at: Timestamp::from_secs(0),
            written_at: Timestamp::from_secs(0),
            body: body.into(),
        };
        let error = read::<StoredWebhook>(&record).unwrap_err();
        assert!(error.to_string().contains("webhook 7"), "{error}");
        assert!(!error.to_string().contains("whsec"), "{error}");
        let secret = StoredSecret {
            key: "whsec_AAAA".into(),
            until: None,
        };
        assert_eq!(format!("{secret:?}"), "****");
    }
}
