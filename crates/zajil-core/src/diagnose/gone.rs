//! An id without a message: what it tells by itself, and what its log still says.

use super::log::{has, last};
use super::words::{long, when};
use super::{Code, Finding, Missing};
use crate::event::{Event, EventName};

/// Ids are handed out by the second of a clock that may be a little ahead of this one.
const AHEAD: std::time::Duration = std::time::Duration::from_secs(5);

const FINDS_CDR: &str = "look for its CDR: SELECT * FROM cdrs WHERE message_id = …";

/// Why there is no such message.
pub(super) fn missing(missing: &Missing<'_>) -> Vec<Finding> {
    let Missing { now, events, .. } = *missing;
    let Some(newest) = events.last() else {
        return vec![without_log(missing)];
    };
    let ended_at = events.iter().rev().find(|event| is_end(event));
    let first = if has(events, &EventName::Deleted) {
        let told = last(events, &EventName::Deleted).unwrap_or("by request");
        Finding::new(Code::Removed, format!("somebody removed it: {told}"))
    } else if let Some(end) = ended_at {
        let kept = long(missing.kept.messages);
        let at = when(end.at, now);
        if end.at.plus(missing.kept.messages) > now {
            let sentence = format!("it ended at {at}, and was removed after that");
            Finding::new(Code::Removed, sentence)
        } else {
            let sentence = format!("it ended at {at}; messages are kept for {kept} after that");
            Finding::new(Code::PastRetention, sentence)
        }
    } else {
        Finding::new(Code::PastRetention, "it is not here any more; its log is")
    };
    let told = match newest.description.as_str() {
        "" => String::new(),
        told => format!(": {told}"),
    };
    let (name, node) = (newest.name.as_str(), &newest.source);
    let sentence = format!(
        "the last line of its log, at {}: {name}{told} (node {node})",
        when(newest.at, now)
    );
    vec![
        first.remedy(FINDS_CDR),
        Finding::new(Code::LogSays, sentence),
    ]
}

fn is_end(event: &Event) -> bool {
    match event.name {
        EventName::Delivered
        | EventName::Failed
        | EventName::Dropped
        | EventName::AutoReplySent
        | EventName::DeadLetter
        | EventName::Deleted => true,
        EventName::Inserted
        | EventName::NumberTranslated
        | EventName::EnumLookup
        | EventName::Routed
        | EventName::RoutingFailed
        | EventName::ChargingAttempted
        | EventName::ChargingFailed
        | EventName::DeliveryAttempt(_)
        | EventName::Postponed
        | EventName::Taken
        | EventName::Requeued
        | EventName::Updated
        | EventName::LateReport
        | EventName::ReceiptSent
        | EventName::ReceiptFailed
        | EventName::Other(_) => false,
    }
}

fn without_log(missing: &Missing<'_>) -> Finding {
    let Missing { now, id, kept, .. } = *missing;
    let issued = id.issued_at();
    let (at, logs) = (when(issued, now), long(kept.events));
    if issued > now.plus(AHEAD) {
        let sentence = format!("no node has handed out this id: it stands for {at}");
        return Finding::new(Code::IdOfTheFuture, sentence)
            .remedy("check the number; if it is right, the clock of a node was ahead");
    }
    if issued.plus(kept.events) <= now {
        let sentence = format!(
            "there is no trace of it; if it was here it was accepted at {at}, and logs are kept \
             for {logs}"
        );
        return Finding::new(Code::PastLog, sentence).remedy(FINDS_CDR);
    }
    let sentence = format!(
        "it was never here: a message accepted at {at}, for which this id stands, would have left \
         a log, and logs are kept for {logs}"
    );
    Finding::new(Code::NeverSeen, sentence)
        .remedy("check the number; another node, or the store before a restore, may have it")
}
