//! Carries finished messages from the store's outbox to the CDR sink, in batches (S10.2, D16).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zajil_core::cdr::Cdr;
use zajil_core::clock::Clock;
use zajil_core::port::{BadRow, CdrSink, Unwritten};
use zajil_store::contract::{OutboxSeq, Store};
use zajil_telemetry::{CdrFact, Fact, Telemetry};

pub use aside::Aside;
pub use figures::{Figures, Snapshot};

mod aside;
mod figures;

/// The wait after the first failure; it doubles up to [`LONGEST_WAIT`].
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The wait after many failures.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How many batches are written as one while there is a backlog.
const CATCH_UP: u32 = 10;

/// Whether CDRs keep the text of messages (S10.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// `message_body` is the text.
    Keep,
    /// `message_body` is null (`delete_message_body_after_delivery`).
    Omit,
}

/// How the outbox is drained.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `batch_insert_batch_size`.
    pub batch_size: u32,
    /// `batch_insert_flush_interval_ms`: how long a finished message waits for others.
    pub flush_interval: Duration,
    /// How long a stopping node goes on writing what is left.
    pub stop_within: Duration,
    /// Whether texts are kept.
    pub bodies: Bodies,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_size: 100,
            flush_interval: Duration::from_millis(100),
            stop_within: Duration::from_secs(5),
            bodies: Bodies::Keep,
        }
    }
}

/// What the worker works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where the outbox is.
    pub store: Arc<dyn Store>,
    /// Where its rows go.
    pub sink: Arc<dyn CdrSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where facts are told.
    pub telemetry: Arc<Telemetry>,
}

/// The worker between outbox and sink. There is one a node; a second would only repeat its rows.
#[derive(Debug)]
pub struct Outbox {
    parts: Parts,
    options: Options,
    figures: Arc<Figures>,
    aside: Option<Aside>,
}

/// Rows out of the outbox and not yet in the sink.
struct Batch {
    rows: Vec<Cdr>,
    last: OutboxSeq,
    /// Whether more rows may be waiting behind these.
    full: bool,
}

/// What one turn led to.
enum Turn {
    /// Nothing is left, or nothing was there.
    Empty,
    /// A batch is done and others wait.
    More,
    /// It did not work; nothing is lost.
    Failed,
}

impl Outbox {
    /// A worker that has not begun.
    #[must_use]
    pub fn new(parts: Parts, options: Options) -> Self {
        Self {
            parts,
            options,
            figures: Arc::default(),
            aside: None,
        }
    }

    /// With a place for rows that the sink refuses for what they hold. Without one they block the
    /// rows behind them until somebody helps.
    #[must_use]
    pub fn with_aside(mut self, aside: Aside) -> Self {
        self.aside = Some(aside);
        self
    }

    /// The worker's figures (S10.2), to be read at any time.
    #[must_use]
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Drains until `stop`, then until the outbox is empty or [`Options::stop_within`] is over.
    ///
    /// Dropping the future loses nothing: a row leaves the outbox only after the sink has it.
    pub async fn drain(self, stop: CancellationToken) {
        let mut hand = None;
        let mut failures = 0;
        while !stop.is_cancelled() {
            let wait = match self.turn(&mut hand).await {
                Turn::More => {
                    failures = 0;
                    continue;
                }
                Turn::Empty => {
                    failures = 0;
                    self.options.flush_interval
                }
                Turn::Failed => {
                    failures += 1;
                    backoff(failures)
                }
            };
            pause(wait, stop.cancelled()).await;
        }
        let rest = self.drain_rest(&mut hand);
        if tokio::time::timeout(self.options.stop_within, rest)
            .await
            .is_err()
        {
            tracing::warn!("CDRs wait in the outbox for the next start: the sink takes no more");
        }
    }

    async fn drain_rest(&self, hand: &mut Option<Batch>) {
        let mut failures = 0;
        loop {
            match self.turn(hand).await {
                Turn::More => failures = 0,
                Turn::Empty => return,
                Turn::Failed => {
                    failures += 1;
                    tokio::time::sleep(backoff(failures)).await;
                }
            }
        }
    }

