//! Many submits or reports in one body (D7): each item is judged by itself.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::Each;
use zajil_core::status::Status;

use super::field::Field;
use super::report::{Delivered, Failed};
use super::submit::Submit;
use crate::body::Object;
use crate::error;
use crate::openapi::schema::{self, Described, Schema, given, list, shown};

/// The most items of a call.
pub(crate) const MOST: usize = 1_000;

/// The body of `POST /api/messages/batch`.
#[derive(Debug, Deserialize)]
pub(crate) struct BatchIn<'a> {
    #[serde(borrow, default)]
    messages: Vec<&'a RawValue>,
}

impl<'a> BatchIn<'a> {
    /// The items as they came.
    pub(crate) fn into_items(self) -> Result<Vec<&'a RawValue>, Refusal> {
        counted("messages", self.messages)
    }
}

/// The body of `POST /api/messages/batch_report`.
#[derive(Debug, Deserialize)]
pub(crate) struct BatchReportIn<'a> {
    #[serde(borrow, default)]
    reports: Vec<&'a RawValue>,
}

impl<'a> BatchReportIn<'a> {
    /// The items as they came.
    pub(crate) fn into_items(self) -> Result<Vec<&'a RawValue>, Refusal> {
        counted("reports", self.reports)
    }
}

fn counted<'a>(name: &str, items: Vec<&'a RawValue>) -> Result<Vec<&'a RawValue>, Refusal> {
    if items.is_empty() || items.len() > MOST {
        return Err(Refusal::field(
            name,
            format!("must be an array of 1 to {MOST} objects"),
        ));
    }
    Ok(items)
}

/// One item as an object; of it nothing else is known yet.
pub(crate) fn item<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Refusal> {
    match serde_json::from_str(raw.get()) {
        Ok(Object(value)) => Ok(value),
        Err(_) if !raw.get().starts_with('{') => Err(Refusal::new(
            Reason::Invalid,
            "the item must be a JSON object",
        )),
        Err(error) => Err(Refusal::new(
            Reason::Invalid,
            format!("the item cannot be used: {error}"),
        )),
    }
}

/// The key of an item, beside the fields of a submit.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keyed<'a> {
    #[serde(borrow)]
    idempotency_key: Field<'a>,
}

/// The key of an item. Most have none, and are not read a second time: then the text has neither
/// its name nor an escape that may stand for a letter of it.
pub(crate) fn key(raw: &RawValue) -> Result<Field<'_>, Refusal> {
    let text = raw.get();
    if !text.contains("idempotency_key") && !text.contains("\\u") {
        return Ok(Field::Absent);
    }
    item::<Keyed<'_>>(raw).map(|keyed| keyed.idempotency_key)
}

/// What an item of a report is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReportHead<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    outcome: Field<'a>,
}

const OUTCOMES: [&str; 3] = ["delivered", "failed", "attempt_failed"];

/// A report of one item: its message, and what became of it.
pub(crate) fn report(raw: &RawValue) -> Result<(MessageId, Report), Refusal> {
    let head: ReportHead<'_> = item(raw)?;
    let id = head.id.integer("id", 1, MessageId::MAX.as_i64())?;
    let id = id.and_then(|id| u64::try_from(id).ok());
    let id = id.and_then(|id| MessageId::new(id).ok());
    let id = id.ok_or_else(|| Refusal::field("id", "is required"))?;
    let known = |word: &str| OUTCOMES.into_iter().find(|known| *known == word);
    let outcome = head.outcome.word("outcome", known, &OUTCOMES)?;
    let report = match outcome.ok_or_else(|| Refusal::field("outcome", "is required"))? {
        "delivered" => item::<Delivered<'_>>(raw)?.into_report()?,
        "failed" => item::<Failed<'_>>(raw)?.into_report()?,
        _ => item::<Failed<'_>>(raw)?.into_attempt()?,
    };
    Ok((id, report))
}

/// What became of a batch.
#[derive(Debug, Serialize)]
pub(crate) struct BatchOut<'a> {
    accepted: usize,
    refused: usize,
    results: Vec<ResultOut<'a>>,
}

/// What became of one item. Members that say nothing are left out.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ResultOut<'a> {
    Done {
        index: usize,
        status: u16,
        id: u64,
        message_status: &'static str,
        dest_smsc: Option<&'a str>,
        message_parts: u32,
        delivery_attempts: u32,
        repeated: bool,
    },
    Refused {
        index: usize,
        status: u16,
        reason: &'static str,
        detail: &'a str,
    },
}

