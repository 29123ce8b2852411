//! Reports, edits and removals: the life cycle's function applied to locked rows.
//!
//! Rows are locked in the order of their ids, read, changed in memory, and written together. Each
//! round of writes has a message once at the most.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tokio_postgres::Row;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{self, Edit, Report, Unchanged};
use zajil_core::message::{Arranged, Life, Message};
use zajil_core::number::key;
use zajil_store::contract::{NotDone, Outcome, Reported};
use zajil_store::{Error, record};

use crate::awaited::AwaitedRows;
use crate::conn::{Conn, Step, bind};
use crate::error::{Done, Fault};
use crate::held::{Entry, Version};
use crate::lane::{Delta, Tx};
use crate::location::{self, Serving};
use crate::receipts;
use crate::row::{
    EndRows, QueueRows, Waiting, message, message_columns, newest, pending, queue, storable,
    text_columns,
};
use crate::run;
use crate::schema::Day;
use crate::ticket::Ticket;

/// What somebody wants of a message.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Report(Report),
    Edit(Edit),
    Remove,
}

/// One caller's reports.
#[derive(Debug)]
pub(crate) struct Reports {
    pub(crate) all: Vec<(MessageId, What)>,
    pub(crate) scene: Scene,
    /// What is known of them from their leases.
    pub(crate) held: Vec<Entry>,
    pub(crate) ticket: Ticket<Vec<Outcome>>,
}

/// Among how many days the texts of a batch are looked for one by one.
const DAYS: usize = 8;

/// Locks the rows of pending messages and then reads their texts, for [`Desk::read`].
///
/// The texts of each day are asked for by themselves: within bounds that are known before it begins
/// a statement looks at one day only, where a list of ids would be looked for in all of them.
pub(crate) fn look(ids: &[i64]) -> Vec<Step<'static>> {
    const LOCK: &str = "SELECT id, attempts, deliver_after, leased_until, updated_at, dest \
         FROM q WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
    const TEXTS: &str = concat!(
        "SELECT ",
        text_columns!(),
        " FROM msg m WHERE m.id = ANY ($1) AND m.id >= $2 AND m.id < $3"
    );
    let mut days: BTreeMap<Day, Vec<i64>> = BTreeMap::new();
    for id in ids {
        days.entry(Day::of(*id)).or_default().push(*id);
    }
    let mut steps = vec![Step::new(LOCK, bind![ids.to_vec()])];
    if days.len() > DAYS {
        steps.push(Step::new(TEXTS, bind![ids.to_vec(), 0_i64, i64::MAX]));
        return steps;
    }
    steps.extend(days.into_iter().map(|(day, ids)| {
        let (from, to) = (day.floor(), day.next().floor());
        Step::new(TEXTS, bind![ids, from, to])
    }));
    steps
}

/// Reads messages that have ended, after [`look`] has locked those that have not.
pub(crate) fn ended(ids: Vec<i64>) -> Step<'static> {
    const ENDED: &str = concat!(
        "SELECT ",
        message_columns!(),
        // Row by row, each from the day that its id is of.
        " FROM (SELECT unnest($1::bigint[]) AS id) AS n JOIN fin f ON f.id = n.id \
         JOIN msg m ON m.id = n.id LEFT JOIN q ON false WHERE NOT f.hidden"
    );
    Step::new(ENDED, bind![ids])
}

/// Locks the rows of messages that have ended, for what must happen to them once.
pub(crate) fn lock_ended(ids: Vec<i64>) -> Step<'static> {
    const LOCK: &str = "SELECT id FROM fin WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
    Step::new(LOCK, bind![ids])
}

/// A message as it is now, and the queue that it is in.
#[derive(Debug)]
struct Current {
    message: Message,
    dest: Option<String>,
}

/// The messages at hand, and what is to be written of them.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    messages: HashMap<MessageId, Current>,
    /// Those that were not locked: they end only if this was the last to write their rows.
    held: HashMap<MessageId, Version>,
    serving: Serving,
    rounds: Vec<Round>,
    pub(crate) delta: Delta,
}

