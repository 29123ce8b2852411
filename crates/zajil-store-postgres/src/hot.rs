//! One transaction for many callers: submits, reports and leases, at message rate.
//!
//! Reading and locking goes out first, all at once, and only when something has to be known;
//! writing, claiming and the commit go out together after it. So a batch costs one or two round
//! trips, however many callers share it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_store::Error;
use zajil_store::contract::{Outcome, Placed};

use crate::accept::{self, Accept, Keys, Prepared};
use crate::conn::{Conn, Step};
use crate::error::Done;
use crate::front::{Fronts, Start};
use crate::held::{self, Entry};
use crate::lane::{Common, Delta, Writes};
use crate::lease::{Lease, Leased};
use crate::location::{self, Serving};
use crate::notify::Hints;
use crate::receipts;
use crate::report::{self, Desk, Reports, What};
use crate::row::damaged;

/// A job that shares its transaction.
#[derive(Debug)]
pub(crate) enum Hot {
    Accept(Accept),
    Report(Reports),
    Lease(Lease),
}

impl Hot {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Accept(job) => job.drafts.len(),
            Self::Report(job) => job.all.len(),
            Self::Lease(job) => usize::try_from(job.ask.limit.min(1_000)).unwrap_or(1),
        }
    }

    pub(crate) fn begin(&self) -> bool {
        match self {
            Self::Accept(job) => job.ticket.begin(),
            Self::Report(job) => job.ticket.begin(),
            Self::Lease(job) => job.ticket.begin(),
        }
    }

    fn refuse(self, error: Error) {
        match self {
            Self::Accept(job) => job.ticket.answer(Err(error)),
            Self::Report(job) => job.ticket.answer(Err(error)),
            Self::Lease(job) => job.ticket.answer(Err(error)),
        }
    }
}

/// What is answered to the callers, in the order of their jobs of each kind.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    placed: Vec<Vec<Placed>>,
    outcomes: Vec<Vec<Outcome>>,
    /// Which step was the first to claim.
    first_claim: usize,
    /// How many connections had been lost by then.
    losses: u64,
    /// From where on each claim looked.
    starts: Vec<Start>,
    /// What the claims answered; none when that is lost.
    leased: Option<Vec<Done<Leased>>>,
}

/// Jobs that share a transaction, and what it has made of them.
#[derive(Debug)]
pub(crate) struct Batch {
    jobs: Vec<Hot>,
    answers: Answers,
}

/// The jobs of a batch by kind.
#[derive(Default)]
struct Kinds<'a> {
    accepts: Vec<&'a Accept>,
    reports: Vec<&'a Reports>,
    leases: Vec<&'a Lease>,
}

impl<'a> Kinds<'a> {
    fn of(jobs: &'a [Hot]) -> Self {
        let mut kinds = Self::default();
        for job in jobs {
            match job {
                Hot::Accept(job) => kinds.accepts.push(job),
                Hot::Report(job) => kinds.reports.push(job),
                Hot::Lease(job) => kinds.leases.push(job),
            }
        }
        kinds
    }

    /// The latest of the instants that submits are judged by; they are milliseconds apart.
    fn now(&self) -> Timestamp {
        let instants = self.accepts.iter().map(|job| job.now);
        instants.max().unwrap_or(Timestamp::EPOCH)
    }

    fn reported(&self) -> impl Iterator<Item = &'a (MessageId, What)> {
        self.reports.iter().flat_map(|job| &job.all)
    }
}

/// What has to be known before anything is written.
#[derive(Default)]
struct Known {
    begun: bool,
    keys: Keys,
    serving: Serving,
    desk: Desk,
}

