//! An SS7 event (S3.6): something that happened in the signalling network.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zajil_core::clock::Timestamp;
use zajil_core::outcome::Refusal;
use zajil_store::shelf::{Kind, Record};

use super::At;
use super::field::Field;
use crate::access::Need;
use crate::body;
use crate::openapi::schema::{self, Described, Schema, given, shown};
use crate::shelf::Shelved;

/// The longest name of an event, in characters.
const LONGEST_NAME: usize = 64;
/// The most octets of details, as JSON.
const LONGEST_DETAILS: usize = 16 << 10;

/// An event as it is stored: the first form of the record. The time is in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ss7Event {
    v: u8,
    event_type: Option<String>,
    imsi: Option<String>,
    msisdn: Option<String>,
    timestamp: Option<i64>,
    details: Option<Map<String, Value>>,
}

/// The body of a POST or PATCH.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ss7EventIn<'a> {
    #[serde(borrow)]
    event_type: Field<'a>,
    imsi: Field<'a>,
    msisdn: Field<'a>,
    timestamp: Field<'a>,
    details: Field<'a>,
}

impl Ss7EventIn<'_> {
    fn into_event(self, base: Option<&Ss7Event>, now: Timestamp) -> Result<Ss7Event, Refusal> {
        let blank = || Ss7Event {
            v: 1,
            event_type: None,
            imsi: None,
            msisdn: None,
            timestamp: Some(now.millis()),
            details: None,
        };
        let old = base.cloned().unwrap_or_else(blank);
        let event = Ss7Event {
            v: old.v,
            event_type: self
                .event_type
                .or_keep(old.event_type, |field| field.parsed("event_type", name))?,
            imsi: self.imsi.or_keep(old.imsi, |field| field.imsi("imsi"))?,
            msisdn: self.msisdn.or_keep(old.msisdn, |field| {
                Ok(field
                    .number("msisdn")?
                    .map(|given| given.as_str().to_owned()))
            })?,
            timestamp: self.timestamp.or_keep(old.timestamp, |field| {
                Ok(field.time("timestamp")?.map(Timestamp::millis))
            })?,
            details: self.details.or_keep(old.details, |field| {
                let text = field.object("details", LONGEST_DETAILS)?;
                Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
            })?,
        };
        match event.event_type {
            Some(_) => Ok(event),
            None => Err(Refusal::field("event_type", "is required")),
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if text.len() > LONGEST_NAME || !text.bytes().all(sound) {
        return Err(format!(
            "must be a word such as MAP_UPDATE_LOCATION, of at most {LONGEST_NAME} characters"
        ));
    }
    Ok(text.to_owned())
}

/// An event as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Ss7EventOut<'a> {
    id: u64,
    event_type: Option<&'a str>,
    imsi: Option<&'a str>,
    msisdn: Option<&'a str>,
    timestamp: Option<At>,
    details: Option<&'a Map<String, Value>>,
    inserted_at: At,
    updated_at: At,
}

impl Shelved for Ss7Event {
    const KIND: Kind = Kind::Ss7Event;
    const ENTRY: &'static str = "SS7 event";
    const WRITES: Need = Need::Frontend;
    type Given = Ss7EventIn<'static>;
    type Shown<'a> = Ss7EventOut<'a>;

    fn read(payload: &[u8], base: Option<&Self>, now: Timestamp) -> Result<Self, Refusal> {
        body::object::<Ss7EventIn<'_>>(payload)?.into_event(base, now)
    }

    fn shown<'a>(&'a self, record: &'a Record) -> Ss7EventOut<'a> {
        let at = |millis| At(Timestamp::from_millis(millis));
        Ss7EventOut {
            id: record.id,
            event_type: self.event_type.as_deref(),
            imsi: self.imsi.as_deref(),
            msisdn: self.msisdn.as_deref(),
            timestamp: self.timestamp.map(at),
            details: self.details.as_ref(),
            inserted_at: At(record.added_at),
            updated_at: At(record.written_at),
        }
    }

    fn example() -> Value {
        serde_json::json!({
            "event_type": "MAP_UPDATE_LOCATION", "imsi": "001010000000001",
            "msisdn": "+15551234567", "timestamp": "2026-01-01T00:00:00Z",
            "details": { "vlr": "15550009999", "opcode": 2 },
        })
    }
}

impl Described for Ss7EventIn<'_> {
    const NAME: &'static str = "Ss7EventFields";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                (
                    "event_type",
                    given::machine_word(LONGEST_NAME)
                        .says("Such as `MAP_UPDATE_LOCATION`; a POST needs it."),
                ),
                ("imsi", given::imsi()),
                ("msisdn", given::number()),
                (
                    "timestamp",
                    given::time().says("When it happened; now when absent."),
                ),
                (
                    "details",
                    given::any_object().says("Whatever else is known; at most 16 KiB."),
                ),
            ],
        )
    }
}

impl Described for Ss7EventOut<'_> {
    const NAME: &'static str = "Ss7Event";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::id()),
            ("event_type", shown::text()),
            ("imsi", shown::text().or_null()),
            ("msisdn", shown::text().or_null()),
            ("timestamp", shown::time().or_null()),
            ("details", shown::any_object().or_null()),
            ("inserted_at", shown::time()),
            ("updated_at", shown::time()),
        ])
    }
}
