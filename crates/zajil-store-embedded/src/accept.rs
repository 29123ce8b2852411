//! Accepting: drafts become rows, all or none.

use rusqlite::{OptionalExtension, params};
use zajil_core::clock::Timestamp;
use zajil_core::concatenation;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::message::{Life, Message};
use zajil_core::port::Dedupe;
use zajil_store::contract::{Draft, Placed};
use zajil_store::record;

use crate::error::Done;
use crate::parts;
use crate::row::message_id;
use crate::writer::Tx;

/// A draft with its records encoded, so that the writer thread only binds and steps.
#[derive(Debug)]
pub(crate) struct Prepared {
    draft: Draft,
    extra: Option<String>,
    events: String,
    /// What the parts of its text have in common, if it is one.
    part: Option<String>,
}

impl Prepared {
    /// Encodes on the caller's thread.
    pub(crate) fn new(draft: Draft) -> Self {
        let extra = record::encode_extra(&draft.message);
        let events = record::encode_events(&draft.events);
        let part = concatenation::key(&draft.message.content);
        Self {
            draft,
            extra,
            events,
            part,
        }
    }

    /// About what it holds, in octets.
    pub(crate) fn octets(&self) -> usize {
        let content = &self.draft.message.content;
        size_of::<Self>()
            + content.body.len()
            + content.raw_pdu.as_ref().map_or(0, Vec::len)
            + self.extra.as_ref().map_or(0, String::len)
            + self.events.len()
    }
}

/// One transaction's worth of drafts.
pub(crate) fn accept(tx: &mut Tx<'_>, drafts: &[Prepared], now: Timestamp) -> Done<Vec<Placed>> {
    let mut placed = Vec::with_capacity(drafts.len());
    for prepared in drafts {
        placed.push(place(tx, prepared, now)?);
    }
    Ok(placed)
}

fn place(tx: &mut Tx<'_>, prepared: &Prepared, now: Timestamp) -> Done<Placed> {
    let Draft {
        message, dedupe, ..
    } = &prepared.draft;
    if let Some((dedupe, until)) = dedupe
        && let Some(known) = recognise(tx, message, (dedupe, *until), now)?
    {
        return Ok(known);
    }
    insert(tx, prepared)?;
    tx.delta.messages += 1;
    if let Life::Ended(_) = message.life {
        tx.finish(message, &[], false)?;
        // Its lines are there already.
        tx.owe(message, &prepared.draft.events)?;
        return Ok(Placed::Stored(None));
    }
    tx.delta.pending += 1;
    tx.has_turn(message);
    let home = tx.enqueue(message, now)?;
    Ok(Placed::Stored(home.name))
}

fn insert(tx: &mut Tx<'_>, prepared: &Prepared) -> Done<()> {
    let message = &prepared.draft.message;
    let content = &message.content;
    tx.kept("INSERT INTO msg VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")?
        .execute(params![
            message.id.as_i64(),
            content.source.as_str(),
            content.destination.as_str(),
            content.body,
            content.source_smsc.as_ref().map(FrontendName::as_str),
            message.dest_smsc.as_ref().map(FrontendName::as_str),
            content.parts.get(),
            message.inserted_at.millis(),
            message.expires.millis(),
            message.charge_failed,
            message.origin_node.as_str(),
            prepared.extra,
            prepared.events,
        ])?;
    if let Some(key) = &prepared.part {
        parts::add(tx, message, key)?;
    }
    Ok(())
}

/// The answer to a repeated submit; otherwise remembers this one (D6).
fn recognise(
    tx: &mut Tx<'_>,
    message: &Message,
    (dedupe, until): (&Dedupe, Timestamp),
    now: Timestamp,
) -> Done<Option<Placed>> {
    let known: Option<(Vec<u8>, i64)> = tx
        .kept("SELECT body, message_id FROM dedupe WHERE key = ?1 AND until > ?2")?
        .query_row(params![dedupe.key, now.millis()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((body, id)) = known {
        if body != dedupe.body {
            return Ok(Some(Placed::KeyReused));
        }
        return Ok(Some(Placed::Repeated(message_id(id)?)));
    }
    tx.kept("INSERT OR REPLACE INTO dedupe VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            dedupe.key,
            dedupe.body,
            message.id.as_i64(),
            until.millis()
        ])?;
    Ok(None)
}

/// What is submitted under the key is new again.
pub(crate) fn forget_key(tx: &mut Tx<'_>, key: &[u8; 32], id: MessageId) -> Done<()> {
    tx.db
        .prepare_cached("DELETE FROM dedupe WHERE key = ?1 AND message_id = ?2")?
        .execute(params![key, id.as_i64()])?;
    Ok(())
}
