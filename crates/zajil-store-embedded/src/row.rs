//! Rows into messages, and the places that more than one transaction reads or writes.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use zajil_core::charge;
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, NodeName};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::location::Location;
use zajil_core::message::{Arranged, Content, Ending, Life, Message};
use zajil_core::number::{Msisdn, Sender, key};
use zajil_core::retry::Attempt;
use zajil_core::smpp;
use zajil_core::status::Status;
use zajil_store::contract::Refund;
use zajil_store::{Error, record};

use crate::error::Done;
use crate::pack::Place;
use crate::writer::Tx;
use crate::{run, turn};

/// The queue of messages that neither a route nor a location decides.
pub(crate) const UNROUTED: i64 = 0;

/// The queue of messages that wait for their charge: nobody asks for it.
pub(crate) const CHARGING: i64 = -1;

/// The columns [`message`] reads, from `msg m` with `q` or `fin f`.
pub(crate) const MSG: &str = "m.id, m.source, m.destination, m.body, m.source_smsc, m.dest_smsc, \
     m.parts, m.inserted_at, m.expires, m.charge_failed, m.origin_node, m.extra";

/// The columns of a pending message, after [`MSG`].
pub(crate) const QUEUE: &str = "q.attempts, q.deliver_after, q.leased_until, q.updated_at";

static FIND: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {MSG}, {EITHER} FROM msg m LEFT JOIN q ON q.id = m.id \
         LEFT JOIN fin f ON f.id = m.id WHERE m.id = ?1 AND coalesce(f.hidden, 0) = 0"
    )
});

/// One message in either state, whole.
pub(crate) fn find(db: &Connection, id: MessageId) -> Done<Option<Message>> {
    found(&mut *db.prepare_cached(&FIND)?, id)
}

fn found(statement: &mut Statement<'_>, id: MessageId) -> Done<Option<Message>> {
    Ok(statement.query_row([id.as_i64()], either).optional()?)
}

/// A row of `q` that was not there, and one that was; with the same parameters.
pub(crate) const INSERT: &str = "INSERT INTO q VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const UPDATE: &str = "UPDATE q SET dest = ?2, due = ?3, located = ?4, attempts = ?5, \
     deliver_after = ?6, leased_until = ?7, updated_at = ?8 WHERE id = ?1";

/// Where its application finds a message.
fn place(message: &Message) -> Option<String> {
    let source = message.content.source_smsc.as_ref();
    smpp::place_of(source, message.arranged.origin.as_deref())
}

/// The columns of [`either`], after [`MSG`].
pub(crate) const EITHER: &str = "coalesce(q.attempts, f.attempts, 0), \
     coalesce(q.deliver_after, f.deliver_after), q.leased_until, \
     coalesce(q.updated_at, f.updated_at, m.inserted_at), f.how, f.at, f.node, f.dest_smsc";

/// A message in either state, from [`MSG`] and [`EITHER`].
pub(crate) fn either(row: &Row<'_>) -> rusqlite::Result<Message> {
    let mut message = waiting(row)?;
    if let Some(how) = row.get_ref(16)?.as_str_or_null()? {
        let Some(Status::Final(how)) = Status::parse(how) else {
            return Err(damaged(16, format!("unknown final status '{how}'")));
        };
        message.dest_smsc = name(row, 19)?;
        let node = NodeName::new(row.get_ref(18)?.as_str()?);
        message.life = Life::Ended(Ending {
            how,
            at: instant(row, 17)?,
            node,
        });
    }
    Ok(message)
}

