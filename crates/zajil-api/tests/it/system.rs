//! The state of the node (S3), and what happens while it stops.

use expect_test::expect;
use zajil_store::Store as _;

use crate::app::{app, app_that_is_not_ready};

#[tokio::test(start_paused = true)]
async fn s3_status_names_the_application() {
    let app = app().await;
    expect![[r#"
        200
        {"application":"Zajil","status":"ok","timestamp":"2026-01-01T00:00:00.000Z"}"#]]
    .assert_eq(&app.call("GET /api/status").await);
    expect![[r#"
        200
        {"status":"ok"}"#]]
    .assert_eq(&app.call("GET /healthz").await);
    expect![[r#"
        200
        {"parts":{},"status":"ready"}"#]]
    .assert_eq(&app.call("GET /readyz").await);
    let app = app_that_is_not_ready().await;
    expect![[r#"
        503
        retry-after: 1
        {"errors":{"detail":"not ready: store: it is starting"}}"#]]
    .assert_eq(&app.call("GET /readyz").await);
}

#[tokio::test(start_paused = true)]
async fn s3_a_stopping_node_answers_503() {
    let app = app().await;
    app.engine.stop().await;
    let submit = "POST /api/messages\n\n{\"destination_msisdn\":\"155\",\"message_body\":\"x\"}";
    expect![[r#"
        503
        retry-after: 1
        {"errors":{"detail":"this node is stopping: try another, or try again"}}"#]]
    .assert_eq(&app.call(submit).await);
    app.store.close().await.unwrap();
    expect![[r#"
        503
        retry-after: 1
        {"errors":{"detail":"this node is stopping: try another, or try again"}}"#]]
    .assert_eq(&app.call("GET /api/messages").await);
    expect![[r#"
        503
        retry-after: 1
        {"errors":{"detail":"this node is stopping: try another, or try again"}}"#]]
    .assert_eq(&app.call("GET /api/messages\nsmsc: gw").await);
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_the_id_of_its_request() {
    let app = app().await;
    for uri in [
        "/api/status",
        "/api/messages/1",
        "/nowhere",
        "/api/messages/create_async",
    ] {
        let given = app.request_id(uri, Some("trace-1/a.b:c@d")).await;
        assert_eq!(given, "trace-1/a.b:c@d");
        let first = app.request_id(uri, None).await;
        assert_ne!(first, app.request_id(uri, None).await);
        let long = "x".repeat(129);
        for bad in ["", "two words", "quoted\"", long.as_str()] {
            let made = app.request_id(uri, Some(bad)).await;
            assert!(made != bad && made.len() < 30, "{made}");
        }
    }
}
