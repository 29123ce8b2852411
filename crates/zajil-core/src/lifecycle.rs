//! The life of a message as one transition function: what a report or an edit makes of it.
//!
//! Every store calls [`report`] and [`edit`] inside its own transaction, so the rules exist once.
//! A final state is written once: afterwards reports change nothing (D11).

mod reports;
mod unchanged;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::charge::FailureAction;
use crate::clock::Timestamp;
use crate::event::{Event, EventName, Scene};
use crate::frontend::FrontendName;
use crate::message::{CharacterSet, Content, Ending, Fallback, Life, Message};
use crate::retry::Attempt;
use crate::retry::schedule::ErrorClass;
use crate::smpp::Origin;
use crate::status::FinalStatus;

pub use reports::{Report, Settlement};
pub use unchanged::Unchanged;

/// How long a message lives on from a `deliver_after` that an edit moves to its end or past it.
const LIFE_ONCE_DUE: Duration = Duration::from_secs(24 * 60 * 60);

/// A new text for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// `message_body`.
    pub body: String,
    /// How it is to be coded; `None` leaves the coding as it is.
    pub coding: Option<TransferCoding>,
}

impl From<String> for Text {
    fn from(body: String) -> Self {
        Self { body, coding: None }
    }
}

impl From<&str> for Text {
    fn from(body: &str) -> Self {
        body.to_owned().into()
    }
}

/// The transfer fields that follow from the alphabet of a text (D9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferCoding {
    /// `tp_data_coding_scheme`.
    pub data_coding_scheme: Option<u8>,
    /// `tp_dcs_character_set`.
    pub character_set: Option<CharacterSet>,
}

/// What a PATCH changes; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    /// `dest_smsc`; the inner `None` gives the decision back to the location.
    pub dest_smsc: Option<Option<FrontendName>>,
    /// `message_body`, with the segments it takes. The engine counts them and sets the coding.
    pub body: Option<(Text, NonZeroU32)>,
    /// `deliver_after`; the inner `None` makes it due at once. At or past the end of the life, and
    /// without `expires`, it moves that end to 24 h after itself: else nobody could deliver.
    pub deliver_after: Option<Option<Timestamp>>,
    /// `expires`.
    pub expires: Option<Timestamp>,
    /// `delivery_attempts`.
    pub attempts: Option<Attempt>,
    /// `source_imsi`.
    pub source_imsi: Option<Option<String>>,
    /// `dest_imsi`.
    pub dest_imsi: Option<Option<String>>,
    /// `charge_failed`.
    pub charge_failed: Option<bool>,
    /// `status`, as the report that it amounts to; applied after the rest.
    pub report: Option<Report>,
    /// What its application wants to hear of it, and calls things, from now on.
    pub origin: Option<Box<Origin>>,
    /// Whether a message stays as it is while a poller holds it, instead of being taken away.
    pub unless_held: bool,
}

/// Applies a report to a message and returns the lines it adds to the event log.
///
/// # Errors
/// [`Unchanged`]: the message is as it was.
pub fn report(
    message: &mut Message,
    report: &Report,
    scene: &Scene,
) -> Result<Vec<Event>, Unchanged> {
    if let Some(ending) = message.ending() {
        let how = ending.how;
        return debited_late(message, report, scene).ok_or(Unchanged::AlreadyFinal(how));
    }
    check_turn(message, report)?;
    let events = match report {
        Report::Heard { says, .. } => return self::report(message, says, scene),
        Report::Because { error, says } => {
            let events = self::report(message, says, scene)?;
            says.keep_cause(message, Some(*error));
            return Ok(events);
        }
        Report::Delivered { by, at } => delivered(message, by.as_ref(), *at, scene),
        Report::AttemptFailed {
            reason,
            retry_after,
            class,
            schedules,
            ..
        } => {
            let wait = |message: &Message| {
                let dest = message.dest_smsc.as_ref();
                let failed = (message.attempts, message.id);
                retry_after.unwrap_or_else(|| schedules.wait(dest, *class, failed))
            };
            match class {
                Some(ErrorClass::Congestion) => put_off(message, reason.as_deref(), wait, scene),
                _ => attempt_failed(message, reason.as_deref(), wait, scene),
            }
        }
        Report::Ended { how, reason } => ended(message, *how, reason.as_deref(), scene),
        Report::Refused { reason, .. } => refused(message, reason.as_deref(), scene),
        Report::Taken { until, told, .. } => taken(message, *until, told, scene),
        Report::Charged(settlement) => match message.life {
            Life::Charging { .. } => settle(message, settlement, scene),
            _ => debited_late(message, report, scene).ok_or(Unchanged::NotYet)?,
        },
        Report::Overdue => overdue(message, scene).ok_or(Unchanged::NotYet)?,
        Report::Removed => {
            end(message, FinalStatus::Failed, scene.now, scene);
            vec![scene.event(EventName::Deleted, "removed before delivery")]
        }
    };
    report.keep_cause(message, None);
    message.updated_at = scene.now;
    Ok(events)
}

