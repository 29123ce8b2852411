//! A message that has not ended: what it waits for, who is next, and when its life is over.

use super::log::{Kind, has, put_off_by};
use super::words::{count, in_turn, long, when};
use super::{Code, Facts, Finding, Line};
use crate::charge::FailureAction;
use crate::clock::Timestamp;
use crate::event::EventName;
use crate::frontend::FrontendName;
use crate::location::Location;
use crate::port::Outcome;

/// It waits for its charge.
pub(super) fn charging(
    facts: &Facts<'_>,
    until: Timestamp,
    on_failure: FailureAction,
) -> Vec<Finding> {
    let then = match on_failure {
        FailureAction::Allow => "goes on unpaid",
        FailureAction::Deny => "is rejected",
    };
    let at = when(until, facts.now);
    let sentence = if until > facts.now {
        format!(
            "the charging system was asked for its price and has not answered; without an \
                 answer it {then} at {at}"
        )
    } else {
        format!("the charging system has not answered; it {then} with the next sweep (due {at})")
    };
    let first = Finding::new(Code::WaitsForCharge, sentence)
        .remedy("see the part 'charging' of GET /readyz");
    vec![first, expires(facts)]
}

/// It waits for its frontend, for its time, or for somebody to decide.
pub(super) fn pending(facts: &Facts<'_>, leased_until: Option<Timestamp>) -> Vec<Finding> {
    let (message, now) = (facts.message, facts.now);
    if message.expires <= now {
        let at = when(message.expires, now);
        let sentence = format!("its life was over at {at}; the next sweep ends it as expired");
        return vec![Finding::new(Code::LifeOver, sentence)];
    }
    let mut findings = Vec::new();
    let held = leased_until.filter(|until| *until > now);
    if let Some(until) = held {
        findings.push(leased(facts, until));
    } else if let Some(due) = message.deliver_after.filter(|due| *due > now) {
        findings.push(later(facts, due));
    }
    let due_now = findings.is_empty();
    if held.is_none() {
        match (&message.dest_smsc, facts.serving()) {
            (Some(name), _) => findings.extend(with(facts, name, due_now)),
            (None, Some(name)) => {
                let sentence = format!("the location of its destination gives it to '{name}'");
                findings.extend(with(facts, name, due_now));
                findings.push(Finding::new(Code::Located, sentence));
            }
            (None, None) => findings.extend(unrouted(facts)),
        }
        findings.extend(elsewhere(facts));
        findings.extend(routes_today(facts));
    }
    findings.extend(followers(facts));
    findings.push(expires(facts));
    findings
}

fn leased(facts: &Facts<'_>, until: Timestamp) -> Finding {
    let id = facts.message.id;
    let by = facts.message.dest_smsc.as_ref().or(facts.serving());
    let by = by.map_or("a poller".to_owned(), |name| {
        format!("a poller of '{name}'")
    });
    let at = when(until, facts.now);
    let sentence = format!("{by} holds it until {at}; without a report it is offered again then");
    Finding::new(Code::Leased, sentence).remedy(format!(
        "if that poller is gone, zajil message retry {id} takes it back at once"
    ))
}

fn later(facts: &Facts<'_>, due: Timestamp) -> Finding {
    let message = facts.message;
    let at = when(due, facts.now);
    let remedy = format!("zajil message retry {} makes it due now", message.id);
    let finding = match put_off_by(facts.events) {
        Some(failure) => {
            let why = failure.reason.unwrap_or("no reason was given");
            let tried = count(message.attempts.get(), "failed attempt");
            let last = when(failure.at, facts.now);
            let sentence = match failure.kind {
                Kind::Postponed => format!(
                    "put off until {at}, without counting an attempt: its frontend could not take \
                     it at {last}: {why}"
                ),
                Kind::Failed => {
                    format!(
                        "put off until {at} after {tried}; the last one failed at {last}: {why}"
                    )
                }
                Kind::Refused => format!(
                    "put off until {at} after {tried}; the last one was refused at {last}: {why}"
                ),
            };
            Finding::new(Code::PutOff, sentence)
        }
        None if facts.events.is_empty() && message.attempts.get() > 0 => {
            let tried = count(message.attempts.get(), "failed attempt");
            Finding::new(Code::PutOff, format!("put off until {at} after {tried}"))
        }
        None => {
            let by = if has(facts.events, &EventName::Updated) {
                "an edit"
            } else {
                "its sender"
            };
            let sentence = format!("scheduled by {by}: it is not offered before {at}");
            Finding::new(Code::Scheduled, sentence)
        }
    };
    finding.remedy(remedy)
}

