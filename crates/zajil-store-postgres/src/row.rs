//! Rows into messages and back: what more than one transaction reads or writes.

use std::borrow::Cow;
use std::num::NonZeroU32;

use tokio_postgres::Row;
use zajil_core::charge;
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, NodeName};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::message::{Content, Ending, Life, Message};
use zajil_core::number::{Msisdn, Sender, key};
use zajil_core::retry::Attempt;
use zajil_core::smpp;
use zajil_core::status::Status;
use zajil_store::contract::Refund;
use zajil_store::{Error, record};

use crate::conn::{Parameter, Step, bind};
use crate::error::Done;
use crate::receipts::ReceiptRows;
use crate::run::{Newcomers, RunRows, Spot};
use crate::turn;

/// The queue of messages that neither a route nor a location decides. A message that waits for its
/// charge is in none: its `dest` is null.
pub(crate) const UNROUTED: &str = "";

/// The columns that [`pending`] reads, from `msg m`; macros, so that statements stay constants.
macro_rules! text_columns {
    () => {
        "m.id, m.source, m.destination, m.body, m.source_smsc, m.dest_smsc, m.parts, \
         m.inserted_at, m.expires, m.charge_failed, m.origin_node, m.extra"
    };
}
pub(crate) use text_columns;

/// The columns that [`message`] reads, from `msg m`, `q` and `fin f`.
macro_rules! message_columns {
    () => {
        concat!(
            $crate::row::text_columns!(),
            ", coalesce(q.attempts, f.attempts, 0), \
             coalesce(q.deliver_after, f.deliver_after), q.leased_until, \
             coalesce(q.updated_at, f.updated_at, m.inserted_at), f.how, f.at, f.node, \
             f.dest_smsc"
        )
    };
}
pub(crate) use message_columns;

/// Whether a message is found, of `msg m` with `q` and `fin f`: it waits, or has ended and is not
/// hidden.
macro_rules! is_found {
    () => {
        concat!(
            "(q.id IS NOT NULL OR NOT f.hidden OR f.id IS NULL AND ",
            $crate::run::in_run!("m.id"),
            ")"
        )
    };
}
pub(crate) use is_found;

/// What changes of a message while it waits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waiting {
    pub(crate) attempts: i64,
    pub(crate) deliver_after: Option<i64>,
    pub(crate) leased_until: Option<i64>,
    pub(crate) updated_at: i64,
}

impl Waiting {
    /// From four columns, this one and those after it.
    pub(crate) fn read(row: &Row, first: usize) -> Done<Self> {
        Ok(Self {
            attempts: row.try_get(first)?,
            deliver_after: row.try_get(first + 1)?,
            leased_until: row.try_get(first + 2)?,
            updated_at: row.try_get(first + 3)?,
        })
    }
}

/// A message in either state.
pub(crate) fn message(row: &Row) -> Done<Message> {
    let waiting = Waiting::read(row, 12)?;
    let Some(how) = row.try_get::<_, Option<&str>>(16)? else {
        return pending(row, waiting);
    };
    let Some(Status::Final(how)) = Status::parse(how) else {
        return Err(damaged(format!("unknown final status '{how}'")).into());
    };
    let ending = Ending {
        how,
        at: instant(row, 17)?,
        node: NodeName::new(row.try_get(18)?),
    };
    let mut message = pending(row, waiting)?;
    message.life = Life::Ended(ending);
    message.dest_smsc = name(row, 19)?;
    Ok(message)
}

