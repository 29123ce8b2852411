//! The charging client: turns, time limits and the breaker around one call (S7, D14).

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::StatusCode;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use zajil_core::charge::{Call, Failed, Mode, Money, Refused, Verdict};
use zajil_core::port::Charger;
use zajil_telemetry::{ChargeFact, Fact, Telemetry};

use crate::account::Queues;
use crate::answer::{self, Reply};
use crate::breaker::{Admission, Breaker, Turned};
use crate::connection::{Broken, Pool, Reached, Repeat};
use crate::endpoint::Endpoint;
use crate::options::{Error, Options};
use crate::request::{Maker, Request};

/// A call that has less than this part of its time left when its turn comes is not sent: it would
/// only end unknown.
const LEAST_PART: u32 = 10;

/// Asks one charging system. Cheap to call from many tasks at once.
#[derive(Debug)]
pub struct Client {
    options: Options,
    maker: Maker,
    pool: Pool,
    breaker: Mutex<Breaker>,
    queues: Queues,
    one_per_account: bool,
    waiting: Semaphore,
    at_once: Semaphore,
    next_id: AtomicU64,
    telemetry: Arc<Telemetry>,
}

/// A call without a reply.
enum Missed {
    /// It was not sent, by our own choice.
    Unsent(String),
    /// It was sent, or could not be.
    Broken(Broken),
    /// Something answered that is not a charging system.
    Page(Option<StatusCode>, String),
}

impl Client {
    /// A client that has asked nothing yet.
    ///
    /// # Errors
    /// [`Error`]: what is wrong with the options.
    pub fn new(options: Options, telemetry: Arc<Telemetry>) -> Result<Self, Error> {
        let pool = Pool::new(Endpoint::new(&options)?, options.kept_connections);
        telemetry.metrics.charger_usable.set(1);
        Ok(Self {
            maker: Maker::new(&options)?,
            pool,
            breaker: Mutex::new(Breaker::new(options.breaker)),
            queues: Queues::default(),
            one_per_account: options.takes_turns(),
            waiting: Semaphore::new(options.most_waiting.min(Semaphore::MAX_PERMITS)),
            at_once: Semaphore::new(options.most_at_once.min(Semaphore::MAX_PERMITS)),
            next_id: AtomicU64::new(1),
            telemetry,
            options,
        })
    }

    /// Whether there can be a client with these options.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check_options(options: &Options) -> Result<(), Error> {
        Endpoint::new(options)?;
        Maker::new(options).map(drop)
    }

    async fn ask_price(&self, call: &Call) -> Verdict {
        let mode = self.options.mode;
        let account = self.maker.account(call);
        if account.is_empty() {
            return Verdict::Refused(Refused::UnknownAccount);
        }
        let repeat = match mode {
            Mode::Authorize => Repeat::Harmless,
            Mode::Debit => Repeat::Never,
        };
        let request = self.maker.charge(mode, call);
        match self.send(&account, &request, repeat).await {
            Ok(reply) => answer::verdict(mode, call, reply),
            Err(missed) => Verdict::Failed(missed.failed(answer::at_stake(mode))),
        }
    }

    async fn give_back(&self, call: &Call) -> Result<(), Failed> {
        let account = self.maker.account(call);
        let request = self.maker.refund(self.options.refund, call);
        match self.send(&account, &request, Repeat::Never).await {
            Ok(reply) => answer::refunded(reply),
            Err(missed) => Err(missed.failed(Money::Unknown)),
        }
    }

    /// One call, from its place in the queue to its reply.
    async fn send(
        &self,
        account: &str,
        request: &Request,
        repeat: Repeat,
    ) -> Result<Reply, Missed> {
        let deadline = Instant::now() + self.options.timeout;
        let latest = deadline - self.options.timeout / LEAST_PART;
        self.admit(deadline).await?;
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(Limit::Waiting(self.options.most_waiting).missed());
        };
        let place = self.queues.enter(account);
        let _turn = match self.one_per_account {
            true => Some(in_time(latest, place.turn(), Limit::Account).await?),
            false => None,
        };
        let busy = Limit::AtOnce(self.options.most_at_once);
        let _at_once = in_time(latest, self.at_once.acquire(), busy).await?;
        if Instant::now() > latest {
            return Err(Limit::Late.missed());
        }
        // It may have opened while this one waited.
        self.admit(deadline).await?;
        let reply = self.post(request, deadline, repeat).await;
        self.learn(request, &reply);
        reply
    }

    /// Lets a call pass, or probes for it, as the breaker says.
    async fn admit(&self, deadline: Instant) -> Result<(), Missed> {
        let admission = self.breaker().admit(Instant::now(), self.options.timeout);
        match admission {
            Admission::Pass => Ok(()),
            Admission::Refuse(why) => Err(Missed::Unsent(not_now(&why))),
            Admission::Probe => self.probe(deadline).await.map_err(Missed::Unsent),
        }
    }

    async fn probe(&self, deadline: Instant) -> Result<(), String> {
        let mut probing = Probing {
            breaker: &self.breaker,
            ended: false,
        };
        let probed = self.ping(deadline).await;
        probing.ended = true;
        let turned = match &probed {
            Ok(()) => self.breaker().probed(),
            Err(why) => self.breaker().failed(Instant::now(), why),
        };
        self.record(turned, "");
        probed
    }

    async fn ping(&self, deadline: Instant) -> Result<(), String> {
        let request = Request::ping();
        match self.post(&request, deadline, Repeat::Harmless).await {
            Ok(Ok(pong)) if pong == json!("Pong") => Ok(()),
            Ok(Ok(_)) => Err("the charging system did not answer a ping with Pong".to_owned()),
            Ok(Err(error)) => Err(format!(
                "the charging system answered a ping with {}",
                answer::shown(&error)
            )),
            Err(missed) => Err(missed.failed(Money::Untouched).why),
        }
    }

    async fn post(
        &self,
        request: &Request,
        deadline: Instant,
        repeat: Repeat,
    ) -> Result<Reply, Missed> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = request.envelope(id);
        let page = self.pool.post(body, deadline, repeat).await;
        let page = page.map_err(Missed::Broken)?;
        if page.status != StatusCode::OK {
            let why = format!("the charging system answered HTTP {}", page.status.as_u16());
            return Err(Missed::Page(Some(page.status), why));
        }
        answer::read(&page.body, id).map_err(|why| Missed::Page(None, why))
    }

    /// Tells the breaker of a call that was sent.
    fn learn(&self, request: &Request, reply: &Result<Reply, Missed>) {
        let why = match reply {
            Ok(Err(error)) if answer::is_down(request.method, error) => &answer::answered(error),
            Ok(_) => return self.record(self.breaker().worked(), ""),
            Err(Missed::Unsent(_)) => return,
            Err(Missed::Broken(Broken { why, .. }) | Missed::Page(_, why)) => why,
        };
        let turned = self.breaker().failed(Instant::now(), why);
        self.record(turned, why);
    }

    fn record(&self, turned: Option<Turned>, why: &str) {
        if let Some(turned) = turned {
            let usable = turned == Turned::Usable;
            let turned = ChargeFact::Turned { usable, why };
            self.telemetry.record(&Fact::Charge(turned));
        }
    }

    async fn check(&self) -> Result<(), String> {
        let deadline = Instant::now() + self.options.timeout;
        let admission = self.breaker().admit(Instant::now(), self.options.timeout);
        match admission {
            Admission::Pass => self.ping(deadline).await,
            Admission::Probe => self.probe(deadline).await,
            Admission::Refuse(why) => {
                self.ping(deadline).await?;
                Err(format!(
                    "it answers again and will be asked soon; it was left alone: {why}"
                ))
            }
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        locked(&self.breaker)
    }
}

