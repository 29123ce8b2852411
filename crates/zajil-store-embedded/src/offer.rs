//! Offering: what a frontend may take, in the order of (`due`, `id`), and holding it.

use rusqlite::{Connection, params};
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::message::{Life, Message};
use zajil_core::offer::Asker;
use zajil_store::contract::OfferAsk;

use crate::error::Done;
use crate::row::{MSG, QUEUE, UNROUTED, find_dest, waiting};
use crate::sweep;
use crate::writer::Tx;

/// The queues an asker may take from; the second only with `include-unrouted`.
fn queues(db: &Connection, asker: &Asker) -> Done<Vec<i64>> {
    let mut queues = Vec::with_capacity(2);
    queues.extend(find_dest(db, &asker.name)?);
    if asker.include_unrouted {
        queues.push(UNROUTED);
    }
    Ok(queues)
}

/// The messages that may be offered. A message that has expired but was not swept yet is passed
/// over; the sweep keeps those few.
pub(crate) fn offer(db: &Connection, ask: &OfferAsk) -> Done<Vec<Message>> {
    static SQL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!(
            "SELECT {MSG}, {QUEUE} FROM q CROSS JOIN msg m ON m.id = q.id \
             WHERE q.dest = ?1 AND q.due <= ?2 AND m.expires > ?2 \
             ORDER BY q.due, q.id LIMIT ?3"
        )
    });
    let mut found = Vec::new();
    for queue in queues(db, &ask.asker)? {
        let mut statement = db.prepare_cached(&SQL)?;
        let rows = statement.query_map(params![queue, ask.now.millis(), ask.limit], waiting)?;
        for row in rows {
            found.push(row?);
        }
    }
    if ask.asker.include_unrouted {
        found.sort_by_key(|message| (message.due(), message.id));
        found.truncate(usize::try_from(ask.limit).unwrap_or(usize::MAX));
    }
    Ok(found)
}

/// What was leased.
#[derive(Debug)]
pub(crate) struct Leased {
    pub(crate) messages: Vec<Message>,
    /// Those of them that somebody held before, without a report.
    pub(crate) returned: Vec<MessageId>,
}

/// Offers, and holds what it offers until `until`.
pub(crate) fn lease(tx: &mut Tx<'_>, ask: &OfferAsk, until: Timestamp) -> Done<Leased> {
    sweep::locations(tx, ask.now, sweep::LOCATIONS_AT_ONCE)?;
    let mut messages = offer(tx.db, ask)?;
    let hold = tx.kept("UPDATE q SET due = ?2, leased_until = ?3 WHERE id = ?1")?;
    let mut returned = Vec::new();
    for message in &mut messages {
        if let Life::Pending {
            leased_until: Some(_),
        } = message.life
        {
            returned.push(message.id);
        }
        message.life = Life::Pending {
            leased_until: Some(until),
        };
        hold.execute([message.id.as_i64(), message.due().millis(), until.millis()])?;
    }
    Ok(Leased { messages, returned })
}

/// When the next message for the asker falls due.
pub(crate) fn next_due(db: &Connection, asker: &Asker) -> Done<Option<Timestamp>> {
    let mut first: Option<i64> = None;
    for queue in queues(db, asker)? {
        let due: Option<i64> = db
            .prepare_cached("SELECT min(due) FROM q WHERE dest = ?1")?
            .query_row([queue], |row| row.get(0))?;
        first = [first, due].into_iter().flatten().min();
    }
    Ok(first.map(Timestamp::from_millis))
}