/// A pending message, from [`MSG`] and [`QUEUE`].
pub(crate) fn waiting(row: &Row<'_>) -> rusqlite::Result<Message> {
    let extra = record::decode_extra(row.get_ref(11)?.as_str_or_null()?)
        .map_err(|error| damaged(11, error.to_string()))?;
    let parts: u32 = row.get(6)?;
    Ok(Message {
        id: message_id(row.get(0)?).map_err(|error| damaged(0, error.to_string()))?,
        content: Content {
            source: Sender::restore(row.get_ref(1)?.as_str()?),
            destination: Msisdn::restore(row.get_ref(2)?.as_str()?),
            body: row.get(3)?,
            source_smsc: name(row, 4)?,
            source_imsi: extra.source_imsi,
            dest_imsi: extra.dest_imsi,
            parts: NonZeroU32::new(parts).unwrap_or(NonZeroU32::MIN),
            part_number: extra.part_number,
            tp: extra.tp,
            send_time: extra.send_time,
            raw_pdu: extra.raw_pdu,
            raw_data: extra.raw_data,
            raw_sip: extra.raw_sip,
        },
        arranged: extra.arranged,
        dest_smsc: name(row, 5)?,
        inserted_at: instant(row, 7)?,
        expires: instant(row, 8)?,
        charge_failed: row.get(9)?,
        origin_node: NodeName::new(row.get_ref(10)?.as_str()?),
        attempts: Attempt::new(row.get(12)?),
        deliver_after: row.get::<_, Option<i64>>(13)?.map(Timestamp::from_millis),
        life: match extra.charging {
            Some((until, on_failure)) => Life::Charging { until, on_failure },
            None => Life::Pending {
                leased_until: row.get::<_, Option<i64>>(14)?.map(Timestamp::from_millis),
            },
        },
        updated_at: instant(row, 15)?,
    })
}

/// The id that a number in a table is.
pub(crate) fn message_id(number: i64) -> Result<MessageId, Error> {
    u64::try_from(number)
        .ok()
        .and_then(|number| MessageId::new(number).ok())
        .ok_or_else(|| Error::Damaged("not a message id".into()))
}

fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_millis(row.get(column)?))
}

fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<FrontendName>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => FrontendName::parse(text)
            .map(Some)
            .map_err(|error| damaged(column, format!("a frontend name {error}"))),
    }
}

fn damaged(column: usize, text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        rusqlite::types::Type::Text,
        Box::new(Error::Damaged(text)),
    )
}

