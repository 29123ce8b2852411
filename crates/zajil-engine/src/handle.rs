//! The engine as the doors and the binary see it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::{Clock, Dice};
use zajil_core::event::{Event, NodeName};
use zajil_core::frontend::FrontendName;
use zajil_core::frontend::{Presence, Registration};
use zajil_core::id::{Generator, MessageId, NodeNumber};
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::location::{Location, Sighting};
use zajil_core::message::Message;
use zajil_core::number::Strictness;
use zajil_core::outcome::Refusal;
use zajil_core::policy::{Pause, Policy};
use zajil_core::port::{
    Accepted, Answer, Ask, Charger, Control, Desk, Each, Handed, Intake, NumberLookup, Question,
    ReceiptAnswer, ReceiptAsk, Routing, RoutingChange, Simulation, Submission, Waiting,
};
use zajil_core::route::Terms;
use zajil_core::translate::RuleTerms;
use zajil_core::translate::apply::Explanation;
use zajil_store::cluster::{Cluster, Hint};
use zajil_store::contract::{self, Store};
use zajil_store::scales::Scales;
use zajil_telemetry::Telemetry;

use crate::batch::{self, Queue};
use crate::charge::Charging;
use crate::control::{Snapshot, check_route, check_rule};
use crate::hint::Hub;
use crate::refuse;
use crate::shared::Shared;
use crate::sweep;
use crate::tasks::{Errands, Tasks};

/// How long [`Engine::stop`] waits for the intake to be stored and the tasks to end.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How often the tables may be changed by others while a starting node fills them.
const MOST_FILLINGS: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the engine works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where messages live.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub dice: Arc<dyn Dice>,
    /// Where facts are told.
    pub telemetry: Arc<Telemetry>,
    /// ENUM, if it is configured.
    pub lookup: Option<Arc<dyn NumberLookup>>,
    /// The charging system, if one is configured.
    pub charger: Option<Arc<dyn Charger>>,
}

/// How the engine behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// `smsc_node_name`.
    pub node: NodeName,
    /// The number of this node within its cluster, in every id it hands out.
    pub node_number: NodeNumber,
    /// `dead_letter_time_minutes`: the life of a message that names no `expires`, counted from its
    /// `deliver_after` if it has one.
    pub dead_letter_time: Duration,
    /// `fingerprint_ttl_minutes`: how long a repetition is recognised; at least 5 minutes.
    pub fingerprint_ttl: Duration,
    /// `message_retention_hours`: how long finished messages stay in the queue store.
    pub message_retention: Duration,
    /// `receipt_retention_hours`: how long a receipt waits for its application.
    pub receipt_retention: Duration,
    /// `event_ttl_days`.
    pub event_ttl: Duration,
    /// How long frontends that are gone stay in the history.
    pub frontend_history: Duration,
    /// `retention_check_interval_minutes`.
    pub retention_check_interval: Duration,
    /// How many asynchronous submits may wait to be stored.
    pub intake_capacity: usize,
    /// By how much a lease ends later than was asked for: as far as clocks of nodes may differ.
    pub lease_margin: Duration,
    /// What a destination must look like (D8).
    pub strictness: Strictness,
    /// How messages are charged, where there is a charging system.
    pub charging: Charging,
    /// `sms_routes`: fill the routing table when it is empty (S4.4).
    pub seed_routes: Vec<Terms>,
    /// The translation rules of the configuration, likewise.
    pub seed_rules: Vec<RuleTerms>,
}

