//! Offering and holding: what a frontend may take, in the order of (`due`, `id`).

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::message::{Life, Message};
use zajil_core::offer::Asker;
use zajil_store::contract::OfferAsk;

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::row::{UNROUTED, message, message_columns};
use crate::ticket::Ticket;

/// One caller's ask for messages to hold.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) ask: OfferAsk,
    pub(crate) until: Timestamp,
    pub(crate) ticket: Ticket<Leased>,
}

/// What was leased.
#[derive(Debug, Default)]
pub(crate) struct Leased {
    pub(crate) messages: Vec<Message>,
    /// Those of them that somebody held before, without a report.
    pub(crate) returned: Vec<MessageId>,
}

/// Takes rows that nobody else is about to take. One queue: the index gives them in order.
const CLAIM_ONE: &str = concat!(
    "WITH c AS MATERIALIZED (SELECT ",
    message_columns!(),
    ", q.due AS place FROM q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false \
     WHERE q.dest = $1 AND q.due <= $2 AND m.expires > $2 \
     ORDER BY q.due, q.id LIMIT $3 FOR UPDATE OF q SKIP LOCKED), \
     u AS (UPDATE q SET due = greatest(coalesce(q.deliver_after, c.inserted_at), $4), \
     leased_until = $4 FROM c WHERE q.id = c.id) \
     SELECT * FROM c ORDER BY place, id"
);

/// The same over two queues: candidates by each index, then those that are still free.
const CLAIM_TWO: &str = concat!(
    "WITH c AS MATERIALIZED (SELECT ",
    message_columns!(),
    ", q.due AS place FROM q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false \
     WHERE q.id = ANY (ARRAY(SELECT x.id FROM ( \
       (SELECT q.due, q.id FROM q JOIN msg m ON m.id = q.id WHERE q.dest = $1 AND q.due <= $2 \
        AND m.expires > $2 ORDER BY q.due, q.id LIMIT $3) UNION ALL \
       (SELECT q.due, q.id FROM q JOIN msg m ON m.id = q.id WHERE q.dest = '' AND q.due <= $2 \
        AND m.expires > $2 ORDER BY q.due, q.id LIMIT $3)) x ORDER BY x.due, x.id LIMIT $3)) \
     AND q.dest IN ($1, '') AND q.due <= $2 FOR UPDATE OF q SKIP LOCKED), \
     u AS (UPDATE q SET due = greatest(coalesce(q.deliver_after, c.inserted_at), $4), \
     leased_until = $4 FROM c WHERE q.id = c.id) \
     SELECT * FROM c ORDER BY place, id"
);

impl Lease {
    pub(crate) fn step(&self) -> Step<'static> {
        let (ask, until) = (&self.ask, self.until.millis());
        let name = ask.asker.name.as_str().to_owned();
        let sql = if ask.asker.include_unrouted {
            CLAIM_TWO
        } else {
            CLAIM_ONE
        };
        let limit = i64::from(ask.limit);
        Step::new(sql, bind![name, ask.now.millis(), limit, until])
    }

    /// What the step has answered.
    pub(crate) fn read(&self, rows: &[Row]) -> Done<Leased> {
        let mut leased = Leased::default();
        for row in rows {
            let mut message = message(row)?;
            if let Life::Pending {
                leased_until: Some(_),
            } = message.life
            {
                leased.returned.push(message.id);
            }
            message.life = Life::Pending {
                leased_until: Some(self.until),
            };
            leased.messages.push(message);
        }
        Ok(leased)
    }
}

/// The messages that may be offered, held by nobody for it.
pub(crate) fn offer(ask: &OfferAsk) -> Step<'static> {
    const ONE: &str = concat!(
        "SELECT ",
        message_columns!(),
        " FROM q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false \
         WHERE q.dest = $1 AND q.due <= $2 AND m.expires > $2 \
         ORDER BY q.due, q.id LIMIT $3"
    );
    const TWO: &str = concat!(
        "SELECT * FROM ((SELECT ",
        message_columns!(),
        ", q.due AS place FROM q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false \
         WHERE q.dest = $1 AND q.due <= $2 AND m.expires > $2 ORDER BY q.due, q.id LIMIT $3) \
         UNION ALL (SELECT ",
        message_columns!(),
        ", q.due AS place FROM q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON false \
         WHERE q.dest = '' AND q.due <= $2 AND m.expires > $2 ORDER BY q.due, q.id LIMIT $3)) x \
         ORDER BY place, id LIMIT $3"
    );
    let sql = if ask.asker.include_unrouted { TWO } else { ONE };
    let name = ask.asker.name.as_str().to_owned();
    Step::new(sql, bind![name, ask.now.millis(), i64::from(ask.limit)])
}

/// When the next message for the asker falls due.
pub(crate) fn next_due(asker: &Asker) -> Step<'static> {
    const SQL: &str = "SELECT least((SELECT min(due) FROM q WHERE dest = $1), \
         (SELECT min(due) FROM q WHERE dest = $2))";
    let name = asker.name.as_str().to_owned();
    let other = if asker.include_unrouted {
        UNROUTED.to_owned()
    } else {
        name.clone()
    };
    Step::new(SQL, bind![name, other])
}
