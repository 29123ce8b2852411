//! Operators and the core network: locations, routes, edits, removals, pauses.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Edit;
use zajil_core::policy::{Pause, Policy};
use zajil_core::port::{Control as _, Desk as _, RoutingChange};
use zajil_core::route::{Action, RouteId};
use zajil_core::status::Status;
use zajil_store::contract::{Error, Filter, Store as _};
use zajil_testkit::build;

use super::{FRONTENDS, number};
use crate::rng::Rng;
use crate::world::{LIFE, World};

const PATIENCE: Duration = Duration::from_secs(5);

/// Meddles until the storm is over.
pub(crate) async fn operator(world: Arc<World>, rng: Rng) {
    while !world.stage.is_calm() {
        sleep(rng.millis(100..1_500)).await;
        match rng.below(10) {
            0..3 => locate(&world, &rng).await,
            3 => forget(&world, &rng).await,
            4..6 => edit(&world, &rng).await,
            6 => remove(&world, &rng).await,
            7 => pause(&world, &rng).await,
            _ => reroute(&world, &rng).await,
        }
    }
}

fn frontend(rng: &Rng) -> FrontendName {
    build::name(rng.pick(&FRONTENDS).copied().unwrap_or("gw-a"))
}

async fn locate(world: &World, rng: &Rng) {
    let subscriber = rng.below(3);
    let msisdn = number("46", subscriber);
    let imsi = format!("00101{subscriber:010}");
    let mut sighting = build::sighting(&imsi, &msisdn, frontend(rng).as_str());
    let until = world.stage.time.now().plus(rng.millis(1_000..15_000));
    sighting.expires = Some(rng.percent(70).then_some(until));
    drop(
        world
            .ask(rng, PATIENCE, |engine| engine.locate(None, sighting))
            .await,
    );
}

async fn forget(world: &World, rng: &Rng) {
    let id = 1 + rng.below(3);
    drop(
        world
            .ask(rng, PATIENCE, |engine| engine.forget_location(id))
            .await,
    );
}

async fn edit(world: &World, rng: &Rng) {
    let known = world.stage.known();
    let Some(id) = rng.pick(&known).copied() else {
        return;
    };
    let now = world.stage.time.now();
    let mut edit = Edit::default();
    match rng.below(4) {
        0 => edit.dest_smsc = Some(Some(frontend(rng))),
        1 => edit.dest_smsc = Some(None),
        2 => edit.deliver_after = Some(rng.percent(70).then(|| now.plus(rng.millis(0..10_000)))),
        _ => edit.expires = Some(now.plus(rng.millis(1_000..30_000))),
    }
    drop(
        world
            .ask(rng, PATIENCE, |engine| engine.edit(id, edit))
            .await,
    );
}

/// Ends what lives much longer than others: a message whose `deliver_after` was moved past its end
/// lives on for a day from there, and nobody waits for that.
pub(crate) async fn shorten(world: &World, rng: &Rng) -> Result<(), Error> {
    let end = world.stage.time.now().plus(LIFE);
    let pending = Filter {
        status: Some(Status::Pending),
        limit: u32::MAX,
        ..Filter::default()
    };
    for message in world.stage.store.messages(pending).await? {
        if message.expires > end {
            let edit = Edit {
                expires: Some(end),
                ..Edit::default()
            };
            let edited = world.ask(rng, PATIENCE, |engine| engine.edit(message.id, edit));
            drop(edited.await);
        }
    }
    Ok(())
}

async fn remove(world: &World, rng: &Rng) {
    let known = world.stage.known();
    if let Some(id) = rng.pick(&known).copied() {
        drop(world.ask(rng, PATIENCE, |engine| engine.remove(id)).await);
    }
}

async fn pause(world: &World, rng: &Rng) {
    let since = world.stage.time.now();
    let pause = rng.percent(50).then(|| Pause {
        since,
        until: Some(since.plus(rng.millis(500..8_000))),
        reason: "works".to_owned(),
    });
    let policy = Policy {
        pause,
        ..Policy::new(frontend(rng))
    };
    drop(
        world
            .ask(rng, PATIENCE, |engine| engine.set_policy(policy))
            .await,
    );
}

async fn reroute(world: &World, rng: &Rng) {
    let terms = build::route("45", Action::Deliver(frontend(rng)));
    let change = match rng.below(3) {
        0 => RoutingChange::AddRoute(terms),
        1 => RoutingChange::SetRoute(RouteId(2), terms),
        // Those that the nodes are configured with stay.
        _ => RoutingChange::RemoveRoute(RouteId(7 + rng.below(20))),
    };
    drop(
        world
            .ask(rng, PATIENCE, |engine| engine.change_routing(change, None))
            .await,
    );
}
