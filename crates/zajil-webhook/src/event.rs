//! What a receiver is sent: `{"type", "timestamp", "data"}`, the names of S2 in `data`.

use serde_json::{Value, json};
use zajil_core::cdr::Cdr;
use zajil_core::civil;
use zajil_core::clock::Timestamp;
use zajil_core::number;
use zajil_core::status::FinalStatus;
use zajil_telemetry::live::{Event, Numbers, ended};

/// An event on its way to one receiver.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Stays the same over all attempts, so that a receiver knows what it has had.
    pub(crate) webhook_id: String,
    pub(crate) event: &'static str,
    /// Zero when it is about none.
    pub(crate) message_id: u64,
    pub(crate) born: Timestamp,
    pub(crate) body: String,
}

/// How a message ended, from its CDR.
pub(crate) fn ending(cdr: &Cdr, numbers: Numbers, now: Timestamp) -> Told {
    let shown = |number: &str| match numbers {
        Numbers::Full | Numbers::Octets => number.to_owned(),
        Numbers::Masked => number::end_hidden(number),
    };
    let at = |at: Timestamp| Value::from(written(at));
    let event = ended(cdr.status);
    let born = match cdr.status {
        FinalStatus::Delivered => cdr.delivery_time.unwrap_or(now),
        FinalStatus::Expired => cdr.expiry_time,
        FinalStatus::Failed | FinalStatus::Rejected | FinalStatus::Dropped => now,
    };
    let data = json!({
        "message_id": cdr.message_id,
        "status": cdr.status.as_str(),
        "source_msisdn": shown(&cdr.calling_number),
        "destination_msisdn": shown(&cdr.called_number),
        "source_smsc": cdr.source_smsc,
        "dest_smsc": cdr.dest_smsc,
        "inserted_at": at(cdr.submission_time),
        "deliver_time": cdr.delivery_time.map(at),
        "expires": at(cdr.expiry_time),
        "delivery_attempts": cdr.delivery_attempts,
        "message_parts": cdr.message_parts,
        "deadletter": cdr.deadletter,
        "event_source": cdr.destination_node,
    });
    let message_id = u64::try_from(cdr.message_id).unwrap_or(0);
    told(
        event,
        (format!("{message_id}.{event}"), message_id),
        born,
        &data.to_string(),
    )
}

/// Anything else, from the live hub.
pub(crate) fn live(event: &Event, numbers: Numbers) -> Told {
    let message_id = event.subject.message.map_or(0, |id| id.get());
    let id = (format!("{}.{}", event.id, event.name), message_id);
    told(event.name, id, event.at, event.json(numbers))
}

/// A test.
pub(crate) fn test(webhook: u64, now: Timestamp) -> Told {
    let data = json!({ "webhook_id": webhook });
    let id = format!("{}.{webhook}.{TEST}", now.millis());
    told(TEST, (id, 0), now, &data.to_string())
}

/// The name of a test event, which nobody subscribes to.
const TEST: &str = "test";

fn told(
    event: &'static str,
    (webhook_id, message_id): (String, u64),
    born: Timestamp,
    data: &str,
) -> Told {
    let at = written(born);
    Told {
        webhook_id,
        event,
        message_id,
        born,
        body: format!("{{\"type\":\"{event}\",\"timestamp\":\"{at}\",\"data\":{data}}}"),
    }
}

fn written(at: Timestamp) -> String {
    civil::rfc3339(at).map(char::from).iter().collect()
}