/// Whether it is this report's turn.
fn check_turn(message: &Message, report: &Report) -> Result<(), Unchanged> {
    if let Life::Charging { .. } = message.life {
        return match report {
            Report::Charged(_) | Report::Overdue => Ok(()),
            Report::Delivered { .. }
            | Report::AttemptFailed { .. }
            | Report::Ended { .. }
            | Report::Refused { .. }
            | Report::Taken { .. }
            | Report::Heard { .. }
            | Report::Because { .. }
            | Report::Removed => Err(Unchanged::Charging),
        };
    }
    match report {
        Report::AttemptFailed { by, .. }
        | Report::Refused { by, .. }
        | Report::Taken { by, .. } => {
            let dest = message.dest_smsc.as_ref();
            match (by, dest) {
                (Some(by), Some(dest)) if by != dest => Err(Unchanged::NotTheirs),
                _ => Ok(()),
            }
        }
        Report::Heard { held_until, .. } => {
            let held = Life::Pending {
                leased_until: Some(*held_until),
            };
            if message.life == held {
                Ok(())
            } else {
                Err(Unchanged::NotTheirs)
            }
        }
        _ => Ok(()),
    }
}

/// An answer that came after it had counted as lost: that money was taken is kept all the same, and
/// given back if the message has ended undelivered. Nothing else changes.
fn debited_late(message: &mut Message, report: &Report, scene: &Scene) -> Option<Vec<Event>> {
    let Report::Charged(Settlement::Granted {
        debited: Some(parts),
    }) = report
    else {
        return None;
    };
    if message.arranged.debited.is_some() {
        return None;
    }
    message.arranged.debited = Some(*parts);
    if message.ending().is_none() {
        message.charge_failed = false;
        message.updated_at = scene.now;
    }
    let told = format!("{parts} debited; the answer came late");
    Some(vec![scene.event(EventName::ChargingAttempted, told)])
}

fn delivered(
    message: &mut Message,
    by: Option<&FrontendName>,
    at: Option<Timestamp>,
    scene: &Scene,
) -> Vec<Event> {
    if let Some(by) = by {
        message.dest_smsc = Some(by.clone());
    }
    // A reporter's clock may be ahead, or the report may predate the message: keep it plausible.
    let at = at
        .unwrap_or(scene.now)
        .clamp(message.inserted_at.min(scene.now), scene.now);
    end(message, FinalStatus::Delivered, at, scene);
    let by = message.dest_smsc.as_ref().map_or("", FrontendName::as_str);
    vec![
        scene.event(EventName::DeliveryAttempt(message.attempts.next()), by),
        scene.event(EventName::Delivered, by),
    ]
}

fn attempt_failed(
    message: &mut Message,
    reason: Option<&str>,
    wait: impl Fn(&Message) -> Duration,
    scene: &Scene,
) -> Vec<Event> {
    message.attempts = message.attempts.next();
    let due = scene.now.plus(wait(message));
    message.deliver_after = Some(due);
    message.life = Life::Pending { leased_until: None };
    if let Some(next) = &mut message.arranged.fallback {
        // It was taken; the turn goes on from when it is due again.
        next.at = due.plus(next.after);
    }
    let wait = due.since(scene.now).as_secs();
    let description = match reason {
        Some(reason) => format!("failed: {reason}; again in {wait} s"),
        None => format!("failed; again in {wait} s"),
    };
    vec![scene.event(EventName::DeliveryAttempt(message.attempts), description)]
}

/// Nobody could take it now: no attempt is counted (D10).
fn put_off(
    message: &mut Message,
    reason: Option<&str>,
    wait: impl Fn(&Message) -> Duration,
    scene: &Scene,
) -> Vec<Event> {
    let due = scene.now.plus(wait(message));
    message.deliver_after = Some(due);
    message.life = Life::Pending { leased_until: None };
    let wait = due.since(scene.now).as_secs();
    let told = format!("{}; again in {wait} s", reason.unwrap_or("congestion"));
    vec![scene.event(EventName::Postponed, told)]
}

