//! A multimedia message (S3.5): like a message, with a subject and a place where its content lies.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zajil_core::clock::Timestamp;
use zajil_core::number::{Given, Msisdn, Sender, Strictness};
use zajil_core::outcome::Refusal;
use zajil_core::status::Status;
use zajil_store::shelf::{Kind, Record};

use super::At;
use super::field::{Field, Read, SENTENCE, SHORT};
use super::submit::check_times;
use crate::access::Need;
use crate::body;
use crate::openapi::schema::{self, Described, Schema, given, shown};
use crate::shelf::Shelved;

/// The longest URL, in characters.
const LONGEST_URL: usize = 2_048;
/// The largest content, in octets: 1 TiB.
const LARGEST: i64 = 1 << 40;
/// The longest text, in characters.
const LONGEST_TEXT: usize = 255 * 153;
/// The life of one that names no `expires`.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A multimedia message as it is stored: the first form of the record. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mms {
    v: u8,
    source_msisdn: Option<String>,
    destination_msisdn: Option<String>,
    message_body: Option<String>,
    subject: Option<String>,
    content_type: Option<String>,
    content_location: Option<String>,
    message_size: Option<i64>,
    source_smsc: Option<String>,
    dest_smsc: Option<String>,
    source_imsi: Option<String>,
    dest_imsi: Option<String>,
    status: Option<String>,
    send_time: Option<i64>,
    deliver_time: Option<i64>,
    expires: Option<i64>,
    deliver_after: Option<i64>,
    delivery_attempts: Option<i64>,
}

/// The body of a POST or PATCH.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MmsIn<'a> {
    #[serde(borrow)]
    source_msisdn: Field<'a>,
    destination_msisdn: Field<'a>,
    message_body: Field<'a>,
    subject: Field<'a>,
    content_type: Field<'a>,
    content_location: Field<'a>,
    message_size: Field<'a>,
    source_smsc: Field<'a>,
    dest_smsc: Field<'a>,
    destination_smsc: Field<'a>,
    source_imsi: Field<'a>,
    dest_imsi: Field<'a>,
    status: Field<'a>,
    send_time: Field<'a>,
    deliver_time: Field<'a>,
    delivered_at: Field<'a>,
    expires: Field<'a>,
    deliver_after: Field<'a>,
    delivery_attempts: Field<'a>,
}

impl MmsIn<'_> {
    fn into_mms(self, base: Option<&Mms>, now: Timestamp) -> Result<Mms, Refusal> {
        let old = base.cloned().unwrap_or_else(|| Mms::blank(now));
        let text = |field: Field<'_>, name: &str, most, old| {
            field.or_keep(old, |field| field.text(name, most))
        };
        let frontend = |field: Field<'_>, name: &str, old| {
            let read = |field: Field<'_>| field.frontend(name);
            field.or_keep(old, |field| {
                Ok(read(field)?.map(|name| name.as_str().to_owned()))
            })
        };
        let expires = instant(self.expires, "expires", old.expires)?;
        let deliver_after = instant(self.deliver_after, "deliver_after", old.deliver_after)?;
        let moved = (expires, deliver_after) != (old.expires, old.deliver_after);
        if base.is_none() || moved {
            let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
            check_times(at(expires), at(deliver_after), now)?;
        }
        let delivered = self.deliver_time.or(self.delivered_at);
        let mms = Mms {
            v: old.v,
            source_msisdn: self.source_msisdn.or_keep(old.source_msisdn, sender)?,
            destination_msisdn: self
                .destination_msisdn
                .or_keep(old.destination_msisdn, destination)?,
            message_body: text(
                self.message_body,
                "message_body",
                LONGEST_TEXT,
                old.message_body,
            )?,
            subject: text(self.subject, "subject", SENTENCE, old.subject)?,
            content_type: self.content_type.or_keep(old.content_type, media_type)?,
            content_location: self.content_location.or_keep(old.content_location, url)?,
            message_size: self.message_size.or_keep(old.message_size, |field| {
                field.integer("message_size", 0, LARGEST)
            })?,
            source_smsc: frontend(self.source_smsc, "source_smsc", old.source_smsc)?,
            dest_smsc: frontend(
                self.dest_smsc.or(self.destination_smsc),
                "dest_smsc",
                old.dest_smsc,
            )?,
            source_imsi: text(self.source_imsi, "source_imsi", SHORT, old.source_imsi)?,
            dest_imsi: text(self.dest_imsi, "dest_imsi", SHORT, old.dest_imsi)?,
            status: self.status.or_keep(old.status, status)?,
            send_time: instant(self.send_time, "send_time", old.send_time)?,
            deliver_time: instant(delivered, "deliver_time", old.deliver_time)?,
            expires,
            deliver_after,
            delivery_attempts: self
                .delivery_attempts
                .or_keep(old.delivery_attempts, |field| {
                    field.integer("delivery_attempts", 0, 1_000_000)
                })?,
        };
        mms.checked()
    }
}

