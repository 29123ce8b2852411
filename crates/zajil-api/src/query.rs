//! What a request says outside its body: path, query string and headers.

use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::{number, offer};
use zajil_telemetry::log;

use crate::dto::field::Field;
use crate::error;

/// The largest page and the longest batch.
const MOST: i64 = 1_000;
/// The farthest page.
const FARTHEST: i64 = 10_000_000;
/// The longest wait of a poll, in seconds (D7).
const LONGEST_WAIT: i64 = 60;
/// The longest lease, in seconds (D7).
const LONGEST_LEASE: i64 = 3_600;

/// The one parameter of a path.
pub(crate) async fn path(parts: &mut Parts) -> Result<String, Refusal> {
    match Path::<String>::from_request_parts(parts, &()).await {
        Ok(Path(segment)) => Ok(segment),
        Err(_) => Err(Refusal::new(Reason::Malformed, "the path is not UTF-8")),
    }
}

/// The message id in a path. What is no id is no message either.
pub(crate) async fn message_id(parts: &mut Parts) -> Result<MessageId, Refusal> {
    let segment = path(parts).await?;
    let number = number(&segment).and_then(|number| MessageId::new(number).ok());
    let number = number.ok_or_else(|| error::unknown("message", &shown(&segment)))?;
    log::Request::is_about(number.get());
    Ok(number)
}

/// A record id in a path.
pub(crate) async fn record_id(parts: &mut Parts, kind: &str) -> Result<u64, Refusal> {
    let segment = path(parts).await?;
    number(&segment).ok_or_else(|| error::unknown(kind, &shown(&segment)))
}

/// A number written in nothing but digits.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// The digits of a number that is looked for.
pub(crate) fn digits(parameters: &Parameters, name: &str) -> Result<Option<String>, Refusal> {
    let Some(text) = parameters.text(name) else {
        return Ok(None);
    };
    let digits = number::key(text.trim());
    let sound = digits.len() <= number::LONGEST && digits.bytes().all(|b| b.is_ascii_digit());
    if digits.is_empty() || !sound {
        return Err(Refusal::field(name, "must hold digits"));
    }
    Ok(Some(digits.into_owned()))
}

/// What a client wrote, short enough for a sentence.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The parameters of the query string; of one that comes twice the last counts.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Takes them from the URI.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Refusal> {
        if parts.uri.query().is_none_or(str::is_empty) {
            return Ok(Self(Vec::new()));
        }
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(Refusal::new(
                Reason::Malformed,
                "the query string cannot be read",
            )),
        }
    }

    /// The text of a parameter; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().rev().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn integer(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        Field::Text(text.into()).integer(name, least, most)
    }

    /// `limit`, 1 to 1,000; 100 when absent.
    pub(crate) fn limit(&self) -> Result<u32, Refusal> {
        let limit = self.integer("limit", 1, MOST)?;
        Ok(limit.and_then(|n| u32::try_from(n).ok()).unwrap_or(100))
    }

    /// `offset`, up to 10,000,000; 0 when absent.
    pub(crate) fn offset(&self) -> Result<u32, Refusal> {
        let offset = self.integer("offset", 0, FARTHEST)?;
        Ok(offset.and_then(|n| u32::try_from(n).ok()).unwrap_or(0))
    }

    /// The name of a frontend.
    pub(crate) fn frontend(&self, name: &str) -> Result<Option<FrontendName>, Refusal> {
        let text = self.text(name).unwrap_or_default();
        Field::Text(text.into()).frontend(name)
    }

    /// An instant.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let text = self.text(name).unwrap_or_default();
        Field::Text(text.into()).time(name)
    }

    /// The number of a row.
    pub(crate) fn row(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.integer(name, 1, i64::MAX)
    }

    /// A truth value; false when absent.
    pub(crate) fn boolean(&self, name: &str) -> Result<bool, Refusal> {
        let text = self.text(name).unwrap_or_default();
        Ok(Field::Text(text.into()).boolean(name)?.unwrap_or(false))
    }

    /// The id of a message.
    pub(crate) fn message_id(&self, name: &str) -> Result<Option<MessageId>, Refusal> {
        let number = self.integer(name, 1, (1 << 53) - 1)?;
        let id = number.and_then(|n| u64::try_from(n).ok());
        Ok(id.and_then(|id| MessageId::new(id).ok()))
    }

    /// `lease` (D7).
    pub(crate) fn lease(&self) -> Result<Option<Duration>, Refusal> {
        let seconds = self.integer("lease", 1, LONGEST_LEASE)?;
        Ok(seconds
            .and_then(|n| u64::try_from(n).ok())
            .and_then(offer::lease_seconds))
    }

    /// `wait` (D7); none and 0 are the same.
    pub(crate) fn wait(&self) -> Result<Option<Duration>, Refusal> {
        let seconds = self.integer("wait", 0, LONGEST_WAIT)?.filter(|n| *n > 0);
        Ok(seconds
            .and_then(|n| u64::try_from(n).ok())
            .map(Duration::from_secs))
    }

    /// `smsc`, which must be there.
    pub(crate) fn smsc(&self) -> Result<FrontendName, Refusal> {
        let Some(text) = self.text("smsc") else {
            return Err(Refusal::field("smsc", "is required in the query string"));
        };
        FrontendName::parse(text).map_err(|rule| Refusal::field("smsc", rule))
    }
}

/// A header as text.
pub(crate) fn header<'a>(parts: &'a Parts, name: &str) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = parts.headers.get(name) else {
        return Ok(None);
    };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(Refusal::new(
            Reason::Malformed,
            format!("the header {name} is not UTF-8"),
        )),
    }
}

/// The header `smsc` (S3.1); an empty one counts as absent.
pub(crate) fn smsc_header(parts: &Parts) -> Result<Option<FrontendName>, Refusal> {
    match header(parts, "smsc")? {
        None | Some("") => Ok(None),
        Some(text) => match FrontendName::parse(text) {
            Ok(name) => Ok(Some(name)),
            Err(rule) => Err(Refusal::field("the header smsc", rule)),
        },
    }
}

/// The header `include-unrouted` (S3.1).
pub(crate) fn include_unrouted(parts: &Parts) -> Result<bool, Refusal> {
    match header(parts, "include-unrouted")? {
        None => Ok(false),
        Some(text) => {
            let given = Field::Text(text.into()).boolean("the header include-unrouted")?;
            Ok(given.unwrap_or(false))
        }
    }
}
