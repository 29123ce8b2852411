//! Accepting: drafts become rows, all or none.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroU32;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::concatenation;
use zajil_core::frontend::FrontendName;
use zajil_core::message::{Life, Message};
use zajil_core::number::key;
use zajil_store::contract::{Draft, Placed};
use zajil_store::{Error, record};

use crate::conn::{Parameter, Step, bind};
use crate::error::Done;
use crate::lane::{Delta, mark};
use crate::location::Serving;
use crate::row::{EndRows, QueueRows, damaged, insert_fresh, message_id, newest, storable};
use crate::run::insert_runs;
use crate::ticket::Ticket;

/// A draft with its records encoded, so that the writer only sends them.
#[derive(Debug)]
pub(crate) struct Prepared {
    draft: Draft,
    extra: Option<String>,
    events: String,
    /// What the parts of its text have in common, if it is one.
    part: Option<String>,
}

impl Prepared {
    /// Encodes on the caller's task.
    pub(crate) fn new(draft: Draft) -> Self {
        Self {
            extra: record::encode_extra(&draft.message),
            events: record::encode_events(&draft.events),
            part: concatenation::key(&draft.message.content),
            draft,
        }
    }

    fn message(&self) -> &Message {
        &self.draft.message
    }

    pub(crate) fn id(&self) -> i64 {
        self.message().id.as_i64()
    }

    /// Whether somebody may be waiting for it.
    pub(crate) fn is_offered(&self) -> bool {
        matches!(self.message().life, Life::Pending { .. })
    }

    /// When somebody may take it, if it is not over.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let message = self.message();
        message.ending().is_none().then(|| message.due())
    }

    /// The number whose location decides, in comparable form.
    fn undecided(&self) -> Option<String> {
        let message = self.message();
        let decides = matches!(message.life, Life::Pending { .. }) && message.dest_smsc.is_none();
        decides.then(|| key(message.content.destination.as_str()).into_owned())
    }
}

/// One caller's drafts.
#[derive(Debug)]
pub(crate) struct Accept {
    pub(crate) drafts: Vec<Prepared>,
    pub(crate) now: Timestamp,
    pub(crate) ticket: Ticket<Vec<Placed>>,
}

/// The numbers whose locations decide.
pub(crate) fn numbers(jobs: &[&Accept]) -> BTreeSet<String> {
    let drafts = jobs.iter().flat_map(|job| &job.drafts);
    drafts.filter_map(Prepared::undecided).collect()
}

/// What is known of the keys of a batch.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Those that are new with this batch.
    fresh: HashSet<Vec<u8>>,
    /// Those that were known: the body, and the message.
    known: HashMap<Vec<u8>, (Vec<u8>, i64)>,
}

/// The steps that remember new keys and read the others; the rows of both are for [`Keys::read`].
pub(crate) fn key_steps(jobs: &[&Accept], now: Timestamp) -> Option<[Step<'static>; 2]> {
    const REMEMBER: &str = "INSERT INTO dedupe AS d SELECT * FROM unnest($1::bytea[], \
         $2::bytea[], $3::bigint[], $4::bigint[]) ON CONFLICT (key) DO UPDATE SET \
         body = excluded.body, message_id = excluded.message_id, until = excluded.until \
         WHERE d.until <= $5 RETURNING key";
    const READ: &str = "SELECT key, body, message_id FROM dedupe WHERE key = ANY ($1)";
    // The first with a key has it. In order, so that two batches never wait for each other.
    let mut first = BTreeMap::new();
    for prepared in jobs.iter().flat_map(|job| &job.drafts) {
        if let Some((dedupe, until)) = &prepared.draft.dedupe {
            let entry = (dedupe.body.to_vec(), prepared.id(), until.millis());
            first.entry(dedupe.key.to_vec()).or_insert(entry);
        }
    }
    if first.is_empty() {
        return None;
    }
    let keys: Vec<Vec<u8>> = first.keys().cloned().collect();
    let (mut bodies, mut ids, mut untils) = (Vec::new(), Vec::new(), Vec::new());
    for (body, id, until) in first.into_values() {
        bodies.push(body);
        ids.push(id);
        untils.push(until);
    }
    let remember = bind![keys.clone(), bodies, ids, untils, now.millis()];
    Some([Step::new(REMEMBER, remember), Step::new(READ, bind![keys])])
}

impl Keys {
    pub(crate) fn read(fresh: &[Row], all: &[Row]) -> Done<Self> {
        let mut keys = Self::default();
        for row in fresh {
            keys.fresh.insert(row.try_get(0)?);
        }
        for row in all {
            let key: Vec<u8> = row.try_get(0)?;
            if !keys.fresh.contains(&key) {
                keys.known.insert(key, (row.try_get(1)?, row.try_get(2)?));
            }
        }
        Ok(keys)
    }