impl<'a> BatchOut<'a> {
    /// The answers in the order of the items; those that worked have `status`, and are the first
    /// answer given again or not.
    pub(crate) fn new<T>(
        status: u16,
        answers: &'a [Each<T>],
        told: impl Fn(&'a T) -> (&'a Message, bool),
    ) -> Self {
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        let results = answers
            .iter()
            .enumerate()
            .map(|(index, answer)| match answer {
                Ok(done) => {
                    let (message, repeated) = told(done);
                    ResultOut::Done {
                        index,
                        status,
                        id: message.id.get(),
                        message_status: message.status().as_str(),
                        dest_smsc: message.dest_smsc.as_ref().map(FrontendName::as_str),
                        message_parts: message.content.parts.get(),
                        delivery_attempts: message.attempts.get(),
                        repeated,
                    }
                }
                Err(refusal) => ResultOut::Refused {
                    index,
                    status: error::status(refusal.reason).as_u16(),
                    reason: refusal.reason.code(),
                    detail: &refusal.detail,
                },
            });
        Self {
            accepted: answers.len() - refused,
            refused,
            results: results.collect(),
        }
    }

    /// Whether every item worked.
    pub(crate) fn is_whole(&self) -> bool {
        self.refused == 0
    }
}

impl Described for BatchIn<'_> {
    const NAME: &'static str = "Batch";

    fn schema() -> Schema {
        // What breaks a rule is refused in its place, so anything may stand there.
        let item = Schema::either(schema::of::<BatchItem>(), Schema::any());
        let items = list(item, Some(MOST)).at_least(1);
        schema::object(&["messages"], [("messages", items)])
    }
}

/// An item of a batch of submits, for the description.
#[derive(Debug)]
pub(crate) struct BatchItem;

impl Described for BatchItem {
    const NAME: &'static str = "BatchItem";

    fn schema() -> Schema {
        Schema::any()
            .says("A submit, and its key. What breaks a rule is refused in its place, alone.")
            .with_member("idempotency_key", given::text(255))
            .with_members_of::<Submit<'_>>()
    }
}

impl Described for BatchReportIn<'_> {
    const NAME: &'static str = "BatchReport";

    fn schema() -> Schema {
        let item = Schema::either(schema::of::<BatchReportItem>(), Schema::any());
        let items = list(item, Some(MOST)).at_least(1);
        schema::object(&["reports"], [("reports", items)])
    }
}

/// An item of a batch of reports, for the description.
#[derive(Debug)]
pub(crate) struct BatchReportItem;

impl Described for BatchReportItem {
    const NAME: &'static str = "BatchReportItem";

    fn schema() -> Schema {
        Schema::any()
            .says(
                "The fields of `Delivered`, or of `Failed`. What breaks a rule is refused in its \
                 place, alone.",
            )
            .with_member("id", shown::id())
            .with_member("outcome", shown::word(OUTCOMES))
            .with_members_of::<Delivered<'_>>()
            .with_members_of::<Failed<'_>>()
    }
}

impl Described for BatchOut<'_> {
    const NAME: &'static str = "BatchResult";

    fn schema() -> Schema {
        let done = schema::record([
            (
                "index",
                shown::count().says("The place of the item, from 0."),
            ),
            ("status", shown::integer(200, 201)),
            ("id", shown::id()),
            (
                "message_status",
                shown::word(Status::ALL.map(Status::as_str)),
            ),
            ("dest_smsc", shown::text().or_null()),
            ("message_parts", shown::count()),
            ("delivery_attempts", shown::count()),
            (
                "repeated",
                shown::boolean().says("The first answer to the same key again."),
            ),
        ]);
        let refused = schema::record([
            ("index", shown::count()),
            (
                "status",
                shown::integer(400, 599).says("As a call of its own would have it."),
            ),
            ("reason", shown::text().says("The stable code.")),
            ("detail", shown::text()),
        ]);
        schema::record([
            ("accepted", shown::count()),
            ("refused", shown::count()),
            ("results", list(Schema::either(done, refused), None)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_its_name_is_written() {
        let of = |text: &str| {
            let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
            key(&raw).unwrap().text("idempotency_key", 255).unwrap()
        };
        assert_eq!(of(r#"{"idempotency_key":"a"}"#).as_deref(), Some("a"));
        assert_eq!(of(r#"{"idempotency\u005fkey":"a"}"#).as_deref(), Some("a"));
        assert_eq!(of(r#"{"message_body":"idempotency_key"}"#), None);
        assert_eq!(of(r#"{"message_body":"a"}"#), None);
    }
}
