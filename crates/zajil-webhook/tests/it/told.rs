//! What receivers are told, and how they know that it is true.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use zajil_core::webhook::{Change, Secret, Webhooks as _};

use crate::node::{Node, local};
use crate::receiver::{Manner, Received, Receiver};

/// What a receiver does with the secret it was shown.
fn signed_by(secret: &Secret, received: &Received) -> bool {
    let key = STANDARD
        .decode(secret.0.strip_prefix("whsec_").unwrap())
        .unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let header = |name: &str| received.headers[name].as_str();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let content = format!("{id}.{at}.{}", received.body);
    header("webhook-signature").split(' ').any(|signature| {
        let tag = STANDARD
            .decode(signature.strip_prefix("v1,").unwrap())
            .unwrap();
        hmac::verify(&key, content.as_bytes(), &tag).is_ok()
    })
}

#[tokio::test]
async fn s3_8_an_ending_is_told_once_signed_and_leaves_nothing_behind() {
    let receiver = Receiver::start(Manner::Answer(204)).await;
    let node = Node::start(local()).await;
    let before = node.deliver().await;
    let (_, secret) = node
        .subscribe(&receiver.url(), &["message_delivered"])
        .await;
    node.fail().await;
    let id = node.deliver().await;
    let received = receiver.wait_for(1).await.remove(0);
    assert!(signed_by(&secret, &received));
    assert!(!signed_by(&Secret("whsec_AAAA".into()), &received));
    assert_eq!(
        received.headers["webhook-id"],
        format!("{id}.message_delivered")
    );
    assert_eq!(received.headers["content-type"], "application/json");
    let body = received.json();
    assert_eq!(body["type"], "message_delivered");
    assert_eq!(body["data"]["destination_msisdn"], "+15551234567");
    assert!(
        !received.body.contains("secret"),
        "S10.4: {}",
        received.body
    );
    // In order to see that nothing else comes: another, and only that.
    let other = node.deliver().await;
    let all = receiver.wait_for(2).await;
    let ids: Vec<u64> = all.iter().map(Received::message_id).collect();
    assert_eq!(ids, [id, other]);
    assert!(
        !ids.contains(&before),
        "it ended before there was a subscription"
    );
    assert_eq!(node.shelved().await, 0);
}

#[tokio::test]
async fn a_former_secret_signs_too_after_a_rotation_for_a_day() {
    let receiver = Receiver::start(Manner::Answer(200)).await;
    let node = Node::start(local()).await;
    let (webhook, former) = node
        .subscribe(&receiver.url(), &["message_delivered"])
        .await;
    let (_, latest) = node.book.rotate(webhook.id).await.unwrap();
    assert_eq!(node.book.ping(webhook.id).await.unwrap().status, Some(200));
    node.clock
        .advance(std::time::Duration::from_secs(24 * 60 * 60));
    node.book.ping(webhook.id).await.unwrap();
    let received = receiver.requests();
    let by = |secret| {
        received
            .iter()
            .map(|one| signed_by(secret, one))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (by(&former), by(&latest)),
        (vec![true, false], vec![true, true])
    );
}

#[tokio::test]
async fn filters_choose_masks_hide_and_a_pause_skips() {
    let receiver = Receiver::start(Manner::Answer(200)).await;
    let node = Node::start(local()).await;
    let (webhook, _) = node.subscribe(&receiver.url(), &["message_failed"]).await;
    let change = |change| node.book.change(webhook.id, change);
    let off = Change {
        enabled: Some(false),
        ..Change::default()
    };
    change(off).await.unwrap();
    node.fail().await;
    let on = Change {
        enabled: Some(true),
        masked: Some(true),
        number: Some(Some("15551234567".into())),
        ..Change::default()
    };
    change(on).await.unwrap();
    let id = node.fail().await;
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.message_id(), id);
    assert_eq!(
        received.json()["data"]["destination_msisdn"],
        "+1555123XXXX"
    );
    let other = Change {
        number: Some(Some("999".into())),
        events: Some(vec!["message_failed".into(), "message_delivered".into()]),
        ..Change::default()
    };
    change(other).await.unwrap();
    // When another subscription has heard of it, this one has not taken it.
    let control = Receiver::start(Manner::Answer(200)).await;
    node.subscribe(&control.url(), &["message_delivered"]).await;
    node.deliver().await;
    control.wait_for(1).await;
    let any = Change {
        number: Some(None),
        ..Change::default()
    };
    change(any).await.unwrap();
    let last = node.deliver().await;
    let all = receiver.wait_for(2).await;
    assert_eq!(all[1].message_id(), last);
}

#[tokio::test]
async fn what_is_no_ending_is_told_from_the_live_hub() {
    let receiver = Receiver::start(Manner::Answer(200)).await;
    let node = Node::start(local()).await;
    node.subscribe(&receiver.url(), &["message_inserted"]).await;
    // The hub wakes when the subscription is taken over.
    while !node.telemetry.live().unwrap().is_awake() {
        tokio::task::yield_now().await;
    }
    let id = node.submit().await;
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.message_id(), id.get());
    assert_eq!(received.json()["type"], "message_inserted");
}

#[tokio::test]
async fn a_subscription_that_turns_to_endings_hears_of_those_that_follow() {
    let receiver = Receiver::start(Manner::Answer(200)).await;
    let node = Node::start(local()).await;
    let (webhook, _) = node
        .subscribe(&receiver.url(), &["frontend_connected"])
        .await;
    node.deliver().await;
    let to_endings = Change {
        events: Some(vec!["message_delivered".into()]),
        ..Change::default()
    };
    node.book.change(webhook.id, to_endings).await.unwrap();
    let id = node.deliver().await;
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.message_id(), id);
}
