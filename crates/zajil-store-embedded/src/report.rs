//! Reports, edits and removals: the life cycle's function applied to a row.

use rusqlite::params;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{self, Edit, Report, Unchanged};
use zajil_core::message::{Life, Message};
use zajil_core::retry::Attempt;
use zajil_store::contract::{NotDone, Outcome, Reported};
use zajil_store::record;

use crate::error::Done;
use crate::pack::Place;
use crate::row::Before;
use crate::writer::Tx;
use crate::{parts, turn};

/// Applies one report.
pub(crate) fn report(
    tx: &mut Tx<'_>,
    id: MessageId,
    report: &Report,
    scene: &Scene,
) -> Done<Outcome> {
    match tx.find(id)? {
        Some(message) => apply(tx, message, report, scene),
        None => Ok(Err(NotDone::NotFound)),
    }
}

/// Applies one report to a message as it is stored.
pub(crate) fn apply(
    tx: &mut Tx<'_>,
    mut message: Message,
    report: &Report,
    scene: &Scene,
) -> Done<Outcome> {
    let id = message.id;
    let was_over = message.ending().is_some();
    let before = Before::of(&message);
    match lifecycle::report(&mut message, report, scene) {
        // Money that was taken and is known of late: all that can still change.
        Ok(events) if was_over => {
            rewrite(tx, &message)?;
            tx.refund(&message)?;
            tx.log(id, &events)?;
            Ok(Ok(Reported {
                message,
                queued_for: None,
                events,
                fell_back_from: None,
            }))
        }
        Ok(events) => {
            if let Report::Taken {
                parts: Some(parts), ..
            } = report
            {
                tx.await_parts(id, parts, scene.now)?;
            }
            if message.ending().is_none() && before.rewritten(&message) {
                rewrite(tx, &message)?;
            }
            let fell_back_from = Reported::fell_back(before.dest_smsc.as_ref(), &message);
            let done = settle(tx, message, &before, events, scene)?;
            Ok(Ok(Reported {
                fell_back_from,
                ..done
            }))
        }
        Err(why) => unchanged(tx, id, (report.word(), why), scene),
    }
}

/// What is told of a message that stays as it is.
fn unchanged(
    tx: &mut Tx<'_>,
    id: MessageId,
    (word, why): (&str, Unchanged),
    scene: &Scene,
) -> Done<Outcome> {
    let not_done = match why {
        Unchanged::AlreadyFinal(how) => NotDone::AlreadyFinal(how),
        Unchanged::NotTheirs => NotDone::NotTheirs,
        Unchanged::Charging => return Ok(Err(NotDone::Charging)),
        Unchanged::NotYet => return Ok(Err(NotDone::NotYet)),
    };
    let text = format!("{word} ignored: {why}");
    tx.log(id, &[scene.event(EventName::LateReport, text)])?;
    Ok(Err(not_done))
}

/// Applies an edit.
pub(crate) fn edit(tx: &mut Tx<'_>, id: MessageId, edit: &Edit, scene: &Scene) -> Done<Outcome> {
    let Some(mut message) = tx.find(id)? else {
        return Ok(Err(NotDone::NotFound));
    };
    let before = Before::of(&message);
    match lifecycle::edit(&mut message, edit.clone(), scene) {
        Ok(events) => {
            rewrite(tx, &message)?;
            settle(tx, message, &before, events, scene).map(Ok)
        }
        Err(why) => unchanged(tx, id, ("edit", why), scene),
    }
}

/// Ends a pending message, then hides it.
pub(crate) fn remove(tx: &mut Tx<'_>, id: MessageId, scene: &Scene) -> Done<Result<(), NotDone>> {
    let Some(mut message) = tx.find(id)? else {
        return Ok(Err(NotDone::NotFound));
    };
    let before = Before::of(&message);
    match lifecycle::report(&mut message, &Report::Removed, scene) {
        Ok(events) => {
            tx.finish(&message, &events, true)?;
            tx.owe(&message, &events)?;
            tx.dequeue(&message, &before)?;
        }
        Err(Unchanged::AlreadyFinal(_)) => {
            tx.db
                .prepare_cached("UPDATE fin SET hidden = 1 WHERE id = ?1")?
                .execute([id.as_i64()])?;
            tx.log(id, &[scene.event(EventName::Deleted, "")])?;
        }
        Err(_) => return Ok(Err(NotDone::Charging)),
    }
    parts::remove(tx, id.as_i64())?;
    tx.delta.messages -= 1;
    Ok(Ok(()))
}

/// Writes what a report or edit has made of a message.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    message: Message,
    before: &Before,
    events: Vec<Event>,
    scene: &Scene,
) -> Done<Reported> {
    tx.owe(&message, &events)?;
    if let Life::Ended(_) = message.life {
        tx.finish(&message, &events, false)?;
        tx.dequeue(&message, before)?;
        return Ok(Reported {
            message,
            queued_for: None,
            events,
            fell_back_from: None,
        });
    }
    tx.log(message.id, &events)?;
    if before.undecided && message.dest_smsc.is_some() {
        tx.unwait(&message)?;
    }
    if before.retrying && message.attempts == Attempt::default() {
        tx.forget_retrying(&message)?;
    }
    let turn = Place::of_turn(&message);
    if turn != before.turn {
        turn::forget(tx, before.turn)?;
        turn::write(tx, turn)?;
    }
    let home = tx.enqueue_again(&message, before, scene.now)?;
    Ok(Reported {
        message,
        queued_for: home.name,
        events,
        fell_back_from: None,
    })
}

/// Writes the columns of `msg` that may change: by an edit, or when the message gets another
/// frontend or its charge.
fn rewrite(tx: &mut Tx<'_>, message: &Message) -> Done<()> {
    tx.db
        .prepare_cached(
            "UPDATE msg SET body = ?2, dest_smsc = ?3, parts = ?4, expires = ?5, \
             charge_failed = ?6, extra = ?7 WHERE id = ?1",
        )?
        .execute(params![
            message.id.as_i64(),
            message.content.body,
            message.dest_smsc.as_ref().map(FrontendName::as_str),
            message.content.parts.get(),
            message.expires.millis(),
            message.charge_failed,
            record::encode_extra(message),
        ])?;
    Ok(())
}
