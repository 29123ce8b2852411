//! What frontends report (S3, S3.2, D7, D11).

use expect_test::expect;

use crate::app::app;

#[tokio::test(start_paused = true)]
async fn s3_mark_delivered_ends_a_message_once() {
    let app = app().await;
    let id = app.submitted("").await;
    app.advance(3);
    let mark = format!("POST /api/messages/{id}/mark_delivered\n\n{{\"dest_smsc\":\"gw\"}}");
    expect![[r#"
        200
        {"data":{"deliver_time":"2026-01-01T00:00:03.000Z","delivered_at":"2026-01-01T00:00:03.000Z","delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"delivered","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:03.000Z"},"status":"success"}"#]].assert_eq(&app.call(&mark).await);
    expect![[r#"
        409
        {"errors":{"detail":"message 264905533947904 is already delivered"}}"#]]
    .assert_eq(&app.call(&mark).await);
    expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]]
    .assert_eq(&app.call("POST /api/messages/77/mark_delivered").await);
    let wrong = format!("POST /api/messages/{id}/mark_delivered\n\n{{\"dest_smsc\":7}}");
    expect![[r#"
        422
        {"errors":{"detail":"dest_smsc must be a string"}}"#]]
    .assert_eq(&app.call(&wrong).await);
}

#[tokio::test(start_paused = true)]
async fn s3_2_put_and_increment_count_a_failed_attempt() {
    let app = app().await;
    let id = app.submitted("").await;
    expect![[r#"
        200
        {"data":{"deliver_after":"2026-01-01T00:02:00.000Z","delivery_attempts":1,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(&format!("PUT /api/messages/{id}")).await);
    let request = format!("POST /api/messages/{id}/increment_delivery_attempt");
    expect![[r#"
        200
        {"data":{"deliver_after":"2026-01-01T00:04:00.000Z","delivery_attempts":2,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(&request).await);
    let data = app.data(&format!("PUT /api/messages/{id}\n\n{{}}")).await;
    assert_eq!(data["delivery_attempts"], 3);
    assert_eq!(data["deliver_after"], "2026-01-01T00:08:00.000Z");
    expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]]
    .assert_eq(&app.call("PUT /api/messages/77").await);
}

#[tokio::test(start_paused = true)]
async fn s3_put_with_fields_is_an_update() {
    let app = app().await;
    let id = app.submitted("").await;
    let data = app
        .data(&format!(
            "PUT /api/messages/{id}\n\n{{\"dest_imsi\":\"001\"}}"
        ))
        .await;
    assert_eq!(data["dest_imsi"], "001");
    assert_eq!(data["delivery_attempts"], 0);
}

#[tokio::test(start_paused = true)]
async fn d7_mark_failed_puts_off_or_ends() {
    let app = app().await;
    let id = app.submitted("").await;
    let mark = |body: &str| format!("POST /api/messages/{id}/mark_failed\n\n{body}");
    let data = app
        .data(&mark(r#"{"reason":"absent","retry_after":30}"#))
        .await;
    assert_eq!(data["deliver_after"], "2026-01-01T00:00:30.000Z");
    expect![[r#"
        422
        {"errors":{"detail":"retry_after must be an integer from 0 to 2592000"}}"#]]
    .assert_eq(&app.call(&mark(r#"{"retry_after":-1}"#)).await);
    expect![[r#"
        422
        {"errors":{"detail":"permanent must be true or false"}}"#]]
    .assert_eq(&app.call(&mark(r#"{"permanent":"maybe"}"#)).await);
    expect![[r#"
        200
        {"data":{"deliver_after":"2026-01-01T00:00:30.000Z","delivery_attempts":1,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"failed","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(
        &app.call(&mark(r#"{"reason":"barred","permanent":true}"#))
            .await,
    );
    expect![[r#"
        409
        {"errors":{"detail":"message 264905533947904 is already failed"}}"#]]
    .assert_eq(&app.call(&mark("{}")).await);
}
