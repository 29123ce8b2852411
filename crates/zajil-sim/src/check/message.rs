//! No accepted message vanishes, none ends twice, each has exactly one CDR.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::outcome::Reason;
use zajil_core::status::FinalStatus;

use super::{Findings, Rows};
use crate::history::{Door, Entry, LifeNumber, Token, What};
use crate::load;
use crate::run::Finale;

/// A stop that takes so long gives up on what the store would not take.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Clocks that are set back by less tell no id twice: a node begins so far after what it knows.
const SET_BACK: Duration = Duration::from_secs(1);
/// How long the key of a submit is remembered at the least (D6).
const KEPT: Duration = Duration::from_secs(5 * 60);

pub(super) fn check(finale: &Finale, rows: &Rows<'_>, findings: &mut Findings) {
    let pending = finale.messages.iter().filter(|m| m.ending().is_none());
    let pending: BTreeSet<MessageId> = pending.map(|message| message.id).collect();
    let is_there = |id: &MessageId| rows.contains_key(id) || pending.contains(id);
    accepted(finale, is_there, findings);
    endings(finale, rows, findings);
    submits(finale, rows, findings);
    places(&finale.history, findings);
}

fn accepted(finale: &Finale, is_there: impl Fn(&MessageId) -> bool, findings: &mut Findings) {
    let history = &finale.history;
    let mut owners = BTreeMap::new();
    for entry in history {
        match &entry.what {
            What::Taken {
                token,
                id,
                door,
                life,
            } => {
                let gone = *door == Door::Async && died(history, *life, entry.at);
                let (owner, was_gone) = *owners.entry(*id).or_insert((*token, gone));
                // A process that dies takes what it did not store with it, and nobody knows which
                // ids those had when its successor's clock is set back to before them. In a
                // cluster no clock is (ADR 14); on one machine the ids of what is stored stay
                // unique, and those of what was lost, and led to nothing, may be told again.
                let set_back = finale.plan.skew > SET_BACK && was_gone;
                if owner != *token && !set_back {
                    findings.add("id twice", format!("{id} was told to {owner} and {token}"));
                }
                let lost = !is_there(id);
                if lost && *door == Door::Sync {
                    findings.add("vanished", format!("{id}, accepted for submit {token}"));
                }
                if lost && *door == Door::Async && !gone {
                    findings.add("async vanished", format!("{id}, taken for submit {token}"));
                }
            }
            What::IdTaken(id) => findings.add("id twice", format!("{id} was stored before")),
            _ => {}
        }
    }
}

/// Whether the process that took an asynchronous submit died before it had to store it.
fn died(history: &[Entry], life: LifeNumber, taken: Timestamp) -> bool {
    history.iter().any(|entry| match entry.what {
        What::Crashed(dead) => dead == life && entry.at >= taken,
        What::Stopped { life: dead, took } => dead == life && took >= STOP_WITHIN,
        _ => false,
    })
}

fn endings(finale: &Finale, rows: &Rows<'_>, findings: &mut Findings) {
    let mut ended = BTreeMap::new();
    let mut told = BTreeMap::new();
    for entry in &finale.history {
        match entry.what {
            What::Ended(id, how) => {
                if let Some(before) = ended.insert(id, how) {
                    findings.add("final twice", format!("{id} was {before} and is {how}"));
                }
            }
            What::Told(id, how) => {
                if let Some(before) = told.insert(id, how) {
                    let twice = format!("{id} was reported {before}, then {how}, both taken");
                    findings.add("final twice", twice);
                }
            }
            _ => {}
        }
    }
    for (id, how) in &ended {
        match rows.get(id) {
            Some(row) if row.status == *how => {}
            Some(row) => {
                findings.add(
                    "row differs",
                    format!("{id} ended {how}, not {}", row.status),
                );
            }
            None if finale.drained => findings.add("vanished", format!("{id} has no CDR")),
            None => {}
        }
    }
    for (id, how) in told {
        match rows.get(&id) {
            Some(row) if row.status == how => {}
            Some(row) => {
                let otherwise = format!("{id} was said to be {how} and is {}", row.status);
                findings.add("told otherwise", otherwise);
            }
            None if finale.drained => {
                findings.add("told otherwise", format!("{id} was said to be {how}"));
            }
            None => {}
        }
    }
}

/// A submit leads to one message at the most, and to none when it was refused before it was stored.
fn submits(finale: &Finale, rows: &Rows<'_>, findings: &mut Findings) {
    let mut stored: BTreeMap<Token, Vec<MessageId>> = BTreeMap::new();
    for (id, row) in rows {
        let token = row.message_body.as_deref().and_then(load::token);
        if let (Some(token), true) = (token, row.status != FinalStatus::Rejected) {
            stored.entry(token).or_default().push(*id);
        }
    }
    // Clocks further apart than a key is kept forget it.
    if finale.plan.skew * 2 < KEPT {
        for (token, ids) in stored.iter().filter(|(_, ids)| ids.len() > 1) {
            findings.add("key stored twice", format!("submit {token} became {ids:?}"));
        }
    }
    let mut answers: BTreeMap<Token, Vec<Option<Reason>>> = BTreeMap::new();
    for entry in &finale.history {
        let (token, answer) = match entry.what {
            What::Taken { token, .. } | What::Lost(token) => (token, None),
            What::Refused { token, reason } => (token, Some(reason)),
            _ => continue,
        };
        answers.entry(token).or_default().push(answer);
    }
    for (token, answers) in answers {
        if let ([Some(reason)], Some(ids)) = (answers.as_slice(), stored.get(&token))
            && is_definite(*reason)
        {
            let code = reason.code();
            let told = format!("submit {token} was refused, {code}, and became {ids:?}");
            findings.add("refused and stored", told);
        }
    }
}

/// Whether the client may take it that nothing of its submit is left.
fn is_definite(reason: Reason) -> bool {
    // After a failure of the store or of ours the client is told to check.
    !matches!(reason, Reason::StorageDown | Reason::Internal)
}

/// One message, one entry.
fn places(history: &[Entry], findings: &mut Findings) {
    let mut places = BTreeMap::new();
    for entry in history {
        if let What::Outbox { place, message } = entry.what {
            let first = *places.entry(message).or_insert(place);
            if first != place {
                let told = format!("{message} is at {first} and at {place}");
                findings.add("outbox twice", told);
            }
        }
    }
}
