//! A line of a message's event log on the wire (S8).

use serde::{Deserialize, Serialize};
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, EventName, NodeName, Scene};
use zajil_core::id::MessageId;
use zajil_core::outcome::Refusal;

use super::field::{Field, SENTENCE, SHORT};
use crate::openapi::schema::{self, Described, Schema, given, shown};

/// The most characters of a name.
const NAME: usize = 100;

/// The body of `POST /api/events`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewEvent<'a> {
    #[serde(borrow)]
    message_id: Field<'a>,
    name: Field<'a>,
    description: Field<'a>,
    event_epoch: Field<'a>,
    event_source: Field<'a>,
}

impl NewEvent<'_> {
    /// The message it is about, and the line.
    pub(crate) fn into_event(self, scene: &Scene) -> Result<(MessageId, Event), Refusal> {
        let id = self
            .message_id
            .integer("message_id", 1, MessageId::MAX.as_i64())?;
        let id = id
            .and_then(|id| u64::try_from(id).ok())
            .and_then(|id| MessageId::new(id).ok());
        let id = id.ok_or_else(|| Refusal::field("message_id", "is required"))?;
        let name = self.name.text("name", NAME)?;
        let name = name.ok_or_else(|| Refusal::field("name", "is required"))?;
        if name.chars().any(char::is_control) {
            return Err(Refusal::field(
                "name",
                "must hold printable characters only",
            ));
        }
        let epoch = self
            .event_epoch
            .integer("event_epoch", 0, Timestamp::MAX.secs())?;
        let source = self.event_source.text("event_source", SHORT)?;
        let event = Event {
            name: EventName::parse(&name),
            description: self
                .description
                .text("description", SENTENCE)?
                .unwrap_or_default(),
            at: epoch.map_or(scene.now, Timestamp::from_secs),
            source: source.map_or_else(|| scene.node.clone(), |name| NodeName::new(&name)),
        };
        Ok((id, event))
    }
}

/// A line as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct EventOut<'a> {
    message_id: u64,
    name: std::borrow::Cow<'a, str>,
    description: &'a str,
    event_epoch: i64,
    event_source: &'a str,
}

impl<'a> EventOut<'a> {
    /// A line of this message's log.
    pub(crate) fn new(id: MessageId, event: &'a Event) -> Self {
        Self {
            message_id: id.get(),
            name: event.name.as_str(),
            description: &event.description,
            event_epoch: event.at.secs(),
            event_source: event.source.as_str(),
        }
    }
}

impl Described for NewEvent<'_> {
    const NAME: &'static str = "NewEvent";

    fn schema() -> Schema {
        schema::object(
            &["message_id", "name"],
            [
                (
                    "message_id",
                    given::needed_integer(1, MessageId::MAX.as_i64()),
                ),
                ("name", given::needed_name(NAME)),
                ("description", given::text(SENTENCE)),
                (
                    "event_epoch",
                    given::integer(0, Timestamp::MAX.secs()).says("Unix seconds; now when absent."),
                ),
                (
                    "event_source",
                    given::text(SHORT).says("This node when absent."),
                ),
            ],
        )
    }
}

impl Described for EventOut<'_> {
    const NAME: &'static str = "Event";

    fn schema() -> Schema {
        schema::record([
            ("message_id", shown::id()),
            ("name", shown::text()),
            ("description", shown::text()),
            ("event_epoch", shown::count().says("Unix seconds.")),
            (
                "event_source",
                shown::text().says("The node, or the system that added it."),
            ),
        ])
    }
}
