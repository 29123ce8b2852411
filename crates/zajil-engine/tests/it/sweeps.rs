//! What happens by itself (S3.4, S9, S12): absence, expiry, retention, figures.

use std::sync::atomic::Ordering;
use std::time::Duration;

use zajil_engine::Options;
use zajil_store::contract::Store as _;

use crate::figures::figure;
use crate::scenario::World;

#[tokio::test(start_paused = true)]
async fn s3_4_s12_a_vanished_frontend_and_the_queue_show_in_the_figures() {
    let mut world = World::new(Options::default()).await;
    let connected = "sms_c_frontend_status_count{status=\"connected\"}";
    let gone = "sms_c_frontend_status_count{status=\"disconnected\"}";
    world
        .play("register gw\n submit 111 44700 hello\n +60s")
        .await;
    assert_eq!(
        (figure(&world, connected), figure(&world, gone)),
        ("1".into(), "0".into())
    );
    assert_eq!(figure(&world, "sms_c_queue_size_pending "), "1");
    assert_eq!(
        figure(&world, "sms_c_queue_oldest_message_age_seconds "),
        "60"
    );
    world.play("+60s").await;
    assert_eq!(
        (figure(&world, connected), figure(&world, gone)),
        ("0".into(), "1".into())
    );
}

#[tokio::test(start_paused = true)]
async fn s9_1_every_message_of_a_full_batch_expires_in_one_turn() {
    let mut world = World::new(Options::default()).await;
    let many = "submit 111 44700 hello\n".repeat(1_200);
    world.play(&many).await;
    world.play("+86401s").await;
    assert_eq!(figure(&world, "sms_c_delivery_dead_letter_count "), "1200");
    assert_eq!(world.store.outbox(2_000).await.unwrap().len(), 1_200);
}

#[tokio::test(start_paused = true)]
async fn s9_3_finished_messages_leave_after_retention_once_their_cdr_is_drained() {
    let options = Options {
        retention_check_interval: Duration::from_secs(1),
        message_retention: Duration::from_secs(3_600),
        ..Options::default()
    };
    let mut world = World::new(options).await;
    world
        .play("route 44 gw\n submit 111 44700 hello\n delivered m1 gw\n +3601s")
        .await;
    let id = world.id("m1");
    assert!(
        world.store.message(id).await.unwrap().is_some(),
        "its CDR is not drained yet"
    );
    let drained = world.store.outbox(1).await.unwrap();
    world.store.outbox_done(drained[0].0).await.unwrap();
    world.play("+1s").await;
    assert!(world.store.message(id).await.unwrap().is_none());
    assert!(
        !world.store.events(id).await.unwrap().is_empty(),
        "its log stays"
    );
}

#[tokio::test(start_paused = true)]
async fn s9_3_a_purge_goes_on_until_nothing_is_left() {
    let options = Options {
        retention_check_interval: Duration::from_secs(3_600),
        ..Options::default()
    };
    let world = World::new(options).await;
    world.store.purges.store(25_000, Ordering::Relaxed);
    // One turn only: the runtime's time does not pass.
    for _ in 0..60_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.store.purges.load(Ordering::Relaxed), 0);
}
