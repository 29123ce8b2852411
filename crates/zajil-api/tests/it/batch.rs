//! Many submits and reports in one call (D7).

use expect_test::expect;
use serde_json::{Value, json};

use crate::app::{App, app};

async fn sent(app: &App, head: &str, body: &Value) -> (u16, Value) {
    let answer = app.call(&format!("{head}\n\n{body}")).await;
    let (status, body) = answer.split_once('\n').unwrap();
    let body = body.lines().last().unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn ids(answer: &Value) -> Vec<Option<u64>> {
    let results = answer["data"]["results"].as_array().unwrap();
    results.iter().map(|result| result["id"].as_u64()).collect()
}

#[tokio::test(start_paused = true)]
async fn d7_a_batch_of_submits_has_a_result_each_and_a_refusal_keeps_nobody_out() {
    let app = app().await;
    app.frontend("gw").await;
    let request = r#"POST /api/messages/batch

{"messages":[
{"destination_msisdn":"+15551234567","message_body":"one","dest_smsc":"gw"},
{"destination_msisdn":"+1555","message_body":""},
"text",
{"destination_msisdn":"+15551234568","message_body":"two","unknown":1},
{"destination_msisdn":"+15551234568","message_body":"x","dest_smsc":"nobody"}]}"#;
    expect![[r#"
        207
        {"data":{"accepted":2,"refused":3,"results":[{"delivery_attempts":0,"dest_smsc":"gw","id":264905533947904,"index":0,"message_parts":1,"message_status":"pending","repeated":false,"status":201},{"detail":"message_body must not be empty","index":1,"reason":"invalid","status":422},{"detail":"the item must be a JSON object","index":2,"reason":"invalid","status":422},{"delivery_attempts":0,"dest_smsc":null,"id":264905533947905,"index":3,"message_parts":1,"message_status":"pending","repeated":false,"status":201},{"detail":"dest_smsc names no known frontend: nobody","index":4,"reason":"unknown_frontend","status":422}]},"status":"success"}"#]].assert_eq(&app.call(request).await);
    assert_eq!(
        app.ids("GET /api/messages").await,
        [264_905_533_947_905, 264_905_533_947_904]
    );
    let whole = json!({"messages": [{"destination_msisdn": "155", "message_body": "x"}]});
    assert_eq!(sent(&app, "POST /api/messages/batch", &whole).await.0, 201);
}

#[tokio::test(start_paused = true)]
async fn d7_a_batch_has_1_to_1000_items() {
    let app = app().await;
    let item = json!({"destination_msisdn": "155", "message_body": "x"});
    let batch = |count| json!({ "messages": vec![item.clone(); count] });
    let (status, answer) = sent(&app, "POST /api/messages/batch", &batch(1_000)).await;
    assert_eq!(
        (status, answer["data"]["accepted"].as_u64()),
        (201, Some(1_000))
    );
    for body in [batch(0), batch(1_001), json!({}), json!({ "messages": {} })] {
        let (status, answer) = sent(&app, "POST /api/messages/batch", &body).await;
        assert_eq!(status, 422, "{answer}");
        let (status, answer) = sent(&app, "POST /api/messages/batch_report", &body).await;
        assert_eq!(status, 422, "{answer}");
    }
    assert_eq!(
        app.ids("GET /api/messages?limit=1000&offset=1").await.len(),
        999
    );
}

#[tokio::test(start_paused = true)]
async fn d6_a_batch_that_is_sent_again_gets_its_answers_again_and_what_was_refused_is_tried_again()
{
    let app = app().await;
    let head = "POST /api/messages/batch\nidempotency-key: night";
    let batch = |dest: &str| {
        json!({"messages": [
            {"destination_msisdn": "155", "message_body": "same"},
            {"destination_msisdn": "155", "message_body": "same"},
            {"destination_msisdn": "156", "message_body": "later", "dest_smsc": dest},
        ]})
    };
    let (status, first) = sent(&app, head, &batch("gw")).await;
    let [Some(one), Some(two), None] = ids(&first)[..] else {
        panic!("{first}")
    };
    assert_eq!(status, 207);
    assert_ne!(one, two, "two items of one batch are two messages");
    app.frontend("gw").await;
    let (status, second) = sent(&app, head, &batch("gw")).await;
    let [Some(again), Some(second_again), Some(three)] = ids(&second)[..] else {
        panic!("{second}")
    };
    assert_eq!((status, again, second_again), (201, one, two));
    assert_eq!(second["data"]["results"][0]["repeated"], true);
    assert_eq!(second["data"]["results"][2]["repeated"], false);
    let (status, third) = sent(&app, head, &batch("gw2")).await;
    assert_eq!(
        (status, &third["data"]["results"][2]["status"]),
        (207, &json!(422))
    );
    assert_eq!(app.ids("GET /api/messages").await, [three, two, one]);
}

#[tokio::test(start_paused = true)]
async fn d6_a_batch_that_was_changed_sends_what_is_new_in_it_and_nothing_twice() {
    let app = app().await;
    let head = "POST /api/messages/batch\nidempotency-key: night";
    let batch = |bodies: &[&str]| {
        let item = |body: &&str| json!({"destination_msisdn": "155", "message_body": body});
        json!({"messages": bodies.iter().map(item).collect::<Vec<_>>()})
    };
    let (_, first) = sent(&app, head, &batch(&["a", "b", "b"])).await;
    let [a, b, twin] = ids(&first)[..] else {
        panic!("{first}")
    };
    let (status, second) = sent(&app, head, &batch(&["b", "new", "a", "b", "b"])).await;
    let [b_again, new, a_again, twin_again, third] = ids(&second)[..] else {
        panic!("{second}")
    };
    assert_eq!(status, 201);
    assert_eq!((a_again, b_again, twin_again), (a, b, twin));
    assert_eq!(
        app.ids("GET /api/messages").await.len(),
        5,
        "{new:?}, {third:?}"
    );
    let other = head.replace("night", "day");
    let (_, other) = sent(&app, &other, &batch(&["a"])).await;
    assert_ne!(ids(&other)[0], a);
}

#[tokio::test(start_paused = true)]
async fn d6_an_item_under_its_own_key_is_known_in_any_batch_and_place() {
    let app = app().await;
    let keyed = json!({"destination_msisdn": "155", "message_body": "x", "idempotency_key": "k"});
    let other = json!({"destination_msisdn": "155", "message_body": "x"});
    let batch = json!({ "messages": [keyed, keyed] });
    let (_, first) = sent(&app, "POST /api/messages/batch", &batch).await;
    let [one, twin] = ids(&first)[..] else {
        panic!("{first}")
    };
    assert_eq!(one, twin);
    let batch = json!({ "messages": [other, keyed] });
    let (_, second) = sent(&app, "POST /api/messages/batch\nidempotency-key: b", &batch).await;
    assert_eq!(ids(&second)[1], one);
    let bad = json!({ "messages": [{
        "destination_msisdn": "155", "message_body": "x", "idempotency_key": "clé",
    }] });
    let (status, answer) = sent(&app, "POST /api/messages/batch", &bad).await;
    assert_eq!(status, 207);
    let detail = &answer["data"]["results"][0]["detail"];
    assert_eq!(
        detail,
        "idempotency_key must be 1 to 255 printable ASCII characters"
    );
}

#[tokio::test(start_paused = true)]
async fn d7_a_batch_of_reports_has_a_result_each() {
    let app = app().await;
    app.frontend("gw").await;
    let mut sent_ids = Vec::new();
    for _ in 0..3 {
        sent_ids.push(app.submitted(r#","dest_smsc":"gw""#).await);
    }
    let [a, b, c] = sent_ids[..] else { panic!() };
    let leased = app
        .ids("GET /api/messages/queue?smsc=gw&lease=60&limit=2")
        .await;
    assert_eq!(leased, [a, b]);
    let reports = json!({"reports": [
        {"id": a, "outcome": "delivered", "dest_smsc": "gw"},
        {"id": b, "outcome": "failed", "permanent": true, "reason": "barred"},
        {"id": c, "outcome": "attempt_failed", "retry_after": 60},
        {"id": a, "outcome": "delivered"},
        {"id": 77, "outcome": "delivered"},
        {"id": c, "outcome": "lost"},
        {"outcome": "delivered"},
    ]});
    let (status, answer) = sent(&app, "POST /api/messages/batch_report", &reports).await;
    let results = answer["data"]["results"].as_array().unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let said = result["detail"]
                .as_str()
                .or(result["message_status"].as_str());
            format!("{} {}", result["status"], said.unwrap())
        })
        .collect();
    assert_eq!(status, 207);
    expect![[r#"
        200 delivered
        200 failed
        200 pending
        409 message 264905533947904 is already delivered
        404 message 77 not found
        422 outcome must be one of delivered, failed, attempt_failed
        422 id is required"#]]
    .assert_eq(&told.join("\n"));
    let shown = app.data(&format!("GET /api/messages/{c}")).await;
    assert_eq!(shown["deliver_after"], "2026-01-01T00:01:00.000Z");
    let again = json!({"reports": [{"id": c, "outcome": "delivered"}]});
    assert_eq!(
        sent(&app, "POST /api/messages/batch_report", &again)
            .await
            .0,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn d7_a_node_that_stops_refuses_a_batch_item_by_item_and_stores_nothing() {
    let app = app().await;
    app.engine.stop().await;
    let batch = json!({"messages": [{"destination_msisdn": "155", "message_body": "x"}]});
    let (status, answer) = sent(&app, "POST /api/messages/batch", &batch).await;
    assert_eq!(
        (status, &answer["data"]["results"][0]["status"]),
        (207, &json!(503))
    );
}