/// Reads what the batch needs and says what it writes. The transaction is open afterwards, or is
/// opened by the first step.
///
/// `missed` says whether the batch before had reports of messages that do not wait. They seldom
/// come, and then many: of a frontend that repeats itself, or reports what is not its own.
pub(crate) async fn prepare<'a>(
    conn: &Conn,
    batch: &'a mut Batch,
    (missed, common): (&AtomicBool, &Common),
) -> Done<Writes<'a>> {
    let losses = common.held.losses();
    let held = batch.take_held(losses);
    let Batch { jobs, answers } = batch;
    let kinds = Kinds::of(jobs);
    let mut known = look(conn, &kinds, missed, held).await?;
    let mut delta = Delta::default();
    let (placed, written) = accept::place(&kinds.accepts, known.keys, &known.serving, &mut delta)?;
    // Nothing has been asked, and nothing but this is to be written.
    let only_accepts = kinds.reports.is_empty() && kinds.leases.is_empty();
    let (whole, written) = written.steps(!known.begun && only_accepts, common.runs.least());
    let mut outcomes = Vec::with_capacity(kinds.reports.len());
    for job in &kinds.reports {
        let mut done = Vec::with_capacity(job.all.len());
        for (id, what) in &job.all {
            done.push(known.desk.apply(*id, what, &job.scene)?);
        }
        outcomes.push(done);
    }
    let more = known.desk.delta;
    delta.messages += more.messages;
    delta.pending += more.pending;
    delta.outbox += more.outbox;
    let start = |job: &&Lease| common.fronts.start(job.asker());
    let mut steps = Vec::new();
    if !known.begun && !whole {
        steps.push(Step::bare("BEGIN"));
    }
    steps.extend(known.desk.steps()?);
    steps.extend(written);
    *answers = Answers {
        placed,
        outcomes,
        first_claim: steps.len(),
        losses,
        starts: kinds.leases.iter().map(start).collect(),
        leased: None,
    };
    // Last, so that what this batch reports is not leased in the same moment.
    let claims = kinds.leases.iter().zip(&answers.starts);
    steps.extend(claims.flat_map(|(job, start)| job.steps(*start)));
    Ok(Writes {
        steps,
        delta,
        whole,
        queued: false,
    })
}

async fn look(
    conn: &Conn,
    kinds: &Kinds<'_>,
    missed: &AtomicBool,
    held: HashMap<MessageId, Entry>,
) -> Done<Known> {
    let now = kinds.now();
    let numbers = accept::numbers(&kinds.accepts);
    let keys = accept::key_steps(&kinds.accepts, now);
    let unknown = kinds.reported().filter(|(id, _)| !held.contains_key(id));
    let ids: Vec<i64> = unknown.map(|(id, _)| id.as_i64()).collect();
    let mut steps = vec![Step::bare("BEGIN")];
    let [has_keys, has_numbers, has_ids] = [keys.is_some(), !numbers.is_empty(), !ids.is_empty()];
    // Always in this order, so that two batches never wait for each other.
    steps.extend(keys.into_iter().flatten());
    if has_numbers {
        steps.extend(location::look(&numbers, now));
    }
    let mut looks = 0;
    if has_ids {
        let look = report::look(&ids);
        looks = look.len();
        steps.extend(look);
    }
    // With the others where it is likely to be asked, so that rows are not held for a round trip.
    let asks_ended = has_ids && missed.load(Ordering::Relaxed);
    steps.extend(asks_ended.then(|| report::ended(ids.clone())));
    let mut known = Known::default();
    if steps.len() == 1 {
        known.desk.hold(held);
        return Ok(known);
    }
    known.begun = true;
    let mut answers = conn.ask_all(steps).await?.into_iter().skip(1);
    let mut next = || answers.next().ok_or_else(|| damaged("no answer".into()));
    if has_keys {
        let (fresh, all) = (next()?, next()?);
        known.keys = Keys::read(&fresh, &all)?;
    }
    if has_numbers {
        next()?;
        known.serving = location::read(&next()?)?;
    }
    if has_ids {
        known.desk = Desk::read(&answers.by_ref().take(looks).collect::<Vec<_>>())?;
        missed.store(!known.desk.missing(&ids).is_empty(), Ordering::Relaxed);
        if let Some(ended) = answers.next().filter(|_| asks_ended) {
            known.desk.read_ended(&ended)?;
        }
        known.desk.find_others(conn, &ids, false).await?;
        let numbers = known.desk.numbers(kinds.reported());
        let at = kinds.reports.iter().map(|job| job.scene.now).max();
        if let (false, Some(at)) = (numbers.is_empty(), at) {
            let looked = conn.ask_all(location::look(&numbers, at).into()).await?;
            if let Some(rows) = looked.last() {
                known.desk.serve(location::read(rows)?);
            }
        }
    }
    known.desk.hold(held);
    Ok(known)
}

