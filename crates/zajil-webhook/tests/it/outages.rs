//! Receivers that fail, hang, die and come back; a node that crashes.

use std::collections::BTreeSet;
use std::time::Duration;

use zajil_core::webhook::Webhooks as _;

use crate::node::{Node, local};
use crate::receiver::{Manner, Received, Receiver};

const DELIVERED: &[&str] = &["message_delivered"];

#[tokio::test]
async fn an_outage_delays_and_loses_nothing() {
    let receiver = Receiver::start(Manner::Answer(500)).await;
    let node = Node::start(local()).await;
    let (webhook, _) = node.subscribe(&receiver.url(), DELIVERED).await;
    let mut ids = BTreeSet::new();
    for _ in 0..20 {
        ids.insert(node.deliver().await);
    }
    let failing = node.wait_until(webhook.id, |webhook| webhook.figures.waiting == 20);
    let failing = failing.await.figures;
    assert!(failing.resting_until.is_some() && failing.failures >= 5);
    assert_eq!(
        failing.last_error.as_deref(),
        Some("answered 500 Internal Server Error")
    );
    let tried = receiver.requests().len();
    assert!(tried <= 20, "it rests after a few");
    receiver.behave(Manner::Answer(200));
    node.clock.advance(Duration::from_secs(60));
    let all = receiver.wait_for(tried + 20).await;
    let told: BTreeSet<u64> = all[tried..].iter().map(Received::message_id).collect();
    assert_eq!(told, ids);
    node.wait_until(webhook.id, |webhook| webhook.figures.waiting == 0)
        .await;
    while node.shelved().await > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_crash_repeats_what_was_under_way_under_the_same_id() {
    let receiver = Receiver::start(Manner::Hang).await;
    let mut node = Node::start(local()).await;
    node.subscribe(&receiver.url(), DELIVERED).await;
    let id = node.deliver().await;
    receiver.wait_for(1).await;
    node.crash().await;
    receiver.behave(Manner::Answer(200));
    let all = receiver.wait_for(2).await;
    assert_eq!(all[1].message_id(), id);
    assert_eq!(all[0].headers["webhook-id"], all[1].headers["webhook-id"]);
    assert_eq!(all[0].body, all[1].body);
}

#[tokio::test]
async fn what_waits_on_the_shelf_survives_a_crash_and_is_there_once() {
    let receiver = Receiver::start(Manner::Answer(503)).await;
    let mut node = Node::start(local()).await;
    let (webhook, _) = node.subscribe(&receiver.url(), DELIVERED).await;
    let id = node.deliver().await;
    node.wait_until(webhook.id, |webhook| webhook.figures.waiting == 1)
        .await;
    node.crash().await;
    node.crash().await;
    node.wait_until(webhook.id, |webhook| webhook.figures.waiting == 1)
        .await;
    assert_eq!(node.shelved().await, 1);
    receiver.behave(Manner::Answer(200));
    node.clock.advance(Duration::from_secs(60));
    let all = receiver.wait_for(2).await;
    assert_eq!((all[1].message_id(), all.len()), (id, 2));
}

#[tokio::test]
async fn a_hanging_receiver_delays_no_other() {
    let (stuck, well) = (
        Receiver::start(Manner::Hang).await,
        Receiver::start(Manner::Answer(200)).await,
    );
    let node = Node::start(local()).await;
    node.subscribe(&stuck.url(), DELIVERED).await;
    node.subscribe(&well.url(), DELIVERED).await;
    for _ in 0..50 {
        node.deliver().await;
    }
    well.wait_for(50).await;
    assert!(stuck.requests().len() <= node.options.concurrency);
}

#[tokio::test]
async fn what_is_given_up_is_listed_and_can_be_replayed() {
    let receiver = Receiver::start(Manner::Answer(500)).await;
    let mut options = local();
    options.max_attempts = 2;
    let mut node = Node::start(options).await;
    let (webhook, _) = node.subscribe(&receiver.url(), DELIVERED).await;
    let id = node.deliver().await;
    node.wait_until(webhook.id, |webhook| webhook.figures.waiting == 1)
        .await;
    node.clock.advance(Duration::from_secs(10));
    node.wait_until(webhook.id, |webhook| webhook.figures.dead == 1)
        .await;
    node.crash().await;
    let dead = node.book.dead(webhook.id, None, 10).await.unwrap();
    assert_eq!(
        (dead.len(), dead[0].message_id, dead[0].attempts),
        (1, id, 2)
    );
    assert_eq!(dead[0].last_error, "answered 500 Internal Server Error");
    assert_eq!(
        node.book
            .dead(webhook.id, Some(dead[0].id), 10)
            .await
            .unwrap(),
        []
    );
    receiver.behave(Manner::Answer(200));
    assert_eq!(
        node.book.replay(webhook.id, Some(vec![999])).await.unwrap(),
        0
    );
    assert_eq!(node.book.replay(webhook.id, None).await.unwrap(), 1);
    let all = receiver.wait_for(3).await;
    assert_eq!(all[2].message_id(), id);
    node.wait_until(webhook.id, |webhook| webhook.figures.dead == 0)
        .await;
    while node.shelved().await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.book.replay(webhook.id, None).await.unwrap(), 0);
}