impl Mms {
    fn blank(now: Timestamp) -> Self {
        Self {
            v: 1,
            source_msisdn: None,
            destination_msisdn: None,
            message_body: None,
            subject: None,
            content_type: None,
            content_location: None,
            message_size: None,
            source_smsc: None,
            dest_smsc: None,
            source_imsi: None,
            dest_imsi: None,
            status: None,
            send_time: None,
            deliver_time: None,
            expires: Some(now.plus(LIFE).millis()),
            deliver_after: None,
            delivery_attempts: None,
        }
    }

    /// Somebody gets it, and there is something in it.
    fn checked(self) -> Result<Self, Refusal> {
        if self.destination_msisdn.is_none() {
            return Err(Refusal::field("destination_msisdn", "is required"));
        }
        let said = [&self.content_location, &self.message_body, &self.subject];
        if said.iter().all(|field| field.is_none()) {
            let rule = "is required, unless there is a message_body or a subject";
            return Err(Refusal::field("content_location", rule));
        }
        Ok(self)
    }
}

fn instant(field: Field<'_>, name: &str, old: Option<i64>) -> Read<i64> {
    field.or_keep(old, |field| Ok(field.time(name)?.map(Timestamp::millis)))
}

fn sender(field: Field<'_>) -> Read<String> {
    let check = |given: Given| Sender::parse(&given).map(|sender| sender.as_str().to_owned());
    let given = field.number("source_msisdn")?;
    let checked = given.map(check).transpose();
    checked.map_err(|rule| Refusal::field("source_msisdn", rule))
}

fn destination(field: Field<'_>) -> Read<String> {
    let check = |given: Given| {
        let number = Msisdn::parse(&given, Strictness::Digits)?;
        Ok(number.as_str().to_owned())
    };
    let given = field.number("destination_msisdn")?;
    let checked: Result<_, zajil_core::number::NotANumber> = given.map(check).transpose();
    checked.map_err(|rule| Refusal::field("destination_msisdn", rule))
}

fn status(field: Field<'_>) -> Read<String> {
    let known = |word: &str| Status::parse(word).map(|status| status.as_str().to_owned());
    field.word("status", known, &Status::ALL.map(Status::as_str))
}

/// As RFC 9110 8.3.1 has it: a type, a subtype, parameters.
fn media_type(field: Field<'_>) -> Read<String> {
    field.parsed("content_type", |text| {
        let name = text.split(';').next().unwrap_or_default().trim_end();
        let token = |part: &str| {
            let sound = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            !part.is_empty() && part.bytes().all(sound)
        };
        let sound = name
            .split_once('/')
            .is_some_and(|(kind, sub)| token(kind) && token(sub));
        let printable = text.len() <= SHORT && text.bytes().all(|b| (b' '..=b'~').contains(&b));
        match sound && printable {
            true => Ok(text.to_owned()),
            false => Err("must be a media type such as application/vnd.wap.mms-message"),
        }
    })
}

fn url(field: Field<'_>) -> Read<String> {
    field.parsed("content_location", |text| {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        let printable = text.bytes().all(|b| (b'!'..=b'~').contains(&b));
        let sound = host.is_some_and(|host| !host.is_empty()) && text.len() <= LONGEST_URL;
        match sound && printable {
            true => Ok(text.to_owned()),
            false => Err("must be a URL that begins with http:// or https://"),
        }
    })
}

/// A multimedia message as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct MmsOut<'a> {
    id: u64,
    source_msisdn: Option<&'a str>,
    destination_msisdn: Option<&'a str>,
    message_body: Option<&'a str>,
    subject: Option<&'a str>,
    content_type: Option<&'a str>,
    content_location: Option<&'a str>,
    message_size: Option<i64>,
    source_smsc: Option<&'a str>,
    dest_smsc: Option<&'a str>,
    destination_smsc: Option<&'a str>,
    source_imsi: Option<&'a str>,
    dest_imsi: Option<&'a str>,
    status: &'a str,
    send_time: Option<At>,
    deliver_time: Option<At>,
    delivered_at: Option<At>,
    expires: Option<At>,
    deliver_after: Option<At>,
    delivery_attempts: i64,
    inserted_at: At,
    updated_at: At,
}