impl Tx<'_> {
    /// One message in either state, whole.
    pub(crate) fn find(&mut self, id: MessageId) -> Done<Option<Message>> {
        found(self.kept(&FIND)?, id)
    }

    /// The number of a frontend's queue.
    pub(crate) fn dest(&mut self, name: &FrontendName) -> Done<i64> {
        if let Some(id) = self.dests.get(name.as_str()) {
            return Ok(*id);
        }
        let id = match find_dest(self.db, name)? {
            Some(id) => id,
            None => self
                .db
                .prepare_cached("INSERT INTO dest (name) VALUES (?1)")?
                .insert([name.as_str()])?,
        };
        self.dests.insert(name.as_str().to_owned(), id);
        Ok(id)
    }

    /// The queue a pending message belongs in, and whose it is.
    pub(crate) fn home(&mut self, message: &Message, now: Timestamp) -> Done<Home> {
        if let Life::Charging { .. } = message.life {
            return Ok(Home {
                dest: CHARGING,
                located: false,
                name: None,
            });
        }
        if let Some(name) = &message.dest_smsc {
            return Ok(Home {
                dest: self.dest(name)?,
                located: false,
                name: Some(name.clone()),
            });
        }
        let number = key(message.content.destination.as_str());
        let serving = serving(self.db, &number, now)?;
        Ok(match serving {
            Some(name) => Home {
                dest: self.dest(&name)?,
                located: true,
                name: Some(name),
            },
            None => Home {
                dest: UNROUTED,
                located: false,
                name: None,
            },
        })
    }

    /// Puts a message that has just come into its queue: into a run, or with a row in `q`, and in
    /// `waiting` if nothing decides it.
    pub(crate) fn enqueue(&mut self, message: &Message, now: Timestamp) -> Done<Home> {
        let home = self.home(message, now)?;
        if run::is_new(message) {
            self.joins(home.dest, Place::in_run(message));
        } else {
            self.write_row(message, &home, INSERT)?;
        }
        self.list(message, &home)?;
        Ok(home)
    }

    /// Writes the row in `q` of a pending message anew, whether it has one or not.
    ///
    /// One statement changes one row: then SQLite need not copy each page that it touches, to take
    /// half a statement back, as it does for `INSERT OR REPLACE`.
    pub(crate) fn enqueue_again(
        &mut self,
        message: &Message,
        before: &Before,
        now: Timestamp,
    ) -> Done<Home> {
        let home = self.home(message, now)?;
        if self.write_row(message, &home, UPDATE)? == 0 {
            self.was_new(message, before)?;
            self.write_row(message, &home, INSERT)?;
        }
        self.list(message, &home)?;
        Ok(home)
    }

    /// A message that had no row in `q` is no longer new.
    fn was_new(&mut self, message: &Message, before: &Before) -> Done<()> {
        match &before.dest_smsc {
            Some(name) => {
                let dest = self.dest(name)?;
                self.leaves(dest, Place::in_run(message));
            }
            None => tracing::error!(id = %message.id, "a pending message was in no queue"),
        }
        Ok(())
    }

    /// Writes the row in `q`; how many there were.
    pub(crate) fn write_row(
        &mut self,
        message: &Message,
        home: &Home,
        sql: &'static str,
    ) -> Done<usize> {
        let leased = match message.life {
            Life::Pending { leased_until } => leased_until,
            Life::Charging { .. } | Life::Ended(_) => None,
        };
        Ok(self.kept(sql)?.execute(params![
            message.id.as_i64(),
            home.dest,
            message.due().millis(),
            home.located,
            message.attempts.get(),
            message.deliver_after.map(Timestamp::millis),
            leased.map(Timestamp::millis),
            message.updated_at.millis(),
        ])?)
    }

    /// Lists a pending message wherever else it is found.
    fn list(&mut self, message: &Message, home: &Home) -> Done<()> {
        if let Some(place) = place(message) {
            self.kept("INSERT OR IGNORE INTO findable VALUES (?1, ?2)")?
                .execute(params![place, message.id.as_i64()])?;
        }
        if message.attempts > Attempt::default() {
            self.kept("INSERT OR IGNORE INTO retrying VALUES (?1, ?2)")?
                .execute(params![
                    key(message.content.destination.as_str()),
                    message.id.as_i64()
                ])?;
        }
        if message.dest_smsc.is_none() && home.dest != CHARGING {
            self.kept("INSERT OR IGNORE INTO waiting VALUES (?1, ?2)")?
                .execute(params![
                    key(message.content.destination.as_str()),
                    message.id.as_i64()
                ])?;
        }
        Ok(())
    }

    /// Writes the end of a message: its row in `fin` and its outbox entry.
    pub(crate) fn finish(&mut self, message: &Message, events: &[Event], hidden: bool) -> Done<()> {
        let Some(ending) = message.ending() else {
            return Err(Error::Damaged("a message finished while pending".into()).into());
        };
        let id = message.id.as_i64();
        self.kept(
            "INSERT INTO fin VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
             (SELECT coalesce(max(n), 0) FROM event WHERE message_id = ?1), ?10)",
        )?
        .execute(params![
            id,
            ending.how.as_str(),
            ending.at.millis(),
            ending.node.as_str(),
            message.dest_smsc.as_ref().map(FrontendName::as_str),
            message.attempts.get(),
            message.deliver_after.map(Timestamp::millis),
            message.updated_at.millis(),
            hidden,
            record::encode_events(events),
        ])?;
        let seq = self.next_seq;
        self.next_seq += 1;
        self.kept("INSERT INTO finished VALUES (?1, ?2, ?3)")?
            .execute(params![seq, id, ending.at.millis()])?;
        self.delta.outbox += 1;
        self.refund(message)
    }

    /// Writes down what is to be given back of a message that has ended.
    pub(crate) fn refund(&mut self, message: &Message) -> Done<()> {
        let (Some(call), Some(ending)) = (charge::to_refund(message), message.ending()) else {
            return Ok(());
        };
        let refund = Refund {
            call,
            how: ending.how,
            begun: None,
        };
        self.db
            .prepare_cached("INSERT OR IGNORE INTO refund (id, record) VALUES (?1, ?2)")?
            .execute(params![message.id.as_i64(), record::encode_refund(&refund)])?;
        Ok(())
    }

    /// Takes a message that has just ended out of the queue.
    pub(crate) fn dequeue(&mut self, message: &Message, before: &Before) -> Done<()> {
        let id = message.id.as_i64();
        if self.kept("DELETE FROM q WHERE id = ?1")?.execute([id])? == 0 {
            self.was_new(message, before)?;
        }
        // Only of these a turn is likely to be written by itself.
        if before.retrying || before.arranged.fallback.is_some() {
            turn::forget(self, before.turn)?;
        }
        if let Some(place) = place(message) {
            self.kept("DELETE FROM findable WHERE place = ?1 AND id = ?2")?
                .execute(params![place, id])?;
        }
        if before.retrying {
            self.forget_retrying(message)?;
        }
        if before.undecided {
            self.unwait(message)?;
        }
        self.delta.pending -= 1;
        Ok(())
    }

    /// A message that has not failed yet, or nothing to try again of.
    pub(crate) fn forget_retrying(&mut self, message: &Message) -> Done<()> {
        self.kept("DELETE FROM retrying WHERE number = ?1 AND id = ?2")?
            .execute(params![
                key(message.content.destination.as_str()),
                message.id.as_i64()
            ])?;
        Ok(())
    }

    /// A message that is no longer a location's to decide.
    pub(crate) fn unwait(&mut self, message: &Message) -> Done<()> {
        self.kept("DELETE FROM waiting WHERE number = ?1 AND id = ?2")?
            .execute(params![
                key(message.content.destination.as_str()),
                message.id.as_i64()
            ])?;
        Ok(())
    }

    /// Adds lines to the log of a stored message.
    pub(crate) fn log(&mut self, id: MessageId, events: &[Event]) -> Done<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.kept(
            "INSERT INTO event VALUES (?1, \
             (SELECT coalesce(max(n), 0) + 1 FROM event WHERE message_id = ?1), ?2)",
        )?
        .execute(params![id.as_i64(), record::encode_events(events)])?;
        Ok(())
    }
}

