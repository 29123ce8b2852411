//! Each row of S3 about records: locations, frontends, MMS, SS7 events, routes, and the refusals
//! that clients meet (S3.3 to S3.6, S3.9).

use expect_test::expect;

use crate::app::app_without_credit;
use crate::furnished::row;

#[tokio::test(start_paused = true)]
async fn s3_3_get_locations() {
    row("GET /api/locations", expect![[r#"
        200
        {"data":[{"csfb":false,"expires":null,"id":1,"imei":null,"ims_capable":false,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","location":"msc1","msisdn":"+15550000009","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:00:00.000Z","user_agent":null}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_3_post_locations_creates() {
    row(
        r#"POST /api/locations

{"imsi":"001010000000002","msisdn":"+15557654321","location":"gw",
"expires":"2026-01-01T01:00:00Z"}"#,
        expect![[r#"
            201
            {"data":{"csfb":false,"expires":"2026-01-01T01:00:00.000Z","id":2,"imei":null,"ims_capable":false,"imsi":"001010000000002","inserted_at":"2026-01-01T00:00:00.000Z","location":"gw","msisdn":"+15557654321","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:00:00.000Z","user_agent":null}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_3_post_locations_updates_a_known_imsi() {
    row(
        r#"POST /api/locations

{"imsi":"001010000000001","location":"gw"}"#,
        expect![[r#"
            200
            {"data":{"csfb":false,"expires":null,"id":1,"imei":null,"ims_capable":false,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","location":"gw","msisdn":"+15550000009","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:00:00.000Z","user_agent":null}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_3_get_location() {
    row("GET /api/locations/1", expect![[r#"
        200
        {"data":{"csfb":false,"expires":null,"id":1,"imei":null,"ims_capable":false,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","location":"msc1","msisdn":"+15550000009","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:00:00.000Z","user_agent":null}}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_3_get_location_by_msisdn() {
    row("GET /api/locations/+15550000009", expect![[r#"
        200
        {"data":{"csfb":false,"expires":null,"id":1,"imei":null,"ims_capable":false,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","location":"msc1","msisdn":"+15550000009","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:00:00.000Z","user_agent":null}}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_3_patch_location() {
    row(
        r#"PATCH /api/locations/1

{"location":"gw"}"#,
        expect![[r#"
            200
            {"data":{"csfb":false,"expires":null,"id":1,"imei":null,"ims_capable":false,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","location":"gw","msisdn":"+15550000009","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:00:00.000Z","user_agent":null}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_3_delete_location() {
    row("DELETE /api/locations/1", expect!["204"]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_4_get_frontends() {
    row("GET /api/frontends", expect![[r#"
        200
        {"data":[{"configuration":null,"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"gw","frontend_type":"SMPP","hostname":null,"id":1,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":null},{"configuration":null,"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"msc1","frontend_type":"SMPP","hostname":null,"id":2,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":null}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_4_get_frontends_active() {
    row("GET /api/frontends/active", expect![[r#"
        200
        {"data":[{"configuration":null,"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"gw","frontend_type":"SMPP","hostname":null,"id":1,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":null},{"configuration":null,"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"msc1","frontend_type":"SMPP","hostname":null,"id":2,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":null}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_4_get_frontends_stats() {
    row("GET /api/frontends/stats", expect![[r#"
        200
        {"data":{"active":2,"active_count":2,"expired":0,"expired_count":0,"total_registrations":2,"unique_frontends":2}}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_4_get_frontends_history() {
    row("GET /api/frontends/history/gw", expect![[r#"
        200
        {"data":[{"configuration":null,"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"gw","frontend_type":"SMPP","hostname":null,"id":1,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":null}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_4_get_frontend() {
    row("GET /api/frontends/1", expect![[r#"
        200
        {"data":{"configuration":null,"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"gw","frontend_type":"SMPP","hostname":null,"id":1,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":null}}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_4_post_frontends() {
    row(
        r#"POST /api/frontends

{"frontend_name":"ims1","frontend_type":"IMS",
"hostname":"h1","uptime_seconds":5,
"configuration":"{\"port\":5060}"}"#,
        expect![[r#"
            201
            {"data":{"configuration":{"port":5060},"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"ims1","frontend_type":"IMS","hostname":"h1","id":3,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":5}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_4_post_frontends_register() {
    row(
        r#"POST /api/frontends/register

{"frontend_name":"gw","frontend_type":"SMPP"}"#,
        expect![[r#"
            200
            {"data":{"configuration":null,"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"gw","frontend_type":"SMPP","hostname":null,"id":1,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":null}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_get_mms_messages() {
    row("GET /api/mms_messages", expect![[r#"
        200
        {"data":[{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","status":"pending","subject":"hi","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_post_mms_messages() {
    row(
        r#"POST /api/mms_messages

{"source_msisdn":"+15550000001","destination_msisdn":"+15551234567","subject":"hi",
"content_type":"image/jpeg",
"content_location":"http://mmsc.example.com/1","message_size":3}"#,
        expect![[r#"
            201
            {"data":{"content_location":"http://mmsc.example.com/1","content_type":"image/jpeg","delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":2,"inserted_at":"2026-01-01T00:00:00.000Z","message_size":3,"source_msisdn":"+15550000001","status":"pending","subject":"hi","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_get_mms_message() {
    row("GET /api/mms_messages/1", expect![[r#"
        200
        {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","status":"pending","subject":"hi","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_patch_mms_message() {
    row(
        r#"PATCH /api/mms_messages/1

{"status":"delivered","deliver_time":"2026-01-01T00:00:00Z"}"#,
        expect![[r#"
            200
            {"data":{"deliver_time":"2026-01-01T00:00:00.000Z","delivered_at":"2026-01-01T00:00:00.000Z","delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","status":"delivered","subject":"hi","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_delete_mms_message() {
    row("DELETE /api/mms_messages/1", expect!["204"]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_get_mms_message_queues() {
    row("GET /api/mms_message_queues", expect![[r#"
        200
        {"data":[{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","status":"pending","subject":"hi","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_post_mms_message_queues() {
    row(
        r#"POST /api/mms_message_queues

{"destination_msisdn":"+15551234567","subject":"hi"}"#,
        expect![[r#"
            201
            {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":2,"inserted_at":"2026-01-01T00:00:00.000Z","status":"pending","subject":"hi","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_get_mms_message_queue() {
    row("GET /api/mms_message_queues/1", expect![[r#"
        200
        {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","status":"pending","subject":"hi","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_patch_mms_message_queue() {
    row(
        r#"PATCH /api/mms_message_queues/1

{"subject":"ho"}"#,
        expect![[r#"
            200
            {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","status":"pending","subject":"ho","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_5_delete_mms_message_queue() {
    row("DELETE /api/mms_message_queues/1", expect!["204"]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_6_get_ss7_events() {
    row("GET /api/ss7_events", expect![[r#"
        200
        {"data":[{"details":null,"event_type":"MAP_UPDATE_LOCATION","id":1,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","msisdn":null,"timestamp":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"}],"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_6_post_ss7_events() {
    row(
        r#"POST /api/ss7_events

{"event_type":"MAP_UPDATE_LOCATION","imsi":"001010000000001",
"msisdn":"+15550000009","timestamp":"2026-01-01T00:00:00Z","details":{"vlr":"1555"}}"#,
        expect![[r#"
            201
            {"data":{"details":{"vlr":"1555"},"event_type":"MAP_UPDATE_LOCATION","id":2,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","msisdn":"+15550000009","timestamp":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_6_get_ss7_event() {
    row("GET /api/ss7_events/1", expect![[r#"
        200
        {"data":{"details":null,"event_type":"MAP_UPDATE_LOCATION","id":1,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","msisdn":null,"timestamp":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_6_patch_ss7_event() {
    row(
        r#"PATCH /api/ss7_events/1

{"imsi":"001010000000003"}"#,
        expect![[r#"
            200
            {"data":{"details":null,"event_type":"MAP_UPDATE_LOCATION","id":1,"imsi":"001010000000003","inserted_at":"2026-01-01T00:00:00.000Z","msisdn":null,"timestamp":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_6_delete_ss7_event() {
    row("DELETE /api/ss7_events/1", expect!["204"]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_routes() {
    row("GET /api/routes", expect![[r#"
        200
        {"data":[{"auto_reply":false,"auto_reply_message":null,"called_prefix":"+1999","calling_prefix":null,"charged":"default","description":"nines","dest_smsc":"gw","drop":false,"enabled":true,"enum_domain":null,"fallback":[],"fallback_after":60,"id":1,"priority":100,"source_smsc":null,"source_type":null,"weight":100}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_get_routes_export() {
    row("GET /api/routes/export", expect![[r#"
        200
        {"data":{"exported_at":"2026-01-01T00:00:00.000Z","routes":[{"auto_reply":false,"auto_reply_message":null,"called_prefix":"+1999","calling_prefix":null,"charged":"default","description":"nines","dest_smsc":"gw","drop":false,"enabled":true,"enum_domain":null,"fallback":[],"fallback_after":60,"id":1,"priority":100,"source_smsc":null,"source_type":null,"weight":100}],"version":1}}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s3_9_destination_msisdn_is_missing() {
    row(
        r#"POST /api/messages

{"message_body":"hello"}"#,
        expect![[r#"
            422
            {"errors":{"detail":"destination_msisdn is required"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_9_a_number_is_not_in_e_164() {
    row(
        r#"POST /api/messages

{"destination_msisdn":"abc","message_body":"hello"}"#,
        expect![[r#"
            422
            {"errors":{"detail":"destination_msisdn must be 3 to 20 digits with an optional leading '+'"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_9_message_not_found() {
    row(
        "GET /api/messages/77",
        expect![[r#"
        404
        {"errors":{"detail":"message 77 not found"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_9_message_is_already_delivered() {
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
async fn s3_9_unknown_frontend() {
    row(
        r#"POST /api/messages

{"destination_msisdn":"+15551234567","message_body":"hello","dest_smsc":"nobody"}"#,
        expect![[r#"
            422
            {"errors":{"detail":"dest_smsc names no known frontend: nobody"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_9_no_route_leaves_the_message_unrouted() {
    row(
        r#"POST /api/messages

{"destination_msisdn":"+15551234567","message_body":"hello"}"#,
        expect![[r#"
            201
            {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947909,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hello","message_parts":1,"status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_9_charging_refused() {
    let app = app_without_credit().await;
    let asked = r#"POST /api/messages

{"destination_msisdn":"+15551234567","message_body":"hello"}"#;
    expect![[r#"
        422
        {"errors":{"detail":"charging refused message 264905533947904: insufficient balance"}}"#]]
    .assert_eq(&app.call(asked).await);
}