/// Writes that go out together.
#[derive(Debug, Default)]
struct Round {
    touched: HashSet<MessageId>,
    queue: QueueRows,
    ends: EndRows,
    /// Of `q`.
    gone: Vec<i64>,
    /// Of `q`, on a condition.
    gone_as_held: Vec<(i64, Version)>,
    hidden: Vec<i64>,
    parts: Vec<i64>,
    rewritten: Rewritten,
    awaited: AwaitedRows,
    events: Vec<(i64, i64, String)>,
}

impl Desk {
    /// What [`look`] has found: the messages that wait.
    pub(crate) fn read(answers: &[Vec<Row>]) -> Done<Self> {
        let mut desk = Self::default();
        let Some((locked, texts)) = answers.split_first() else {
            return Ok(desk);
        };
        let mut waiting = HashMap::with_capacity(locked.len());
        for row in locked {
            let dest: Option<String> = row.try_get(5)?;
            waiting.insert(row.try_get::<_, i64>(0)?, (Waiting::read(row, 1)?, dest));
        }
        for row in texts.iter().flatten() {
            if let Some((state, dest)) = waiting.remove(&row.try_get(0)?) {
                let message = pending(row, state)?;
                desk.messages.insert(message.id, Current { message, dest });
            }
        }
        Ok(desk)
    }

    /// Looks for those that are not known by now: each is new, in a run, or waits no more, or
    /// never did. With a removal the ended are locked; not before, because another transaction may
    /// have ended them while their run was waited for.
    pub(crate) async fn find_others(
        &mut self,
        conn: &Conn,
        ids: &[i64],
        removes: bool,
    ) -> Done<()> {
        let missing: Vec<i64> = self.missing(ids).into_iter().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut steps = vec![run::undo(missing.clone())];
        let looks = look(&missing);
        let waiting = 1..=looks.len();
        steps.extend(looks);
        steps.extend(removes.then(|| lock_ended(missing.clone())));
        steps.push(ended(missing));
        let answers = conn.ask_all(steps).await?;
        let waiting = answers.get(waiting).unwrap_or_default();
        self.messages.extend(Self::read(waiting)?.messages);
        if let Some(ended) = answers.last() {
            self.read_ended(ended)?;
        }
        Ok(())
    }

    /// Takes these as their claims have found them, without a look.
    pub(crate) fn hold(&mut self, held: HashMap<MessageId, Entry>) {
        for (
            id,
            Entry {
                message, version, ..
            },
        ) in held
        {
            self.held.insert(id, version);
            self.messages.insert(
                id,
                Current {
                    message,
                    dest: None,
                },
            );
        }
    }

    /// Those that do not wait.
    pub(crate) fn missing(&self, ids: &[i64]) -> BTreeSet<i64> {
        let known: HashSet<i64> = self.messages.keys().map(|id| id.as_i64()).collect();
        let missing = ids.iter().copied().filter(|id| !known.contains(id));
        missing.collect()
    }

    /// What [`ended`] has found.
    pub(crate) fn read_ended(&mut self, rows: &[Row]) -> Done<()> {
        for row in rows {
            let message = message(row)?;
            let dest = None;
            self.messages
                .entry(message.id)
                .or_insert(Current { message, dest });
        }
        Ok(())
    }