impl Tx<'_> {
    /// Adds a line to a log that is there. `false` when there is none.
    pub(crate) fn log_if_known(&mut self, id: MessageId, event: &Event) -> Done<bool> {
        let known: bool = self
            .db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM msg WHERE id = ?1) \
                 OR EXISTS (SELECT 1 FROM log WHERE message_id = ?1)",
            )?
            .query_row([id.as_i64()], |row| row.get(0))?;
        if known {
            self.log(id, std::slice::from_ref(event))?;
        }
        Ok(known)
    }
}

/// What the tables hold of a pending message that a change may make stale.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) undecided: bool,
    pub(crate) retrying: bool,
    pub(crate) turn: Place,
    pub(crate) dest_smsc: Option<FrontendName>,
    arranged: Arranged,
    charging: bool,
}

impl Before {
    pub(crate) fn of(message: &Message) -> Self {
        Self {
            undecided: message.dest_smsc.is_none(),
            retrying: message.attempts > Attempt::default(),
            turn: Place::of_turn(message),
            dest_smsc: message.dest_smsc.clone(),
            arranged: message.arranged.clone(),
            charging: matches!(message.life, Life::Charging { .. }),
        }
    }

    /// Whether a report has changed what stands in `msg`, which is seldom.
    pub(crate) fn rewritten(&self, message: &Message) -> bool {
        self.charging || self.dest_smsc != message.dest_smsc || self.arranged != message.arranged
    }
}

/// The queue of a pending message.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) dest: i64,
    pub(crate) located: bool,
    pub(crate) name: Option<FrontendName>,
}

/// The number of a frontend's queue, if it ever had one.
pub(crate) fn find_dest(db: &Connection, name: &FrontendName) -> Done<Option<i64>> {
    let mut statement = db.prepare_cached("SELECT id FROM dest WHERE name = ?1")?;
    Ok(statement
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?)
}

/// The latest location of a number in comparable form.
pub(crate) fn location_of(db: &Connection, number: &str) -> Done<Option<Location>> {
    let mut statement = db.prepare_cached(
        "SELECT record FROM location WHERE number = ?1 ORDER BY updated_at DESC, id DESC LIMIT 1",
    )?;
    let mut rows = statement.query([number])?;
    match rows.next()? {
        Some(row) => Ok(Some(record::decode_location(
            row.get_ref(0)?.as_str().unwrap_or(""),
        )?)),
        None => Ok(None),
    }
}

/// The frontend that a live location names for a number in comparable form.
pub(crate) fn serving(db: &Connection, number: &str, now: Timestamp) -> Done<Option<FrontendName>> {
    Ok(location_of(db, number)?.and_then(|location| location.serving(now).cloned()))
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::{open, schema};

    #[test]
    fn a_kept_statement_is_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Connection::open(folder.path().join("queue.db")).unwrap();
        schema::migrate(&mut db).unwrap();
        open::settle(&db, 1_024).unwrap();
        for id in 1..=3 {
            let id = MessageId::new(id * 1_000).unwrap();
            assert!(find(&db, id).ok().unwrap().is_none());
        }
        let kept = db.prepare_cached(&FIND).unwrap();
        assert_eq!(kept.get_status(StatementStatus::Run), 3);
        assert_eq!(kept.get_status(StatementStatus::RePrepare), 0);
    }
}