/// A probe under way. One that its caller gives up leaves its turn to the next.
struct Probing<'a> {
    breaker: &'a Mutex<Breaker>,
    ended: bool,
}

impl Drop for Probing<'_> {
    fn drop(&mut self) {
        if !self.ended {
            locked(self.breaker).abandoned(Instant::now());
        }
    }
}

fn locked(breaker: &Mutex<Breaker>) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Missed {
    /// What is known of the money when `at_stake` is what the call could have moved.
    fn failed(self, at_stake: Money) -> Failed {
        let (money, why) = match self {
            Self::Unsent(why) => (Money::Untouched, why),
            Self::Broken(Broken { reached, why }) => match reached {
                Reached::Nobody => (Money::Untouched, why),
                Reached::Perhaps => (at_stake, why),
            },
            Self::Page(Some(status), why) if never_handled(status) => (Money::Untouched, why),
            Self::Page(_, why) => (at_stake, why),
        };
        Failed { money, why }
    }
}

/// Statuses of a server that did not pass the request on. Behind a proxy, the others may mean that
/// it did and lost the answer.
fn never_handled(status: StatusCode) -> bool {
    let refused = status.is_redirection() || status.is_client_error();
    refused && status != StatusCode::REQUEST_TIMEOUT
}

/// A bound of this node's own that kept a call from being sent. The charging system may be well,
/// and an operator must not look for the fault there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Waiting(usize),
    AtOnce(usize),
    Account,
    Late,
}

impl Limit {
    fn missed(self) -> Missed {
        let what = match self {
            Self::Waiting(most) => format!("{most} calls are waiting already"),
            Self::AtOnce(most) => {
                format!("{most} calls (ocs_max_concurrent) were under way all the time there was")
            }
            Self::Account => "other calls for the account took all the time there was \
                              (ocs_one_per_account)"
                .to_owned(),
            Self::Late => "it waited too long for its turn".to_owned(),
        };
        Missed::Unsent(format!(
            "not sent, by this node's own limit and not by a fault of the charging system: {what}"
        ))
    }
}

/// Waits for a turn until it would come too late.
async fn in_time<T>(
    latest: Instant,
    turn: impl Future<Output = T>,
    limit: Limit,
) -> Result<T, Missed> {
    let turn = timeout_at(latest, turn).await;
    turn.map_err(|_| limit.missed())
}

impl Charger for Client {
    fn charge<'a>(&'a self, call: &'a Call) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(self.ask_price(call))
    }

    fn refund<'a>(
        &'a self,
        call: &'a Call,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failed>> + Send + 'a>> {
        Box::pin(self.give_back(call))
    }

    fn unusable(&self) -> Option<Failed> {
        let breaker = self.breaker();
        let why = breaker.refuses(Instant::now())?;
        Some(Failed {
            money: Money::Untouched,
            why: not_now(why),
        })
    }

    fn health(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(self.check())
    }
}

fn not_now(why: &str) -> String {
    format!("the charging system is not asked for now: {why}")
}