    /// The numbers whose locations decide where a message goes on.
    pub(crate) fn numbers<'a>(
        &self,
        all: impl Iterator<Item = &'a (MessageId, What)>,
    ) -> BTreeSet<String> {
        let mut numbers = BTreeSet::new();
        for (id, what) in all {
            let Some(Current { message, .. }) = self.messages.get(id) else {
                continue;
            };
            let charging = matches!(message.life, Life::Charging { .. });
            let decides = match what {
                What::Edit(edit) => edit.dest_smsc == Some(None),
                What::Report(_) | What::Remove => charging && message.dest_smsc.is_none(),
            };
            if decides {
                numbers.insert(key(message.content.destination.as_str()).into_owned());
            }
        }
        numbers
    }

    pub(crate) fn serve(&mut self, serving: Serving) {
        self.serving = serving;
    }

    /// Applies one to a message.
    pub(crate) fn apply(
        &mut self,
        id: MessageId,
        what: &What,
        scene: &Scene,
    ) -> Result<Outcome, Error> {
        let Some(mut current) = self.messages.remove(&id) else {
            return Ok(Err(NotDone::NotFound));
        };
        let mut round = self.take_round(id);
        let before = Before::of(&current.message);
        let message = &mut current.message;
        let changed = match what {
            What::Report(report) => lifecycle::report(message, report, scene),
            What::Edit(edit) => lifecycle::edit(message, edit.clone(), scene),
            What::Remove => lifecycle::report(message, &Report::Removed, scene),
        };
        let outcome = match (changed, what) {
            (Ok(events), What::Remove) => {
                round.ends.push(message, &events, true)?;
                round.ends.receipts.push(message, &events);
                round.gone.push(id.as_i64());
                round.parts.push(id.as_i64());
                self.count(&[-1, -1, 1]);
                self.rounds.push(round);
                return Ok(Ok(reported(current.message, events)));
            }
            (Err(Unchanged::AlreadyFinal(_)), What::Remove) => {
                round.hidden.push(id.as_i64());
                round.parts.push(id.as_i64());
                round.log(id, &[scene.event(EventName::Deleted, "")]);
                self.count(&[-1, 0, 0]);
                self.rounds.push(round);
                return Ok(Ok(reported(current.message, Vec::new())));
            }
            // Money that was taken and is known of late: all that can still change.
            (Ok(events), _) if before.over => {
                round.rewritten.push(message);
                round.ends.refund(message);
                round.log(id, &events);
                Ok(reported(message.clone(), events))
            }
            (Ok(events), what) => {
                if let What::Report(Report::Taken {
                    parts: Some(parts), ..
                }) = what
                {
                    round.awaited.push(id, parts, scene.now);
                }
                let edited = matches!(what, What::Edit(_));
                if edited || message.ending().is_none() && before.rewritten(message) {
                    round.rewritten.push(message);
                }
                let mut done = self.settle(&mut current, &mut round, &before, events)?;
                if !edited {
                    let from = before.dest_smsc.as_ref();
                    done.fell_back_from = Reported::fell_back(from, &done.message);
                }
                Ok(done)
            }
            (Err(why), what) => Err(unchanged(&mut round, id, what, why, scene)),
        };
        self.messages.insert(id, current);
        self.rounds.push(round);
        Ok(outcome)
    }

    /// Writes what a report or edit has made of a message.
    fn settle(
        &mut self,
        current: &mut Current,
        round: &mut Round,
        before: &Before,
        events: Vec<Event>,
    ) -> Result<Reported, Error> {
        let message = &current.message;
        round.ends.receipts.push(message, &events);
        if let Life::Ended(_) = message.life {
            round.ends.push(message, &events, false)?;
            let id = message.id.as_i64();
            match self.held.remove(&message.id) {
                Some(version) => {
                    round.gone_as_held.push((id, version));
                }
                None => round.gone.push(id),
            }
            self.count(&[0, -1, 1]);
            return Ok(reported(message.clone(), events));
        }
        round.log(message.id, &events);
        let located = || {
            let number = key(message.content.destination.as_str());
            self.serving.get(&*number).cloned()
        };
        let home = match (&message.dest_smsc, &current.dest) {
            (Some(name), _) => Some(name.clone()),
            // Whoever moves the subscriber moves this row.
            (None, Some(dest)) if before.dest_smsc.is_none() => queue(dest)?,
            (None, _) => located(),
        };
        round.queue.push(message, home.as_ref());
        current.dest = Some(
            home.as_ref()
                .map_or_else(String::new, FrontendName::to_string),
        );
        Ok(Reported {
            queued_for: home,
            ..reported(message.clone(), events)
        })
    }

    /// The round that can still take this message.
    fn take_round(&mut self, id: MessageId) -> Round {
        let last = self.rounds.pop();
        let mut round = match last {
            Some(round) if !round.touched.contains(&id) => round,
            Some(full) => {
                self.rounds.push(full);
                Round::default()
            }
            None => Round::default(),
        };
        round.touched.insert(id);
        round
    }

    fn count(&mut self, [messages, pending, outbox]: &[i64; 3]) {
        self.delta.messages += messages;
        self.delta.pending += pending;
        self.delta.outbox += outbox;
    }

    /// What is to be written, in order.
    ///
    /// # Errors
    /// [`Fault::Stale`] when what was taken without a look has not ended.
    pub(crate) fn steps(self) -> Done<Vec<Step<'static>>> {
        if !self.held.is_empty() {
            return Err(Fault::Stale);
        }
        Ok(self.rounds.into_iter().flat_map(Round::steps).collect())
    }
}