#[tokio::test]
async fn a_removed_subscription_leaves_nothing_waiting() {
    let receiver = Receiver::start(Manner::Answer(500)).await;
    let node = Node::start(local()).await;
    let (webhook, _) = node.subscribe(&receiver.url(), DELIVERED).await;
    node.deliver().await;
    node.wait_until(webhook.id, |webhook| webhook.figures.waiting == 1)
        .await;
    node.book.remove(webhook.id).await.unwrap();
    assert_eq!(node.shelved().await, 0);
    assert!(node.book.show(webhook.id).await.is_err());
}

#[tokio::test]
async fn what_is_given_up_is_forgotten_after_its_time_and_the_place_is_not() {
    let receiver = Receiver::start(Manner::Answer(500)).await;
    let mut options = local();
    options.max_attempts = 1;
    let mut node = Node::start(options).await;
    let (webhook, _) = node.subscribe(&receiver.url(), DELIVERED).await;
    node.deliver().await;
    // The first failure goes to the shelf; it is given up there.
    node.wait_until(webhook.id, |webhook| webhook.figures.waiting == 1)
        .await;
    node.clock.advance(Duration::from_secs(10));
    node.wait_until(webhook.id, |webhook| webhook.figures.dead == 1)
        .await;
    let week = node.options.keep_dead;
    node.clock
        .advance(week.checked_sub(Duration::from_secs(60)).unwrap());
    node.crash().await;
    node.wait_until(webhook.id, |webhook| webhook.figures.dead == 1)
        .await;
    node.clock.advance(Duration::from_secs(130));
    node.wait_until(webhook.id, |webhook| webhook.figures.dead == 0)
        .await;
    while node.shelved().await > 0 {
        tokio::task::yield_now().await;
    }
    let told = receiver.requests().len();
    receiver.behave(Manner::Answer(200));
    node.crash().await;
    let id = node.deliver().await;
    let all = receiver.wait_for(told + 1).await;
    assert_eq!(all[told].message_id(), id, "nothing old is told again");
}

#[tokio::test]
async fn endings_that_retention_took_before_they_were_read_are_counted() {
    let receiver = Receiver::start(Manner::Answer(200)).await;
    let mut node = Node::start(local()).await;
    node.subscribe(&receiver.url(), DELIVERED).await;
    node.deliver().await;
    receiver.wait_for(1).await;
    node.halt().await;
    for _ in 0..3 {
        node.deliver().await;
    }
    node.forget_finished().await;
    let lost = || node.telemetry.metrics.webhooks.lost.get();
    assert_eq!(lost(), 0);
    node.crash().await;
    let id = node.deliver().await;
    let all = receiver.wait_for(2).await;
    assert_eq!(all[1].message_id(), id);
    let lost = node.telemetry.metrics.webhooks.lost.get();
    assert!((3..=4).contains(&lost), "{lost}");
}

/// What a subscription had in memory when it was removed is nobody's: the place goes on without it,
/// or a restart would tell the others again from there on.
#[tokio::test]
async fn a_removed_subscription_does_not_hold_the_place_of_the_others_back() {
    let (silent, receiver) = (
        Receiver::start(Manner::Hang).await,
        Receiver::start(Manner::Answer(200)).await,
    );
    let mut options = local();
    options.timeout = Duration::from_millis(500);
    let mut node = Node::start(options).await;
    let (removed, _) = node.subscribe(&silent.url(), DELIVERED).await;
    node.subscribe(&receiver.url(), DELIVERED).await;
    for _ in 0..40 {
        node.deliver().await;
    }
    receiver.wait_for(40).await;
    silent.wait_for(1).await;
    node.book.remove(removed.id).await.unwrap();
    let settled = async {
        while node.place().await != 40 {
            tokio::task::yield_now().await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(60), settled).await;
    assert!(settled.is_ok(), "the place is {}", node.place().await);
    node.crash().await;
    let last = node.deliver().await;
    let all = receiver.wait_for(41).await;
    assert_eq!(all[40].message_id(), last, "nothing was told again");
}
