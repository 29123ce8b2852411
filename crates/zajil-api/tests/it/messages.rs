//! Submit, show, list, edit, remove (S3).

use expect_test::expect;

use crate::app::app;

#[tokio::test(start_paused = true)]
async fn s3_post_messages_answers_201_when_the_message_is_stored() {
    let app = app().await;
    app.frontend("gw").await;
    let request = r#"POST /api/messages
content-type: text/plain

{"source_msisdn":"+15550000001","destination_msisdn":"+15551234567","message_body":"hi ☺",
"source_smsc":"app","dest_smsc":"gw","tp_data_coding_scheme":"08","unknown":[{}]}"#;
    expect![[r#"
        201
        {"data":{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hi ☺","message_parts":1,"source_msisdn":"+15550000001","source_smsc":"app","status":"pending","tp_data_coding_scheme":"08","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(request).await);
    let id = app.ids("GET /api/messages").await[0];
    expect![[r#"
        200
        {"data":{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hi ☺","message_parts":1,"source_msisdn":"+15550000001","source_smsc":"app","status":"pending","tp_data_coding_scheme":"08","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(&format!("GET /api/messages/{id}")).await);
}

#[tokio::test(start_paused = true)]
async fn s3_create_async_answers_202_before_the_message_is_stored() {
    let app = app().await;
    let request = "POST /api/messages/create_async\n\n\
        {\"destination_msisdn\":\"155\",\"message_body\":\"hi\"}";
    expect![[r#"
        202
        {"data":{"message":{"delivery_attempts":0,"destination_msisdn":"155","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hi","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"accepted"},"status":"success"}"#]].assert_eq(&app.call(request).await);
    let stored = app
        .ids("GET /api/messages/get_by_smsc?smsc=gw&wait=30")
        .await;
    assert_eq!(stored.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn d6_an_idempotency_key_gives_the_first_answer_again() {
    let app = app().await;
    let submit = |key: &str, text: &str| {
        format!(
            "POST /api/messages\nidempotency-key: {key}\n\n\
            {{\"destination_msisdn\":\"155\",\"message_body\":\"{text}\"}}"
        )
    };
    let first = app.call(&submit("k1", "one")).await;
    assert_eq!(app.call(&submit("k1", "one")).await, first);
    assert!(first.starts_with("201"), "{first}");
    assert_eq!(app.ids("GET /api/messages").await.len(), 1);
    expect![[r#"
        422
        {"errors":{"detail":"this idempotency key came with another request before: use a new key"}}"#]].assert_eq(&app.call(&submit("k1", "other")).await);
    expect![[r#"
        422
        {"errors":{"detail":"the header Idempotency-Key must be 1 to 255 printable ASCII characters"}}"#]].assert_eq(&app.call(&submit("clé", "one")).await);
    assert!(app.call(&submit("k2", "one")).await.starts_with("201"));
}

#[tokio::test(start_paused = true)]
async fn s3_get_messages_lists_newest_first_by_page_status_and_number() {
    let app = app().await;
    let first = app.submitted("").await;
    let second = app.submitted(r#","source_msisdn":"7726""#).await;
    let third = app.submitted("").await;
    app.data(&format!("POST /api/messages/{third}/mark_delivered"))
        .await;
    assert_eq!(app.ids("GET /api/messages").await, [third, second, first]);
    assert_eq!(
        app.ids("GET /api/messages?limit=1&offset=1").await,
        [second]
    );
    assert_eq!(app.ids("GET /api/messages?status=delivered").await, [third]);
    assert_eq!(
        app.ids("GET /api/messages?status=pending&limit=1").await,
        [second]
    );
    assert_eq!(app.ids("GET /api/messages?number=772").await, [second]);
    assert_eq!(
        app.ids("GET /api/messages?number=%2B1555-123").await,
        [third, second, first]
    );
    for (query, expect) in [
        ("limit=0", "limit must be an integer from 1 to 1000"),
        ("limit=1001", "limit must be an integer from 1 to 1000"),
        ("limit=x", "limit must be an integer from 1 to 1000"),
        ("offset=-1", "offset must be an integer from 0 to 10000000"),
        ("number=bank", "number must hold digits"),
        (
            "status=lost",
            "status must be one of pending, delivered, expired, failed, rejected, dropped",
        ),
    ] {
        let answer = app.call(&format!("GET /api/messages?{query}")).await;
        assert_eq!(
            answer,
            format!("422\n{{\"errors\":{{\"detail\":\"{expect}\"}}}}")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s3_patch_changes_the_fields_it_names() {
    let app = app().await;
    app.frontend("gw").await;
    let id = app.submitted("").await;
    let patch = |body: &str| format!("PATCH /api/messages/{id}\n\n{body}");
    let long = "x".repeat(161);
    let body = format!(
        r#"{{"dest_smsc":"gw","message_body":"{long}","deliver_after":"2026-01-01T01:00:00Z",
        "expires":"2026-01-01T02:00:00+00:00","delivery_attempts":3,"dest_imsi":"001"}}"#
    );
    expect![[r#"
        200
        {"data":{"deliver_after":"2026-01-01T01:00:00.000Z","delivery_attempts":3,"dest_imsi":"001","dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-01T02:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"x…","message_parts":2,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(&patch(&body)).await.replace(&long, "x…"));
    let data = app
        .data(&patch(
            r#"{"dest_smsc":null,"destination_msisdn":"+15551234567"}"#,
        ))
        .await;
    assert!(
        data["dest_smsc"].is_null() && data["message_parts"] == 2,
        "{data}"
    );
    expect![[r#"
        422
        {"errors":{"detail":"destination_msisdn cannot be changed after the submit"}}"#]]
    .assert_eq(
        &app.call(&patch(r#"{"destination_msisdn":"+155512"}"#))
            .await,
    );
    expect![[r#"
        422
        {"errors":{"detail":"dest_smsc names no known frontend: nobody"}}"#]]
    .assert_eq(&app.call(&patch(r#"{"dest_smsc":"nobody"}"#)).await);
    expect![[r#"
        422
        {"errors":{"detail":"dest_smsc must be 1 to 255 printable characters"}}"#]]
    .assert_eq(&app.call(&patch(r#"{"dest_smsc":""}"#)).await);
    expect![[r#"
        422
        {"errors":{"detail":"delivery_attempts must be an integer from 0 to 1000000"}}"#]]
    .assert_eq(&app.call(&patch(r#"{"delivery_attempts":"many"}"#)).await);
    expect![[r#"
        400
        {"errors":{"detail":"the request body is empty; it must be a JSON object"}}"#]]
    .assert_eq(&app.call(&patch("")).await);
    expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]]
    .assert_eq(
        &app.call("PATCH /api/messages/77\n\n{\"dest_imsi\":\"1\"}")
            .await,
    );
}

#[tokio::test(start_paused = true)]
async fn s3_patch_of_a_finished_message_is_422_and_of_its_status_409() {
    let app = app().await;
    let id = app.submitted("").await;
    let patch = |body: &str| format!("PATCH /api/messages/{id}\n\n{body}");
    expect![[r#"
        200
        {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"failed","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(&patch(r#"{"status":"failed"}"#)).await);
    expect![[r#"
        409
        {"errors":{"detail":"message 264905533947904 is already failed"}}"#]]
    .assert_eq(&app.call(&patch(r#"{"status":"delivered"}"#)).await);
    expect![[r#"
        422
        {"errors":{"detail":"message 264905533947904 is already failed"}}"#]]
    .assert_eq(&app.call(&patch(r#"{"dest_imsi":"1"}"#)).await);
}

#[tokio::test(start_paused = true)]
async fn s3_delete_removes_a_message() {
    let app = app().await;
    let id = app.submitted("").await;
    assert_eq!(app.call(&format!("DELETE /api/messages/{id}")).await, "204");
    expect![[r#"
        404
        {"errors":{"detail":"message 264905533947904 not found"}}"#]]
    .assert_eq(&app.call(&format!("GET /api/messages/{id}")).await);
    expect![[r#"
        404
        {"errors":{"detail":"message 264905533947904 not found"}}"#]]
    .assert_eq(&app.call(&format!("DELETE /api/messages/{id}")).await);
}

#[tokio::test(start_paused = true)]
async fn s8_events_tell_the_life_of_a_message_and_take_lines_from_outside() {
    let app = app().await;
    let id = app.submitted("").await;
    app.advance(5);
    let body = format!(r#"{{"message_id":"{id}","name":"hlr_query","description":"absent"}}"#);
    expect![[r#"
        201
        {"data":{"description":"absent","event_epoch":1767225605,"event_source":"n1","message_id":264905533947904,"name":"hlr_query"}}"#]].assert_eq(&app.call(&format!("POST /api/events\n\n{body}")).await);
    expect![[r#"
        200
        {"data":[{"description":"","event_epoch":1767225600,"event_source":"n1","message_id":264905533947904,"name":"message_inserted"},{"description":"no route matches","event_epoch":1767225600,"event_source":"n1","message_id":264905533947904,"name":"routing_failed"},{"description":"absent","event_epoch":1767225605,"event_source":"n1","message_id":264905533947904,"name":"hlr_query"}]}"#]].assert_eq(&app.call(&format!("GET /api/events/{id}")).await);
    expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]]
    .assert_eq(&app.call("GET /api/events/77").await);
    expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]]
    .assert_eq(
        &app.call("POST /api/events\n\n{\"message_id\":77,\"name\":\"x\"}")
            .await,
    );
    expect![[r#"
        422
        {"errors":{"detail":"name is required"}}"#]]
    .assert_eq(&app.call("POST /api/events\n\n{\"message_id\":77}").await);
}