/// How the frontend is that has it.
fn with(facts: &Facts<'_>, name: &FrontendName, due_now: bool) -> Vec<Finding> {
    let now = facts.now;
    let found = facts
        .frontends
        .iter()
        .find(|p| p.registration.name == *name);
    let mut findings = Vec::new();
    let active = match found {
        None => {
            let sentence = format!(
                "no frontend '{name}' has registered here, as far back as the \
                                    history goes"
            );
            let finding = Finding::new(Code::FrontendUnknown, sentence);
            findings
                .push(finding.remedy("start it, or give the message to another: PATCH dest_smsc"));
            false
        }
        Some(presence) if !presence.is_active(now) => {
            let (gone, seen) = (presence.expires_at, presence.last_seen_at);
            let sentence = format!(
                "its frontend '{name}' is not active since {}; it registered \
                                    last at {}",
                when(gone, now),
                when(seen, now)
            );
            let finding = Finding::new(Code::FrontendInactive, sentence);
            findings.push(finding.remedy(format!(
                "start it or mend its connection (GET /api/frontends/history/{name}), or give the \
                 message to another: PATCH dest_smsc"
            )));
            false
        }
        Some(_) => true,
    };
    let paused = paused(facts, name);
    if due_now && paused.is_none() {
        findings.extend(line(facts, name, active));
    }
    paused.into_iter().chain(findings).collect()
}

/// An operator has decided that it gets nothing now, or it is congested.
fn paused(facts: &Facts<'_>, name: &FrontendName) -> Option<Finding> {
    let (pause, now) = (facts.pause?, facts.now);
    let until = match pause.until {
        Some(until) => format!("until {}", when(until, now)),
        None => "until it is resumed".to_owned(),
    };
    let since = when(pause.since, now);
    let sentence = format!(
        "'{name}' gets nothing since {since}, {until}: {}",
        pause.reason
    );
    let finding = Finding::new(Code::FrontendPaused, sentence);
    Some(finding.remedy(format!(
        "POST /api/frontends/{name}/resume, or give the message to another: PATCH dest_smsc"
    )))
}

/// Where it stands among the messages that are due for its frontend.
fn line(facts: &Facts<'_>, name: &FrontendName, active: bool) -> Option<Finding> {
    let now = facts.now;
    match facts.line {
        Line::Unknown => {
            let since = when(facts.message.due(), now);
            let sentence = format!("due since {since}, and '{name}' has not taken it");
            Some(Finding::new(Code::NotTaken, sentence))
        }
        Line::First => {
            let since = when(facts.message.due(), now);
            let state = if active { "is active, but " } else { "" };
            let sentence = format!(
                "due since {since} and first in line: '{name}' {state}has not \
                                    taken it with a lease nor reported on it"
            );
            let finding = Finding::new(Code::NotTaken, sentence);
            Some(finding.remedy(format!(
                "see whether '{name}' polls, with the header smsc: {name} or ?smsc={name}"
            )))
        }
        Line::Behind(due) => {
            let waited = long(now.since(due));
            let sentence = format!(
                "due, but others for '{name}' come first: the first of them \
                                    has been due for {waited}"
            );
            let finding = Finding::new(Code::BehindOthers, sentence);
            Some(finding.remedy("the frontend takes fewer than arrive: more pollers, or another"))
        }
    }
}

