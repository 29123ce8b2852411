//! Why a message is where it is (S14.4), with the real engine and store behind the question.

use expect_test::expect;
use zajil_core::id::MessageId;

use crate::app::{App, app};

/// The status and the codes of the findings.
async fn codes(app: &App, id: u64) -> String {
    let data = app.data(&format!("GET /api/diagnose/{id}")).await;
    let mut text = data["status"].as_str().unwrap_or("none").to_owned();
    for finding in data["findings"].as_array().unwrap() {
        text += " ";
        text += finding["code"].as_str().unwrap();
        let sentence = finding["sentence"].as_str().unwrap();
        assert!(!sentence.contains("5551234567"), "S10.4: {sentence}");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn s14_4_a_message_is_explained_through_its_whole_life() {
    let app = app().await;
    app.frontend("gw").await;
    let unrouted = app.submitted("").await;
    let mut told = vec![codes(&app, unrouted).await];
    let route = r#"{"dest_smsc":"gw","fallback":["gw2"],"fallback_after":3600}"#;
    app.data(&format!("POST /api/routes\n\n{route}")).await;
    told.push(codes(&app, unrouted).await);
    let routed = app.submitted("").await;
    told.push(codes(&app, routed).await);
    let later = app.submitted("").await;
    app.advance(1);
    told.push(codes(&app, later).await);
    app.data("POST /api/frontends/gw/pause\n\n{\"reason\":\"maintenance\"}")
        .await;
    told.push(codes(&app, routed).await);
    app.data("POST /api/frontends/gw/resume").await;
    app.data("GET /api/messages/queue?smsc=gw&lease=30&limit=1")
        .await;
    told.push(codes(&app, routed).await);
    app.data(&format!(
        "POST /api/messages/{routed}/increment_delivery_attempt"
    ))
    .await;
    told.push(codes(&app, routed).await);
    app.data(&format!(
        "PATCH /api/messages/{routed}\n\n{{\"deliver_after\":null}}"
    ))
    .await;
    app.advance(100);
    told.push(codes(&app, routed).await);
    app.data(&format!("POST /api/messages/{routed}/mark_delivered"))
        .await;
    told.push(codes(&app, routed).await);
    app.call(&format!("POST /api/messages/{routed}/mark_delivered"))
        .await;
    told.push(codes(&app, routed).await);
    app.call(&format!("DELETE /api/messages/{routed}")).await;
    told.push(codes(&app, routed).await);
    app.call(&format!("DELETE /api/messages/{later}")).await;
    told.push(codes(&app, later).await);
    told.push(codes(&app, routed + 99).await);
    told.push(codes(&app, MessageId::MAX.get()).await);
    told.push(codes(&app, 7).await);
    expect![[r#"
        pending unrouted location_unknown no_route_today expires
        pending unrouted location_unknown route_today expires
        pending not_taken followers expires
        pending behind_others followers expires
        pending frontend_paused followers expires
        pending leased followers expires
        pending put_off followers expires
        pending frontend_inactive not_taken followers expires
        delivered delivered cdr_waits kept_until
        delivered delivered cdr_waits kept_until late_reports
        none removed log_says
        none removed log_says
        none never_seen
        none id_of_the_future
        none past_log
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
}

#[tokio::test(start_paused = true)]
async fn s14_4_what_is_no_id_is_no_message() {
    let app = app().await;
    let answer = app.call("GET /api/diagnose/x").await;
    assert_eq!(
        answer,
        "404\n{\"errors\":{\"detail\":\"message x not found\"}}"
    );
}