fn ended(
    message: &mut Message,
    how: FinalStatus,
    reason: Option<&str>,
    scene: &Scene,
) -> Vec<Event> {
    end(message, how, scene.now, scene);
    let (name, description) = match how {
        FinalStatus::Expired => {
            let tries = message.attempts.get();
            (
                EventName::DeadLetter,
                format!("expired after {tries} failed attempts"),
            )
        }
        FinalStatus::Dropped => (EventName::Dropped, String::new()),
        FinalStatus::Delivered => (EventName::Delivered, String::new()),
        FinalStatus::Failed | FinalStatus::Rejected => (EventName::Failed, how.to_string()),
    };
    vec![scene.event(name, reason.map_or(description, str::to_owned))]
}

/// A frontend gave it up: the attempt counts, and the next frontend has its turn.
fn refused(message: &mut Message, reason: Option<&str>, scene: &Scene) -> Vec<Event> {
    let Some(next) = message.arranged.fallback.take() else {
        return ended(message, FinalStatus::Failed, reason, scene);
    };
    message.attempts = message.attempts.next();
    message.deliver_after = None;
    let told = reason.map_or("refused".to_owned(), |reason| format!("refused: {reason}"));
    let name = EventName::DeliveryAttempt(message.attempts);
    vec![
        scene.event(name, told),
        fall_back(message, next, "refused it", scene),
    ]
}

/// A network beyond ours has it: held like by a poller, so that neither a location nor a fallback
/// takes it away meanwhile.
fn taken(message: &mut Message, until: Timestamp, told: &str, scene: &Scene) -> Vec<Event> {
    message.life = Life::Pending {
        leased_until: Some(until),
    };
    if let Some(next) = &mut message.arranged.fallback {
        next.at = until.plus(next.after);
    }
    vec![scene.event(EventName::Taken, told)]
}

/// Gives the message to the next frontend of its route.
fn fall_back(message: &mut Message, mut next: Fallback, why: &str, scene: &Scene) -> Event {
    let former = message.dest_smsc.take();
    let former = former.as_ref().map_or("", FrontendName::as_str);
    let to = (!next.rest.is_empty()).then(|| next.rest.remove(0));
    let told = match &to {
        Some(to) => format!("fallback to '{to}': '{former}' {why}"),
        None => format!("'{former}' {why}"),
    };
    message.dest_smsc = to;
    message.life = Life::Pending { leased_until: None };
    let due = message.deliver_after.unwrap_or(scene.now).max(scene.now);
    next.at = due.plus(next.after);
    message.arranged.fallback = (!next.rest.is_empty()).then_some(next);
    scene.event(EventName::Routed, told)
}

/// What the passing of time makes of a message; nothing when it is not its turn.
fn overdue(message: &mut Message, scene: &Scene) -> Option<Vec<Event>> {
    if message.next_turn() > scene.now {
        return None;
    }
    if let Life::Charging { on_failure, .. } = message.life {
        let why = "no answer was recorded; money may have moved".to_owned();
        let lost = match on_failure {
            FailureAction::Allow => Settlement::Uncharged { why },
            FailureAction::Deny => Settlement::Rejected { why },
        };
        return Some(settle(message, &lost, scene));
    }
    if message.expires <= scene.now {
        return Some(ended(message, FinalStatus::Expired, None, scene));
    }
    let mut next = message.arranged.fallback.take()?;
    if let Life::Pending {
        leased_until: Some(until),
    } = message.life
        && until > scene.now
    {
        // Somebody holds it: it was taken, and the turn goes on if that comes to nothing.
        next.at = until.plus(next.after);
        message.arranged.fallback = Some(next);
        return Some(Vec::new());
    }
    let why = format!("did not take it within {} s", next.after.as_secs());
    Some(vec![fall_back(message, next, &why, scene)])
}

/// Applies the answer of the charging system to a message that has not ended, and returns the lines
/// for its log.
pub fn settle(message: &mut Message, settlement: &Settlement, scene: &Scene) -> Vec<Event> {
    if let Life::Charging { .. } = message.life {
        message.life = Life::Pending { leased_until: None };
    }
    message.updated_at = scene.now;
    match settlement {
        Settlement::Granted { debited } => {
            message.arranged.debited = *debited;
            let told = match debited {
                Some(parts) => format!("{parts} debited"),
                None => "authorized".to_owned(),
            };
            vec![scene.event(EventName::ChargingAttempted, told)]
        }
        Settlement::Uncharged { why } => {
            message.charge_failed = true;
            vec![
                scene.event(EventName::ChargingAttempted, ""),
                scene.event(EventName::ChargingFailed, why.as_str()),
            ]
        }
        Settlement::Rejected { why } => {
            end(message, FinalStatus::Rejected, scene.now, scene);
            vec![
                scene.event(EventName::ChargingAttempted, ""),
                scene.event(EventName::ChargingFailed, why.as_str()),
                scene.event(EventName::Failed, FinalStatus::Rejected.to_string()),
            ]
        }
    }
}

