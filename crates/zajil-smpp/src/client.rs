//! The links to other people's message centres: each carrier is a frontend that leases messages.
//!
//! For every enabled carrier there is one task, and within it one for each session. A session
//! leases only what it has room for, so a carrier that is down or slow leaves its messages where
//! they are, in the queue, for the next session, node or frontend.

mod deliver;
mod hear;
mod ledger;
mod look;
mod outcome;
mod pace;
mod said;
mod session;
mod settle;
mod sisters;
mod standing;
mod taken;
mod write;
mod written;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::{Clock, Dice};
use zajil_core::frontend::FrontendName;
use zajil_core::port::{Desk, Intake};
use zajil_core::smpp::carrier::Carrier;
use zajil_store::Store;
use zajil_telemetry::{CarrierCounts, Telemetry};

use self::ledger::Ledger;
use self::pace::Pace;
use self::standing::Standing;
pub use self::standing::Standings;

/// How long sessions have to take leave when the client stops.
const LEAVE_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked whether the task of a carrier has come to an end by a bug.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// All carriers, as they are now; a new list replaces it whole.
pub type Carriers = Arc<[Arc<Carrier>]>;

/// What the client is given.
#[derive(Clone)]
pub struct Parts {
    /// Where messages of carriers enter.
    pub intake: Arc<dyn Intake>,
    /// Where messages for carriers leave.
    pub desk: Arc<dyn Desk>,
    /// Where it is kept what carriers took.
    pub store: Arc<dyn Store>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Spreads what would happen together.
    pub dice: Arc<dyn Dice>,
    /// Where it is noted how carriers are doing.
    pub standings: Arc<Standings>,
    /// Where facts are told.
    pub telemetry: Arc<Telemetry>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// The client.
#[derive(Debug)]
pub struct Client {
    parts: Parts,
    ledger: Arc<Ledger>,
}

/// A carrier that sessions work for.
#[derive(Debug)]
struct Upstream {
    parts: Parts,
    ledger: Arc<Ledger>,
    carrier: Arc<Carrier>,
    /// All of them, as they change.
    carriers: watch::Receiver<Carriers>,
    pace: Mutex<Pace>,
    standing: Standing,
    counts: CarrierCounts,
}

impl Upstream {
    fn new(
        parts: Parts,
        ledger: Arc<Ledger>,
        (carrier, carriers): (&Arc<Carrier>, watch::Receiver<Carriers>),
        standing: Standing,
    ) -> Self {
        Self {
            ledger,
            carrier: Arc::clone(carrier),
            carriers,
            pace: Mutex::new(Pace::new(carrier.rate, Instant::now())),
            standing,
            counts: parts.telemetry.metrics.carriers.of(carrier.name.as_str()),
            parts,
        }
    }

    fn pace<T>(&self, change: impl FnOnce(&mut Pace, Instant) -> T) -> T {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pace, Instant::now())
    }

    fn name(&self) -> &FrontendName {
        &self.carrier.name
    }
}

/// The task of one carrier.
struct Worker {
    carrier: Arc<Carrier>,
    stop: CancellationToken,
    task: AbortHandle,
}

impl Client {
    /// A client that binds to nobody yet.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let ledger = Arc::new(Ledger::new(Arc::clone(&parts.store)));
        Arc::new(Self { parts, ledger })
    }

    /// Binds to the carriers until `stop`, then takes leave of all. A carrier that was changed is
    /// left in order, with what is under way, and bound to again.
    pub async fn run(
        self: Arc<Self>,
        mut carriers: watch::Receiver<Carriers>,
        stop: CancellationToken,
    ) {
        let mut workers: HashMap<FrontendName, Worker> = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        let mut looking: Option<AbortHandle> = None;
        loop {
            if looking.as_ref().is_none_or(AbortHandle::is_finished) {
                let look = look::look(Arc::clone(&self), carriers.clone(), stop.clone());
                looking = Some(tasks.spawn(look));
            }
            let wanted = carriers.borrow_and_update().clone();
            self.reconcile((&wanted, &carriers), &mut workers, &mut tasks);
            tokio::select! {
                () = stop.cancelled() => break,
                changed = carriers.changed() => if changed.is_err() {
                    // Nobody will change them any more.
                    stop.cancelled().await;
                    break;
                },
                Some(ended) = tasks.join_next() => self.ended(ended),
                _ = ticks.tick() => {}
            }
        }
        for worker in workers.values() {
            worker.stop.cancel();
        }
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                self.ended(ended);
            }
        };
        if tokio::time::timeout(LEAVE_WITHIN, all).await.is_err() {
            tracing::warn!("sessions to SMPP carriers were still open when the client stopped");
        }
    }

    fn upstream(
        &self,
        carrier: &Arc<Carrier>,
        carriers: &watch::Receiver<Carriers>,
        standing: Standing,
    ) -> Upstream {
        let (parts, ledger) = (self.parts.clone(), Arc::clone(&self.ledger));
        Upstream::new(parts, ledger, (carrier, carriers.clone()), standing)
    }

    /// Stops what is not wanted any more, starts what is.
    fn reconcile(
        &self,
        (wanted, carriers): (&[Arc<Carrier>], &watch::Receiver<Carriers>),
        workers: &mut HashMap<FrontendName, Worker>,
        tasks: &mut JoinSet<()>,
    ) {
        workers.retain(|_, worker| {
            let stays = worker.carrier.enabled && wanted.contains(&worker.carrier);
            if !stays {
                worker.stop.cancel();
            }
            stays && !worker.task.is_finished()
        });
        self.parts.standings.keep(|name| workers.contains_key(name));
        for carrier in wanted.iter().filter(|carrier| carrier.enabled) {
            workers.entry(carrier.name.clone()).or_insert_with(|| {
                let stop = CancellationToken::new();
                let standing = self.parts.standings.of(&carrier.name);
                let upstream = Arc::new(self.upstream(carrier, carriers, standing));
                Worker {
                    carrier: Arc::clone(carrier),
                    task: tasks.spawn(work(upstream, stop.clone())),
                    stop,
                }
            });
        }
    }

    fn ended(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            self.parts.telemetry.metrics.panics.inc();
            tracing::error!(%error, "the task of an SMPP carrier panicked");
        }
    }
}

/// Keeps all sessions of a carrier.
async fn work(upstream: Arc<Upstream>, stop: CancellationToken) {
    let kinds = upstream.carrier.bind.sessions();
    let mut sessions = JoinSet::new();
    for place in 0..upstream.carrier.binds.get() {
        for kind in kinds {
            let (upstream, stop) = (Arc::clone(&upstream), stop.clone());
            sessions.spawn(session::keep(upstream, *kind, place, stop));
        }
    }
    while let Some(ended) = sessions.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            // The others end with this task, and all begin again.
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
