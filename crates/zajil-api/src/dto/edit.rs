//! A partial update of a message: `PATCH /api/messages/{id}` (S3).

use std::num::NonZeroU32;

use serde::Deserialize;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::Message;
use zajil_core::outcome::Refusal;
use zajil_core::retry::Attempt;
use zajil_core::status::{FinalStatus, Status};

use super::field::{Field, SHORT};
use super::submit::{check_times, text_body};
use crate::openapi::schema::{self, Described, Schema, given};

/// The body of a PATCH, and of a PUT that says anything.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Patch<'a> {
    #[serde(borrow)]
    source_msisdn: Field<'a>,
    destination_msisdn: Field<'a>,
    message_body: Field<'a>,
    message_parts: Field<'a>,
    dest_smsc: Field<'a>,
    destination_smsc: Field<'a>,
    source_imsi: Field<'a>,
    dest_imsi: Field<'a>,
    status: Field<'a>,
    deliver_time: Field<'a>,
    delivered_at: Field<'a>,
    expires: Field<'a>,
    deliver_after: Field<'a>,
    delivery_attempts: Field<'a>,
    charge_failed: Field<'a>,
}

/// What a PATCH asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The edit.
    pub(crate) edit: Edit,
    /// Whether a status was asked for: then a message that has ended is a conflict of its own.
    pub(crate) sets_status: bool,
    /// Numbers that the client sent along, which nobody can change: name and value.
    pub(crate) fixed: Vec<(&'static str, String)>,
}

impl Patch<'_> {
    /// The change, checked field by field.
    pub(crate) fn into_change(self, now: Timestamp, most_chars: usize) -> Result<Change, Refusal> {
        let dest_smsc = self
            .dest_smsc
            .or(self.destination_smsc)
            .change(|field| match field {
                // Null takes it away; empty text is no name.
                Field::Text(text) => FrontendName::parse(&text)
                    .map(Some)
                    .map_err(|rule| Refusal::field("dest_smsc", rule)),
                field => field.frontend("dest_smsc"),
            })?;
        // Checked only: a client that sends back what it read has the count of the former text.
        self.message_parts.part("message_parts")?;
        let body = text_body(self.message_body, most_chars)?;
        let deliver_after = self
            .deliver_after
            .change(|field| field.time("deliver_after"))?;
        let expires = self.expires.time("expires")?;
        check_times(expires, deliver_after.flatten(), now)?;
        let deliver_time = self
            .deliver_time
            .or(self.delivered_at)
            .time("deliver_time")?;
        let words = Status::ALL.map(Status::as_str);
        let status = self.status.word("status", Status::parse, &words)?;
        let attempts = self
            .delivery_attempts
            .integer("delivery_attempts", 0, 1_000_000)?;
        let by = dest_smsc.clone().flatten();
        let report = match status {
            Some(Status::Final(how)) => Some(ending(how, by, deliver_time)),
            // A delivery time says that it was delivered (S3.1).
            None => deliver_time.map(|at| Report::Delivered { by, at: Some(at) }),
            Some(Status::Pending) => None,
        };
        let edit = Edit {
            dest_smsc,
            // The engine counts them (D9).
            body: body.map(|text| (text.into(), NonZeroU32::MIN)),
            deliver_after,
            expires,
            attempts: attempts
                .and_then(|n| u32::try_from(n).ok())
                .map(Attempt::new),
            source_imsi: self
                .source_imsi
                .change(|field| field.text("source_imsi", SHORT))?,
            dest_imsi: self
                .dest_imsi
                .change(|field| field.text("dest_imsi", SHORT))?,
            charge_failed: self.charge_failed.boolean("charge_failed")?,
            report,
            origin: None,
            unless_held: false,
        };
        let mut fixed = Vec::new();
        for (name, field) in [
            ("source_msisdn", self.source_msisdn),
            ("destination_msisdn", self.destination_msisdn),
        ] {
            fixed.extend(field.text(name, SHORT)?.map(|value| (name, value)));
        }
        Ok(Change {
            edit,
            sets_status: status.is_some() || deliver_time.is_some(),
            fixed,
        })
    }
}

impl Change {
    /// Refuses numbers that differ from those of the message: they were translated, routed and
    /// charged. A client that sends back what it read changes nothing.
    ///
    /// # Errors
    /// `Invalid`, naming the first such field.
    pub(crate) fn check_fixed(&self, message: &Message) -> Result<(), Refusal> {
        for (name, value) in &self.fixed {
            let stored = match *name {
                "source_msisdn" => message.content.source.as_str(),
                _ => message.content.destination.as_str(),
            };
            if stored != value {
                return Err(Refusal::field(name, "cannot be changed after the submit"));
            }
        }
        Ok(())
    }
}

fn ending(how: FinalStatus, by: Option<FrontendName>, at: Option<Timestamp>) -> Report {
    match how {
        FinalStatus::Delivered => Report::Delivered { by, at },
        FinalStatus::Expired
        | FinalStatus::Failed
        | FinalStatus::Rejected
        | FinalStatus::Dropped => Report::Ended { how, reason: None },
    }
}

impl Described for Patch<'_> {
    const NAME: &'static str = "MessagePatch";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                (
                    "source_msisdn",
                    given::text(SHORT).says("Must be what it is."),
                ),
                (
                    "destination_msisdn",
                    given::text(SHORT).says("Must be what it is."),
                ),
                ("message_body", given::text(255 * 153)),
                (
                    "message_parts",
                    given::integer(1, 255).says("Ignored: we count."),
                ),
                (
                    "dest_smsc",
                    given::cleared_frontend().says("Null takes it away."),
                ),
                (
                    "destination_smsc",
                    given::cleared_frontend().says("As `dest_smsc`.").older(),
                ),
                ("source_imsi", given::text(SHORT)),
                ("dest_imsi", given::text(SHORT)),
                ("status", given::word(Status::ALL.map(Status::as_str))),
                (
                    "deliver_time",
                    given::time().says("Says that it was delivered."),
                ),
                (
                    "delivered_at",
                    given::time().says("As `deliver_time`.").older(),
                ),
                ("expires", given::time()),
                (
                    "deliver_after",
                    given::time().says("Null makes it due at once."),
                ),
                ("delivery_attempts", given::integer(0, 1_000_000)),
                ("charge_failed", given::boolean()),
            ],
        )
    }
}

#[cfg(test)]
mod tests;
