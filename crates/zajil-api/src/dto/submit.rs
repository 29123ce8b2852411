//! A submit (S2, S3): the hot path, read in one pass with its texts borrowed from the body.

use std::time::Duration;

use axum::http::request::Parts;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zajil_core::clock::Timestamp;
use zajil_core::message::{CharacterSet, TransferFields};
use zajil_core::outcome::Refusal;
use zajil_core::port::{Dedupe, Submission};
use zajil_core::route::SourceType;

use super::field::{Field, Read, SHORT};
use crate::openapi::schema::{self, Described, Schema, given};

/// The most hexadecimal digits of a raw PDU.
const LONGEST_PDU: usize = 600;
/// How far ahead a message can be scheduled.
const FARTHEST: Duration = Duration::from_secs(366 * 86_400);
/// The most octets of a user data header, as JSON.
const LONGEST_HEADER: usize = 4 << 10;

/// The body of `POST /api/messages` and `…/create_async`. What S2 leaves to the system (`id`,
/// `status`, `deliver_time` …) is ignored like any unknown field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Submit<'a> {
    #[serde(borrow)]
    source_msisdn: Field<'a>,
    destination_msisdn: Field<'a>,
    message_body: Field<'a>,
    source_smsc: Field<'a>,
    source_type: Field<'a>,
    dest_smsc: Field<'a>,
    destination_smsc: Field<'a>,
    source_imsi: Field<'a>,
    dest_imsi: Field<'a>,
    message_parts: Field<'a>,
    message_part_number: Field<'a>,
    tp_data_coding_scheme: Field<'a>,
    tp_dcs_character_set: Field<'a>,
    tp_dcs_coding_group: Field<'a>,
    tp_dcs_compressed: Field<'a>,
    tp_dcs_has_message_class: Field<'a>,
    tp_dcs_message_class: Field<'a>,
    tp_user_data_header: Field<'a>,
    send_time: Field<'a>,
    expires: Field<'a>,
    deliver_after: Field<'a>,
    raw_pdu: Field<'a>,
    raw_data_flag: Field<'a>,
    raw_sip_flag: Field<'a>,
}

impl Submit<'_> {
    /// The submission, checked field by field; texts have at most `most_chars` characters.
    pub(crate) fn into_submission(
        self,
        now: Timestamp,
        most_chars: usize,
    ) -> Result<Submission, Refusal> {
        let destination = match self.destination_msisdn {
            Field::Text(text) if text.is_empty() => {
                return Err(Refusal::field("destination_msisdn", "must not be empty"));
            }
            field => field.number("destination_msisdn")?,
        };
        let raw_pdu = self.raw_pdu.hex("raw_pdu", LONGEST_PDU)?;
        let body = match text_body(self.message_body, most_chars)? {
            None if raw_pdu.is_some() => String::new(),
            body => required(body, "message_body")?,
        };
        let expires = self.expires.time("expires")?;
        let deliver_after = self.deliver_after.time("deliver_after")?;
        check_times(expires, deliver_after, now)?;
        let tp = TransferFields {
            data_coding_scheme: octet(self.tp_data_coding_scheme)?,
            character_set: character_set(self.tp_dcs_character_set)?,
            coding_group: self
                .tp_dcs_coding_group
                .text("tp_dcs_coding_group", SHORT)?,
            compressed: self.tp_dcs_compressed.boolean("tp_dcs_compressed")?,
            has_message_class: self
                .tp_dcs_has_message_class
                .boolean("tp_dcs_has_message_class")?,
            message_class: message_class(self.tp_dcs_message_class)?,
            user_data_header: self
                .tp_user_data_header
                .object("tp_user_data_header", LONGEST_HEADER)?,
            concatenation: None,
        };
        let submission = Submission {
            source: self.source_msisdn.number("source_msisdn")?,
            destination: required(destination, "destination_msisdn")?,
            body,
            source_smsc: self.source_smsc.frontend("source_smsc")?,
            source_type: source_type(&self.source_type),
            dest_smsc: self
                .dest_smsc
                .or(self.destination_smsc)
                .frontend("dest_smsc")?,
            source_imsi: self.source_imsi.text("source_imsi", SHORT)?,
            dest_imsi: self.dest_imsi.text("dest_imsi", SHORT)?,
            parts: self.message_parts.part("message_parts")?,
            part_number: self.message_part_number.part("message_part_number")?,
            tp,
            send_time: self.send_time.time("send_time")?,
            expires,
            deliver_after,
            raw_pdu,
            raw_data: self
                .raw_data_flag
                .boolean("raw_data_flag")?
                .unwrap_or(false),
            raw_sip: self.raw_sip_flag.boolean("raw_sip_flag")?.unwrap_or(false),
            dedupe: None,
            origin: None,
        };
        if submission
            .parts
            .zip(submission.part_number)
            .is_some_and(|(of, part)| part > of)
        {
            return Err(Refusal::field(
                "message_part_number",
                "must not exceed message_parts",
            ));
        }
        Ok(submission)
    }
}

/// A text that somebody reads: not empty, of bounded length.
pub(super) fn text_body(field: Field<'_>, most_chars: usize) -> Read<String> {
    match field {
        Field::Text(text) if text.is_empty() => {
            Err(Refusal::field("message_body", "must not be empty"))
        }
        field => field.text("message_body", most_chars),
    }
}