    /// The answer to a repeated submit; none for the first with its key.
    fn recognise(&mut self, prepared: &Prepared) -> Result<Option<Placed>, Error> {
        let Some((dedupe, _)) = &prepared.draft.dedupe else {
            return Ok(None);
        };
        let key = dedupe.key.to_vec();
        if self.fresh.remove(&key) {
            let known = (dedupe.body.to_vec(), prepared.id());
            self.known.insert(key, known);
            return Ok(None);
        }
        let known = self.known.get(&key);
        let (body, id) = known.ok_or_else(|| damaged("a key came and went".into()))?;
        if *body == dedupe.body {
            Ok(Some(Placed::Repeated(message_id(*id)?)))
        } else {
            Ok(Some(Placed::KeyReused))
        }
    }
}

/// Places every draft: the answers, and what is to be written.
pub(crate) fn place<'a>(
    jobs: &[&'a Accept],
    mut keys: Keys,
    serving: &Serving,
    delta: &mut Delta,
) -> Done<(Vec<Vec<Placed>>, Written<'a>)> {
    let mut written = Written::default();
    let Written {
        plain,
        messages,
        queue,
        ends,
    } = &mut written;
    let mut placed = Vec::with_capacity(jobs.len());
    for &job in jobs {
        let mut answers = Vec::with_capacity(job.drafts.len());
        for prepared in &job.drafts {
            if let Some(known) = keys.recognise(prepared)? {
                answers.push(known);
                continue;
            }
            let message = prepared.message();
            if is_plain(prepared, plain.origin_node.first().copied()) {
                plain.push(prepared);
            } else {
                messages.push(prepared);
            }
            delta.messages += 1;
            answers.push(Placed::Stored(match message.life {
                Life::Ended(_) => {
                    ends.push(message, &[], false)?;
                    ends.receipts.push(message, &prepared.draft.events);
                    delta.outbox += 1;
                    None
                }
                Life::Pending { .. } | Life::Charging { .. } => {
                    delta.pending += 1;
                    let number = prepared.undecided();
                    let located = number.and_then(|number| serving.get(&number));
                    let charging = matches!(message.life, Life::Charging { .. });
                    let home = message.dest_smsc.as_ref().or(located);
                    queue.push_new(message, home);
                    home.filter(|_| !charging).cloned()
                }
            }));
        }
        placed.push(answers);
    }
    Ok((placed, written))
}

/// All rows that a batch of drafts becomes.
#[derive(Default)]
pub(crate) struct Written<'a> {
    plain: MessageRows<'a>,
    messages: MessageRows<'a>,
    queue: QueueRows,
    ends: EndRows,
}

impl<'a> Written<'a> {
    /// The steps that write them. Where that `may_be_whole`, one step is all of the transaction if
    /// nothing but plain messages is written: the answer says so. So many messages of a queue at
    /// the least share rows of `run`.
    pub(crate) fn steps(
        mut self,
        may_be_whole: bool,
        least: Option<usize>,
    ) -> (bool, Vec<Step<'a>>) {
        let runs = least.map(|least| self.queue.take_runs(least));
        let runs = runs.unwrap_or_default();
        let plain = &self.plain;
        let waits = (&plain.ids, &plain.inserted_at, &plain.expires);
        let others = !self.messages.ids.is_empty() || plain.ids.is_empty();
        let may_be_whole = may_be_whole && !others;
        if may_be_whole && self.queue.is_all_of(waits) {
            let step = self.plain.step(WHOLE);
            return (true, step.into_iter().collect());
        }
        // Also without runs: what comes to many queues has been put in another order.
        if may_be_whole
            && let Some(rest) = plain.ids.len().checked_sub(runs.len())
            && let Some(fresh) = self.queue.take_fresh(rest)
        {
            let mut step = self.plain.step(WHOLE_IN_RUNS);
            if let Some(step) = &mut step {
                step.parameters.extend(runs.parameters());
                step.parameters.extend(fresh);
            }
            return (true, step.into_iter().collect());
        }
        let mut steps: Vec<Step<'a>> = self.plain.step(PLAIN).into_iter().collect();
        steps.extend(self.messages.steps());
        steps.extend(runs.step());
        steps.extend(self.queue.insert());
        steps.extend(self.ends.steps());
        (false, steps)
    }
}

macro_rules! insert_plain {
    () => {
        "INSERT INTO msg (id, source, destination, body, source_smsc, dest_smsc, parts, \
         inserted_at, expires, charge_failed, origin_node, events, logged_at) \
         SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[]), \
         unnest($4::text[]), unnest($5::text[]), unnest($6::text[]), 1, unnest($7::bigint[]), \
         unnest($8::bigint[]), false, $9::text, unnest($10::text[]), unnest($11::bigint[])"
    };
}

/// Plain messages.
const PLAIN: &str = insert_plain!();

/// Plain messages and their rows of `q`, as one transaction: a statement more costs a lone submit a
/// fifth, and the columns of `q` travel with those of the messages.
const WHOLE: &str = mark!(
    concat!(
        "m AS (",
        insert_plain!(),
        "), w AS (INSERT INTO q (id, dest, undecided, due, turn, attempts, updated_at) \
         SELECT unnest($1::bigint[]), unnest($6::text[]), false, unnest($7::bigint[]), \
         unnest($8::bigint[]), 0, unnest($7::bigint[])), "
    );
    "$12" "$13" "$14" "$15" "$16" "$17"
);

