//! Asynchronous submits: bounded, never dropped, flushed at the end (D5).

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use futures_util::future::join_all;
use tokio::time::Instant;
use zajil_core::event::EventName;
use zajil_core::outcome::Reason;
use zajil_core::port::{Desk as _, Intake as _, Submission};
use zajil_engine::Options;
use zajil_store::contract::{Error, Store as _};
use zajil_testkit::build;

use crate::moody::{Mood, Moody};
use crate::scenario::{World, ask, run};

#[tokio::test(start_paused = true)]
async fn d5_a_stop_stores_what_was_taken_and_refuses_the_rest() {
    let told = run("
        route 44 gw
        async 111 44700 one
        async 111 44700 two
        stop
        async 111 44700 three
        submit 111 44700 four
        offer gw")
    .await;
    expect![[r#"
        route 44 gw => route 1
        async 111 44700 one => taken, dest Some(gw)
        async 111 44700 two => taken, dest Some(gw)
        stop => stopped
        async 111 44700 three => refused, stopping: this node is stopping: try another, or try again
        submit 111 44700 four => refused, stopping: this node is stopping: try another, or try again
        offer gw => [m1 m2]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
    "#]]
    .assert_eq(&told);
}

#[tokio::test(start_paused = true)]
async fn d5_an_intake_that_stays_full_refuses_at_the_door() {
    let world = narrow(2).await;
    is_busy(&world, 8);
    let mut taken = 0;
    let refused = loop {
        let asked = Instant::now();
        match world.engine.submit_async(hello()).await {
            Ok(_) => taken += 1,
            Err(refusal) => break (refusal.reason, asked.elapsed()),
        }
    };
    let (reason, waited) = refused;
    assert_eq!(reason, Reason::Overloaded);
    assert!(
        (250..300).contains(&waited.as_millis()),
        "refused after {waited:?}"
    );
    assert!((2..=4).contains(&taken), "{taken} taken");
    world.engine.stop().await;
    assert_eq!(world.store.figures().await.unwrap().pending, taken);
    assert_eq!(world.telemetry.metrics.intake.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn d5_a_submit_waits_for_room_in_an_intake_that_is_full_for_a_moment() {
    let world = narrow(2).await;
    is_busy(&world, 2);
    for _ in 0..20 {
        world.engine.submit_async(hello()).await.unwrap();
    }
    world.engine.stop().await;
    assert_eq!(world.store.figures().await.unwrap().pending, 20);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_told_to_who_waits_for_room_and_loses_none_that_was_taken() {
    let world = narrow(1).await;
    // The pauses between these grow from 20 ms: the store is away for 1.2 s.
    is_busy(&world, 6);
    let submits = join_all((0..8).map(|_| async {
        let asked = Instant::now();
        let answer = world.engine.submit_async(hello()).await;
        (answer.map_err(|refusal| refusal.reason), asked.elapsed())
    }));
    let stop = async {
        let mut turns = tokio::time::interval(Duration::from_millis(10));
        while world.telemetry.metrics.intake_waiting.get() == 0 {
            turns.tick().await;
        }
        world.engine.stop().await;
    };
    let (answers, ()) = tokio::join!(submits, stop);
    let taken = answers.iter().filter(|(answer, _)| answer.is_ok()).count();
    assert!((1..8).contains(&taken), "{answers:?}");
    for (answer, waited) in answers {
        if let Err(reason) = answer {
            assert_eq!(reason, Reason::Stopping);
            assert!(waited.as_millis() < 250, "told after {waited:?}");
        }
    }
    let pending = world.store.figures().await.unwrap().pending;
    assert_eq!(usize::try_from(pending).unwrap(), taken);
    assert_eq!(world.telemetry.metrics.intake_waiting.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn d5_the_intake_is_bounded_in_octets_too() {
    let world = World::new(Options::default()).await;
    is_busy(&world, 8);
    let heavy = || {
        let mut submission = hello();
        submission.raw_pdu = Some(vec![0; 100 << 20]);
        world.engine.submit_async(submission)
    };
    heavy().await.unwrap();
    heavy().await.unwrap();
    assert_eq!(heavy().await.unwrap_err().reason, Reason::Overloaded);
    world.engine.submit_async(hello()).await.unwrap();
    let mut turns = tokio::time::interval(Duration::from_millis(10));
    while world.telemetry.metrics.intake.get() > 0 {
        turns.tick().await;
    }
    heavy().await.unwrap();
    world.engine.stop().await;
    assert_eq!(world.store.figures().await.unwrap().pending, 4);
}

/// A node whose intake has room for so many.
async fn narrow(intake_capacity: usize) -> World {
    World::new(Options {
        intake_capacity,
        ..Options::default()
    })
    .await
}

/// The store refuses so many times; the pauses between grow.
fn is_busy(world: &World, times: usize) {
    let busy = || Mood::Refuse(Error::Busy);
    world.store.expect(std::iter::repeat_with(busy).take(times));
}

fn hello() -> Submission {
    build::submission("1", "44700", "hello")
}

#[tokio::test(start_paused = true)]
async fn d5_nothing_is_dropped_while_the_store_is_away() {
    let world = World::new(Options::default()).await;
    world.store.expect([
        Mood::Refuse(Error::Busy),
        Mood::Refuse(Error::Full("disk".into())),
        Mood::Refuse(Error::Down("disk".into())),
        Mood::StoreAndForget,
    ]);
    for body in ["one", "two"] {
        world
            .engine
            .submit_async(build::submission("1", "44700", body))
            .await
            .unwrap();
    }
    world.engine.stop().await;
    assert_eq!(
        world.store.figures().await.unwrap().pending,
        2,
        "each stored once"
    );
    assert_eq!(world.telemetry.metrics.intake.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_draft_at_fault_does_not_take_the_others_with_it() {
    let world = World::new(Options::default()).await;
    world.store.expect([Mood::Dislike("bad")]);
    for body in ["one", "bad", "two"] {
        world
            .engine
            .submit_async(build::submission("1", "44700", body))
            .await
            .unwrap();
    }
    world.engine.stop().await;
    assert_eq!(world.store.figures().await.unwrap().pending, 2);
}

#[tokio::test(start_paused = true)]
async fn d18_each_failure_of_the_store_has_its_reason() {
    let world = World::new(Options::default()).await;
    for (error, reason) in [
        (Error::Busy, Reason::Overloaded),
        (Error::Full("secret".into()), Reason::StorageFull),
        (Error::Down("secret".into()), Reason::StorageDown),
        (Error::Unknown("secret".into()), Reason::StorageDown),
        (Error::Closed, Reason::Stopping),
        (Error::Damaged("secret".into()), Reason::Internal),
        (Error::Conflict("for the client".into()), Reason::Conflict),
    ] {
        world.store.expect([Mood::Refuse(error)]);
        let submitted = world
            .engine
            .submit(build::submission("1", "44700", "hello"))
            .await;
        let refusal = submitted.unwrap_err();
        assert_eq!(refusal.reason, reason);
        assert!(!refusal.detail.contains("secret"));
    }
}

#[tokio::test(start_paused = true)]
async fn d6_a_reply_that_cannot_be_stored_does_not_take_a_keyed_submit_with_it() {
    let mut world = World::new(Options::default()).await;
    world.store.expect([Mood::Dislike("closed")]);
    world
        .play(
            "route 7 reply closed
            submit 111 7000 hello key=a
            submit 111 7000 hello key=a",
        )
        .await;
    expect![[r#"
        route 7 reply closed => route 1
        submit 111 7000 hello key=a => m1 111>7000 delivered dest None
        submit 111 7000 hello key=a => again m1 111>7000 delivered dest None
        m1:
          +0s message_inserted
          +0s message_delivered route 1
          +0s auto_reply_sent no reply: it could not be stored
        cdr m1 delivered by None, attempts 1
    "#]]
    .assert_eq(&world.finish().await);
}

#[tokio::test(start_paused = true)]
async fn d11_a_message_that_was_removed_before_its_batch_knew_it_was_stored_stays_removed() {
    let world = World::new(Options::default()).await;
    world.store.expect([Mood::StoreAndForget]);
    let submission = build::submission("1", "44700", "once");
    let taken = world.engine.submit_async(submission).await.unwrap();
    let id = taken.message.id;
    while world.store.message(id).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    world.engine.remove(id).await.unwrap();
    world.engine.stop().await;
    let figures = world.store.figures().await.unwrap();
    assert_eq!((figures.pending, figures.outbox), (0, 1), "it ended once");
    let lines = world.store.events(id).await.unwrap();
    let inserted = lines
        .iter()
        .filter(|line| line.name == EventName::Inserted)
        .count();
    assert_eq!(inserted, 1, "{lines:?}");
    assert_eq!(world.telemetry.metrics.intake.get(), 0);
}

/// What a process told a client of and did not store is in no store: only the process knew the id.
#[tokio::test(start_paused = true)]
async fn d4_processes_that_die_within_one_second_tell_no_id_twice() {
    let store = Arc::new(Moody::default());
    let mut told = Vec::new();
    for _ in 0..4 {
        let life = World::over(Arc::clone(&store), Options::default()).await;
        store.expect([Mood::Refuse(Error::Down("away".into()))]);
        let submission = build::submission("1", "44700", "lost");
        let taken = life.engine.submit_async(submission).await.unwrap();
        told.push(taken.message.id);
        // It dies as it is: nothing that it took is stored.
    }
    assert!(told.is_sorted_by(|a, b| a < b), "{told:?}");
}

/// The store has them: whoever waits must hear of them, whether the client is still there or not.
#[tokio::test(start_paused = true)]
async fn d7_many_submits_go_on_when_the_client_goes_away() {
    let world = World::new(Options::default()).await;
    world
        .engine
        .register(build::registration("gw"))
        .await
        .unwrap();
    world.store.expect([Mood::StoreSlowly]);
    let mut submission = build::submission("1", "44700", "hello");
    submission.dest_smsc = Some(build::name("gw"));
    let began = Instant::now();
    let client = async {
        let mut submitted = world.engine.submit_many(vec![submission]);
        while world.store.figures().await.unwrap().pending == 0 {
            assert!(futures_util::poll!(&mut submitted).is_pending());
            tokio::task::yield_now().await;
        }
    };
    let (offered, ()) = tokio::join!(world.engine.offer(ask("gw", &["wait=30"])), client);
    assert_eq!(offered.unwrap().len(), 1);
    assert!(began.elapsed() < Duration::from_millis(10), "it was told");
}