impl Shelved for Mms {
    const KIND: Kind = Kind::Mms;
    const ENTRY: &'static str = "multimedia message";
    const WRITES: Need = Need::Submit;
    type Given = MmsIn<'static>;
    type Shown<'a> = MmsOut<'a>;

    fn read(payload: &[u8], base: Option<&Self>, now: Timestamp) -> Result<Self, Refusal> {
        body::object::<MmsIn<'_>>(payload)?.into_mms(base, now)
    }

    fn shown<'a>(&'a self, record: &'a Record) -> MmsOut<'a> {
        let at = |millis: Option<i64>| millis.map(|millis| At(Timestamp::from_millis(millis)));
        MmsOut {
            id: record.id,
            source_msisdn: self.source_msisdn.as_deref(),
            destination_msisdn: self.destination_msisdn.as_deref(),
            message_body: self.message_body.as_deref(),
            subject: self.subject.as_deref(),
            content_type: self.content_type.as_deref(),
            content_location: self.content_location.as_deref(),
            message_size: self.message_size,
            source_smsc: self.source_smsc.as_deref(),
            dest_smsc: self.dest_smsc.as_deref(),
            destination_smsc: self.dest_smsc.as_deref(),
            source_imsi: self.source_imsi.as_deref(),
            dest_imsi: self.dest_imsi.as_deref(),
            status: self.status.as_deref().unwrap_or(Status::Pending.as_str()),
            send_time: at(self.send_time),
            deliver_time: at(self.deliver_time),
            delivered_at: at(self.deliver_time),
            expires: at(self.expires),
            deliver_after: at(self.deliver_after),
            delivery_attempts: self.delivery_attempts.unwrap_or(0),
            inserted_at: At(record.added_at),
            updated_at: At(record.written_at),
        }
    }

    fn example() -> serde_json::Value {
        serde_json::json!({
            "source_msisdn": "+15550000001", "destination_msisdn": "+15551234567",
            "subject": "Holiday", "content_type": "application/vnd.wap.multipart.related",
            "content_location": "http://mms.example.com/m/4711", "message_size": 48_213,
        })
    }
}

impl Described for MmsIn<'_> {
    const NAME: &'static str = "MmsFields";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                ("source_msisdn", given::sender()),
                (
                    "destination_msisdn",
                    given::plain_number().says("3 to 20 digits; a POST needs it."),
                ),
                ("message_body", given::text(LONGEST_TEXT)),
                ("subject", given::text(SENTENCE)),
                ("content_type", given::media_type().says("A media type.")),
                (
                    "content_location",
                    given::url(LONGEST_URL)
                        .says("The URL of the content; needed without a text and a subject."),
                ),
                ("message_size", given::integer(0, LARGEST).says("Octets.")),
                ("source_smsc", given::frontend()),
                ("dest_smsc", given::frontend()),
                (
                    "destination_smsc",
                    given::frontend().says("As `dest_smsc`.").older(),
                ),
                ("source_imsi", given::text(SHORT)),
                ("dest_imsi", given::text(SHORT)),
                ("status", given::word(Status::ALL.map(Status::as_str))),
                ("send_time", given::time()),
                ("deliver_time", given::time()),
                (
                    "delivered_at",
                    given::time().says("As `deliver_time`.").older(),
                ),
                ("expires", given::time().says("In 24 hours when absent.")),
                ("deliver_after", given::time()),
                ("delivery_attempts", given::integer(0, 1_000_000)),
            ],
        )
    }
}

impl Described for MmsOut<'_> {
    const NAME: &'static str = "Mms";

    fn schema() -> Schema {
        let text = || shown::text().or_null();
        let time = || shown::time().or_null();
        schema::record([
            ("id", shown::id()),
            ("source_msisdn", text()),
            ("destination_msisdn", shown::text()),
            ("message_body", text()),
            ("subject", text()),
            ("content_type", text()),
            ("content_location", text()),
            ("message_size", shown::count().or_null()),
            ("source_smsc", text()),
            ("dest_smsc", text()),
            ("destination_smsc", text().says("As `dest_smsc`.").older()),
            ("source_imsi", text()),
            ("dest_imsi", text()),
            ("status", shown::word(Status::ALL.map(Status::as_str))),
            ("send_time", time()),
            ("deliver_time", time()),
            ("delivered_at", time().says("As `deliver_time`.").older()),
            ("expires", time()),
            ("deliver_after", time()),
            ("delivery_attempts", shown::count()),
            ("inserted_at", shown::time()),
            ("updated_at", shown::time()),
        ])
    }
}