    /// Takes the next batch, if none is in hand, and writes it.
    async fn turn(&self, hand: &mut Option<Batch>) -> Turn {
        let batch = match hand.take() {
            Some(batch) => batch,
            None => match self.take().await {
                Ok(Some(batch)) => batch,
                Ok(None) => return Turn::Empty,
                Err(error) => {
                    self.failed(&format!("cannot read the outbox: {error}"));
                    return Turn::Failed;
                }
            },
        };
        let batch = hand.insert(batch);
        match self.write(batch).await {
            Ok(()) => {
                let full = batch.full;
                *hand = None;
                if full { Turn::More } else { Turn::Empty }
            }
            Err(error) => {
                self.failed(&error);
                Turn::Failed
            }
        }
    }

    async fn take(&self) -> Result<Option<Batch>, zajil_store::Error> {
        let size = self.options.batch_size.max(1);
        let behind = self.figures.backlog() > u64::from(size);
        let limit = if behind {
            size.saturating_mul(CATCH_UP)
        } else {
            size
        };
        let entries = self.parts.store.outbox(limit).await?;
        let Some((last, _)) = entries.last() else {
            self.figures.set_backlog(0);
            return Ok(None);
        };
        let last = *last;
        let full = u32::try_from(entries.len()).is_ok_and(|taken| taken >= limit);
        // Only a full batch says that there is more; then the store knows how much.
        let waiting = match full {
            true => self.parts.store.figures().await?.outbox,
            false => entries.len() as u64,
        };
        self.figures.set_backlog(waiting);
        self.figures.enqueued(entries.len());
        let mut rows: Vec<Cdr> = entries.into_iter().map(|(_, cdr)| cdr).collect();
        if self.options.bodies == Bodies::Omit {
            rows.iter_mut().for_each(|cdr| cdr.message_body = None);
        }
        Ok(Some(Batch { rows, last, full }))
    }

    /// The sink first, then the outbox: a crash between the two repeats the rows, and the sink
    /// ignores what it has.
    async fn write(&self, batch: &Batch) -> Result<(), String> {
        let begun = tokio::time::Instant::now();
        let now = self.parts.clock.now();
        match self.parts.sink.write(&batch.rows, now).await {
            Ok(()) => {}
            Err(Unwritten::Down(why)) => return Err(why),
            Err(Unwritten::BadRows(bad)) => self.put_aside(&batch.rows, &bad).await?,
        }
        let done = self.parts.store.outbox_done(batch.last).await;
        done.map_err(|error| format!("cannot take rows out of the outbox: {error}"))?;
        let count = batch.rows.len();
        let again = self.figures.flushed(count, now, begun.elapsed());
        self.tell(CdrFact::Written { count, again });
        Ok(())
    }

    /// What the database refuses for good is kept elsewhere, so that the rows behind it go on.
    async fn put_aside(&self, rows: &[Cdr], bad: &[BadRow]) -> Result<(), String> {
        let Some(aside) = &self.aside else {
            let first = bad.first().map_or("", |row| row.why.as_str());
            return Err(format!("{} rows are refused: {first}", bad.len()));
        };
        let is_bad = |row: &&Cdr| bad.iter().any(|bad| bad.message_id == row.message_id);
        let refused: Vec<Cdr> = rows.iter().filter(is_bad).cloned().collect();
        aside.keep(refused, self.parts.clock.now()).await?;
        self.figures.put_aside(bad.len());
        for BadRow { message_id, why } in bad {
            self.tell(CdrFact::BadRow {
                message_id: *message_id,
                why,
                file: aside.path(),
            });
        }
        Ok(())
    }

    fn failed(&self, error: &str) {
        let streak = self.figures.failed();
        self.tell(CdrFact::Failing {
            why: error,
            streak,
            lasting: backoff(streak) == LONGEST_WAIT,
        });
    }

    fn tell(&self, fact: CdrFact<'_>) {
        self.parts.telemetry.record(&Fact::Cdr(fact));
    }
}

fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    SHORTEST_WAIT
        .saturating_mul(1 << doublings)
        .min(LONGEST_WAIT)
}

async fn pause(wait: Duration, stopped: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = stopped => {}
        () = tokio::time::sleep(wait) => {}
    }
}
