//! A connection with the statements it knows, and steps that go out together.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use zajil_database::postgres::{Dial, Heard, Link};

use crate::error::{Done, Fault};
use crate::pooler::{self, Seat, Served};
use crate::pulse::Pulse;

/// A parameter of a step.
pub(crate) type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A statement with its parameters.
pub(crate) struct Step<'a> {
    pub(crate) sql: &'static str,
    pub(crate) parameters: Vec<Parameter<'a>>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(sql: &'static str, parameters: Vec<Parameter<'a>>) -> Self {
        Self { sql, parameters }
    }

    pub(crate) fn bare(sql: &'static str) -> Self {
        Self::new(sql, Vec::new())
    }
}

/// The parameters of a step.
macro_rules! bind {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::conn::Parameter<'_>),*] };
}
pub(crate) use bind;

/// How a connection behaves.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// The schema that holds the tables.
    pub(crate) schema: String,
    /// Whose connection it is: others see that this process lives.
    pub(crate) session: i64,
    /// After so long the database gives a statement up.
    pub(crate) statement: Duration,
    /// After so long the connection counts as lost.
    pub(crate) silence: Duration,
    /// What serves the connections of this process.
    pub(crate) served: Arc<Served>,
    /// Told of questions and answers; none where an answer may well take long.
    pub(crate) pulse: Option<Arc<Pulse>>,
}

/// Every statement is planned once, and walks indexes from key to key. Left to itself the database
/// plans by the figures of its last look at a table: those of `q` are hours old while it fills and
/// empties in minutes, and a scan of all of it for each batch is what comes of it.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
     SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
     SET enable_material = off; SET jit = off;";

/// The database, too, notices within half a minute that the machine at the other end has gone or
/// was cut off. By its own settings it takes two hours, and every such time leaves connections that
/// count against `max_connections`.
const GONE: &str = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; \
     SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000;";

/// So often a connection that is used is asked what serves it.
pub(crate) const LOOK: Duration = Duration::from_secs(5);

/// A connection to the database.
#[derive(Debug)]
pub(crate) struct Conn {
    link: Arc<Link>,
    silence: Duration,
    pulse: Option<Arc<Pulse>>,
    seat: Seat,
    served: Arc<Served>,
    /// When it is to be asked again what serves it.
    next_look: Mutex<Instant>,
    known: Mutex<HashMap<&'static str, Statement>>,
}

impl Conn {
    /// Connects, within the time that one may be silent.
    pub(crate) async fn open(dial: &Dial, manners: &Manners, heard: Option<Heard>) -> Done<Self> {
        let statement = manners.statement.as_millis();
        // A transaction whose node has gone must not hold its rows for long.
        let prepare = format!(
            "SET search_path = \"{}\"; SET statement_timeout = {statement}; \
             SET lock_timeout = {statement}; SET idle_in_transaction_session_timeout = 5000; \
             SET default_transaction_isolation = 'read committed'; {PLANS} {GONE} \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'; \
             SELECT pg_advisory_lock_shared({}); {}",
            manners.schema,
            manners.session,
            pooler::SERVED_BY
        );
        let served = &manners.served;
        let made = async {
            let look = || Box::pin(pooler::keep_out(dial, manners.silence));
            served.look_again(look()).await?;
            let link = dial.connect(heard).await?;
            let told = link.client.simple_query(&prepare).await?;
            let link = Arc::new(link);
            let weak = Arc::downgrade(&link);
            let is_open = move || weak.upgrade().is_some_and(|link| !link.client.is_closed());
            let seat = served.seat(pooler::last_row(&told), is_open, look());
            let seat = seat.await?;
            Ok((link, seat))
        };
        let made = tokio::time::timeout(manners.silence, made).await;
        let (link, seat) = made.unwrap_or(Err(Fault::Silent("accept a connection")))?;
        Ok(Self {
            link,
            seat,
            served: Arc::clone(served),
            silence: manners.silence,
            pulse: manners.pulse.clone(),
            next_look: Mutex::new(Instant::now() + LOOK),
            known: Mutex::default(),
        })
    }

    /// The same connection, where an answer may take this long.
    pub(crate) fn patient(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.link.client.is_closed() && !self.served.is_pooled()
    }

    /// When it is to be asked next what serves it, however busy it is meanwhile.
    pub(crate) fn next_look(&self) -> Instant {
        *self
            .next_look
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is time to; once in so long.
    fn takes_look(&self) -> bool {
        let mut next = self
            .next_look
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let time = Instant::now() >= *next;
        if time {
            *next = Instant::now() + LOOK;
        }
        time
    }

    /// Whether it is still served by what it was served by at first, where that was not asked of
    /// late.
    pub(crate) async fn check(&self) -> Done<()> {
        if !self.takes_look() {
            return Ok(());
        }
        let told = self.link.client.simple_query(pooler::SERVED_BY);
        let told = self.in_time(async { Ok(told.await?) }).await?;
        self.seat.check(pooler::last_row(&told))
    }

    /// Whether the database has moved to another host since.
    pub(crate) fn is_left_behind(&self, dial: &Dial) -> bool {
        dial.has_moved_from(&self.link)
    }

    /// Several statements, as text.
    pub(crate) async fn batch(&self, sql: &str) -> Done<()> {
        let answer = self.link.client.batch_execute(sql);
        self.in_time(async { Ok(answer.await?) }).await
    }

    /// One step.
    pub(crate) async fn ask(&self, step: Step<'_>) -> Done<Vec<Row>> {
        let mut answers = self.ask_all(vec![step]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Sends all steps at once, in order; answers with the rows of each, or what the first that
    /// failed says.
    pub(crate) async fn ask_all(&self, steps: Vec<Step<'_>>) -> Done<Vec<Vec<Row>>> {
        self.in_time(self.send(steps)).await
    }

    async fn send(&self, steps: Vec<Step<'_>>) -> Done<Vec<Vec<Row>>> {
        let mut prepared = Vec::with_capacity(steps.len());
        for step in &steps {
            prepared.push(self.statement(step.sql).await?);
        }
        let sent = steps.iter().zip(&prepared).map(|(step, statement)| {
            let parameters: Vec<&(dyn ToSql + Sync)> =
                step.parameters.iter().map(|value| &**value as _).collect();
            async move { self.link.client.query(statement, &parameters).await }
        });
        in_order(sent)
            .await
            .into_iter()
            .map(|answer| answer.map_err(Fault::Sql))
            .collect()
    }

    async fn statement(&self, sql: &'static str) -> Done<Statement> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = known().get(sql).cloned() {
            return Ok(statement);
        }
        let statement = self.link.client.prepare(sql).await?;
        known().insert(sql, statement.clone());
        Ok(statement)
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Done<T>>) -> Done<T> {
        let answer = async {
            let answer = tokio::time::timeout(self.silence, answer).await;
            answer.unwrap_or(Err(Fault::Silent("answer")))
        };
        match &self.pulse {
            Some(pulse) => pulse.hear(answer).await,
            None => answer.await,
        }
    }
}

/// Awaits all, each begun before the first has to be ready, in this order: what each sends goes out
/// in the order of the list.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut all = true;
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
