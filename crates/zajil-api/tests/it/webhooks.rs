//! `/api/webhooks`: subscriptions to events.

use expect_test::expect;

use crate::app::{App, app};

async fn made(app: &App) -> String {
    let body = concat!(
        r#"{"url":"https://example.com/zajil","events":["message_delivered"],"#,
        r#""frontend":"gw","number":"+1 555-1234567","description":"ours"}"#
    );
    app.call(&format!("POST /api/webhooks\n\n{body}")).await
}

/// An answer whose secret is none.
fn without_secret(answer: &str) -> String {
    let (head, rest) = answer.split_once("\"secret\":\"whsec_").unwrap();
    let (secret, rest) = rest.split_once('"').unwrap();
    assert_eq!(secret.len(), 44);
    format!("{head}\"secret\":\"…\"{rest}")
}

#[tokio::test]
async fn s3_8_a_subscription_is_made_shown_changed_and_removed_and_its_secret_shown_once() {
    let app = app().await;
    let made = made(&app).await;
    expect![[r#"
        201
        {"data":{"dead":0,"description":"ours","enabled":true,"events":["message_delivered"],"failures":0,"frontend":"gw","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","last_error":null,"masked":false,"number":"15551234567","resting_until":null,"secret":"…","updated_at":"2026-01-01T00:00:00.000Z","url":"https://example.com/zajil","waiting":0}}"#]].assert_eq(&without_secret(&made));
    let shown = app.call("GET /api/webhooks/1").await;
    assert!(!shown.contains("secret"), "{shown}");
    let rotated = app.call("POST /api/webhooks/1/rotate").await;
    assert_ne!(rotated, made);
    without_secret(&rotated);
    let change = "PATCH /api/webhooks/1\n\n{\"enabled\":false,\"number\":null,\"masked\":true}";
    expect![[r#"
        200
        {"data":{"dead":0,"description":"ours","enabled":false,"events":["message_delivered"],"failures":0,"frontend":"gw","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","last_error":null,"masked":true,"number":null,"resting_until":null,"updated_at":"2026-01-01T00:00:00.000Z","url":"https://example.com/zajil","waiting":0}}"#]].assert_eq(&app.call(change).await);
    let list = app.call("GET /api/webhooks").await;
    assert!(
        list.contains("\"id\":1") && !list.contains("secret"),
        "{list}"
    );
    assert_eq!(app.call("DELETE /api/webhooks/1").await, "204");
    expect![[r#"
        404
        {"errors":{"detail":"webhook 1 not found"}}"#]]
    .assert_eq(&app.call("GET /api/webhooks/1").await);
    assert_eq!(app.call("GET /api/webhooks").await, "200\n{\"data\":[]}");
}

#[tokio::test]
async fn what_cannot_be_a_subscription_is_refused_by_its_rule() {
    let app = app().await;
    let mut answers = String::new();
    for body in [
        r#"{"events":["message_delivered"]}"#,
        r#"{"url":"https://example.com"}"#,
        r#"{"url":"https://example.com","events":[]}"#,
        r#"{"url":"https://example.com","events":["weather"]}"#,
        r#"{"url":"https://example.com","events":"message_delivered"}"#,
        r#"{"url":"ftp://example.com","events":["message_delivered"]}"#,
        r#"{"url":"https://a:b@example.com","events":["message_delivered"]}"#,
        r#"{"url":"https://example.com","events":["message_delivered"],"number":"abc"}"#,
    ] {
        let answer = app.call(&format!("POST /api/webhooks\n\n{body}")).await;
        let short = answer.split("(message_routed").next().unwrap();
        answers += &format!("{short}\n");
    }
    for page in [
        "GET /api/webhooks/9/dead",
        "POST /api/webhooks/9/replay",
        "POST /api/webhooks/x/test",
    ] {
        answers += &app.call(page).await;
        answers.push('\n');
    }
    expect![[r#"
        422
        {"errors":{"detail":"url is required"}}
        422
        {"errors":{"detail":"events is required"}}
        422
        {"errors":{"detail":"events must name at least one event"}}
        422
        {"errors":{"detail":"events must be names of events 
        422
        {"errors":{"detail":"events must be an array of at most 64 names"}}
        422
        {"errors":{"detail":"url must be a URL such as https://example.com/zajil, without user or fragment"}}
        422
        {"errors":{"detail":"url must be a URL such as https://example.com/zajil, without user or fragment"}}
        422
        {"errors":{"detail":"number must hold digits"}}
        404
        {"errors":{"detail":"webhook 9 not found"}}
        404
        {"errors":{"detail":"webhook 9 not found"}}
        404
        {"errors":{"detail":"webhook x not found"}}
    "#]].assert_eq(&answers);
}

#[tokio::test]
async fn s3_8_a_test_of_a_private_address_is_refused_before_anything_is_sent() {
    let app = app().await;
    for (number, host) in ["127.0.0.1:1", "[::1]:1", "169.254.169.254", "localhost:1"]
        .iter()
        .enumerate()
    {
        let body = format!(r#"{{"url":"https://{host}/","events":["message_delivered"]}}"#);
        app.call(&format!("POST /api/webhooks\n\n{body}")).await;
        let answer = app
            .call(&format!("POST /api/webhooks/{}/test", number + 1))
            .await;
        assert!(answer.contains("\"acknowledged\":false"), "{answer}");
        assert!(
            answer.contains("the address is not public"),
            "{host}: {answer}"
        );
    }
}

#[tokio::test]
async fn s3_8_every_change_is_written_down_without_secrets() {
    let app = app().await;
    let body = r#"{"url":"https://example.com/zajil","events":["message_delivered"]}"#;
    app.data(&format!("POST /api/webhooks\n\n{body}")).await;
    app.call("PATCH /api/webhooks/1\n\n{\"masked\":true}").await;
    app.call("POST /api/webhooks/1/rotate").await;
    app.call("POST /api/webhooks/1/replay").await;
    app.call("DELETE /api/webhooks/1").await;
    app.call("DELETE /api/webhooks/1").await;
    let audit = app.data("GET /api/audit?what=webhook").await;
    let line = |entry: &serde_json::Value| {
        let word = |name: &str| entry[name].as_str().unwrap().to_owned();
        let (before, after) = (&entry["before"]["masked"], &entry["after"]["masked"]);
        let (action, id, outcome) = (word("action"), word("id"), word("outcome"));
        format!("{action} {id} {outcome}: {before} {after}\n")
    };
    let lines: String = audit.as_array().unwrap().iter().rev().map(line).collect();
    expect![[r#"
        create 1 done: null false
        update 1 done: false true
        rotate 1 done: true true
        replay 1 done: null null
        remove 1 done: true null
    "#]]
    .assert_eq(&lines);
    assert!(!audit.to_string().contains("whsec"), "{audit}");
}

#[tokio::test]
async fn a_webhook_that_leads_here_cannot_test_itself_without_end() {
    let app = app().await;
    let body = r#"{"url":"https://example.com/zajil","events":["message_delivered"]}"#;
    app.data(&format!("POST /api/webhooks\n\n{body}")).await;
    let asked = "POST /api/webhooks/1/test\nwebhook-id: 1.1.test\n\n{}";
    let answer = app.call(asked).await;
    assert!(answer.starts_with("422"), "{answer}");
}
