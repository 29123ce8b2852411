//! What the log of a message says: why an attempt failed, what charging said, what came too late.

use super::words::count;
use super::{Code, Facts, Finding};
use crate::clock::Timestamp;
use crate::event::{Event, EventName};
use crate::message::Life;

/// A failed attempt, as its line tells it.
pub(super) struct Failure<'a> {
    pub(super) at: Timestamp,
    pub(super) reason: Option<&'a str>,
    pub(super) kind: Kind,
}

/// What became of the attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Failed,
    /// The frontend gave it up for good.
    Refused,
    /// Nobody could take it: not counted as an attempt.
    Postponed,
}

/// The last failed attempt, unless somebody set the time anew after it.
pub(super) fn put_off_by(events: &[Event]) -> Option<Failure<'_>> {
    let decides = events.iter().rev().find_map(|event| match event.name {
        EventName::DeliveryAttempt(_) | EventName::Postponed => Some(failure(event)),
        EventName::Updated if event.description.contains("deliver_after") => Some(None),
        _ => None,
    });
    decides.flatten()
}

/// The last failed attempt.
pub(super) fn last_failure(events: &[Event]) -> Option<Failure<'_>> {
    events.iter().rev().find_map(failure)
}

/// The lines that `lifecycle` writes: `failed: WHY; again in N s`, `refused: WHY`, and for what was
/// not counted `WHY; again in N s`.
fn failure(event: &Event) -> Option<Failure<'_>> {
    let told = event.description.as_str();
    let (rest, kind) = match event.name {
        EventName::Postponed => (told, Kind::Postponed),
        EventName::DeliveryAttempt(_) => match told.strip_prefix("failed") {
            Some(rest) => (rest, Kind::Failed),
            None => (told.strip_prefix("refused")?, Kind::Refused),
        },
        _ => return None,
    };
    let rest = rest.rsplit_once("; again in ").map_or(rest, |cut| cut.0);
    let reason = rest.strip_prefix(": ").unwrap_or(rest);
    Some(Failure {
        at: event.at,
        reason: Some(reason).filter(|text| !text.is_empty() && !text.starts_with(';')),
        kind,
    })
}

/// The description of the last line of this name, if it says anything.
pub(super) fn last<'a>(events: &'a [Event], name: &EventName) -> Option<&'a str> {
    let found = events.iter().rev().find(|event| event.name == *name)?;
    Some(found.description.as_str()).filter(|text| !text.is_empty())
}

/// Whether there is a line of this name.
pub(super) fn has(events: &[Event], name: &EventName) -> bool {
    events.iter().any(|event| event.name == *name)
}

/// What else the message and its log tell, whatever its life.
pub(super) fn remarks(facts: &Facts<'_>) -> Vec<Finding> {
    let (message, events) = (facts.message, facts.events);
    let mut findings = Vec::new();
    if message.charge_failed {
        let why = last(events, &EventName::ChargingFailed);
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        let sentence = format!("it went on unpaid, because charging failed{why}");
        findings.push(
            Finding::new(Code::ChargeFailed, sentence)
                .remedy("see the part 'charging' of GET /readyz"),
        );
    }
    if let Some(parts) = message.arranged.debited {
        let sentence = format!("the price of {} was taken", count(parts.get(), "part"));
        findings.push(Finding::new(Code::Debited, sentence));
    }
    let late = events.iter().filter(|e| e.name == EventName::LateReport);
    let late = u32::try_from(late.count()).unwrap_or(u32::MAX);
    if late > 0 {
        let ended = matches!(message.life, Life::Ended(_));
        let sentence = format!("{} came after its end", count(late, "report"));
        let finding = Finding::new(Code::LateReports, sentence);
        findings.push(if ended {
            finding.remedy("a frontend reports too late, or twice: compare its lease with its work")
        } else {
            finding
        });
    }
    if events.is_empty() {
        let sentence = "its event log is over (event_ttl_days), so reasons are not known any more";
        findings.push(Finding::new(Code::LogOver, sentence));
    }
    findings
}
