//! Offering: what a frontend may take, in the order of (`due`, `id`), and holding it.

use rusqlite::{Connection, params};
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::message::{Life, Message};
use zajil_core::offer::Asker;
use zajil_store::contract::OfferAsk;

use crate::error::Done;
use crate::pack::Place;
use crate::row::{Home, INSERT, MSG, QUEUE, UNROUTED, find_dest, waiting};
use crate::writer::Tx;
use crate::{run, sweep};

/// The queues an asker may take from; the second only with `include-unrouted`.
fn queues(db: &Connection, asker: &Asker) -> Done<Vec<i64>> {
    let mut queues = Vec::with_capacity(2);
    queues.extend(find_dest(db, &asker.name)?);
    if asker.include_unrouted {
        queues.push(UNROUTED);
    }
    Ok(queues)
}

/// The messages that may be offered, and the queue of those that are new. A message that has
/// expired but was not swept yet is passed over; the sweep keeps those few.
pub(crate) fn offer(db: &Connection, ask: &OfferAsk) -> Done<Vec<Offered>> {
    static SQL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!(
            "SELECT {MSG}, {QUEUE} FROM q CROSS JOIN msg m ON m.id = q.id \
             WHERE q.dest = ?1 AND q.due <= ?2 AND m.expires > ?2 \
             ORDER BY q.due, q.id LIMIT ?3"
        )
    });
    let mut found = Vec::new();
    let queues = queues(db, &ask.asker)?;
    for queue in &queues {
        let mut statement = db.prepare_cached(&SQL)?;
        let rows = statement.query_map(params![queue, ask.now.millis(), ask.limit], waiting)?;
        for message in rows {
            found.push(Offered {
                message: message?,
                new_in: None,
            });
        }
        // Undecided messages are in no run.
        if *queue != UNROUTED {
            let new = run::front(db, *queue, ask.now, ask.limit)?;
            found.extend(new.into_iter().map(|message| Offered {
                message,
                new_in: Some(*queue),
            }));
        }
    }
    found.sort_by_key(|offered| (offered.message.due(), offered.message.id));
    found.truncate(usize::try_from(ask.limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// One of the messages that may be offered.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) message: Message,
    /// Whose run it stands in; none when it has a row in `q`.
    new_in: Option<i64>,
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
    // What this transaction has taken off the runs is not to be found there.
    tx.settle_left()?;
    let (mut messages, mut returned) = (Vec::new(), Vec::new());
    for Offered {
        mut message,
        new_in,
    } in offer(tx.db, ask)?
    {
        if let Life::Pending {
            leased_until: Some(_),
        } = message.life
        {
            returned.push(message.id);
        }
        message.life = Life::Pending {
            leased_until: Some(until),
        };
        match new_in {
            None => {
                tx.kept("UPDATE q SET due = ?2, leased_until = ?3 WHERE id = ?1")?
                    .execute([message.id.as_i64(), message.due().millis(), until.millis()])?;
            }
            Some(dest) => {
                tx.leaves(dest, Place::in_run(&message));
                let home = Home {
                    dest,
                    located: false,
                    name: None,
                };
                tx.write_row(&message, &home, INSERT)?;
            }
        }
        messages.push(message);
    }
    Ok(Leased { messages, returned })
}

/// When the first message of a queue falls due.
pub(crate) const FIRST_DUE: &str = "SELECT min(due) FROM \
     (SELECT min(due) AS due FROM q WHERE dest = ?1 \
      UNION ALL SELECT min(due) FROM run WHERE dest = ?1)";

/// When the next message for the asker falls due.
pub(crate) fn next_due(db: &Connection, asker: &Asker) -> Done<Option<Timestamp>> {
    let mut first: Option<i64> = None;
    for queue in queues(db, asker)? {
        let due: Option<i64> = db
            .prepare_cached(FIRST_DUE)?
            .query_row([queue], |row| row.get(0))?;
        first = [first, due].into_iter().flatten().min();
    }
    Ok(first.map(Timestamp::from_millis))
}