fn unrouted(facts: &Facts<'_>) -> Vec<Finding> {
    let failed = has(facts.events, &EventName::RoutingFailed);
    let why = if failed {
        "no route matched when it was accepted"
    } else {
        "nothing names its frontend"
    };
    let sentence = format!(
        "{why}; it waits for a location of its destination, an edit, or a \
                            frontend that polls with include-unrouted"
    );
    let id = facts.message.id;
    let first = Finding::new(Code::Unrouted, sentence).remedy(format!(
        "give it to a frontend: PATCH /api/messages/{id} {{\"dest_smsc\": \"NAME\"}}"
    ));
    vec![first, why_not_located(facts.location, facts.now)]
}

/// Why no location decides; called only when none does.
fn why_not_located(location: Option<&Location>, now: Timestamp) -> Finding {
    let Some(location) = location else {
        let sentence = "no location of its destination is known";
        return Finding::new(Code::LocationUnknown, sentence);
    };
    if let Some(expires) = location.expires.filter(|expires| *expires <= now) {
        let at = when(expires, now);
        let sentence = format!("the location of its destination has run out at {at}");
        return Finding::new(Code::LocationExpired, sentence);
    }
    let at = when(location.updated_at, now);
    if location.registered {
        let sentence = format!("the location of its destination, of {at}, names no frontend");
        return Finding::new(Code::LocationWithoutFrontend, sentence);
    }
    let sentence = format!("its destination is detached, as told at {at}");
    Finding::new(Code::LocationDetached, sentence)
}

/// A route or an edit decided, and the location knows another frontend.
fn elsewhere(facts: &Facts<'_>) -> Option<Finding> {
    let decided = facts.message.dest_smsc.as_ref()?;
    let serving = facts.serving().filter(|serving| *serving != decided)?;
    let id = facts.message.id;
    let sentence = format!(
        "the location of its destination names '{serving}', but '{decided}' was \
                            decided on when it was accepted or edited"
    );
    let finding = Finding::new(Code::LocationElsewhere, sentence);
    Some(finding.remedy(format!(
        "let the location decide: PATCH /api/messages/{id} {{\"dest_smsc\": null}}"
    )))
}

/// What the routes of today would make of it, where that differs from what it has.
fn routes_today(facts: &Facts<'_>) -> Option<Finding> {
    let outcomes = facts.routes_today?;
    let decided = facts.message.dest_smsc.as_ref();
    if outcomes.is_empty() {
        let sentence = "no route of today would take it either";
        let finding = Finding::new(Code::NoRouteToday, sentence);
        return decided
            .is_none()
            .then(|| finding.remedy("add a route: it holds for new messages"));
    }
    if outcomes
        .iter()
        .any(|outcome| outcome.dest_smsc.as_ref() == decided)
    {
        return None;
    }
    let told: Vec<String> = outcomes.iter().map(outcome).collect();
    let sentence = format!("accepted now it would take {}", told.join(", or "));
    let id = facts.message.id;
    let finding = Finding::new(Code::RouteToday, sentence);
    Some(match outcomes.iter().find_map(|o| o.dest_smsc.as_ref()) {
        Some(to) => finding.remedy(format!(
            "routes hold for new messages; for this one: PATCH /api/messages/{id} \
             {{\"dest_smsc\": \"{to}\"}}"
        )),
        None => finding,
    })
}

fn outcome(outcome: &Outcome) -> String {
    let route = outcome.route;
    match &outcome.dest_smsc {
        Some(to) => format!("route {route} to '{to}'"),
        None => format!("route {route}, which delivers to nobody"),
    }
}

fn followers(facts: &Facts<'_>) -> Option<Finding> {
    let next = facts.message.arranged.fallback.as_ref()?;
    let now = facts.now;
    let turn = if next.at > now {
        format!("unless it is taken by {}", when(next.at, now))
    } else {
        format!(
            "with the next sweep (the turn of the present one ended at {})",
            when(next.at, now)
        )
    };
    let sentence = format!("{} follows {turn}", in_turn(&next.rest));
    Some(Finding::new(Code::Followers, sentence))
}

fn expires(facts: &Facts<'_>) -> Finding {
    let at = when(facts.message.expires, facts.now);
    Finding::new(Code::Expires, format!("its life ends at {at}, as expired"))
}