impl Default for Options {
    fn default() -> Self {
        let Ok(node_number) = NodeNumber::new(0) else {
            unreachable!("0 is in range")
        };
        Self {
            node: NodeName::new("zajil"),
            node_number,
            dead_letter_time: DAY,
            fingerprint_ttl: 5 * MINUTE,
            message_retention: DAY,
            receipt_retention: 3 * DAY,
            event_ttl: 7 * DAY,
            frontend_history: 30 * DAY,
            retention_check_interval: HOUR,
            intake_capacity: 10_000,
            lease_margin: Duration::ZERO,
            strictness: Strictness::Digits,
            charging: Charging::default(),
            seed_routes: Vec::new(),
            seed_rules: Vec::new(),
        }
    }
}

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read or written.
    #[error("the store failed")]
    Store(#[from] contract::Error),
    /// A route or rule of the configuration is wrong.
    #[error("{table} number {number}: {rule}")]
    Seed {
        /// `sms_routes` or the translation rules.
        table: &'static str,
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        rule: String,
    },
    /// A stored translation rule cannot be used.
    #[error("translation rule {id}: {rule}")]
    Rule {
        /// Its id.
        id: u64,
        /// What is wrong with it.
        rule: String,
    },
}

/// The engine: [`Intake`], [`Desk`] and [`Control`] in one.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    /// The tasks, until somebody stops them.
    tasks: Mutex<Option<Tasks>>,
}

impl Engine {
    /// Takes up work where the store left off. Needs a running tokio runtime with time.
    ///
    /// # Errors
    /// [`Error`]; nothing runs then.
    pub async fn start(parts: Parts, options: Options) -> Result<Arc<Self>, Error> {
        let snapshot = tables(&*parts.store, &options).await?;
        if parts.charger.is_none() {
            snapshot.warn_of_charges();
        }
        let floor = parts.store.highest_id().await?;
        let ids = Generator::new(options.node_number, floor, parts.clock.now());
        parts.store.reserve_ids(ids.opening()).await?;
        let (intake, far_end) = mpsc::channel(options.intake_capacity.max(1));
        let stopping = CancellationToken::new();
        let mut tasks = Tasks::new(stopping.clone(), Arc::clone(&parts.telemetry));
        let shared = Arc::new(Shared {
            parts,
            options,
            ids: Mutex::new(ids),
            latest: ArcSwap::new(Arc::clone(&snapshot.routing)),
            control: ArcSwap::from_pointee(snapshot),
            changing: tokio::sync::Mutex::new(()),
            unusable: AtomicU64::new(u64::MAX),
            compiling: tokio::sync::Mutex::new(()),
            frontends: RwLock::new(HashMap::new()),
            hints: Hub::default(),
            receipt_hints: Hub::default(),
            policies: ArcSwap::default(),
            rests: Mutex::default(),
            intake,
            intake_scales: Scales::new(batch::MOST_HELD),
            errands: Errands::default(),
            closed: AtomicBool::new(false),
            stopping,
        });
        shared.refresh_frontends().await?;
        shared.refresh_policies().await?;
        let queue = Queue {
            intake: far_end,
            batch: Vec::new(),
        };
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let worker = Arc::clone(&shared);
        tasks.spawn("intake", move |token| {
            batch::work(Arc::clone(&worker), Arc::clone(&queue), token)
        });
        sweep::start(&mut tasks, &shared);
        Ok(Arc::new(Self {
            shared,
            tasks: Mutex::new(Some(tasks)),
        }))
    }

    /// Takes what other nodes tell: wakes whom it concerns, reads what has changed. A task of its
    /// own runs it, until the token is cancelled.
    pub async fn listen(&self, cluster: &dyn Cluster, token: CancellationToken) {
        loop {
            let hint = tokio::select! {
                biased;
                () = token.cancelled() => return,
                hint = cluster.hint() => hint,
            };
            match hint {
                Ok(hint) => self.hear(hint).await,
                Err(_) => return,
            }
        }
    }

