//! Each row of S3 about messages: what is asked, and what is answered (S3, S3.1, S3.2).

use expect_test::expect;

use crate::furnished::row;

#[tokio::test(start_paused = true)]
async fn s3_get_status() {
    row(
        "GET /api/status",
        expect![[r#"
        200
        {"application":"Zajil","status":"ok","timestamp":"2026-01-01T00:00:00.000Z"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_messages() {
    row("GET /api/messages?limit=1&status=pending", expect![[r#"
        200
        {"data":[{"deliver_after":"2026-01-01T00:04:00.000Z","delivery_attempts":2,"dest_smsc":"msc1","destination_msisdn":"+15551234567","destination_smsc":"msc1","expires":"2026-01-02T00:00:00.000Z","id":264905533947908,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_messages_with_the_header_smsc() {
    row("GET /api/messages\nsmsc: gw", expect![[r#"
        200
        {"data":[{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_messages_get_by_smsc() {
    row("GET /api/messages/get_by_smsc?smsc=gw", expect![[r#"
        200
        {"data":[{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947905,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_messages_queue() {
    row("GET /api/messages/queue?smsc=gw", expect![[r#"
        200
        {"data":[{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_message() {
    row("GET /api/messages/{routed}", expect![[r#"
        200
        {"data":{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_message_that_is_not_there() {
    row(
        "GET /api/messages/77",
        expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_messages() {
    row(
        r#"POST /api/messages

{"source_msisdn":"+15550000001","destination_msisdn":"+15551234567","message_body":"hello",
"dest_smsc":"gw"}"#,
        expect![[r#"
            201
            {"data":{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947909,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"source_msisdn":"+15550000001","status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_messages_create_async() {
    row(
        r#"POST /api/messages/create_async

{"destination_msisdn":"+15551234567","message_body":"hello","source_smsc":"my_app"}"#,
        expect![[r#"
            202
            {"data":{"message":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947909,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"source_smsc":"my_app","status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"accepted"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_patch_message() {
    row(
        r#"PATCH /api/messages/{routed}

{"message_body":"hello again","deliver_after":"2026-01-01T00:10:00Z"}"#,
        expect![[r#"
            200
            {"data":{"deliver_after":"2026-01-01T00:10:00.000Z","delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello again","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_patch_message_that_is_not_there() {
    row(
        r#"PATCH /api/messages/77

{"message_body":"hello again"}"#,
        expect![[r#"
            404
            {"errors":{"detail":"message 77 not found"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_patch_message_with_a_wrong_value() {
    row(
        r#"PATCH /api/messages/{routed}

{"delivery_attempts":"many"}"#,
        expect![[r#"
            422
            {"errors":{"detail":"delivery_attempts must be an integer from 0 to 1000000"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_put_message_counts_a_failed_attempt() {
    row("PUT /api/messages/{routed}", expect![[r#"
        200
        {"data":{"deliver_after":"2026-01-01T00:02:00.000Z","delivery_attempts":1,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_increment_delivery_attempt() {
    row(
        "POST /api/messages/{routed}/increment_delivery_attempt",
        expect![[r#"
            200
            {"data":{"deliver_after":"2026-01-01T00:02:00.000Z","delivery_attempts":1,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_mark_delivered() {
    row(
        r#"POST /api/messages/{routed}/mark_delivered

{"dest_smsc":"gw"}"#,
        expect![[r#"
            200
            {"data":{"deliver_time":"2026-01-01T00:00:00.000Z","delivered_at":"2026-01-01T00:00:00.000Z","delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"delivered","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_mark_delivered_that_is_not_there() {
    row(
        r#"POST /api/messages/77/mark_delivered

{"dest_smsc":"gw"}"#,
        expect![[r#"
            404
            {"errors":{"detail":"message 77 not found"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_mark_delivered_again() {
    row(
        r#"POST /api/messages/{ended}/mark_delivered

{"dest_smsc":"gw"}"#,
        expect![[r#"
            409
            {"errors":{"detail":"message 264905533947907 is already delivered"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_delete_message() {
    row("DELETE /api/messages/{routed}", expect!["204"]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_messages_raw() {
    row(
        r#"POST /api/messages_raw

{"pdu":"0011000B915155214365F70000AA0AE8329BFD4697D9EC37","source_smsc":"my_app"}"#,
        expect![[r#"
            201
            {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-05T00:00:00.000Z","id":264905533947909,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hellohello","message_parts":1,"raw_data_flag":true,"raw_pdu":"0011000B915155214365F70000AA0AE8329BFD4697D9EC37","source_smsc":"my_app","status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","tp_dcs_coding_group":"general_data_coding","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_messages_raw_async() {
    row(
        r#"POST /api/messages_raw/async

{"pdu":"0011000B915155214365F70000AA0AE8329BFD4697D9EC37","source_smsc":"my_app"}"#,
        expect![[r#"
            202
            {"data":{"message":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-05T00:00:00.000Z","id":264905533947909,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hellohello","message_parts":1,"raw_data_flag":true,"raw_pdu":"0011000B915155214365F70000AA0AE8329BFD4697D9EC37","source_smsc":"my_app","status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","tp_dcs_coding_group":"general_data_coding","updated_at":"2026-01-01T00:00:00.000Z"},"status":"accepted"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_events() {
    row("GET /api/events/{routed}", expect![[r#"
        200
        {"data":[{"description":"","event_epoch":1767225600,"event_source":"n1","message_id":264905533947904,"name":"message_inserted"},{"description":"set to 'gw' by the submitter","event_epoch":1767225600,"event_source":"n1","message_id":264905533947904,"name":"message_routed"}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_post_events() {
    row(
        r#"POST /api/events

{"message_id":{routed},"name":"sms_delivery_started","description":"by hand"}"#,
        expect![[r#"
            201
            {"data":{"description":"by hand","event_epoch":1767225600,"event_source":"n1","message_id":264905533947904,"name":"sms_delivery_started"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_1_messages_of_a_frontend_with_the_unrouted() {
    row(
        "GET /api/messages\nsmsc: gw\ninclude-unrouted: true",
        expect![[r#"
            200
            {"data":[{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","destination_smsc":"gw","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947905,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_1_messages_that_a_location_gives_to_a_frontend() {
    row("GET /api/messages\nsmsc: msc1", expect![[r#"
        200
        {"data":[{"delivery_attempts":0,"destination_msisdn":"+15550000009","expires":"2026-01-02T00:00:00.000Z","id":264905533947906,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"to the located","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_2_the_third_failure_waits_eight_minutes() {
    row("PUT /api/messages/{failed_twice}", expect![[r#"
        200
        {"data":{"deliver_after":"2026-01-01T00:08:00.000Z","delivery_attempts":3,"dest_smsc":"msc1","destination_msisdn":"+15551234567","destination_smsc":"msc1","expires":"2026-01-02T00:00:00.000Z","id":264905533947908,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]]).await;
}
