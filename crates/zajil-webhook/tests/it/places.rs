//! Where webhooks go, and where they do not.

use zajil_core::webhook::Webhooks as _;
use zajil_webhook::Options;

use crate::node::{Node, local, terms};
use crate::receiver::{Manner, Receiver, tls_file};

#[tokio::test]
async fn s3_8_nobody_inside_is_reached_unless_the_configuration_says_so() {
    let receiver = Receiver::start(Manner::Answer(200)).await;
    let node = Node::start(Options::default()).await;
    let port = receiver.port();
    // By address, by name, wrapped in IPv6, and by the other spellings of an address.
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
    ] {
        let (webhook, _) = node
            .subscribe(
                &format!("http://{host}:{port}/hook?x=1"),
                &["message_delivered"],
            )
            .await;
        let pinged = node.book.ping(webhook.id).await.unwrap();
        let error = pinged.error.unwrap();
        assert!(
            error.contains("the address is not public"),
            "{host}: {error}"
        );
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn s3_8_a_redirect_is_a_failure_and_is_not_followed() {
    let inside = Receiver::start(Manner::Answer(200)).await;
    let receiver = Receiver::start(Manner::Redirect(inside.url())).await;
    let node = Node::start(local()).await;
    let (webhook, _) = node
        .subscribe(&receiver.url(), &["message_delivered"])
        .await;
    let pinged = node.book.ping(webhook.id).await.unwrap();
    assert_eq!(pinged.status, Some(302));
    assert_eq!(
        pinged.error.unwrap(),
        "answered 302 Found; redirects are not followed"
    );
    assert_eq!((inside.connections(), receiver.connections()), (0, 1));
}

#[tokio::test]
async fn https_is_spoken_to_those_whose_certificate_is_known() {
    let receiver = Receiver::with_tls(Manner::Answer(200)).await;
    let port = receiver.port();
    let mut options = local();
    options.ca_file = Some(tls_file("authority.pem"));
    let node = Node::start(options).await;
    let url = |host: &str| format!("https://{host}:{port}/hook?x=1");
    let (known, _) = node
        .subscribe(&url("localhost"), &["message_delivered"])
        .await;
    assert_eq!(node.book.ping(known.id).await.unwrap().status, Some(200));
    let (other_name, _) = node
        .subscribe(&url("127.0.0.1"), &["message_delivered"])
        .await;
    let error = node.book.ping(other_name.id).await.unwrap().error.unwrap();
    assert!(error.contains("certificate"), "{error}");
    let stranger = Node::start(local()).await;
    let (unknown, _) = stranger
        .subscribe(&url("localhost"), &["message_delivered"])
        .await;
    let error = stranger.book.ping(unknown.id).await.unwrap().error.unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_or_is_not_there_fails_in_time() {
    let receiver = Receiver::start(Manner::Hang).await;
    let mut options = local();
    options.timeout = std::time::Duration::from_millis(200);
    let node = Node::start(options).await;
    let (hanging, _) = node
        .subscribe(&receiver.url(), &["message_delivered"])
        .await;
    let pinged = node.book.ping(hanging.id).await.unwrap();
    assert_eq!(pinged.error.unwrap(), "no answer within 0.2 s");
    let closed = receiver.url();
    drop(receiver);
    let (absent, _) = node.subscribe(&closed, &["message_delivered"]).await;
    assert!(node.book.ping(absent.id).await.unwrap().error.is_some());
}

#[tokio::test]
async fn the_status_acknowledges_whatever_body_comes_after_it() {
    let node = Node::start(local()).await;
    for manner in [Manner::Flood, Manner::Stall] {
        let receiver = Receiver::start(manner).await;
        let (webhook, _) = node
            .subscribe(&receiver.url(), &["message_delivered"])
            .await;
        let pinged = node.book.ping(webhook.id).await.unwrap();
        assert_eq!((pinged.status, pinged.error), (Some(200), None));
    }
}

#[tokio::test]
async fn a_url_cannot_carry_headers_users_or_other_schemes() {
    let node = Node::start(local()).await;
    for url in [
        "http://127.0.0.1/\r\nx-evil: 1",
        "http://127.0.0.1/ HTTP/1.1",
        "http://127.0.0.1\n/",
        "http://user:secret@127.0.0.1/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1/#fragment",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "/api/messages",
        "http://",
        "http://:80/",
        "",
    ] {
        let made = node.book.create(terms(url, &["message_delivered"])).await;
        let refusal = made.unwrap_err();
        assert!(
            refusal.detail.starts_with("url must be"),
            "{url:?}: {refusal:?}"
        );
    }
}