    async fn hear(&self, hint: Hint) {
        let shared = &self.shared;
        if let Hint::Queue(queue) = &hint {
            shared.receipt_hints.wake(queue.as_ref());
            return shared.hints.wake(queue.as_ref());
        }
        // What fails here is tried again by the round of the second.
        let read = async {
            shared.refresh_routing().await?;
            shared.refresh_policies().await
        };
        if let Err(error) = read.await {
            tracing::debug!(%error, "another node's change is not read yet");
        }
        if hint == Hint::Everything {
            shared.hints.wake_all();
            shared.receipt_hints.wake_all();
        }
    }

    /// Whether new submits are refused, as before a stop.
    pub fn drain(&self, draining: bool) {
        self.shared.closed.store(draining, Ordering::Release);
    }

    /// Refuses new submits, wakes all who wait, stores what the intake holds, ends the tasks, and
    /// lets what clients that have gone had begun come to its end. Answers when that is done, or
    /// after 20 s at the most; where there is charging after as long as that holds a message, and
    /// 10 s. A second call answers at once.
    pub async fn stop(&self) {
        self.shared.closed.store(true, Ordering::Release);
        let tasks = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(tasks) = tasks {
            // Who polls is not kept waiting for what others have begun.
            self.shared.stopping.cancel();
            let longest = match self.shared.parts.charger {
                Some(_) => STOP_WITHIN.max(self.shared.options.charging.hold),
                None => STOP_WITHIN,
            };
            self.settle(longest).await;
            tasks.stop(STOP_WITHIN).await;
            let unstored = self.shared.telemetry().metrics.intake.get();
            if unstored > 0 {
                tracing::error!(
                    unstored,
                    "stopped with asynchronous submits that were not stored"
                );
            }
        }
    }
}

impl Engine {
    /// After the last door has closed: what requests that it cut off had begun comes to its end,
    /// within 10 s.
    pub async fn finish(&self) {
        self.settle(STOP_WITHIN).await;
    }

    async fn settle(&self, within: Duration) {
        if !self.shared.errands.end(within).await {
            tracing::error!("stopped while requests of clients that had gone were under way");
        }
    }
}

/// Reads the tables, after filling those that are empty.
async fn tables(store: &dyn Store, options: &Options) -> Result<Snapshot, Error> {
    let seed = |table, at: usize, refusal: Refusal| Error::Seed {
        table,
        number: at + 1,
        rule: refusal.detail,
    };
    for (at, terms) in options.seed_routes.iter().enumerate() {
        check_route(terms).map_err(|refusal| seed("sms_routes", at, refusal))?;
    }
    for (at, terms) in options.seed_rules.iter().enumerate() {
        check_rule(terms).map_err(|refusal| seed("translation rules", at, refusal))?;
    }
    let mut routing = store.routing().await?;
    let mut tries = 0;
    while let Some(change) = filling(&routing, options) {
        // Nodes that start together fill the tables once: who comes second reads them again.
        match store.change_routing(change, Some(routing.version)).await {
            Ok(_) => {}
            Err(contract::Error::Conflict(_)) if tries < MOST_FILLINGS => tries += 1,
            Err(error) => return Err(error.into()),
        }
        routing = store.routing().await?;
    }
    Snapshot::compile(Arc::new(routing)).map_err(|(id, error)| Error::Rule {
        id: id.0,
        rule: error.to_string(),
    })
}

/// What an empty table is filled with, routes before rules.
fn filling(routing: &Routing, options: &Options) -> Option<RoutingChange> {
    if routing.routes.is_empty() && !options.seed_routes.is_empty() {
        let routes = options.seed_routes.iter();
        return Some(RoutingChange::ImportRoutes {
            routes: routes.map(|terms| (None, terms.clone())).collect(),
            replace: false,
        });
    }
    if routing.rules.is_empty() && !options.seed_rules.is_empty() {
        let rules = options.seed_rules.iter();
        return Some(RoutingChange::ImportRules {
            rules: rules.map(|terms| (None, terms.clone())).collect(),
            replace: false,
        });
    }
    None
}