fn reported(message: Message, events: Vec<Event>) -> Reported {
    Reported {
        message,
        queued_for: None,
        events,
        fell_back_from: None,
    }
}

/// What is told of a message that stays as it is.
fn unchanged(
    round: &mut Round,
    id: MessageId,
    what: &What,
    why: Unchanged,
    scene: &Scene,
) -> NotDone {
    let not_done = match why {
        Unchanged::AlreadyFinal(how) => NotDone::AlreadyFinal(how),
        Unchanged::NotTheirs => NotDone::NotTheirs,
        Unchanged::Charging => return NotDone::Charging,
        Unchanged::NotYet => return NotDone::NotYet,
    };
    let text = format!("{} ignored: {why}", word(what));
    round.log(id, &[scene.event(EventName::LateReport, text)]);
    not_done
}

fn word(what: &What) -> &'static str {
    match what {
        What::Edit(_) => "edit",
        What::Remove => "removal",
        What::Report(report) => report.word(),
    }
}

/// What a change may make stale.
struct Before {
    over: bool,
    charging: bool,
    dest_smsc: Option<FrontendName>,
    arranged: Arranged,
}

impl Before {
    fn of(message: &Message) -> Self {
        Self {
            over: message.ending().is_some(),
            charging: matches!(message.life, Life::Charging { .. }),
            dest_smsc: message.dest_smsc.clone(),
            arranged: message.arranged.clone(),
        }
    }

    /// Whether a report has changed what stands in `msg`, which is seldom.
    fn rewritten(&self, message: &Message) -> bool {
        self.charging || self.dest_smsc != message.dest_smsc || self.arranged != message.arranged
    }
}

impl Round {
    fn log(&mut self, id: MessageId, events: &[Event]) {
        if !events.is_empty() {
            let line = (id.as_i64(), newest(events), record::encode_events(events));
            self.events.push(line);
        }
    }

    fn steps(mut self) -> Vec<Step<'static>> {
        const GONE: &str = "DELETE FROM q WHERE id = ANY ($1)";
        const GONE_AS_HELD: &str = "WITH gone AS (DELETE FROM q USING (SELECT \
             unnest($1::bigint[]) AS id, unnest($2::integer[]) AS version) AS n \
             WHERE q.id = n.id AND q.xmin = n.version RETURNING 1) \
             SELECT sqrt((count(*) - cardinality($1::bigint[]))::double precision) FROM gone";
        const HIDE: &str = "UPDATE fin SET hidden = true WHERE id = ANY ($1)";
        const PARTS: &str = "DELETE FROM part WHERE id = ANY ($1)";
        const EVENTS: &str = "INSERT INTO event SELECT n.id, nextval('event_n'), n.at, n.events \
             FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS at, \
             unnest($3::text[]) AS events) AS n";
        let mut steps = Vec::new();
        if !self.events.is_empty() {
            let (mut ids, mut instants, mut lines) = (Vec::new(), Vec::new(), Vec::new());
            for (id, at, line) in self.events {
                ids.push(id);
                instants.push(at);
                lines.push(line);
            }
            steps.push(Step::new(EVENTS, bind![ids, instants, lines]));
        }
        steps.extend(self.rewritten.step());
        steps.extend(self.awaited.step());
        steps.extend(self.queue.update());
        if !self.gone_as_held.is_empty() {
            // By id, as all take their locks.
            self.gone_as_held.sort_unstable();
            let (ids, versions): (Vec<_>, Vec<_>) = self.gone_as_held.into_iter().unzip();
            steps.push(Step::new(GONE_AS_HELD, bind![ids, versions]));
        }
        for (sql, ids) in [(GONE, self.gone), (HIDE, self.hidden), (PARTS, self.parts)] {
            if !ids.is_empty() {
                steps.push(Step::new(sql, bind![ids]));
            }
        }
        steps.extend(self.ends.steps());
        steps
    }
}