/// A message that waits: its row in `msg`, and what its row in `q` says.
pub(crate) fn pending(row: &Row, waiting: Waiting) -> Done<Message> {
    let extra = record::decode_extra(row.try_get(11)?)?;
    let life = match extra.charging {
        Some((until, on_failure)) => Life::Charging { until, on_failure },
        None => Life::Pending {
            leased_until: waiting.leased_until.map(Timestamp::from_millis),
        },
    };
    Ok(Message {
        id: message_id(row.try_get(0)?)?,
        content: Content {
            source: Sender::restore(row.try_get(1)?),
            destination: Msisdn::restore(row.try_get(2)?),
            body: body(row.try_get(3)?),
            source_smsc: name(row, 4)?,
            source_imsi: extra.source_imsi,
            dest_imsi: extra.dest_imsi,
            parts: NonZeroU32::new(number(row, 6)?).unwrap_or(NonZeroU32::MIN),
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
        charge_failed: row.try_get(9)?,
        origin_node: NodeName::new(row.try_get(10)?),
        attempts: Attempt::new(u32::try_from(waiting.attempts).unwrap_or(u32::MAX)),
        deliver_after: waiting.deliver_after.map(Timestamp::from_millis),
        life,
        updated_at: Timestamp::from_millis(waiting.updated_at),
    })
}

/// Begins what stands for a character that PostgreSQL's texts cannot hold: a noncharacter.
const ESCAPE: char = '\u{10FFFF}';

/// A body as its column holds it.
pub(crate) fn storable(body: &str) -> Cow<'_, str> {
    if !body.contains(['\0', ESCAPE]) {
        return body.into();
    }
    let escaped = body.chars().flat_map(|c| match c {
        '\0' => [Some(ESCAPE), Some('0')],
        ESCAPE => [Some(ESCAPE), Some('1')],
        c => [Some(c), None],
    });
    escaped.flatten().collect::<String>().into()
}

fn body(column: &str) -> String {
    let mut body = String::with_capacity(column.len());
    let mut rest = column.chars();
    while let Some(c) = rest.next() {
        body.push(match c {
            ESCAPE if rest.next() == Some('0') => '\0',
            c => c,
        });
    }
    body
}

pub(crate) fn messages(rows: &[Row]) -> Done<Vec<Message>> {
    rows.iter().map(message).collect()
}

pub(crate) fn message_id(id: i64) -> Result<MessageId, Error> {
    let id = u64::try_from(id)
        .ok()
        .and_then(|id| MessageId::new(id).ok());
    id.ok_or_else(|| damaged("not a message id".to_owned()))
}

pub(crate) fn instant(row: &Row, column: usize) -> Done<Timestamp> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

fn number(row: &Row, column: usize) -> Done<u32> {
    Ok(u32::try_from(row.try_get::<_, i64>(column)?).unwrap_or(u32::MAX))
}

/// A count or an id.
pub(crate) fn whole(row: &Row, column: usize) -> Done<u64> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
}

pub(crate) fn name(row: &Row, column: usize) -> Done<Option<FrontendName>> {
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.map(frontend).transpose()?)
}

pub(crate) fn frontend(text: &str) -> Result<FrontendName, Error> {
    FrontendName::parse(text).map_err(|error| damaged(format!("a frontend name {error}")))
}

/// The frontend of a queue; none for what is unrouted.
pub(crate) fn queue(dest: &str) -> Result<Option<FrontendName>, Error> {
    match dest {
        UNROUTED => Ok(None),
        dest => frontend(dest).map(Some),
    }
}

pub(crate) fn damaged(text: String) -> Error {
    Error::Damaged(text)
}

/// The instant of the latest line; 0 without any.
pub(crate) fn newest(events: &[Event]) -> i64 {
    let instants = events.iter().map(|event| event.at.millis());
    instants.max().unwrap_or(0)
}

