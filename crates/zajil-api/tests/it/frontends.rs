//! Frontends register and are shown (S3.4).

use expect_test::expect;

use crate::app::app;

const REGISTER: &str = r#"POST /api/frontends/register

{"frontend_name":"gw","frontend_type":"smpp","hostname":"h1","uptime_seconds":"7",
"configuration":"{\"port\":2775}"}"#;

#[tokio::test(start_paused = true)]
async fn s3_4_a_registration_begins_a_stretch_and_prolongs_it() {
    let app = app().await;
    expect![[r#"
        201
        {"data":{"configuration":{"port":2775},"expires_at":"2026-01-01T00:01:30.000Z","frontend_name":"gw","frontend_type":"SMPP","hostname":"h1","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"192.0.2.7","last_seen_at":"2026-01-01T00:00:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:00:00.000Z","uptime_seconds":7}}"#]].assert_eq(&app.call(REGISTER).await);
    app.advance(60);
    let again = r#"POST /api/frontends

{"frontend_name":"gw","frontend_type":"SMPP","ip_address":"10.0.0.9","configuration":{"a":1}}"#;
    expect![[r#"
        200
        {"data":{"configuration":{"a":1},"expires_at":"2026-01-01T00:02:30.000Z","frontend_name":"gw","frontend_type":"SMPP","hostname":null,"id":1,"inserted_at":"2026-01-01T00:00:00.000Z","ip_address":"10.0.0.9","last_seen_at":"2026-01-01T00:01:00.000Z","paused":null,"status":"active","updated_at":"2026-01-01T00:01:00.000Z","uptime_seconds":null}}"#]].assert_eq(&app.call(again).await);
}

#[tokio::test(start_paused = true)]
async fn s3_4_frontends_are_listed_and_expire() {
    let app = app().await;
    app.frontend("gw").await;
    app.advance(80);
    app.frontend("ims").await;
    app.advance(20);
    let names = |rows: serde_json::Value| {
        let name = |row: &serde_json::Value| format!("{} {}", row["frontend_name"], row["status"]);
        rows.as_array()
            .unwrap()
            .iter()
            .map(name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    expect![[r#""gw" "expired", "ims" "active""#]]
        .assert_eq(&names(app.data("GET /api/frontends").await));
    expect![[r#""ims" "active""#]].assert_eq(&names(app.data("GET /api/frontends/active").await));
    expect![[r#""gw" "expired""#]]
        .assert_eq(&names(app.data("GET /api/frontends/history/gw").await));
    expect![[""]].assert_eq(&names(app.data("GET /api/frontends/history/nobody").await));
    expect![[r#"
        200
        {"data":{"active":1,"active_count":1,"expired":1,"expired_count":1,"total_registrations":2,"unique_frontends":2}}"#]].assert_eq(&app.call("GET /api/frontends/stats").await);
    let id = app.data("GET /api/frontends").await[0]["id"].clone();
    assert_eq!(
        app.data(&format!("GET /api/frontends/{id}")).await["frontend_name"],
        "gw"
    );
    expect![[r#"
        404
        {"errors":{"detail":"frontend 999 not found"}}"#]]
    .assert_eq(&app.call("GET /api/frontends/999").await);
    expect![[r#"
        404
        {"errors":{"detail":"frontend gw not found"}}"#]]
    .assert_eq(&app.call("GET /api/frontends/gw").await);
}

#[tokio::test(start_paused = true)]
async fn s3_4_wrong_registrations_are_named() {
    let app = app().await;
    for (body, expect) in [
        ("{}", "frontend_name is required"),
        (r#"{"frontend_name":"a"}"#, "frontend_type is required"),
        (
            r#"{"frontend_name":"a","frontend_type":"FAX"}"#,
            "frontend_type must be one of SMPP, SIP, IMS, MAP, HTTP",
        ),
        (
            r#"{"frontend_name":"a","frontend_type":"MAP","configuration":"[1]"}"#,
            "configuration must be a JSON object",
        ),
        (
            r#"{"frontend_name":"a","frontend_type":"MAP","ip_address":"gw.example"}"#,
            "ip_address must be an IP address",
        ),
        (
            r#"{"frontend_name":"a","frontend_type":"MAP","uptime_seconds":-1}"#,
            "uptime_seconds must be an integer from 0 to 9007199254740992",
        ),
    ] {
        let answer = app.call(&format!("POST /api/frontends\n\n{body}")).await;
        assert_eq!(
            answer,
            format!("422\n{{\"errors\":{{\"detail\":\"{expect}\"}}}}")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s3_4_a_configuration_is_bounded() {
    let app = app().await;
    let register = |length: usize| {
        let text = "x".repeat(length);
        let body = r#"{"frontend_name":"a","frontend_type":"MAP","configuration":{"k":"#;
        format!("POST /api/frontends\n\n{body}\"{text}\"}}}}")
    };
    // The frame `{"k":""}` takes eight octets.
    app.data(&register(16 * 1_024 - 8)).await;
    expect![[r#"
        422
        {"errors":{"detail":"configuration must have at most 16384 octets of JSON"}}"#]]
    .assert_eq(&app.call(&register(16 * 1_024 - 7)).await);
}
