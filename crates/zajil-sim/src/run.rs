//! One run: a storm, then calm until all is drained, then what is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::id::MessageId;
use zajil_core::message::Message;
use zajil_core::port::Routing;
use zajil_store::contract::{Error, Filter, Refund, Store as _};

use crate::defect::Defect;
use crate::fault;
use crate::history::{Entry, What};
use crate::load::{FRONTENDS, deliver, meddle, submit};
use crate::plan::Plan;
use crate::rng::Rng;
use crate::stage::Stage;
use crate::world::{LIFE, World};

/// After calm and the last recovery everything is over by then: the longest life, and a retry or
/// a lease on top.
const DRAINED_WITHIN: Duration = LIFE.saturating_mul(3);
/// Nothing pending for so long: the intake of no node holds anything either.
const QUIET: Duration = Duration::from_secs(5);

/// What a run leaves behind for the checker.
#[derive(Debug)]
pub(crate) struct Finale {
    pub(crate) plan: Plan,
    pub(crate) history: Vec<Entry>,
    /// Whether all nodes were back in time after the storm.
    pub(crate) recovered: bool,
    /// Whether nothing was pending in the end.
    pub(crate) drained: bool,
    pub(crate) messages: Vec<Message>,
    pub(crate) logs: BTreeMap<MessageId, Vec<Event>>,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) routing: Routing,
}

/// Everything that a seed leads to; the same every time.
pub(crate) fn run(seed: u64, defect: Option<Defect>) -> Result<Finale, anyhow::Error> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(play(seed, defect))?)
}

async fn play(seed: u64, defect: Option<Defect>) -> Result<Finale, Error> {
    let rng = Rng::new(seed);
    let plan = Plan::draw(&rng);
    let stage = Arc::new(Stage::new(plan.clone(), defect));
    let world = Arc::new(World::new(Arc::clone(&stage), rng.fork()));
    // One end for all: the trouble of a node that was long in starting is no longer than that.
    let ends = Instant::now() + plan.storm;
    let mut storm = JoinSet::new();
    for place in 0..world.nodes.len() {
        let (world, rng) = (Arc::clone(&world), rng.fork());
        storm.spawn(async move {
            if let Some(node) = world.nodes.get(place) {
                world.start(node).await;
            }
            fault::trouble(world, rng, place, ends).await;
        });
    }
    let mut clients = JoinSet::new();
    for _ in 0..plan.submitters {
        clients.spawn(submit::client(Arc::clone(&world), rng.fork()));
    }
    for frontend in FRONTENDS {
        for _ in 0..=rng.below(2) {
            clients.spawn(deliver::poller(Arc::clone(&world), rng.fork(), frontend));
        }
    }
    clients.spawn(meddle::operator(Arc::clone(&world), rng.fork()));
    sleep_until(ends).await;
    fault::end(&world);
    let recovered = async { while storm.join_next().await.is_some() {} };
    let recovered = tokio::time::timeout(fault::RECOVERY, recovered)
        .await
        .is_ok();
    // A node that recovers last may have drawn a clock of its own.
    world.nodes.iter().for_each(|node| node.clock.set_ahead(0));
    let drained = recovered && drain(&world, &rng.fork()).await?;
    clients.shutdown().await;
    finale(&stage, recovered, drained).await
}

/// Waits until nothing is pending; `false` when that takes too long.
async fn drain(world: &World, rng: &Rng) -> Result<bool, Error> {
    let stage = &world.stage;
    // A refund that did not happen is put off for as long as its charge seems to be ago, from when
    // it seems to be: both are wrong by up to twice the skew.
    let ends = Instant::now() + DRAINED_WITHIN + stage.plan.skew * 4;
    let mut quiet_since = None;
    while Instant::now() < ends {
        let figures = stage.store.figures().await?;
        let refunds = stage.store.refunds(Timestamp::MAX, u32::MAX).await?;
        // One that was begun by a process that died waits for a human's patience.
        let open = refunds.iter().any(|refund| refund.begun.is_none());
        if figures.pending == 0 && figures.outbox == 0 && !open {
            let since = *quiet_since.get_or_insert_with(Instant::now);
            if since.elapsed() > QUIET {
                return Ok(true);
            }
        } else {
            quiet_since = None;
        }
        if figures.pending > 0 {
            meddle::shorten(world, rng).await?;
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(false)
}

async fn finale(stage: &Stage, recovered: bool, drained: bool) -> Result<Finale, Error> {
    let history = stage.take_history();
    let everything = Filter {
        limit: u32::MAX,
        ..Filter::default()
    };
    let mut logs = BTreeMap::new();
    for entry in &history {
        if let What::Row(row) = &entry.what
            && let Ok(id) = u64::try_from(row.message_id).map(MessageId::new)
            && let Ok(id) = id
        {
            logs.insert(id, stage.store.events(id).await?);
        }
    }
    Ok(Finale {
        plan: stage.plan.clone(),
        history,
        recovered,
        drained,
        messages: stage.store.messages(everything).await?,
        logs,
        refunds: stage.store.refunds(Timestamp::MAX, u32::MAX).await?,
        routing: stage.store.routing().await?,
    })
}
