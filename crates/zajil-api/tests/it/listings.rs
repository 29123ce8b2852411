//! What a frontend is offered (S3.1, D7).

use expect_test::expect;

use crate::app::app;

#[tokio::test(start_paused = true)]
async fn s3_1_a_frontend_is_offered_what_is_routed_to_it() {
    let app = app().await;
    app.frontend("gw").await;
    app.frontend("other").await;
    let mine = app.submitted(r#","dest_smsc":"gw""#).await;
    app.submitted(r#","dest_smsc":"other""#).await;
    let unrouted = app.submitted("").await;
    let later = r#","dest_smsc":"gw","deliver_after":"2026-01-01T00:01:00Z""#;
    let later = app.submitted(later).await;
    assert_eq!(app.ids("GET /api/messages\nsmsc: gw").await, [mine]);
    assert_eq!(app.ids("GET /api/messages/queue?smsc=gw").await, [mine]);
    let both = "GET /api/messages\nsmsc: gw\ninclude-unrouted: true";
    assert_eq!(app.ids(both).await, [mine, unrouted]);
    let both = "GET /api/messages/queue?smsc=gw\ninclude-unrouted: true";
    assert_eq!(app.ids(both).await, [mine, unrouted]);
    assert_eq!(
        app.ids("GET /api/messages/get_by_smsc?smsc=gw").await,
        [mine, unrouted]
    );
    let page = "GET /api/messages/get_by_smsc?smsc=gw&limit=1";
    assert_eq!(app.ids(page).await, [mine]);
    app.advance(60);
    assert_eq!(app.ids("GET /api/messages\nsmsc: gw").await, [mine, later]);
}

#[tokio::test(start_paused = true)]
async fn s3_1_a_location_routes_while_it_lives() {
    let app = app().await;
    let id = app.submitted("").await;
    app.data(
        r#"POST /api/locations

{"imsi":"001010000000001","msisdn":"15551234567","location":"ims",
"expires":"2026-01-01T00:01:00Z"}"#,
    )
    .await;
    assert_eq!(app.ids("GET /api/messages\nsmsc: ims").await, [id]);
    let fallback = "GET /api/messages\nsmsc: gw\ninclude-unrouted: true";
    assert!(app.ids(fallback).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn d7_a_lease_gives_a_message_to_one_poller_for_its_time() {
    let app = app().await;
    app.frontend("gw").await;
    let id = app.submitted(r#","dest_smsc":"gw""#).await;
    let lease = "GET /api/messages?lease=60\nsmsc: gw";
    let leased = app.data(lease).await;
    assert_eq!(leased[0]["leased_until"], "2026-01-01T00:01:00.000Z");
    assert!(app.ids(lease).await.is_empty());
    assert!(app.ids("GET /api/messages\nsmsc: gw").await.is_empty());
    app.advance(60);
    assert_eq!(app.ids(lease).await, [id], "not reported in time");
}

#[tokio::test(start_paused = true)]
async fn d7_a_poll_may_wait() {
    let app = app().await;
    let before = tokio::time::Instant::now();
    assert!(
        app.ids("GET /api/messages?wait=30\nsmsc: gw")
            .await
            .is_empty()
    );
    assert_eq!(before.elapsed().as_secs(), 30);
    let poll = app.ids("GET /api/messages/get_by_smsc?smsc=gw&wait=30");
    let (offered, submitted) = tokio::join!(poll, app.submitted(""));
    assert_eq!(offered, [submitted]);
}

#[tokio::test(start_paused = true)]
async fn s3_1_wrong_polls_are_named() {
    let app = app().await;
    for (uri, expect) in [
        (
            "/api/messages/queue",
            "smsc is required in the query string",
        ),
        (
            "/api/messages/get_by_smsc?smsc=",
            "smsc is required in the query string",
        ),
        (
            "/api/messages/queue?smsc=%00",
            "smsc must be 1 to 255 printable characters",
        ),
        (
            "/api/messages/queue?smsc=a&lease=0",
            "lease must be an integer from 1 to 3600",
        ),
        (
            "/api/messages/queue?smsc=a&lease=3601",
            "lease must be an integer from 1 to 3600",
        ),
        (
            "/api/messages?offset=10000001",
            "offset must be an integer from 0 to 10000000",
        ),
        (
            "/api/messages/queue?smsc=a&wait=61",
            "wait must be an integer from 0 to 60",
        ),
        (
            "/api/messages/queue?smsc=a&limit=1001",
            "limit must be an integer from 1 to 1000",
        ),
    ] {
        let answer = app.call(&format!("GET {uri}")).await;
        assert_eq!(
            answer,
            format!("422\n{{\"errors\":{{\"detail\":\"{expect}\"}}}}")
        );
    }
    expect![[r#"
        422
        {"errors":{"detail":"the header include-unrouted must be true or false"}}"#]]
    .assert_eq(
        &app.call("GET /api/messages\nsmsc: gw\ninclude-unrouted: perhaps")
            .await,
    );
}

#[tokio::test(start_paused = true)]
async fn d7_head_leases_nothing() {
    let app = app().await;
    app.frontend("gw").await;
    let id = app.submitted(r#","dest_smsc":"gw""#).await;
    for request in [
        "/api/messages?lease=60\nsmsc: gw",
        "/api/messages/queue?smsc=gw&lease=60",
        "/api/messages/get_by_smsc?smsc=gw&lease=60",
    ] {
        let answer = app.call(&format!("HEAD {request}")).await;
        assert!(answer.starts_with("405"), "{request}: {answer}");
    }
    let answer = app.call("HEAD /api/messages/queue?smsc=gw").await;
    assert!(answer.starts_with("200"), "{answer}");
    assert_eq!(app.ids("GET /api/messages/queue?smsc=gw").await, [id]);
}
