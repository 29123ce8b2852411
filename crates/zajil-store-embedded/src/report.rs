//! Reports, edits and removals: the life cycle's function applied to a row.

use rusqlite::params;
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{self, Edit, Report, Unchanged};
use zajil_core::message::{Life, Message};
use zajil_store::contract::{NotDone, Outcome, Reported};
use zajil_store::record;

use crate::error::Done;
use crate::row::find;
use crate::writer::Tx;

/// Applies one report.
pub(crate) fn report(
    tx: &mut Tx<'_>,
    id: MessageId,
    report: &Report,
    scene: &Scene,
) -> Done<Outcome> {
    let Some(mut message) = find(tx.db, id)? else {
        return Ok(Err(NotDone::NotFound));
    };
    let undecided = message.dest_smsc.is_none();
    match lifecycle::report(&mut message, report, scene) {
        Ok(events) => settle(tx, message, undecided, &events, scene).map(Ok),
        Err(Unchanged::AlreadyFinal(how)) => {
            let text = format!("{} ignored: already {how}", word(report));
            tx.log(id, &[scene.event(EventName::LateReport, text)])?;
            Ok(Err(NotDone::AlreadyFinal(how)))
        }
        Err(Unchanged::NotYet) => Ok(Ok(Reported {
            queued_for: None,
            message,
        })),
    }
}

/// Applies an edit.
pub(crate) fn edit(tx: &mut Tx<'_>, id: MessageId, edit: &Edit, scene: &Scene) -> Done<Outcome> {
    let Some(mut message) = find(tx.db, id)? else {
        return Ok(Err(NotDone::NotFound));
    };
    let undecided = message.dest_smsc.is_none();
    let expired_at = message.expires;
    match lifecycle::edit(&mut message, edit.clone(), scene) {
        Ok(events) => {
            rewrite(tx, &message, expired_at)?;
            settle(tx, message, undecided, &events, scene).map(Ok)
        }
        Err(Unchanged::AlreadyFinal(how)) => {
            tx.log(
                id,
                &[scene.event(EventName::LateReport, format!("edit ignored: {how}"))],
            )?;
            Ok(Err(NotDone::AlreadyFinal(how)))
        }
        Err(Unchanged::NotYet) => Ok(Ok(Reported {
            queued_for: None,
            message,
        })),
    }
}

/// Ends a pending message, then hides it.
pub(crate) fn remove(tx: &mut Tx<'_>, id: MessageId, scene: &Scene) -> Done<bool> {
    let Some(mut message) = find(tx.db, id)? else {
        return Ok(false);
    };
    let undecided = message.dest_smsc.is_none();
    if let Ok(events) = lifecycle::report(&mut message, &Report::Removed, scene) {
        tx.finish(&message, &events, true)?;
        tx.dequeue(&message, undecided)?;
    } else {
        tx.db
            .prepare_cached("UPDATE fin SET hidden = 1 WHERE id = ?1")?
            .execute([id.as_i64()])?;
        tx.log(id, &[scene.event(EventName::Deleted, "")])?;
    }
    tx.delta.messages -= 1;
    Ok(true)
}

/// Writes what a report or edit has made of a message.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    message: Message,
    was_undecided: bool,
    events: &[Event],
    scene: &Scene,
) -> Done<Reported> {
    if let Life::Ended(_) = message.life {
        tx.finish(&message, events, false)?;
        tx.dequeue(&message, was_undecided)?;
        return Ok(Reported {
            message,
            queued_for: None,
        });
    }
    tx.log(message.id, events)?;
    if was_undecided && message.dest_smsc.is_some() {
        tx.unwait(&message)?;
    }
    let home = tx.enqueue(&message, scene.now)?;
    Ok(Reported {
        message,
        queued_for: home.name,
    })
}

/// Writes the columns of `msg` that an edit can change: the one case where they do.
fn rewrite(tx: &mut Tx<'_>, message: &Message, expired_at: Timestamp) -> Done<()> {
    let id = message.id.as_i64();
    tx.db
        .prepare_cached(
            "UPDATE msg SET body = ?2, dest_smsc = ?3, parts = ?4, expires = ?5, \
             charge_failed = ?6, extra = ?7 WHERE id = ?1",
        )?
        .execute(params![
            id,
            message.content.body,
            message.dest_smsc.as_ref().map(FrontendName::as_str),
            message.content.parts.get(),
            message.expires.millis(),
            message.charge_failed,
            record::encode_extra(&message.content),
        ])?;
    if message.expires != expired_at {
        tx.db
            .prepare_cached("UPDATE expiry SET at = ?3 WHERE at = ?1 AND id = ?2")?
            .execute([expired_at.millis(), id, message.expires.millis()])?;
    }
    Ok(())
}

fn word(report: &Report) -> &'static str {
    match report {
        Report::Delivered { .. } => "delivered",
        Report::AttemptFailed { .. } => "attempt failed",
        Report::Ended { .. } => "ended",
        Report::LifeOver => "expired",
        Report::Removed => "removed",
    }
}