fn end(message: &mut Message, how: FinalStatus, at: Timestamp, scene: &Scene) {
    message.life = Life::Ended(Ending {
        how,
        at,
        node: scene.node.clone(),
    });
}

/// Applies a PATCH to a message and returns the lines it adds to the event log.
///
/// An edit takes the message out of the hands of a poller that holds it: what it holds is stale.
///
/// # Errors
/// [`Unchanged`]: the message is as it was.
pub fn edit(message: &mut Message, edit: Edit, scene: &Scene) -> Result<Vec<Event>, Unchanged> {
    if let Some(ending) = message.ending() {
        return Err(Unchanged::AlreadyFinal(ending.how));
    }
    if let Life::Charging { .. } = message.life {
        return Err(Unchanged::Charging);
    }
    if let Life::Pending {
        leased_until: Some(until),
    } = message.life
        && edit.unless_held
        && until > scene.now
    {
        return Err(Unchanged::NotTheirs);
    }
    // On a copy: the edit happens whole or not at all.
    let mut edited = message.clone();
    let events = apply(&mut edited, edit, scene)?;
    *message = edited;
    Ok(events)
}

fn apply(message: &mut Message, edit: Edit, scene: &Scene) -> Result<Vec<Event>, Unchanged> {
    let expires = edit.expires.or_else(|| prolonged(message, &edit));
    let mut changed = Vec::new();
    let mut rerouted = None;
    if let Some(dest_smsc) = edit.dest_smsc {
        rerouted = Some(
            dest_smsc
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
        );
        message.dest_smsc = dest_smsc;
        message.arranged.fallback = None;
    }
    if let Some((text, parts)) = edit.body {
        set_text(&mut message.content, text, parts);
        changed.push("message_body");
    }
    if let Some(deliver_after) = edit.deliver_after {
        message.deliver_after = deliver_after;
        if let Some(next) = &mut message.arranged.fallback {
            let due = deliver_after.unwrap_or(scene.now).max(scene.now);
            next.at = due.plus(next.after);
        }
        changed.push("deliver_after");
    }
    set(&mut message.expires, expires, "expires", &mut changed);
    set(
        &mut message.attempts,
        edit.attempts,
        "delivery_attempts",
        &mut changed,
    );
    set(
        &mut message.content.source_imsi,
        edit.source_imsi,
        "source_imsi",
        &mut changed,
    );
    set(
        &mut message.content.dest_imsi,
        edit.dest_imsi,
        "dest_imsi",
        &mut changed,
    );
    set(
        &mut message.charge_failed,
        edit.charge_failed,
        "charge_failed",
        &mut changed,
    );
    if let Some(origin) = edit.origin {
        let before = message.arranged.origin.take();
        message.arranged.origin = Some(Box::new(origin.in_place_of(before.as_deref())));
        changed.push("registered_delivery");
    }
    let mut events = Vec::new();
    if let Some(to) = rerouted {
        events.push(scene.event(EventName::Routed, format!("set to '{to}' by an edit")));
    }
    if !changed.is_empty() {
        events.push(scene.event(EventName::Updated, changed.join(", ")));
    }
    if !events.is_empty() {
        message.life = Life::Pending { leased_until: None };
        message.updated_at = scene.now;
    }
    if let Some(status) = edit.report {
        events.extend(report(message, &status, scene)?);
    }
    Ok(events)
}

/// The new end of a life that would be over when the message falls due.
fn prolonged(message: &Message, edit: &Edit) -> Option<Timestamp> {
    let due = edit.deliver_after.flatten()?;
    (due >= message.expires).then(|| due.plus(LIFE_ONCE_DUE))
}

fn set_text(content: &mut Content, Text { body, coding }: Text, parts: NonZeroU32) {
    content.body = body;
    content.parts = parts;
    if let Some(coding) = coding {
        content.tp.data_coding_scheme = coding.data_coding_scheme;
        content.tp.character_set = coding.character_set;
    }
}

fn set<T>(field: &mut T, value: Option<T>, name: &'static str, changed: &mut Vec<&'static str>) {
    if let Some(value) = value {
        *field = value;
        changed.push(name);
    }
}

#[cfg(test)]
mod tests;
