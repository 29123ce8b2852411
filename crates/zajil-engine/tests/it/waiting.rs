//! Pollers that wait (D7): woken by hints, by time and by the end, never too early.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use zajil_core::lifecycle::Edit;
use zajil_core::message::Life;
use zajil_core::port::{Desk as _, Intake as _};
use zajil_engine::Options;
use zajil_testkit::build;

use crate::moody::Mood;
use crate::scenario::{World, ask};

const WAIT: &[&str] = &["wait=30", "lease=60"];

#[tokio::test(start_paused = true)]
async fn d7_a_submit_wakes_one_waiting_poller_at_once() {
    let world = World::new(Options::default()).await;
    world
        .engine
        .register(build::registration("gw"))
        .await
        .unwrap();
    let began = Instant::now();
    let mut submission = build::submission("1", "44700", "hello");
    submission.dest_smsc = Some(build::name("gw"));
    let submit = async {
        tokio::task::yield_now().await;
        world.engine.submit(submission).await.unwrap()
    };
    let (first, accepted) = tokio::join!(world.engine.offer(ask("gw", WAIT)), submit);
    assert_eq!(first.unwrap()[0].id, accepted.message.id);
    assert!(
        began.elapsed() < Duration::from_millis(10),
        "{:?}",
        began.elapsed()
    );
}

/// A client that waits for its answer no longer once the store has what it asked for.
async fn leaves_half_way<T>(asked: impl Future<Output = T>) {
    let mut asked = Box::pin(asked);
    assert!(futures_util::poll!(asked.as_mut()).is_pending());
}

#[tokio::test(start_paused = true)]
async fn d7_what_is_stored_for_a_client_that_went_away_wakes_too() {
    let world = World::new(Options::default()).await;
    let (engine, store) = (&world.engine, &world.store);
    engine.register(build::registration("gw")).await.unwrap();
    let began = Instant::now();
    store.expect([Mood::StoreSlowly]);
    let mut submission = build::submission("1", "44700", "hello");
    submission.dest_smsc = Some(build::name("gw"));
    let submit = async {
        tokio::task::yield_now().await;
        leaves_half_way(engine.submit(submission)).await;
    };
    let (submitted, ()) = tokio::join!(engine.offer(ask("gw", WAIT)), submit);
    let id = submitted.unwrap()[0].id;

    store.late.store(true, Ordering::Relaxed);
    engine.register(build::registration("other")).await.unwrap();
    let edit = async {
        tokio::task::yield_now().await;
        let edit = Edit {
            dest_smsc: Some(Some(build::name("other"))),
            ..Edit::default()
        };
        leaves_half_way(engine.edit(id, edit)).await;
    };
    let (edited, ()) = tokio::join!(engine.offer(ask("other", WAIT)), edit);
    assert_eq!(edited.unwrap()[0].id, id);

    let unrouted = engine.submit(build::submission("1", "44800", "hello"));
    let id = unrouted.await.unwrap().message.id;
    let locate = async {
        tokio::task::yield_now().await;
        let sighting = build::sighting("00101", "44800", "gw");
        leaves_half_way(engine.locate(None, sighting)).await;
    };
    let (located, ()) = tokio::join!(engine.offer(ask("gw", WAIT)), locate);
    assert_eq!(located.unwrap()[0].id, id);

    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_millis(10), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn d7_locations_and_edits_wake_too() {
    let world = World::new(Options::default()).await;
    world
        .engine
        .register(build::registration("gw"))
        .await
        .unwrap();
    for destination in ["44700", "44800"] {
        world
            .engine
            .submit(build::submission("1", destination, "hello"))
            .await
            .unwrap();
    }
    let began = Instant::now();
    let locate = async {
        tokio::task::yield_now().await;
        world
            .engine
            .locate(None, build::sighting("00101", "44700", "gw"))
            .await
            .unwrap();
    };
    let (first, ()) = tokio::join!(world.engine.offer(ask("gw", WAIT)), locate);
    assert_eq!(first.unwrap().len(), 1);
    let left = world
        .engine
        .offer(ask("fallback", &["unrouted"]))
        .await
        .unwrap();
    let edit = async {
        tokio::task::yield_now().await;
        let edit = Edit {
            dest_smsc: Some(Some(build::name("gw"))),
            ..Edit::default()
        };
        world.engine.edit(left[0].id, edit).await.unwrap();
    };
    let (second, ()) = tokio::join!(world.engine.offer(ask("gw", WAIT)), edit);
    assert_eq!(second.unwrap()[0].id, left[0].id);
    assert!(
        began.elapsed() < Duration::from_millis(10),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn d7_unrouted_messages_wake_those_that_take_them() {
    let world = World::new(Options::default()).await;
    let began = Instant::now();
    let submit = async {
        tokio::task::yield_now().await;
        world
            .engine
            .submit(build::submission("1", "44700", "hello"))
            .await
            .unwrap();
    };
    let waiting = world
        .engine
        .offer(ask("fallback", &["wait=30", "unrouted"]));
    let (found, ()) = tokio::join!(waiting, submit);
    assert_eq!(found.unwrap().len(), 1);
    assert!(
        began.elapsed() < Duration::from_millis(10),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn d7_without_anything_due_the_answer_is_empty_after_the_wait() {
    let world = World::new(Options::default()).await;
    let began = Instant::now();
    assert!(
        world
            .engine
            .offer(ask("gw", WAIT))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_stop_wakes_all_who_wait() {
    let world = World::new(Options::default()).await;
    let began = Instant::now();
    let stop = async {
        tokio::task::yield_now().await;
        world.engine.stop().await;
        world.engine.stop().await;
    };
    let (found, ()) = tokio::join!(world.engine.offer(ask("gw", WAIT)), stop);
    assert!(found.unwrap().is_empty());
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

/// ADR 14: another node may be ahead of the one that leased.
#[tokio::test(start_paused = true)]
async fn d13_a_lease_is_kept_as_much_longer_as_clocks_of_nodes_may_differ() {
    let world = World::new(Options {
        lease_margin: Duration::from_millis(500),
        ..Options::default()
    })
    .await;
    let gateway = build::registration("gw");
    world.engine.register(gateway).await.unwrap();
    let mut submission = build::submission("1", "44700", "hello");
    submission.dest_smsc = Some(build::name("gw"));
    let accepted = world.engine.submit(submission).await.unwrap();
    let leased = world.engine.offer(ask("gw", &["lease=60"])).await.unwrap();
    let Life::Pending { leased_until } = leased[0].life else {
        panic!("{:?}", leased[0].life);
    };
    let since = leased_until.unwrap().since(accepted.message.inserted_at);
    assert_eq!(since, Duration::from_millis(60_500));
}
