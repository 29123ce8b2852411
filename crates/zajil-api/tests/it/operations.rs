//! What operators do: pausing frontends, own retry schedules, many messages at once (D10).

use expect_test::expect;

use crate::app::app;

#[tokio::test(start_paused = true)]
async fn d10_a_paused_frontend_gets_nothing_and_its_messages_keep_their_place() {
    let app = app().await;
    app.frontend("gw").await;
    let id = app.submitted(r#","dest_smsc":"gw""#).await;
    let pause = r#"POST /api/frontends/gw/pause

{"reason":"maintenance","seconds":600}"#;
    expect![[r#"
        200
        {"data":{"frontend_name":"gw","paused":{"reason":"maintenance","since":"2026-01-01T00:00:00.000Z","until":"2026-01-01T00:10:00.000Z"},"retry":{}}}"#]].assert_eq(&app.call(pause).await);
    let lease = "GET /api/messages/queue?smsc=gw&lease=60";
    assert_eq!(app.ids(lease).await, [0_u64; 0]);
    let shown = app.data("GET /api/frontends").await;
    assert_eq!(shown[0]["paused"]["reason"], "maintenance");
    app.data("POST /api/frontends/gw/resume").await;
    assert_eq!(app.ids(lease).await, [id]);
    assert_eq!(
        app.data("GET /api/frontends").await[0]["paused"],
        serde_json::Value::Null
    );
}

#[tokio::test(start_paused = true)]
async fn d10_retry_schedules_go_by_the_class_of_the_error_and_by_frontend() {
    let app = app().await;
    app.frontend("gw").await;
    let own = r#"PUT /api/frontends/gw/policy

{"retry":{"busy":[7,70]}}"#;
    expect![[r#"
        200
        {"data":{"frontend_name":"gw","paused":null,"retry":{"busy":[7,70]}}}"#]]
    .assert_eq(&app.call(own).await);
    let mut told = String::new();
    for class in ["busy", "absent", "memory_full", "congestion"] {
        let id = app.submitted(r#","dest_smsc":"gw""#).await;
        let report = format!(r#"{{"error_class":"{class}","reason":"no"}}"#);
        let failed = app
            .data(&format!("POST /api/messages/{id}/mark_failed\n\n{report}"))
            .await;
        let (after, attempts) = (&failed["deliver_after"], &failed["delivery_attempts"]);
        told += &format!("{class} {after} {attempts}\n");
    }
    let id = app.submitted(r#","dest_smsc":"gw""#).await;
    let path = format!("POST /api/messages/{id}/mark_failed\n\n");
    let permanent = app.data(&(path + r#"{"error_class":"permanent"}"#)).await;
    told += &format!("permanent {}\n", permanent["status"]);
    for (method, body) in [
        ("PUT /api/frontends/gw/policy", r#"{"retry":{"tired":[1]}}"#),
        ("PUT /api/frontends/gw/policy", r#"{"retry":{"busy":[0]}}"#),
        ("PUT /api/frontends/gw/policy", r#"{"retry":{"busy":"1"}}"#),
        ("POST /api/frontends/gw/pause", r#"{"seconds":0}"#),
    ] {
        told += &app.call(&format!("{method}\n\n{body}")).await;
        told += "\n";
    }
    expect![[r#"
        busy "2026-01-01T00:00:07.000Z" 1
        absent "2026-01-01T00:05:00.000Z" 1
        memory_full "2026-01-01T00:10:00.000Z" 1
        congestion "2026-01-01T00:00:05.000Z" 0
        permanent "failed"
        422
        {"errors":{"detail":"retry knows only the classes absent, memory_full, busy, temporary, congestion"}}
        422
        {"errors":{"detail":"retry.busy must be an integer from 1 to 9223372036854775807"}}
        422
        {"errors":{"detail":"retry.busy must be an array of seconds"}}
        422
        {"errors":{"detail":"seconds must be an integer from 1 to 2592000"}}
    "#]].assert_eq(&told);
    // The one that was congested rests.
    assert_eq!(
        app.data("GET /api/frontends").await[0]["paused"]["reason"],
        "congestion"
    );
}

#[tokio::test(start_paused = true)]
async fn d11_what_ended_is_submitted_again_once() {
    let app = app().await;
    app.frontend("gw").await;
    let id = app.submitted(r#","dest_smsc":"gw""#).await;
    let requeue = format!("POST /api/messages/{id}/requeue");
    expect![[r#"
        422
        {"errors":{"detail":"message N has not ended: it can be retried"}}"#]]
    .assert_eq(&app.call(&requeue).await.replace(&id.to_string(), "N"));
    let failed = r#"{"permanent":true,"reason":"barred"}"#;
    app.data(&format!("POST /api/messages/{id}/mark_failed\n\n{failed}"))
        .await;
    let again = app.data(&requeue).await;
    assert_ne!(again["id"], id);
    assert_eq!(again["status"], "pending");
    assert_eq!(again["message_body"], "hello");
    assert_eq!(
        app.data(&requeue).await["id"],
        again["id"],
        "a second click"
    );
    let log = app.data(&format!("GET /api/events/{id}")).await;
    let last = log.as_array().unwrap().last().unwrap();
    assert_eq!(last["name"], "message_requeued");
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_counted_first_and_then_acted_on() {
    let app = app().await;
    for name in ["gw", "other"] {
        app.frontend(name).await;
    }
    for n in 0..5 {
        let dest = if n < 3 { "gw" } else { "other" };
        app.submitted(&format!(r#","dest_smsc":"{dest}""#)).await;
    }
    let bulk = async |body: &str| {
        let mut data = app
            .data(&format!("POST /api/messages/bulk\n\n{body}"))
            .await;
        data["ids"] = data["ids"].as_array().unwrap().len().into();
        data["next"] = data["next"].is_u64().into();
        data.to_string()
    };
    let mut told = Vec::new();
    for body in [
        r#"{"action":"reroute","dest_smsc":"other","filter":{"dest_smsc":"gw"}}"#,
        r#"{"action":"reroute","dest_smsc":"other","filter":{"dest_smsc":"gw"},"limit":2,
        "dry_run":false}"#,
        r#"{"action":"cancel","reason":"flood","filter":{"dest_smsc":"other"},"dry_run":false}"#,
        r#"{"action":"retry","filter":{},"dry_run":false}"#,
        r#"{"action":"requeue","filter":{"status":"failed"},"dry_run":false}"#,
        r#"{"action":"reroute","filter":{"dest_smsc":"gw"},"dry_run":false}"#,
    ] {
        told.push(bulk(body).await);
    }
    for body in [
        r#"{"filter":{}}"#,
        r#"{"action":"cancel"}"#,
        r#"{"action":"cancel","filter":{"status":"failed"}}"#,
        r#"{"action":"requeue","filter":{"status":"pending"}}"#,
    ] {
        told.push(
            app.call(&format!("POST /api/messages/bulk\n\n{body}"))
                .await,
        );
    }
    expect![[r#"
        {"action":"reroute","done":0,"dry_run":true,"failed":0,"failures":[],"ids":3,"matched":3,"next":false}
        {"action":"reroute","done":2,"dry_run":false,"failed":0,"failures":[],"ids":2,"matched":2,"next":true}
        {"action":"cancel","done":4,"dry_run":false,"failed":0,"failures":[],"ids":4,"matched":4,"next":false}
        {"action":"retry","done":1,"dry_run":false,"failed":0,"failures":[],"ids":1,"matched":1,"next":false}
        {"action":"requeue","done":4,"dry_run":false,"failed":0,"failures":[],"ids":4,"matched":4,"next":false}
        {"action":"reroute","done":0,"dry_run":false,"failed":1,"failures":[{"detail":"no route delivers it","id":264905533947904}],"ids":1,"matched":1,"next":false}
        422
        {"errors":{"detail":"action is required"}}
        422
        {"errors":{"detail":"the request body cannot be used: missing field `filter` at line 1 column 19"}}
        422
        {"errors":{"detail":"filter.status can only be pending"}}
        422
        {"errors":{"detail":"filter.status must be a final one: what is pending can be retried"}}"#]].assert_eq(&told.join("\n"));
    let failed = app.data("GET /api/messages?status=failed").await;
    assert_eq!(failed.as_array().unwrap().len(), 4);
    let id = &failed[0]["id"];
    let log = app.data(&format!("GET /api/events/{id}")).await;
    assert!(log.to_string().contains("flood"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn d10_a_subscriber_that_returns_has_its_messages_at_once() {
    let app = app().await;
    app.frontend("gw").await;
    let id = app.submitted(r#","dest_smsc":"gw""#).await;
    app.data(&format!("PUT /api/messages/{id}")).await;
    let queue = "GET /api/messages/queue?smsc=gw";
    assert_eq!(app.ids(queue).await, [0_u64; 0], "not before its time");
    let here = r#"{"imsi":"1","msisdn":"15551234567","location":"ims"}"#;
    app.data(&format!("POST /api/locations\n\n{here}")).await;
    assert_eq!(app.ids(queue).await, [id]);
}