/// An id as columns hold it.
pub(crate) fn stored(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// The rows that the vectors hold. `unnest` stands among the columns, here and wherever a batch is
/// written: one `unnest` of all as a table keeps its rows aside first, at twice the price.
macro_rules! queue_rows {
    () => {
        "SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS dest, \
         unnest($3::text[]) AS number, unnest($4::boolean[]) AS undecided, \
         unnest($5::bigint[]) AS due, unnest($6::bigint[]) AS turn, \
         unnest($7::bigint[]) AS attempts, unnest($8::bigint[]) AS deliver_after, \
         unnest($9::bigint[]) AS leased_until, unnest($10::bigint[]) AS updated_at, \
         unnest($11::text[]) AS place"
    };
}

/// Rows of `q` that most new messages get; the parameters' names.
macro_rules! insert_fresh {
    ($ids:literal $dest:literal $due:literal $turn:literal $updated_at:literal) => {
        concat!(
            "INSERT INTO q (id, dest, undecided, due, turn, attempts, updated_at) SELECT unnest(",
            $ids,
            "::bigint[]), unnest(",
            $dest,
            "::text[]), false, unnest(",
            $due,
            "::bigint[]), unnest(",
            $turn,
            "::bigint[]), 0, unnest(",
            $updated_at,
            "::bigint[])"
        )
    };
}
pub(crate) use insert_fresh;

/// Rows of `q` that are like nearly all that are new: a frontend was chosen, the end is far off,
/// and nothing else was said. What they have in common does not travel: an array costs as much as
/// half a column.
#[derive(Debug, Default)]
struct FreshRows {
    ids: Vec<i64>,
    dest: Vec<String>,
    due: Vec<i64>,
    turn: Vec<i64>,
    updated_at: Vec<i64>,
}

impl FreshRows {
    /// Takes the message when it is one of them.
    fn take(&mut self, message: &Message) -> bool {
        let (Some(dest), Life::Pending { leased_until: None }, None) =
            (&message.dest_smsc, &message.life, message.deliver_after)
        else {
            return false;
        };
        let elsewhere = !turn::is_far(message) || place(message).is_some();
        if message.attempts > Attempt::default() || elsewhere {
            return false;
        }
        self.push(
            dest.as_str().to_owned(),
            Spot {
                due: message.due().millis(),
                id: message.id.as_i64(),
                turn: message.next_turn().millis(),
            },
            message.updated_at.millis(),
        );
        true
    }

    fn push(&mut self, dest: String, spot: Spot, updated_at: i64) {
        self.ids.push(spot.id);
        self.dest.push(dest);
        self.due.push(spot.due);
        self.turn.push(spot.turn);
        self.updated_at.push(updated_at);
    }

    fn insert<'s>(self) -> Option<Step<'s>> {
        const SQL: &str = insert_fresh!("$1" "$2" "$3" "$4" "$5");
        (!self.ids.is_empty()).then(|| Step::new(SQL, self.parameters()))
    }

    /// In the order of [`insert_fresh`].
    fn parameters<'s>(self) -> Vec<Parameter<'s>> {
        bind![self.ids, self.dest, self.due, self.turn, self.updated_at]
    }

    /// Takes those out that can share rows of `run`: nothing was said of them since they came.
    fn take_runs(&mut self, least: usize) -> RunRows {
        if self.ids.len() < least {
            return RunRows::default();
        }
        let all = std::mem::take(self);
        let spots = all.ids.into_iter().zip(all.due).zip(all.turn);
        let mut new = Newcomers::default();
        for ((((id, due), turn), dest), at) in spots.zip(all.dest).zip(all.updated_at) {
            let spot = Spot { due, id, turn };
            match at == due {
                true => new.push(dest, spot),
                false => self.push(dest, spot, at),
            }
        }
        new.into_runs(least, |dest, spot| self.push(dest, spot, spot.due))
    }
}

/// Rows of `q`, a vector for each column.
#[derive(Debug, Default)]
pub(crate) struct QueueRows {
    fresh: FreshRows,
    ids: Vec<i64>,
    dest: Vec<Option<String>>,
    number: Vec<String>,
    undecided: Vec<bool>,
    due: Vec<i64>,
    turn: Vec<i64>,
    attempts: Vec<i64>,
    deliver_after: Vec<Option<i64>>,
    leased_until: Vec<Option<i64>>,
    updated_at: Vec<i64>,
    place: Vec<Option<String>>,
}

/// Where its application finds a message.
fn place(message: &Message) -> Option<String> {
    let source = message.content.source_smsc.as_ref();
    smpp::place_of(source, message.arranged.origin.as_deref())
}

impl QueueRows {
    /// A pending message, and the queue that it is in.
    pub(crate) fn push(&mut self, message: &Message, queue: Option<&FrontendName>) {
        let (dest, leased) = match message.life {
            Life::Pending { leased_until } => {
                let dest = queue.map_or(UNROUTED, FrontendName::as_str);
                (Some(dest.to_owned()), leased_until)
            }
            Life::Charging { .. } | Life::Ended(_) => (None, None),
        };
        let undecided = message.dest_smsc.is_none();
        // Found by number: what a location decides, and what a subscriber who returns wakes. Found
        // by turn: these, and what is no longer new or has its turn soon.
        let number = if undecided || message.attempts > Attempt::default() {
            key(message.content.destination.as_str()).into_owned()
        } else {
            turn::BY_TURN.to_owned()
        };
        self.ids.push(message.id.as_i64());
        self.dest.push(dest);
        self.number.push(number);
        self.undecided.push(undecided);
        self.due.push(message.due().millis());
        self.turn.push(message.next_turn().millis());
        self.attempts.push(message.attempts.get().into());
        self.deliver_after
            .push(message.deliver_after.map(Timestamp::millis));
        self.leased_until.push(leased.map(Timestamp::millis));
        self.updated_at.push(message.updated_at.millis());
        self.place.push(place(message));
    }

    /// A message that is new.
    pub(crate) fn push_new(&mut self, message: &Message, queue: Option<&FrontendName>) {
        if !self.fresh.take(message) {
            self.push(message, queue);
        }
    }

    /// Whether they are the rows of just these messages, which are due as they come, and end when
    /// their lives do.
    pub(crate) fn is_all_of(&self, waits: (&Vec<i64>, &Vec<i64>, &Vec<i64>)) -> bool {
        let (ids, inserted_at, expires) = waits;
        let fresh = &self.fresh;
        self.ids.is_empty()
            && fresh.ids == *ids
            && fresh.due == *inserted_at
            && fresh.updated_at == *inserted_at
            && fresh.turn == *expires
    }

    /// Takes those out that can share rows of `run`, so many of a queue at the least.
    pub(crate) fn take_runs(&mut self, least: usize) -> RunRows {
        self.fresh.take_runs(least)
    }

    /// In the order of [`insert_fresh`], when all rows are of that kind, and so many.
    pub(crate) fn take_fresh<'s>(&mut self, count: usize) -> Option<Vec<Parameter<'s>>> {
        let all = self.ids.is_empty() && self.fresh.ids.len() == count;
        all.then(|| std::mem::take(&mut self.fresh).parameters())
    }

    pub(crate) fn insert<'s>(mut self) -> impl Iterator<Item = Step<'s>> {
        const SQL: &str = concat!(
            "INSERT INTO q (id, dest, number, undecided, due, turn, attempts, deliver_after, \
             leased_until, updated_at, place) ",
            queue_rows!()
        );
        let fresh: Option<Step<'s>> = std::mem::take(&mut self.fresh).insert();
        fresh.into_iter().chain(self.step(SQL))
    }

    pub(crate) fn update(self) -> Option<Step<'static>> {
        const SQL: &str = concat!(
            "UPDATE q SET dest = n.dest, number = n.number, undecided = n.undecided, \
             due = n.due, turn = n.turn, attempts = n.attempts, deliver_after = n.deliver_after, \
             leased_until = n.leased_until, updated_at = n.updated_at FROM (",
            queue_rows!(),
            ") AS n WHERE q.id = n.id"
        );
        self.step(SQL)
    }

    fn step(self, sql: &'static str) -> Option<Step<'static>> {
        if self.ids.is_empty() {
            return None;
        }
        Some(Step::new(
            sql,
            bind![
                self.ids,
                self.dest,
                self.number,
                self.undecided,
                self.due,
                self.turn,
                self.attempts,
                self.deliver_after,
                self.leased_until,
                self.updated_at,
                self.place
            ],
        ))
    }
}

/// Rows of `fin` and the outbox: messages that have just ended, and what is to be given back.
#[derive(Debug, Default)]
pub(crate) struct EndRows {
    ids: Vec<i64>,
    how: Vec<&'static str>,
    at: Vec<i64>,
    node: Vec<String>,
    dest_smsc: Vec<Option<String>>,
    attempts: Vec<i64>,
    deliver_after: Vec<Option<i64>>,
    updated_at: Vec<i64>,
    hidden: Vec<bool>,
    events: Vec<String>,
    logged_at: Vec<i64>,
    refunds: Vec<(i64, String)>,
    pub(crate) receipts: ReceiptRows,
}

impl EndRows {
    /// A message that has ended, with the lines that belong to its end.
    pub(crate) fn push(
        &mut self,
        message: &Message,
        events: &[Event],
        hidden: bool,
    ) -> Result<(), Error> {
        let ending = message.ending();
        let ending = ending.ok_or_else(|| damaged("a message finished while pending".into()))?;
        self.ids.push(message.id.as_i64());
        self.how.push(ending.how.as_str());
        self.at.push(ending.at.millis());
        self.node.push(ending.node.as_str().to_owned());
        let dest = message.dest_smsc.as_ref();
        self.dest_smsc.push(dest.map(FrontendName::to_string));
        self.attempts.push(message.attempts.get().into());
        self.deliver_after
            .push(message.deliver_after.map(Timestamp::millis));
        self.updated_at.push(message.updated_at.millis());
        self.hidden.push(hidden);
        self.events.push(record::encode_events(events));
        self.logged_at.push(newest(events));
        self.refund(message);
        Ok(())
    }

    /// What is to be given back of a message that has ended, if anything.
    pub(crate) fn refund(&mut self, message: &Message) {
        if let (Some(call), Some(ending)) = (charge::to_refund(message), message.ending()) {
            let refund = Refund {
                call,
                how: ending.how,
                begun: None,
            };
            let record = record::encode_refund(&refund);
            self.refunds.push((message.id.as_i64(), record));
        }
    }

    pub(crate) fn steps<'a>(self) -> impl Iterator<Item = Step<'a>> {
        const END: &str = "WITH f AS (INSERT INTO fin (id, how, at, node, dest_smsc, attempts, \
             deliver_after, updated_at, hidden, events, logged_at, seq, logged_n) \
             SELECT n.*, nextval('outbox_seq'), nextval('event_n') FROM (\
             SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::bigint[]), \
             unnest($4::text[]), unnest($5::text[]), unnest($6::bigint[]), unnest($7::bigint[]), \
             unnest($8::bigint[]), unnest($9::boolean[]), unnest($10::text[]), \
             unnest($11::bigint[])) AS n RETURNING seq, id) \
             INSERT INTO outbox SELECT seq, id FROM f";
        const REFUND: &str = "INSERT INTO refund (id, record) SELECT * FROM \
             unnest($1::bigint[], $2::text[]) ON CONFLICT (id) DO NOTHING";
        let ended = (!self.ids.is_empty()).then(|| {
            Step::new(
                END,
                bind![
                    self.ids,
                    self.how,
                    self.at,
                    self.node,
                    self.dest_smsc,
                    self.attempts,
                    self.deliver_after,
                    self.updated_at,
                    self.hidden,
                    self.events,
                    self.logged_at
                ],
            )
        });
        let refunded = (!self.refunds.is_empty()).then(|| {
            let (ids, records): (Vec<i64>, Vec<String>) = self.refunds.into_iter().unzip();
            Step::new(REFUND, bind![ids, records])
        });
        let all = ended.into_iter().chain(refunded);
        all.chain(self.receipts.step())
    }
}
