//! The event log of a message tells its life in order (S8).

use zajil_core::event::{Event, EventName};
use zajil_core::id::MessageId;

use super::Findings;
use crate::run::Finale;

pub(super) fn check(finale: &Finale, findings: &mut Findings) {
    for (id, log) in &finale.logs {
        if let Some(why) = wrong(log) {
            findings.add("log", format!("{} {why}: {}", named(*id), shown(log)));
        }
    }
}

fn named(id: MessageId) -> String {
    format!("message {id}")
}

fn shown(log: &[Event]) -> String {
    let words: Vec<_> = log.iter().map(|line| line.name.as_str()).collect();
    words.join(", ")
}

fn wrong(log: &[Event]) -> Option<String> {
    let Some(first) = log.first() else {
        return Some("has no log".to_owned());
    };
    if first.name != EventName::Inserted {
        return Some("does not begin with its acceptance".to_owned());
    }
    let mut ends = log.iter().enumerate().filter(|(_, line)| is_end(line));
    let Some((end, _)) = ends.next() else {
        return Some("has no end".to_owned());
    };
    if ends.next().is_some() {
        return Some("ends twice".to_owned());
    }
    if let Some(late) = log.iter().skip(end + 1).find(|line| !may_be_late(line)) {
        return Some(format!("goes on with {} after its end", late.name.as_str()));
    }
    let attempts: Vec<u32> = log
        .iter()
        .filter_map(|line| match line.name {
            EventName::DeliveryAttempt(attempt) => Some(attempt.get()),
            _ => None,
        })
        .collect();
    let rises = attempts.iter().zip(1..).all(|(attempt, n)| *attempt == n);
    (!rises).then(|| format!("counts its attempts as {attempts:?}"))
}

/// Whether the line is the one that the end of a message leaves.
fn is_end(line: &Event) -> bool {
    match line.name {
        EventName::Delivered | EventName::Failed | EventName::Dropped | EventName::DeadLetter => {
            true
        }
        EventName::Deleted => line.description == "removed before delivery",
        _ => false,
    }
}

fn may_be_late(line: &Event) -> bool {
    matches!(
        line.name,
        EventName::LateReport
            | EventName::Deleted
            | EventName::ChargingAttempted
            | EventName::ChargingFailed
            | EventName::AutoReplySent
    )
}
