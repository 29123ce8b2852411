//! A raw PDU (S3, S9.2): an SMS-SUBMIT or SMS-DELIVER becomes a submission.

mod pdu;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use sms_codec::tpdu::Direction;
use zajil_core::clock::Timestamp;
use zajil_core::number::Given;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Dedupe, Submission};
use zajil_core::route::SourceType;

use super::field::{Field, Read, SHORT};
use super::submit::{check_times, required, source_type};
use crate::openapi::schema::{self, Described, Schema, given};
use pdu::Pdu;

/// The body of `POST /api/messages_raw` and `…/async`. What the PDU says itself is ignored here,
/// like any unknown field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Raw<'a> {
    #[serde(borrow)]
    pdu: Field<'a>,
    direction: Field<'a>,
    source_msisdn: Field<'a>,
    destination_msisdn: Field<'a>,
    source_smsc: Field<'a>,
    source_type: Field<'a>,
    dest_smsc: Field<'a>,
    destination_smsc: Field<'a>,
    source_imsi: Field<'a>,
    dest_imsi: Field<'a>,
    send_time: Field<'a>,
    expires: Field<'a>,
    deliver_after: Field<'a>,
}

impl Raw<'_> {
    /// The submission, with everything that the PDU says, and its fingerprint.
    pub(crate) fn into_submission(self, now: Timestamp) -> Result<Submission, Refusal> {
        let octets = required(self.pdu.parsed("pdu", pdu::octets)?, "pdu")?;
        let direction = direction(self.direction)?.unwrap_or(Direction::MsToSc);
        let pdu = Pdu::decode(direction, &octets.clone().into())?;
        let (source, destination) = match direction {
            Direction::MsToSc => (
                self.source_msisdn.number("source_msisdn")?,
                pdu.number("TP-DA")?,
            ),
            Direction::ScToMs => (
                pdu.number("TP-OA")?,
                self.destination_msisdn.number("destination_msisdn")?,
            ),
        };
        let destination = destination.ok_or_else(|| match direction {
            Direction::MsToSc => Refusal::field("pdu", "must name a destination: TP-DA is empty"),
            Direction::ScToMs => Refusal::field("destination_msisdn", "is required"),
        })?;
        let deliver_after = self.deliver_after.time("deliver_after")?;
        let expires = match self.expires.time("expires")? {
            None => pdu.expires(now)?,
            given => given,
        };
        check_times(expires, deliver_after, now)?;
        let (parts, part_number) = pdu.place();
        let mut submission = Submission {
            source,
            destination,
            body: pdu.body(),
            source_smsc: self.source_smsc.frontend("source_smsc")?,
            source_type: source_type(&self.source_type),
            dest_smsc: self
                .dest_smsc
                .or(self.destination_smsc)
                .frontend("dest_smsc")?,
            source_imsi: self.source_imsi.text("source_imsi", SHORT)?,
            dest_imsi: self.dest_imsi.text("dest_imsi", SHORT)?,
            parts: Some(parts),
            part_number,
            tp: pdu.transfer_fields(),
            send_time: self.send_time.time("send_time")?.or(pdu.sent()),
            expires,
            deliver_after,
            raw_pdu: Some(octets),
            raw_data: true,
            raw_sip: false,
            dedupe: None,
            origin: None,
        };
        submission.dedupe = Some(fingerprint(&submission, &pdu));
        Ok(submission)
    }
}

/// Who sends such a PDU: the words of the command line.
fn direction(field: Field<'_>) -> Read<Direction> {
    let parse = |word: &str| match word {
        "ms-sc" => Some(Direction::MsToSc),
        "sc-ms" => Some(Direction::ScToMs),
        _ => None,
    };
    field.word("direction", parse, &["ms-sc", "sc-ms"])
}

/// What makes two PDUs the same (D6, S9.2). The key says all of it, so it is the body's digest too.
fn fingerprint(submission: &Submission, pdu: &Pdu) -> Dedupe {
    let client = submission
        .source_smsc
        .as_ref()
        .map_or("", |name| name.as_str());
    // A SUBMIT does not say who sent it: without a number the IMSI must keep senders apart.
    let originator = submission
        .source
        .as_ref()
        .map(Given::as_str)
        .or(submission.source_imsi.as_deref())
        .unwrap_or_default();
    let mut digest = Sha256::new();
    digest.update(b"pdu:");
    for text in [client, originator, submission.destination.as_str()] {
        digest.update(text.as_bytes());
        // None of them holds it.
        digest.update(b"\0");
    }
    pdu.identity(|octets| digest.update(octets));
    let key: [u8; 32] = digest.finalize().into();
    Dedupe { key, body: key }
}

impl Described for Raw<'_> {
    const NAME: &'static str = "RawSubmit";

    fn schema() -> Schema {
        let from = SourceType::ALL.map(SourceType::as_str).join(", ");
        schema::object(
            &["pdu"],
            [
                (
                    "pdu",
                    given::needed_hex().says("A TPDU with or without service centre address."),
                ),
                (
                    "direction",
                    given::word(["ms-sc", "sc-ms"])
                        .says("`ms-sc`: an SMS-SUBMIT; `sc-ms`: an SMS-DELIVER.")
                        .default("ms-sc"),
                ),
                (
                    "source_msisdn",
                    Schema::any().says("Who sent an SMS-SUBMIT; ignored with an SMS-DELIVER."),
                ),
                (
                    "destination_msisdn",
                    Schema::any().says("Whom an SMS-DELIVER is for; ignored with an SMS-SUBMIT."),
                ),
                ("source_smsc", given::frontend()),
                (
                    "source_type",
                    Schema::any().says(&format!(
                        "For routes that ask: {from}; other words are ignored."
                    )),
                ),
                ("dest_smsc", given::frontend()),
                (
                    "destination_smsc",
                    given::frontend().says("As `dest_smsc`.").older(),
                ),
                ("source_imsi", given::text(SHORT)),
                ("dest_imsi", given::text(SHORT)),
                ("send_time", given::time()),
                ("expires", given::time()),
                ("deliver_after", given::time()),
            ],
        )
    }
}

#[cfg(test)]
mod tests;