/// A message lives from `deliver_after` to `expires`, which is to come.
pub(super) fn check_times(
    expires: Option<Timestamp>,
    deliver_after: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refusal> {
    if deliver_after.is_some_and(|start| start > now.plus(FARTHEST)) {
        let days = FARTHEST.as_secs() / 86_400;
        let rule = format!("must be at most {days} days from now");
        return Err(Refusal::field("deliver_after", rule));
    }
    let Some(expires) = expires else {
        return Ok(());
    };
    if expires <= now {
        return Err(Refusal::field("expires", "must lie in the future"));
    }
    if deliver_after.is_some_and(|start| start >= expires) {
        return Err(Refusal::field(
            "expires",
            "must be later than deliver_after",
        ));
    }
    Ok(())
}

/// The header `Idempotency-Key` (D6).
pub(crate) fn key(parts: &Parts) -> Result<Option<String>, Refusal> {
    let Some(key) = parts.headers.get("idempotency-key") else {
        return Ok(None);
    };
    // A key that is no text is refused as one that is empty: by its rule.
    let key = key.to_str().unwrap_or_default();
    check_key("the header Idempotency-Key", key)?;
    Ok(Some(key.to_owned()))
}

/// Refuses a key that `name` brought and that is none.
pub(crate) fn check_key(name: &str, key: &str) -> Result<(), Refusal> {
    let printable = key.bytes().all(|b| (b' '..=b'~').contains(&b));
    if key.is_empty() || key.len() > 255 || !printable {
        let rule = "must be 1 to 255 printable ASCII characters";
        return Err(Refusal::field(name, rule));
    }
    Ok(())
}

/// How a repeated submit is recognised (D6): the client's key within who sent it (`holder`) and its
/// `source_smsc`, so that two clients do not meet in one key, and the octets of the body.
pub(crate) fn dedupe(key: &str, holder: &str, submission: &Submission, body: &[u8]) -> Dedupe {
    let client = submission
        .source_smsc
        .as_ref()
        .map_or("", |name| name.as_str());
    let mut digest = Sha256::new();
    digest.update(b"idem:");
    digest.update(Sha256::digest(holder.as_bytes()));
    digest.update(client.as_bytes());
    // Neither names nor keys hold it.
    digest.update(b"\0");
    digest.update(key.as_bytes());
    Dedupe {
        key: digest.finalize().into(),
        body: Sha256::digest(body).into(),
    }
}

pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::field(name, "is required"))
}

fn octet(field: Field<'_>) -> Read<u8> {
    field.parsed("tp_data_coding_scheme", |text| {
        let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = two.then(|| u8::from_str_radix(text, 16).ok()).flatten();
        value.ok_or("must be a string of two hexadecimal digits")
    })
}

fn character_set(field: Field<'_>) -> Read<CharacterSet> {
    let words = CharacterSet::ALL.map(CharacterSet::as_str);
    field.word("tp_dcs_character_set", CharacterSet::parse, &words)
}

fn message_class(field: Field<'_>) -> Read<u8> {
    let class = field.integer("tp_dcs_message_class", 0, 3)?;
    Ok(class.and_then(|class| u8::try_from(class).ok()))
}

/// Not a field of S2: a word we do not know is ignored, as the whole field would be there.
pub(super) fn source_type(field: &Field<'_>) -> Option<SourceType> {
    match field {
        Field::Text(text) => SourceType::parse(text),
        _ => None,
    }
}

impl Described for Submit<'_> {
    const NAME: &'static str = "Submit";

    fn schema() -> Schema {
        let sets = CharacterSet::ALL.map(CharacterSet::as_str);
        let from = SourceType::ALL.map(SourceType::as_str).join(", ");
        schema::object(
            &["destination_msisdn"],
            [
                ("source_msisdn", given::sender()),
                ("destination_msisdn", given::destination()),
                (
                    "message_body",
                    given::text(255 * 153)
                        .says("The text; required without `raw_pdu`.")
                        .example("Hello"),
                ),
                (
                    "source_smsc",
                    given::frontend().says("Who submits; keys are known by it."),
                ),
                (
                    "source_type",
                    Schema::any().says(&format!(
                        "For routes that ask: {from}; other words are ignored."
                    )),
                ),
                (
                    "dest_smsc",
                    given::frontend()
                        .says("The frontend that must deliver; routing decides without."),
                ),
                (
                    "destination_smsc",
                    given::frontend().says("As `dest_smsc`.").older(),
                ),
                ("source_imsi", given::text(SHORT)),
                ("dest_imsi", given::text(SHORT)),
                (
                    "message_parts",
                    given::integer(1, 255).says("Counted by us when absent."),
                ),
                ("message_part_number", given::integer(1, 255)),
                ("tp_data_coding_scheme", given::octet()),
                ("tp_dcs_character_set", given::word(sets)),
                ("tp_dcs_coding_group", given::text(SHORT)),
                ("tp_dcs_compressed", given::boolean()),
                ("tp_dcs_has_message_class", given::boolean()),
                ("tp_dcs_message_class", given::integer(0, 3)),
                (
                    "tp_user_data_header",
                    given::any_object().says("An object, or a text that holds one."),
                ),
                ("send_time", given::time()),
                (
                    "expires",
                    given::time().says("The end of its life; the configured one when absent."),
                ),
                (
                    "deliver_after",
                    given::time().says("Not offered before: a scheduled message."),
                ),
                ("raw_pdu", given::hex(LONGEST_PDU)),
                ("raw_data_flag", given::boolean()),
                ("raw_sip_flag", given::boolean()),
            ],
        )
    }
}

#[cfg(test)]
mod tests;
