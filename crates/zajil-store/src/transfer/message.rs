//! A message as a row: what it says, its state and its log, whatever tables a store cuts it into.

use zajil_core::event::Event;
use zajil_core::frontend::FrontendName;
use zajil_core::message::{Life, Message};
use zajil_core::smpp;

use super::Form::{self, Int, Text};
use super::{Row, Value, log_values};
use crate::contract::Error;
use crate::record;

pub(super) const COLUMNS: &[(&str, Form)] = &[
    ("id", Int),
    ("source", Text),
    ("destination", Text),
    ("body", Text),
    ("source_smsc", Text),
    ("dest_smsc", Text),
    ("parts", Int),
    ("inserted_at", Int),
    ("expires", Int),
    ("charge_failed", Int),
    ("origin_node", Text),
    ("extra", Text),
    ("attempts", Int),
    ("deliver_after", Int),
    ("updated_at", Int),
    // Of a pending one: the queue (empty = unrouted, nothing = none, it waits for its charge), when
    // it is offered, its next turn, and until when somebody holds it.
    ("queue", Text),
    ("due", Int),
    ("turn", Int),
    ("leased_until", Int),
    // Of one that has ended: how, when, where, whether it is hidden, its place among the endings,
    // and whether its CDR is in the sink.
    ("how", Text),
    ("at", Int),
    ("node", Text),
    ("hidden", Int),
    ("place", Int),
    ("told", Int),
    ("logged_at", Int),
    ("events", Text),
];

/// What a store knows of a message that has ended, beside what the message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether look-ups pass it over.
    pub hidden: bool,
    /// Its place among the endings.
    pub place: i64,
    /// Whether its CDR is in the sink.
    pub told: bool,
}

/// The row of a message. `queue` is that of a pending one: none = unrouted. A lease goes along: a
/// carrier that took the message may have delivered it, and its receipt is still to come.
///
/// # Errors
/// [`Error::Damaged`] when it has ended and nothing is known of that.
pub fn message_row(
    message: Message,
    queue: Option<&FrontendName>,
    ended: Option<Ended>,
    events: &[Event],
) -> Result<Row, Error> {
    let content = &message.content;
    let (logged_at, events) = log_values(events);
    let mut row: Row = vec![
        Value::Int(message.id.as_i64()),
        content.source.as_str().into(),
        content.destination.as_str().into(),
        content.body.as_str().into(),
        content.source_smsc.as_ref().into(),
        message.dest_smsc.as_ref().into(),
        Value::Int(content.parts.get().into()),
        message.inserted_at.into(),
        message.expires.into(),
        message.charge_failed.into(),
        message.origin_node.as_str().into(),
        record::encode_extra(&message).into(),
        Value::Int(message.attempts.get().into()),
        message.deliver_after.into(),
        message.updated_at.into(),
    ];
    match &message.life {
        Life::Ended(ending) => {
            let ended = ended.ok_or_else(|| damaged(&message, "an end of no place"))?;
            row.extend([
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                ending.how.as_str().into(),
                ending.at.into(),
                ending.node.as_str().into(),
                ended.hidden.into(),
                Value::Int(ended.place),
                ended.told.into(),
            ]);
        }
        Life::Pending { .. } | Life::Charging { .. } => {
            let charging = matches!(message.life, Life::Charging { .. });
            row.push(match charging {
                true => Value::Null,
                false => queue.map_or("", FrontendName::as_str).into(),
            });
            let held = match message.life {
                Life::Pending { leased_until } => leased_until,
                Life::Charging { .. } | Life::Ended(_) => None,
            };
            row.extend([
                message.due().into(),
                message.next_turn().into(),
                held.into(),
            ]);
            row.extend(std::iter::repeat_n(Value::Null, 6));
        }
    }
    row.extend([logged_at, events]);
    Ok(row)
}

fn damaged(message: &Message, why: &str) -> Error {
    Error::Damaged(format!("message {}: {why}", message.id.get()))
}

/// A row of a message by name, as stores write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of `Table::Message`")]
pub struct MessageRow<'a> {
    pub id: i64,
    pub source: &'a str,
    pub destination: &'a str,
    pub body: &'a str,
    pub source_smsc: Option<&'a str>,
    pub dest_smsc: Option<&'a str>,
    pub parts: i64,
    pub inserted_at: i64,
    pub expires: i64,
    pub charge_failed: bool,
    pub origin_node: &'a str,
    pub extra: Option<&'a str>,
    pub attempts: i64,
    pub deliver_after: Option<i64>,
    pub updated_at: i64,
    pub queue: Option<&'a str>,
    pub due: Option<i64>,
    pub turn: Option<i64>,
    pub leased_until: Option<i64>,
    pub how: Option<&'a str>,
    pub at: Option<i64>,
    pub node: Option<&'a str>,
    pub hidden: bool,
    pub place: Option<i64>,
    pub told: bool,
    pub logged_at: i64,
    pub events: &'a str,
}

impl MessageRow<'_> {
    /// Where its application finds it while it waits.
    ///
    /// # Errors
    /// [`Error::Damaged`] when its rare fields cannot be read.
    pub fn found_at(&self) -> Result<Option<String>, Error> {
        let Some(source) = self.source_smsc else {
            return Ok(None);
        };
        let origin = record::decode_extra(self.extra)?.arranged.origin;
        let source = FrontendName::parse(source).map_err(|why| Error::Damaged(why.to_string()))?;
        Ok(smpp::place_of(Some(&source), origin.as_deref()))
    }
}

/// Reads a row of [`super::Table::Message`].
///
/// # Errors
/// [`Error::Damaged`] when it is none.
pub fn read_message_row(row: &Row) -> Result<MessageRow<'_>, Error> {
    read(row).ok_or_else(|| Error::Damaged("not the row of a message".into()))
}

fn read(row: &Row) -> Option<MessageRow<'_>> {
    if row.len() != COLUMNS.len() {
        return None;
    }
    let text = |at: usize| match row.get(at) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let int = |at: usize| match row.get(at) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let is = |at: usize| int(at).is_some_and(|value| value != 0);
    Some(MessageRow {
        id: int(0)?,
        source: text(1)?,
        destination: text(2)?,
        body: text(3)?,
        source_smsc: text(4),
        dest_smsc: text(5),
        parts: int(6)?,
        inserted_at: int(7)?,
        expires: int(8)?,
        charge_failed: is(9),
        origin_node: text(10)?,
        extra: text(11),
        attempts: int(12)?,
        deliver_after: int(13),
        updated_at: int(14)?,
        queue: text(15),
        due: int(16),
        turn: int(17),
        leased_until: int(18),
        how: text(19),
        at: int(20),
        node: text(21),
        hidden: is(22),
        place: int(23),
        told: is(24),
        logged_at: int(25)?,
        events: text(26)?,
    })
}