/// The columns of `msg` that may change: by an edit, or when the message gets another frontend or
/// its charge.
#[derive(Debug, Default)]
struct Rewritten {
    ids: Vec<i64>,
    body: Vec<String>,
    dest_smsc: Vec<Option<String>>,
    parts: Vec<i64>,
    expires: Vec<i64>,
    charge_failed: Vec<bool>,
    extra: Vec<Option<String>>,
}

impl Rewritten {
    fn push(&mut self, message: &Message) {
        self.ids.push(message.id.as_i64());
        self.body.push(storable(&message.content.body).into_owned());
        let dest = message.dest_smsc.as_ref();
        self.dest_smsc.push(dest.map(FrontendName::to_string));
        self.parts.push(message.content.parts.get().into());
        self.expires.push(message.expires.millis());
        self.charge_failed.push(message.charge_failed);
        self.extra.push(record::encode_extra(message));
    }

    fn step(self) -> Option<Step<'static>> {
        const SQL: &str = "UPDATE msg SET body = n.body, dest_smsc = n.dest_smsc, \
             parts = n.parts, expires = n.expires, charge_failed = n.charge_failed, \
             extra = n.extra FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS body, \
             unnest($3::text[]) AS dest_smsc, unnest($4::bigint[]) AS parts, \
             unnest($5::bigint[]) AS expires, unnest($6::boolean[]) AS charge_failed, \
             unnest($7::text[]) AS extra) AS n WHERE msg.id = n.id";
        (!self.ids.is_empty()).then(|| {
            Step::new(
                SQL,
                bind![
                    self.ids,
                    self.body,
                    self.dest_smsc,
                    self.parts,
                    self.expires,
                    self.charge_failed,
                    self.extra
                ],
            )
        })
    }
}

/// Applies all of them in a transaction of their own; answers in order.
pub(crate) async fn all(
    tx: &Tx<'_>,
    wanted: &[(MessageId, What)],
    scene: &Scene,
) -> Done<Vec<Outcome>> {
    let ids: Vec<i64> = wanted.iter().map(|(id, _)| id.as_i64()).collect();
    let removes = wanted.iter().any(|(_, what)| matches!(what, What::Remove));
    let answers = tx.conn.ask_all(look(&ids)).await?;
    let mut desk = Desk::read(&answers)?;
    desk.find_others(tx.conn, &ids, removes).await?;
    let numbers = desk.numbers(wanted.iter());
    if !numbers.is_empty() {
        let looked = tx.conn.ask_all(location::look(&numbers, scene.now).into());
        if let Some(rows) = looked.await?.last() {
            desk.serve(location::read(rows)?);
        }
    }
    let mut outcomes = Vec::with_capacity(wanted.len());
    for (id, what) in wanted {
        outcomes.push(desk.apply(*id, what, scene)?);
    }
    tx.count(desk.delta);
    tx.conn.ask_all(desk.steps()?).await?;
    for done in outcomes.iter().flatten() {
        receipts::touch(tx.hints, done);
        if done.message.ending().is_none() {
            tx.queued(done.queued_for.as_ref());
        }
    }
    Ok(outcomes)
}
