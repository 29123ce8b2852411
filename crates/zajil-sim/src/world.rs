//! The cluster: nodes that start, die and come back over one store, and how clients reach them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use zajil_cdr::outbox::{self, Outbox};
use zajil_core::event::NodeName;
use zajil_core::id::NodeNumber;
use zajil_core::outcome::Refusal;
use zajil_engine::{Engine, Options, Parts};
use zajil_telemetry::Telemetry;

use crate::history::{LifeNumber, What};
use crate::line::Line;
use crate::link::Link;
use crate::load;
use crate::rng::Rng;
use crate::sink::Sink;
use crate::stage::Stage;
use crate::till::Till;
use crate::time::NodeClock;

/// `dead_letter_time_minutes` of these nodes, short so that a run sees it pass.
pub(crate) const LIFE: Duration = Duration::from_secs(60);
/// `message_retention_hours`, likewise.
const RETENTION: Duration = Duration::from_secs(20);
const PURGES_EVERY: Duration = Duration::from_secs(7);

/// A process of a node.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) number: LifeNumber,
    engine: Arc<Engine>,
    pub(crate) line: Arc<Line>,
    pub(crate) link: Arc<Link>,
    stop: CancellationToken,
    /// The CDR worker; it dies with this.
    _worker: JoinSet<()>,
}

#[derive(Debug)]
pub(crate) struct Node {
    number: u8,
    pub(crate) clock: Arc<NodeClock>,
    life: Mutex<Option<Arc<Life>>>,
}

impl Node {
    pub(crate) fn life(&self) -> Option<Arc<Life>> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Life>>> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) stage: Arc<Stage>,
    pub(crate) nodes: Vec<Node>,
    rng: Rng,
}

/// Why a client has no answer.
#[derive(Debug)]
pub(crate) enum Missing {
    /// A node said no.
    Refused(Refusal),
    /// It is not known whether anything happened.
    Lost,
}

/// What a client asks of a node.
pub(crate) type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

impl World {
    pub(crate) fn new(stage: Arc<Stage>, rng: Rng) -> Self {
        let node = |number| Node {
            number,
            clock: Arc::new(NodeClock::new(stage.time)),
            life: Mutex::default(),
        };
        let nodes = (0..stage.plan.nodes).map(node).collect();
        Self { stage, nodes, rng }
    }

    /// Starts a process for a node that has none; tries until the store lets it.
    pub(crate) async fn start(&self, node: &Node) {
        loop {
            let line = Arc::new(Line::open());
            let stage = Arc::clone(&self.stage);
            let link = Arc::new(Link::new(stage, Arc::clone(&line), self.rng.fork()));
            let parts = self.parts(node, &link, &line);
            let outbox = outbox::Parts {
                store: link.clone(),
                sink: Arc::new(Sink {
                    stage: Arc::clone(&self.stage),
                    line: Arc::clone(&line),
                    rng: self.rng.fork(),
                }),
                clock: Arc::clone(&parts.clock),
                telemetry: Arc::clone(&parts.telemetry),
            };
            if let Ok(engine) = Engine::start(parts, self.options(node)).await {
                let stop = CancellationToken::new();
                let outbox = Outbox::new(outbox, outbox::Options::default());
                let mut worker = JoinSet::new();
                worker.spawn(outbox.drain(stop.clone()));
                *node.lock() = Some(Arc::new(Life {
                    number: self.stage.next_life(),
                    engine,
                    line,
                    link,
                    stop,
                    _worker: worker,
                }));
                return;
            }
            line.cut();
            sleep(Duration::from_millis(200)).await;
        }
    }

    fn parts(&self, node: &Node, link: &Arc<Link>, line: &Arc<Line>) -> Parts {
        /// Figures are nobody's business here, and a registry is dear.
        static TELEMETRY: OnceLock<Option<Arc<Telemetry>>> = OnceLock::new();
        let telemetry = TELEMETRY.get_or_init(|| Telemetry::new().ok().map(Arc::new));
        let Some(telemetry) = telemetry else {
            unreachable!("the catalogue of metrics is sound")
        };
        let till = Till {
            stage: Arc::clone(&self.stage),
            line: Arc::clone(line),
            rng: self.rng.fork(),
        };
        Parts {
            store: link.clone(),
            clock: node.clock.clone(),
            dice: Arc::new(self.rng.fork()),
            telemetry: Arc::clone(telemetry),
            lookup: None,
            charger: self.stage.plan.charges.then(|| Arc::new(till) as _),
        }
    }

    fn options(&self, node: &Node) -> Options {
        let usual = Options::default();
        Options {
            node: NodeName::new(&format!("n{}", node.number)),
            node_number: NodeNumber::new(node.number).unwrap_or(usual.node_number),
            dead_letter_time: LIFE,
            message_retention: RETENTION,
            retention_check_interval: PURGES_EVERY,
            intake_capacity: 50,
            charging: self.stage.plan.charging.clone(),
            seed_routes: load::routes(),
            ..usual
        }
    }

    /// The process dies where it stands.
    pub(crate) fn crash(&self, node: &Node) {
        if let Some(life) = node.lock().take() {
            life.line.cut();
            self.stage.add(What::Crashed(life.number));
        }
    }

    /// The process is asked to stop, and has the time it wants.
    pub(crate) async fn stop(&self, node: &Node) {
        let Some(life) = node.life() else { return };
        let began = Instant::now();
        life.engine.stop().await;
        life.stop.cancel();
        node.lock().take();
        life.line.cut();
        self.stage.add(What::Stopped {
            life: life.number,
            took: began.elapsed(),
        });
    }

    /// Asks some node. The request or its answer may be lost, the node may die or stand still, and
    /// the client waits only so long.
    pub(crate) async fn ask<T, F>(
        &self,
        rng: &Rng,
        patience: Duration,
        what: F,
    ) -> Result<(T, LifeNumber), Missing>
    where
        F: for<'a> FnOnce(&'a Engine) -> Asked<'a, T>,
    {
        let calm = self.stage.is_calm();
        let Some(life) = self
            .nodes
            .get(rng.index(self.nodes.len()))
            .and_then(Node::life)
        else {
            // Nobody listens: a client looks elsewhere after a moment.
            sleep(Duration::from_millis(100)).await;
            return Err(Missing::Lost);
        };
        let (request_lost, answer_lost) = (rng.per_mille(20), rng.per_mille(20));
        if !calm && request_lost {
            sleep(patience).await;
            return Err(Missing::Lost);
        }
        let answer = async {
            sleep(rng.millis(1..15)).await;
            life.line.pass().await;
            let answer = what(&life.engine).await;
            life.line.pass().await;
            answer
        };
        let answer = tokio::select! {
            biased;
            () = life.line.death() => return Err(Missing::Lost),
            answer = answer => answer,
            () = sleep(patience) => return Err(Missing::Lost),
        };
        if !calm && answer_lost {
            return Err(Missing::Lost);
        }
        answer
            .map(|answer| (answer, life.number))
            .map_err(Missing::Refused)
    }
}
