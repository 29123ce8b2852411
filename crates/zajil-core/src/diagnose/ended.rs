//! A message that has ended: how, why, and where its CDR is.

use super::log::{last, last_failure};
use super::words::{count, when};
use super::{CdrState, Code, Facts, Finding};
use crate::event::EventName;
use crate::message::Ending;
use crate::status::FinalStatus;

/// The end, what led to it, and what is left of it.
pub(super) fn ended(facts: &Facts<'_>, ending: &Ending) -> Vec<Finding> {
    let mut findings = vec![end(facts, ending)];
    let attempts = facts.message.attempts.get();
    if ending.how != FinalStatus::Delivered
        && let Some(failure) = last_failure(facts.events)
    {
        let why = failure.reason.unwrap_or("no reason was given");
        let at = when(failure.at, facts.now);
        let sentence = format!(
            "the last of {} failed at {at}: {why}",
            count(attempts, "attempt")
        );
        findings.push(Finding::new(Code::LastFailure, sentence));
    } else if ending.how == FinalStatus::Expired && attempts == 0 {
        findings.push(never_attempted(facts));
    }
    findings.extend(cdr(facts));
    let until = ending.at.plus(facts.kept.messages);
    let sentence = if until > facts.now {
        format!("it can be read here until {}", when(until, facts.now))
    } else {
        "it leaves with the next retention sweep after its CDR is written".to_owned()
    };
    findings.push(Finding::new(Code::KeptUntil, sentence));
    findings
}

fn end(facts: &Facts<'_>, ending: &Ending) -> Finding {
    let message = facts.message;
    let events = facts.events;
    let at = when(ending.at, facts.now);
    let node = &ending.node;
    let by = match &message.dest_smsc {
        Some(name) => format!(" by '{name}'"),
        None => String::new(),
    };
    let reason = |name: EventName| match last(events, &name) {
        Some(why) => format!(": {why}"),
        None => String::new(),
    };
    match ending.how {
        FinalStatus::Delivered if last(events, &EventName::AutoReplySent).is_some() => {
            let told = reason(EventName::AutoReplySent);
            let sentence = format!("a route answered it at {at} on node {node}{told}");
            Finding::new(Code::Delivered, sentence)
        }
        FinalStatus::Delivered => {
            let failed = count(message.attempts.get(), "failed attempt");
            let sentence = format!("delivered{by} at {at} after {failed}, reported to node {node}");
            Finding::new(Code::Delivered, sentence)
        }
        FinalStatus::Expired => {
            let told = reason(EventName::DeadLetter);
            let sentence = format!(
                "its life was over before anybody delivered it; ended at {at} \
                                    by node {node}{told}"
            );
            Finding::new(Code::Expired, sentence)
        }
        FinalStatus::Failed if super::log::has(events, &EventName::Deleted) => {
            let sentence = format!(
                "removed at {at} on node {node}{}",
                reason(EventName::Deleted)
            );
            Finding::new(Code::Failed, sentence)
        }
        FinalStatus::Failed => {
            let told = reason(EventName::Failed);
            let sentence = format!("given up for good{by} at {at}, reported to node {node}{told}");
            Finding::new(Code::Failed, sentence)
                .remedy("submit it again once the reason is gone: an end is never taken back")
        }
        FinalStatus::Rejected => {
            let told = reason(EventName::ChargingFailed);
            let sentence = format!("charging refused it at {at} on node {node}{told}");
            Finding::new(Code::Rejected, sentence)
                .remedy("see the account at the charging system, and 'charging' of GET /readyz")
        }
        FinalStatus::Dropped => {
            let told = reason(EventName::Dropped);
            let sentence = format!("a route with 'drop' took it at {at} on node {node}{told}");
            Finding::new(Code::Dropped, sentence)
                .remedy("zajil route simulate shows which route does so, and why")
        }
    }
}

/// It expired, and nobody ever said that they had tried.
fn never_attempted(facts: &Facts<'_>) -> Finding {
    let message = facts.message;
    match &message.dest_smsc {
        Some(name) => Finding::new(
            Code::NeverAttempted,
            format!("'{name}' never reported an attempt"),
        )
        .remedy(format!(
            "GET /api/frontends/history/{name} shows when '{name}' was active"
        )),
        None => Finding::new(
            Code::NeverAttempted,
            "neither a route nor a location gave it to a frontend",
        )
        .remedy("add a route for its destination: zajil route simulate"),
    }
}

fn cdr(facts: &Facts<'_>) -> Option<Finding> {
    if !facts.kept.cdrs {
        let sentence = "no CDR is written: cdr_enabled is false";
        return Some(Finding::new(Code::CdrOff, sentence));
    }
    match facts.cdr {
        CdrState::Unknown => None,
        CdrState::Written => Some(Finding::new(Code::CdrWritten, "its CDR is written")),
        CdrState::Waits(with) => {
            let sentence = format!("its CDR waits in the outbox, which holds {with}");
            let finding = Finding::new(Code::CdrWaits, sentence);
            Some(finding.remedy("if it stays there the CDR database is away: zajil doctor"))
        }
    }
}
