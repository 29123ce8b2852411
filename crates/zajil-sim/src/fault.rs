//! What goes wrong, and when: processes die, stand still, lose their clock, their store.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::rng::Rng;
use crate::world::{Node, World};

/// Brings trouble to one node after the other until the storm `ends`, and leaves it running.
pub(crate) async fn trouble(world: Arc<World>, rng: Rng, place: usize, ends: Instant) {
    let Some(node) = world.nodes.get(place) else {
        return;
    };
    loop {
        sleep(rng.millis(200..9_000)).await;
        if Instant::now() >= ends {
            return;
        }
        set_clock(&world, &rng, node);
        match rng.below(10) {
            0..3 => {
                world.crash(node);
                // It may be back within the same second.
                sleep(rng.millis(0..4_000)).await;
                world.start(node).await;
            }
            3 => {
                world.stop(node).await;
                sleep(rng.millis(0..2_000)).await;
                world.start(node).await;
            }
            4..6 => stand_still(&rng, node).await,
            6..8 => {
                if let Some(life) = node.life() {
                    life.link.cut_off(Instant::now() + rng.millis(200..9_000));
                }
            }
            8 => world
                .stage
                .take_store_away(Instant::now() + rng.millis(200..6_000)),
            _ => {}
        }
    }
}

/// Within what the run allows, backwards too.
fn set_clock(world: &World, rng: &Rng, node: &Node) {
    let skew = u64::try_from(world.stage.plan.skew.as_millis()).unwrap_or(0);
    let ahead = i64::try_from(rng.below(2 * skew + 1)).unwrap_or(0);
    let skew = i64::try_from(skew).unwrap_or(0);
    node.clock.set_ahead(ahead - skew);
}

async fn stand_still(rng: &Rng, node: &Node) {
    let Some(life) = node.life() else { return };
    life.line.pause();
    let long = rng.percent(15);
    sleep(rng.millis(if long { 5_000..20_000 } else { 50..3_000 })).await;
    life.line.resume();
}

/// The storm is over: clocks are right and whatever stood still moves.
pub(crate) fn end(world: &World) {
    world.stage.calm_down();
    for node in &world.nodes {
        node.clock.set_ahead(0);
        if let Some(life) = node.life() {
            life.line.resume();
        }
    }
}

/// How long the last trouble may go on after the storm: a node that stops takes its time.
pub(crate) const RECOVERY: Duration = Duration::from_secs(30);