impl Intake for Engine {
    fn submit(&self, submission: Submission) -> Answer<'_, Accepted> {
        Box::pin(self.shared.submit(submission))
    }

    fn submit_many(&self, submissions: Vec<Submission>) -> Answer<'_, Vec<Each<Accepted>>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.submit_many_to_the_end(submissions).await })
    }

    fn submit_async(&self, submission: Submission) -> Answer<'_, Accepted> {
        // Whether it is a repetition is known once it is stored, and the answer depends on it (D6).
        if submission.dedupe.is_some() {
            return Box::pin(self.shared.submit(submission));
        }
        Box::pin(self.shared.submit_async(submission))
    }
}

impl Engine {
    /// Whatever becomes of the caller: of what is stored, whom it concerns must hear.
    fn to_the_end<T, F>(&self, work: F) -> Answer<'static, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        Box::pin(self.shared.errands.to_the_end(work))
    }
}

impl Desk for Engine {
    fn register(&self, registration: Registration) -> Answer<'_, (Presence, bool)> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.register(registration).await })
    }

    fn offer(&self, ask: Ask) -> Answer<'_, Vec<Message>> {
        Box::pin(self.shared.offer(ask))
    }

    fn receipts(&self, ask: ReceiptAsk) -> Answer<'_, Vec<Handed>> {
        Box::pin(self.shared.receipts(ask))
    }

    fn find(&self, id: MessageId) -> Answer<'_, Option<(Message, Vec<Event>)>> {
        Box::pin(self.shared.find(id))
    }

    fn waiting(&self, of: Waiting) -> Answer<'_, Vec<Message>> {
        Box::pin(self.shared.waiting(of))
    }

    fn answer_receipts(&self, answers: Vec<(Handed, ReceiptAnswer)>) -> Answer<'_, ()> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.answer_receipts(answers).await })
    }

    fn report(&self, id: MessageId, report: Report) -> Answer<'_, Message> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.report(id, report).await })
    }

    fn report_many(&self, reports: Vec<(MessageId, Report)>) -> Answer<'_, Vec<Each<Message>>> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.report_many(reports).await })
    }

    fn edit(&self, id: MessageId, edit: Edit) -> Answer<'_, Message> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.edit(id, edit).await })
    }

    fn remove(&self, id: MessageId) -> Answer<'_, ()> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.remove(id).await })
    }

    fn locate(&self, id: Option<u64>, sighting: Sighting) -> Answer<'_, (Location, bool)> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.locate(id, sighting).await })
    }

    fn forget_location(&self, id: u64) -> Answer<'_, ()> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.forget_location(id).await })
    }
}

impl Control for Engine {
    fn routing(&self) -> Arc<Routing> {
        self.shared.latest.load_full()
    }

    fn change_routing(
        &self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Answer<'_, (Arc<Routing>, Option<u64>)> {
        let shared = Arc::clone(&self.shared);
        // To its end, whatever becomes of the caller: what is stored must be known here.
        let errand = self
            .shared
            .errands
            .run(async move { shared.change_routing(change, base).await });
        Box::pin(async move { errand.await.unwrap_or_else(|| Err(refuse::stopping())) })
    }

    fn policy(&self, name: &FrontendName) -> Policy {
        self.shared.policy(name)
    }

    fn set_policy(&self, policy: Policy) -> Answer<'_, Policy> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { shared.set_policy(policy).await })
    }

    fn is_draining(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    fn pause(&self, name: &FrontendName) -> Option<Pause> {
        self.shared.pause(name, self.shared.parts.clock.now())
    }

    fn in_force(&self, version: u64) -> Answer<'_, ()> {
        Box::pin(async move {
            self.shared.in_force(version).await;
            Ok(())
        })
    }

    fn explain_translation(&self, question: &Question) -> Explanation {
        self.shared.explain_translation(question)
    }

    fn simulate(&self, question: Question) -> Answer<'_, Simulation> {
        Box::pin(self.shared.simulate(question))
    }
}
