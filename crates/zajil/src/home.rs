//! Where this node's messages live: in its own directory, or in a store that it shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock;
use zajil_core::id::NodeNumber;
use zajil_engine::tasks::Tasks;
use zajil_engine::{Engine, SharedClock};
use zajil_store::cluster::{Cluster, HEARTBEAT, Introduction, LEASE};
use zajil_store::{Error, Store};
use zajil_store_embedded::EmbeddedStore;
use zajil_store_postgres::PostgresStore;
use zajil_telemetry::{Stopwatch, Telemetry};

use crate::config::{Config, Shared};

/// A database that starts together with its nodes gets so long.
const DATABASE_WITHIN: Duration = Duration::from_secs(30);

/// The store, and the clock that goes with it.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The number of this node in every id that it hands out.
    pub(crate) number: NodeNumber,
    pub(crate) standing: Arc<Standing>,
    shared: Option<Membership>,
}

/// A node's place among others.
#[derive(Debug)]
struct Membership {
    store: Arc<PostgresStore>,
    clock: Arc<SharedClock>,
}

/// How this node stands with the others.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    draining: AtomicBool,
    /// Cancelled when its place has been given away.
    pub(crate) expelled: CancellationToken,
}

impl Standing {
    /// Whether it takes work.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn takes_work(&self) -> Result<(), String> {
        match self.draining.load(Ordering::Acquire) {
            true => Err("it is drained".to_owned()),
            false => Ok(()),
        }
    }
}

impl Home {
    /// Opens the store. `address` is where other nodes and operators find this one's API.
    pub(crate) async fn open(
        config: &Config,
        telemetry: &Arc<Telemetry>,
        address: String,
    ) -> anyhow::Result<Self> {
        let standing = Arc::default();
        let Some(shared) = &config.store.shared else {
            return Ok(Self {
                store: embedded(config, telemetry)?,
                clock: Arc::new(zajil_engine::system::SystemClock),
                number: config.node.number,
                standing,
                shared: None,
            });
        };
        let directory = &config.store.directory;
        let made = std::fs::create_dir_all(directory);
        made.with_context(|| format!("data directory {}", directory.display()))?;
        let store = Arc::new(database(shared, telemetry).await?);
        let who = Introduction {
            name: config.node.name.to_string(),
            address,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            number: Some(config.node.number),
        };
        let number = join(&*store, who).await.context("joining the cluster")?;
        let clock = SharedClock::new(&*store)
            .await
            .context("the store's clock")?;
        let clock = Arc::new(clock);
        tracing::info!(number = number.get(), "joined the cluster");
        Ok(Self {
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            number,
            standing,
            shared: Some(Membership { store, clock }),
        })
    }

    /// The other nodes, where there may be some.
    pub(crate) fn cluster(&self) -> Option<Arc<dyn Cluster>> {
        let shared = self.shared.as_ref()?;
        Some(Arc::clone(&shared.store) as Arc<dyn Cluster>)
    }

    /// Keeps the place among the other nodes, hears what they tell, follows the store's clock.
    pub(crate) fn attend(&self, tasks: &mut Tasks, engine: &Arc<Engine>) {
        let Some(Membership { store, clock }) = &self.shared else {
            return;
        };
        let (cluster, clock) = (Arc::clone(store), Arc::clone(clock));
        tasks.spawn("follow the clock", move |token| {
            let (cluster, clock) = (Arc::clone(&cluster), Arc::clone(&clock));
            async move { clock.follow(&*cluster, token).await }
        });
        let (cluster, listener) = (Arc::clone(store), Arc::clone(engine));
        tasks.spawn("hear other nodes", move |token| {
            let (cluster, listener) = (Arc::clone(&cluster), Arc::clone(&listener));
            async move { listener.listen(&*cluster, token).await }
        });
        let (cluster, engine) = (Arc::clone(store), Arc::clone(engine));
        let standing = Arc::clone(&self.standing);
        tasks.spawn("heartbeat", move |token| {
            let (cluster, engine) = (Arc::clone(&cluster), Arc::clone(&engine));
            let standing = Arc::clone(&standing);
            async move { beat(&*cluster, &engine, &standing, token).await }
        });
    }
}

/// Takes a place. One that another process under this name has, which may just have died where the
/// database cannot see it, is waited for as long as it is lent.
async fn join(cluster: &dyn Cluster, who: Introduction) -> Result<NodeNumber, Error> {
    const STEP: Duration = Duration::from_millis(500);
    let watch = Stopwatch::start();
    loop {
        match cluster.join(who.clone()).await {
            Err(Error::Conflict(why)) if watch.elapsed() < LEASE + HEARTBEAT => {
                tracing::warn!(why, "waiting for a place in the cluster");
                tokio::time::sleep(STEP).await;
            }
            joined => return joined,
        }
    }
}

async fn beat(
    cluster: &dyn Cluster,
    engine: &Engine,
    standing: &Standing,
    token: CancellationToken,
) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match cluster.beat().await {
            Ok(draining) => {
                if standing.draining.swap(draining, Ordering::AcqRel) != draining {
                    tracing::info!(draining, "an operator has spoken to this node");
                    engine.drain(draining);
                }
            }
            Err(Error::NotFound) => {
                tracing::error!(
                    "this node's place in the cluster has been given away: it was silent for too \
                     long, or another process runs under its name; stopping"
                );
                engine.drain(true);
                standing.expelled.cancel();
                return;
            }
            Err(error) => tracing::warn!(%error, "no heartbeat: the store is away"),
        }
    }
}

fn embedded(config: &Config, telemetry: &Arc<Telemetry>) -> anyhow::Result<Arc<dyn Store>> {
    let options = zajil_store_embedded::Options {
        cache_kib: config.store.cache_mib * 1_024,
        lock_within: Duration::from_secs(2),
        telemetry: Some(Arc::clone(telemetry)),
        ..zajil_store_embedded::Options::default()
    };
    let store = EmbeddedStore::open(&config.store.directory, &options)
        .with_context(|| format!("data directory {}", config.store.directory.display()))?;
    Ok(Arc::new(store))
}

async fn database(shared: &Shared, telemetry: &Arc<Telemetry>) -> anyhow::Result<PostgresStore> {
    let options = zajil_store_postgres::Options {
        schema: shared.schema.clone(),
        writers: shared.writers,
        within: DATABASE_WITHIN,
        telemetry: Some(Arc::clone(telemetry)),
        ..zajil_store_postgres::Options::default()
    };
    let opened = PostgresStore::open(&shared.server, options).await;
    opened.context("store.url")
}
