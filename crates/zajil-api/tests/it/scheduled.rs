//! Messages for later (S2 `deliver_after`): listed, moved, cancelled.

use expect_test::expect;

use crate::app::app;

#[tokio::test(start_paused = true)]
async fn s2_a_scheduled_message_waits_is_listed_and_falls_due() {
    let app = app().await;
    app.frontend("gw").await;
    let now = app.submitted(r#","dest_smsc":"gw""#).await;
    let later = app
        .submitted(r#","dest_smsc":"gw","deliver_after":"2026-01-01T01:00:00Z""#)
        .await;
    assert_eq!(app.ids("GET /api/messages?scheduled=true").await, [later]);
    assert_eq!(
        app.ids("GET /api/messages?scheduled=false").await,
        [later, now]
    );
    assert_eq!(app.ids("GET /api/messages/queue?smsc=gw").await, [now]);
    let shown = app.data(&format!("GET /api/messages/{later}")).await;
    assert_eq!(
        shown["expires"], "2026-01-02T01:00:00.000Z",
        "its life begins when it is due"
    );
    app.advance(3_600);
    assert_eq!(
        app.ids("GET /api/messages?scheduled=true").await,
        [0_u64; 0]
    );
    assert_eq!(
        app.ids("GET /api/messages/queue?smsc=gw").await,
        [now, later]
    );
}

#[tokio::test(start_paused = true)]
async fn s3_2_a_message_that_is_tried_again_later_is_not_scheduled() {
    let app = app().await;
    let id = app.submitted("").await;
    app.data(&format!("PUT /api/messages/{id}")).await;
    assert_eq!(
        app.ids("GET /api/messages?scheduled=true").await,
        [0_u64; 0]
    );
}

#[tokio::test(start_paused = true)]
async fn s2_a_scheduled_message_can_be_moved_and_cancelled() {
    let app = app().await;
    let id = app
        .submitted(r#","deliver_after":"2026-01-01T01:00:00Z""#)
        .await;
    let moved = r#"{"deliver_after":"2026-01-01T02:00:00Z"}"#;
    app.data(&format!("PATCH /api/messages/{id}\n\n{moved}"))
        .await;
    app.advance(3_600);
    assert_eq!(app.ids("GET /api/messages?scheduled=true").await, [id]);
    let cancel = format!("POST /api/messages/{id}/cancel\n\n{{\"reason\":\"moved away\"}}");
    assert_eq!(app.data(&cancel).await["status"], "failed");
    expect![[r#"
        409
        {"errors":{"detail":"message 264905533947904 is already failed"}}"#]]
    .assert_eq(&app.call(&cancel).await);
    let events = app.data(&format!("GET /api/events/{id}")).await;
    assert!(events.to_string().contains("moved away"), "{events}");
    expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]]
    .assert_eq(&app.call("POST /api/messages/77/cancel").await);
    assert_eq!(
        app.ids("GET /api/messages?scheduled=true").await,
        [0_u64; 0]
    );
}

#[tokio::test(start_paused = true)]
async fn s2_a_message_can_be_scheduled_a_year_ahead_and_within_its_life() {
    let app = app().await;
    let submit = |times: &str| {
        let fields = r#""destination_msisdn":"155","message_body":"x""#;
        format!("POST /api/messages\n\n{{{fields},{times}}}")
    };
    expect![[r#"
        422
        {"errors":{"detail":"deliver_after must be at most 366 days from now"}}"#]]
    .assert_eq(
        &app.call(&submit(r#""deliver_after":"2027-01-03T00:00:00Z""#))
            .await,
    );
    expect![[r#"
        422
        {"errors":{"detail":"expires must be later than deliver_after"}}"#]]
    .assert_eq(
        &app.call(&submit(
            r#""deliver_after":"2026-01-01T02:00:00Z","expires":"2026-01-01T01:00:00Z""#,
        ))
        .await,
    );
    let answer = app
        .call(&submit(r#""deliver_after":"2027-01-02T00:00:00Z""#))
        .await;
    assert!(answer.starts_with("201"), "{answer}");
}
