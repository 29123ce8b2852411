//! The call detail record: one per finished message (S10.1).

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::message::Message;
use crate::status::FinalStatus;

/// A row of the table `cdrs`; the fields carry the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdr {
    /// `message_id`: unique, so that a row written twice stays one row.
    pub message_id: i64,
    /// `calling_number`; empty when the submit named none.
    pub calling_number: String,
    /// `called_number`.
    pub called_number: String,
    /// `source_smsc`.
    pub source_smsc: Option<String>,
    /// `dest_smsc`.
    pub dest_smsc: Option<String>,
    /// `origin_node`: accepted it.
    pub origin_node: String,
    /// `destination_node`: wrote its end.
    pub destination_node: String,
    /// `submission_time`.
    pub submission_time: Timestamp,
    /// `delivery_time`; null unless delivered.
    pub delivery_time: Option<Timestamp>,
    /// `expiry_time`.
    pub expiry_time: Timestamp,
    /// `status`.
    pub status: FinalStatus,
    /// `delivery_attempts`: attempts made, so a delivered message has at least 1.
    pub delivery_attempts: u32,
    /// `message_parts`.
    pub message_parts: u32,
    /// `deadletter`.
    pub deadletter: bool,
    /// `message_body`; none when bodies are not kept (S10.4).
    pub message_body: Option<String>,
}

/// The CDR of a message, once it has ended.
#[must_use]
pub fn of(message: &Message) -> Option<Cdr> {
    let ending = message.ending()?;
    let delivered = u32::from(ending.how == FinalStatus::Delivered);
    let name = |name: &Option<FrontendName>| name.as_ref().map(ToString::to_string);
    Some(Cdr {
        message_id: message.id.as_i64(),
        calling_number: message.content.source.as_str().to_owned(),
        called_number: message.content.destination.as_str().to_owned(),
        source_smsc: name(&message.content.source_smsc),
        dest_smsc: name(&message.dest_smsc),
        origin_node: message.origin_node.to_string(),
        destination_node: ending.node.to_string(),
        submission_time: message.inserted_at,
        delivery_time: message.deliver_time(),
        expiry_time: message.expires,
        status: ending.how,
        delivery_attempts: message.attempts.get().saturating_add(delivered),
        message_parts: message.content.parts.get(),
        deadletter: message.is_dead_letter(),
        message_body: Some(message.content.body.clone()),
    })
}

#[cfg(test)]
mod tests;