/// The same where messages share rows of `run`, or come in another order than their rows of `q`.
const WHOLE_IN_RUNS: &str = mark!(
    concat!(
        "m AS (",
        insert_plain!(),
        "), r AS (",
        insert_runs!("$12" "$13" "$14" "$15" "$16" "$17" "$18" "$19"),
        "), w AS (",
        insert_fresh!("$20" "$21" "$22" "$23" "$24"),
        "), "
    );
    "$25" "$26" "$27" "$28" "$29" "$30"
);

/// Rows of `msg` and `part`, a vector for each column.
#[derive(Default)]
struct MessageRows<'a> {
    ids: Vec<i64>,
    source: Vec<&'a str>,
    destination: Vec<&'a str>,
    body: Vec<std::borrow::Cow<'a, str>>,
    source_smsc: Vec<Option<&'a str>>,
    dest_smsc: Vec<Option<&'a str>>,
    parts: Vec<i64>,
    inserted_at: Vec<i64>,
    expires: Vec<i64>,
    charge_failed: Vec<bool>,
    origin_node: Vec<&'a str>,
    extra: Vec<Option<&'a str>>,
    events: Vec<&'a str>,
    logged_at: Vec<i64>,
    part: Vec<(i64, &'a str, i64)>,
}

/// Where a message has nothing that most have not.
fn is_plain(prepared: &Prepared, origin: Option<&str>) -> bool {
    let message = prepared.message();
    prepared.extra.is_none()
        && prepared.part.is_none()
        && !message.charge_failed
        && message.content.parts == NonZeroU32::MIN
        && origin.is_none_or(|origin| origin == message.origin_node.as_str())
}

impl<'a> MessageRows<'a> {
    fn push(&mut self, prepared: &'a Prepared) {
        let message = prepared.message();
        let content = &message.content;
        let name = |name: &'a Option<FrontendName>| name.as_ref().map(FrontendName::as_str);
        self.ids.push(prepared.id());
        self.source.push(content.source.as_str());
        self.destination.push(content.destination.as_str());
        self.body.push(storable(&content.body));
        self.source_smsc.push(name(&content.source_smsc));
        self.dest_smsc.push(name(&message.dest_smsc));
        self.parts.push(content.parts.get().into());
        self.inserted_at.push(message.inserted_at.millis());
        self.expires.push(message.expires.millis());
        self.charge_failed.push(message.charge_failed);
        self.origin_node.push(message.origin_node.as_str());
        self.extra.push(prepared.extra.as_deref());
        self.events.push(&prepared.events);
        self.logged_at.push(newest(&prepared.draft.events));
        if let Some(key) = &prepared.part {
            self.part
                .push((prepared.id(), key, message.inserted_at.millis()));
        }
    }

    /// What they have in common does not travel with each.
    fn step(self, sql: &'static str) -> Option<Step<'a>> {
        let origin = self.origin_node.first().copied()?;
        let parameters: Vec<Parameter<'a>> = bind![
            self.ids,
            self.source,
            self.destination,
            self.body,
            self.source_smsc,
            self.dest_smsc,
            self.inserted_at,
            self.expires,
            origin,
            self.events,
            self.logged_at
        ];
        Some(Step::new(sql, parameters))
    }

    fn steps(self) -> Vec<Step<'a>> {
        const MESSAGES: &str = "INSERT INTO msg SELECT unnest($1::bigint[]), unnest($2::text[]), \
             unnest($3::text[]), unnest($4::text[]), unnest($5::text[]), unnest($6::text[]), \
             unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::bigint[]), \
             unnest($10::boolean[]), unnest($11::text[]), unnest($12::text[]), \
             unnest($13::text[]), unnest($14::bigint[])";
        const PARTS: &str = "INSERT INTO part SELECT unnest($1::bigint[]), unnest($2::text[]), \
             unnest($3::bigint[])";
        let mut steps = Vec::with_capacity(4);
        if self.ids.is_empty() {
            return steps;
        }
        let parameters: Vec<Parameter<'a>> = bind![
            self.ids,
            self.source,
            self.destination,
            self.body,
            self.source_smsc,
            self.dest_smsc,
            self.parts,
            self.inserted_at,
            self.expires,
            self.charge_failed,
            self.origin_node,
            self.extra,
            self.events,
            self.logged_at
        ];
        steps.push(Step::new(MESSAGES, parameters));
        if !self.part.is_empty() {
            let (mut ids, mut keys, mut at) = (Vec::new(), Vec::new(), Vec::new());
            for (id, key, inserted) in self.part {
                ids.push(id);
                keys.push(key);
                at.push(inserted);
            }
            steps.push(Step::new(PARTS, bind![ids, keys, at]));
        }
        steps
    }
}
