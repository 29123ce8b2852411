//! The audit log (S3.8): every change, who made it, from what to what.

use expect_test::expect;
use serde_json::Value;

use crate::access::closed;
use crate::access::id_of;
use crate::app::{App, app};

/// Each entry on a line, newest first.
async fn log(app: &App, query: &str, key: &str) -> String {
    let answer = app
        .call(&format!("GET /api/audit{query}\nx-api-key: {key}"))
        .await;
    let (_, body) = answer.split_once('\n').unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let line = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        let change = ["priority", "paused", "dest_smsc", "message_body"].map(|field| {
            let (old, new) = (&entry["before"][field], &entry["after"][field]);
            if old == new {
                return String::new();
            }
            format!(" {field} {old} to {new}")
        });
        let [action, what, id, outcome] = ["action", "what", "id", "outcome"].map(text);
        format!("{action} {what} {id}: {outcome}{}\n", change.concat())
    };
    body["data"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn s3_8_changes_are_written_down_with_what_was_before_and_after() {
    let app = app().await;
    app.data("POST /api/routes\n\n{\"dest_smsc\":\"a\"}").await;
    app.data("PATCH /api/routes/1\n\n{\"priority\":7}").await;
    app.call("PATCH /api/routes/9\n\n{\"priority\":7}").await;
    app.call("POST /api/frontends/gw/pause\n\n{\"seconds\":60}")
        .await;
    app.call("POST /api/frontends/gw/resume").await;
    app.call("DELETE /api/routes/1").await;
    app.call("DELETE /api/routes/1").await;
    app.data("POST /api/messages/bulk\n\n{\"action\":\"retry\",\"filter\":{},\"dry_run\":false}")
        .await;
    app.data("POST /api/routes/import\n\n{\"routes\":[],\"mode\":\"replace\"}")
        .await;
    expect![[r#"
        import route -: done
        retry messages -: done
        remove route 1: refused: not_found
        remove route 1: done priority 7 to null dest_smsc "a" to null
        resume frontend gw: done paused {"reason":"paused by an operator","since":"2026-01-01T00:00:00.000Z","until":"2026-01-01T00:01:00.000Z"} to null
        pause frontend gw: done paused null to {"reason":"paused by an operator","since":"2026-01-01T00:00:00.000Z","until":"2026-01-01T00:01:00.000Z"}
        update route 1: done priority 100 to 7
        create route 1: done priority null to 100 dest_smsc null to "a"
    "#]]
    .assert_eq(&log(&app, "", "").await);
    expect![[r#"
        resume frontend gw: done paused {"reason":"paused by an operator","since":"2026-01-01T00:00:00.000Z","until":"2026-01-01T00:01:00.000Z"} to null
    "#]]
    .assert_eq(&log(&app, "?what=frontend&limit=1", "").await);
    let page: Value = {
        let answer = app.call("GET /api/audit?limit=2").await;
        serde_json::from_str(answer.split_once('\n').unwrap().1).unwrap()
    };
    let next = page["next"].as_u64().unwrap();
    assert!(
        log(&app, &format!("?before={next}"), "")
            .await
            .starts_with("remove route 1: refused")
    );
}

#[tokio::test(start_paused = true)]
async fn s3_8_an_entry_names_the_caller_and_the_request() {
    let app = closed().await;
    let key = app.key("\"admin\"", "").await;
    let head = format!("x-api-key: {key}\nx-request-id: r-1\n\n");
    let sent = app
        .data(&format!(
            "POST /api/messages\n{head}{}",
            r#"{"destination_msisdn":"+15550001","message_body":"secret text"}"#
        ))
        .await;
    let id = &sent["id"];
    let edit = r#"{"message_body":"another secret","deliver_after":"2026-01-01T01:00:00Z"}"#;
    app.data(&format!("PATCH /api/messages/{id}\n{head}{edit}"))
        .await;
    let report = r#"{"status":"delivered"}"#;
    app.data(&format!("PATCH /api/messages/{id}\n{head}{report}"))
        .await;
    app.data(&format!(
        "POST /api/keys\n{head}{}",
        r#"{"name":"x","scopes":["read"]}"#
    ))
    .await;
    let answer = app.call(&format!("GET /api/audit\nx-api-key: {key}")).await;
    assert!(!answer.contains("secret"), "{answer}");
    assert!(!answer.contains("hash"), "{answer}");
    let body: Value = serde_json::from_str(answer.split_once('\n').unwrap().1).unwrap();
    let entries = body["data"].as_array().unwrap();
    assert_eq!(entries.len(), 3, "{answer}");
    for (entry, what) in entries.iter().zip(["api_key", "message", "message"]) {
        assert_eq!(entry["what"], what);
        assert_eq!(entry["who"], format!("key {} (test)", id_of(&key)));
        assert_eq!(entry["address"], "192.0.2.7");
        assert_eq!(entry["request_id"], "r-1");
        assert_eq!(entry["at"], "2026-01-01T00:00:00.000Z");
    }
    assert_eq!(entries[1]["after"]["status"], "delivered");
    assert_eq!(entries[2]["before"]["deliver_after"], Value::Null);
    assert_eq!(entries[2]["after"]["deliver_after"], "2026-01-01T01:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn s3_8_where_an_administrator_says_somebody_is_is_written_down() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let network = app.key("\"locations\"", "").await;
    let locate = r#"{"imsi":"001","msisdn":"155","serving_smsc":"gw"}"#;
    for key in [&network, &admin] {
        let head = format!("x-api-key: {key}\n\n");
        app.data(&format!("POST /api/locations\n{head}{locate}"))
            .await;
        app.data(&format!("PATCH /api/locations/1\n{head}{{}}"))
            .await;
    }
    app.call(&format!("DELETE /api/locations/1\nx-api-key: {admin}"))
        .await;
    app.call(&format!("DELETE /api/locations/1\nx-api-key: {admin}"))
        .await;
    expect![[r#"
        remove location -: refused: not_found
        remove location 1: done
        update location 1: done
        create location 1: done
    "#]]
    .assert_eq(&log(&app, "", &admin).await);
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_report_of_a_frontend_is_no_edit() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let gateway = app.key("\"frontend:gw\"", "").await;
    let head = format!("x-api-key: {admin}\n\n");
    let frontend = r#"{"frontend_name":"gw","frontend_type":"SMPP"}"#;
    app.data(&format!("POST /api/frontends\n{head}{frontend}"))
        .await;
    let submit = r#"{"destination_msisdn":"155","message_body":"x","dest_smsc":"gw"}"#;
    let sent = app
        .data(&format!("POST /api/messages\n{head}{submit}"))
        .await;
    let page = format!("PATCH /api/messages/{}\nx-api-key: {gateway}", sent["id"]);
    app.data(&format!("{page}\n\n{{\"status\":\"delivered\"}}"))
        .await;
    assert_eq!(log(&app, "", &admin).await, "");
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_removed_message_is_written_down() {
    let app = closed().await;
    let key = app.key("\"admin\"", "").await;
    let submit = r#"{"destination_msisdn":"+15550001","message_body":"x"}"#;
    let sent = app
        .data(&format!("POST /api/messages\nx-api-key: {key}\n\n{submit}"))
        .await;
    let page = format!("DELETE /api/messages/{}\nx-api-key: {key}", sent["id"]);
    assert!(app.call(&page).await.starts_with("204"));
    let expected = format!("remove message {}: done\n", sent["id"]);
    assert_eq!(log(&app, "", &key).await, expected);
}
