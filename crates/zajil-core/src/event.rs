//! The event log of a message: every step leaves one line (S8).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::retry::Attempt;

/// The name of a node of the cluster: `event_source`, `origin_node` and `destination_node`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Takes any text; the configuration checks it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What happened to a message (S8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventName {
    /// It was accepted.
    Inserted,
    /// A translation rule changed a number.
    NumberTranslated,
    /// ENUM was asked about its destination.
    EnumLookup,
    /// A route, its submitter or an operator decided its frontend.
    Routed,
    /// No route matched.
    RoutingFailed,
    /// The charging system was asked.
    ChargingAttempted,
    /// Charging refused or failed.
    ChargingFailed,
    /// The n-th attempt to deliver it.
    DeliveryAttempt(Attempt),
    /// Its frontend was overloaded: no attempt was counted.
    Postponed,
    /// A network beyond ours has taken it, or says how far it is.
    Taken,
    /// It was delivered.
    Delivered,
    /// It ended undelivered for good.
    Failed,
    /// A drop route took it.
    Dropped,
    /// A reply was created in its place.
    AutoReplySent,
    /// Its life was over before anybody delivered it.
    DeadLetter,
    /// After its end it was submitted again, as another message.
    Requeued,
    /// An operator or client changed it.
    Updated,
    /// An operator or client removed it.
    Deleted,
    /// A report came after its end and changed nothing (D11).
    LateReport,
    /// A receipt about it was taken by its application (D19).
    ReceiptSent,
    /// A receipt about it was refused for good, or not taken in time.
    ReceiptFailed,
    /// Added by an outside system through `POST /api/events`, under a name of its own.
    Other(Box<str>),
}

const FIXED: [(EventName, &str); 20] = [
    (EventName::Inserted, "message_inserted"),
    (EventName::NumberTranslated, "number_translated"),
    (EventName::EnumLookup, "enum_lookup"),
    (EventName::Routed, "message_routed"),
    (EventName::RoutingFailed, "routing_failed"),
    (EventName::ChargingAttempted, "charging_attempted"),
    (EventName::ChargingFailed, "charging_failed"),
    (EventName::Postponed, "delivery_postponed"),
    (EventName::Taken, "message_taken"),
    (EventName::Requeued, "message_requeued"),
    (EventName::Delivered, "message_delivered"),
    (EventName::Failed, "message_failed"),
    (EventName::Dropped, "message_dropped"),
    (EventName::AutoReplySent, "auto_reply_sent"),
    (EventName::DeadLetter, "message_dead_letter"),
    (EventName::Updated, "message_updated"),
    (EventName::Deleted, "message_deleted"),
    (EventName::LateReport, "late_report"),
    (EventName::ReceiptSent, "receipt_sent"),
    (EventName::ReceiptFailed, "receipt_failed"),
];

const ATTEMPT: &str = "delivery_attempt_";

impl EventName {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(&self) -> Cow<'_, str> {
        match self {
            Self::DeliveryAttempt(n) => format!("{ATTEMPT}{}", n.get()).into(),
            Self::Other(name) => Cow::Borrowed(name),
            fixed => {
                let entry = FIXED.iter().find(|(name, _)| name == fixed);
                Cow::Borrowed(entry.map_or("unknown", |(_, word)| word))
            }
        }
    }

    /// The event that `name` names; anything unknown is an outside system's own.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        if let Some((event, _)) = FIXED.iter().find(|(_, word)| *word == name) {
            return event.clone();
        }
        match name.strip_prefix(ATTEMPT).and_then(|n| n.parse().ok()) {
            Some(n) => Self::DeliveryAttempt(Attempt::new(n)),
            None => Self::Other(name.into()),
        }
    }
}

/// One line of a message's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `name`.
    pub name: EventName,
    /// `description`: a sentence for the operator; empty where the name says it all.
    pub description: String,
    /// `event_epoch`; clients see whole seconds.
    pub at: Timestamp,
    /// `event_source`.
    pub source: NodeName,
}

/// When and where something happens: what every event needs to know.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Now.
    pub now: Timestamp,
    /// The node that acts.
    pub node: NodeName,
}

impl Scene {
    /// An event of this moment and node.
    pub fn event(&self, name: EventName, description: impl Into<String>) -> Event {
        Event {
            name,
            description: description.into(),
            at: self.now,
            source: self.node.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_1_names_round_trip() {
        for (event, word) in &FIXED {
            assert_eq!(event.as_str(), *word);
            assert_eq!(EventName::parse(word), *event);
        }
        let third = EventName::DeliveryAttempt(Attempt::new(3));
        assert_eq!(third.as_str(), "delivery_attempt_3");
        assert_eq!(EventName::parse("delivery_attempt_3"), third);
        assert_eq!(
            EventName::parse("hlr_query"),
            EventName::Other("hlr_query".into())
        );
        assert_eq!(
            EventName::parse("delivery_attempt_x").as_str(),
            "delivery_attempt_x"
        );
    }
}