impl Batch {
    pub(crate) fn new(jobs: Vec<Hot>) -> Self {
        Self {
            jobs,
            answers: Answers::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Each job alone.
    pub(crate) fn split(self) -> impl Iterator<Item = Self> {
        self.jobs.into_iter().map(|job| Self::new(vec![job]))
    }

    /// What is known of messages from their leases: told once, because it may be what fails.
    fn take_held(&mut self, losses: u64) -> HashMap<MessageId, Entry> {
        let jobs = self.jobs.iter_mut().filter_map(|job| match job {
            Hot::Report(job) => Some((job.all.as_slice(), std::mem::take(&mut job.held))),
            Hot::Accept(_) | Hot::Lease(_) => None,
        });
        held::current(jobs, losses)
    }

    /// The ids that are to be stored.
    pub(crate) fn ids(&self) -> Vec<i64> {
        let drafts = self.jobs.iter().flat_map(|job| match job {
            Hot::Accept(job) => job.drafts.as_slice(),
            Hot::Report(_) | Hot::Lease(_) => &[],
        });
        drafts.map(accept::Prepared::id).collect()
    }

    /// What the steps have answered that [`prepare`] named.
    pub(crate) fn take_rows(&mut self, rows: Vec<Vec<tokio_postgres::Row>>, fronts: &Fronts) {
        let losses = self.answers.losses;
        let claims = rows.get(self.answers.first_claim..).unwrap_or_default();
        let kinds = Kinds::of(&self.jobs);
        if let Some(due) = first_due(&kinds, &self.answers) {
            fronts.note_due(due);
        }
        let leased = kinds
            .leases
            .iter()
            .zip(claims.chunks_exact(2))
            .map(|(job, answer)| match answer {
                [claimed, texts] => Leased::read(claimed, texts, job.until, losses),
                _ => Err(damaged("no answer".into()).into()),
            });
        let leased: Vec<Done<Leased>> = leased.collect();
        let starts = kinds.leases.iter().zip(&self.answers.starts);
        for ((job, start), leased) in starts.zip(&leased) {
            if let Ok(leased) = leased {
                fronts.note(&job.ask, *start, job.found(leased));
            }
        }
        self.answers.leased = Some(leased);
    }

    /// It committed, but what was claimed is not known: those messages come back by themselves.
    pub(crate) fn lose_rows(&mut self) {
        self.answers.leased = None;
    }

    /// Answers everybody, and lets other nodes know which queues have got something.
    pub(crate) fn tell(self, hints: &Hints) {
        let mut placed = self.answers.placed.into_iter();
        let mut outcomes = self.answers.outcomes.into_iter();
        let mut leased = self.answers.leased.map(Vec::into_iter);
        let missing = || Error::Unknown("the answer is lost".into());
        for job in self.jobs {
            match job {
                Hot::Accept(job) => {
                    let answer = placed.next().ok_or_else(missing);
                    touch_placed(hints, &job, answer.as_deref().unwrap_or_default());
                    job.ticket.answer(answer);
                }
                Hot::Report(job) => {
                    let answer = outcomes.next().ok_or_else(missing);
                    for done in answer.iter().flatten().flatten() {
                        receipts::touch(hints, done);
                        if done.message.ending().is_none() {
                            hints.touch(done.queued_for.as_ref());
                        }
                    }
                    job.ticket.answer(answer);
                }
                Hot::Lease(job) => {
                    let leased = leased.as_mut().and_then(Iterator::next);
                    let leased = leased.ok_or_else(missing);
                    job.ticket.answer(
                        leased.and_then(|read| read.map_err(crate::error::Fault::into_error)),
                    );
                }
            }
        }
    }

    pub(crate) fn refuse(self, error: &Error) {
        for job in self.jobs {
            job.refuse(error.clone());
        }
    }
}

/// The first instant at which something falls due that was put into a queue.
fn first_due(kinds: &Kinds<'_>, answers: &Answers) -> Option<Timestamp> {
    let drafts = kinds.accepts.iter().flat_map(|job| &job.drafts);
    let placed = drafts.filter_map(Prepared::due);
    let reported = answers.outcomes.iter().flatten().flatten();
    let moved = reported.filter(|done| done.message.ending().is_none());
    placed.chain(moved.map(|done| done.message.due())).min()
}

fn touch_placed(hints: &Hints, job: &Accept, placed: &[Placed]) {
    for (prepared, placed) in job.drafts.iter().zip(placed) {
        if let Placed::Stored(queue) = placed
            && prepared.is_offered()
        {
            hints.touch(queue.as_ref());
        }
    }
}
