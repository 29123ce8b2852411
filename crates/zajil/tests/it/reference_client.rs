//! The loop of a client and a frontend written for the reference, unmodified.

use serde_json::{Value, json};

use crate::server::{Client, Server};

const REGISTRATION: &str = r#"{"frontend_name": "legacy_gw", "frontend_type": "SMPP",
    "hostname": "gw1", "uptime_seconds": 5, "configuration": "{\"version\":\"1.2\"}",
    "unknown_field": true}"#;

fn submit(to: &str, dest: Option<&str>) -> Value {
    json!({
        "source_msisdn": "+15550009999", "destination_msisdn": to, "message_body": "hi",
        "source_smsc": "web", "dest_smsc": dest,
    })
}

fn poll(client: &Client, headers: &[(&str, &str)]) -> Vec<u64> {
    let call = ("GET", "/api/messages");
    let (status, list) = client.try_call(call, headers, &Value::Null).unwrap();
    assert_eq!(status, 200);
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_u64().unwrap())
        .collect()
}

const OWN: &[(&str, &str)] = &[("smsc", "legacy_gw")];
const ALL: &[(&str, &str)] = &[("smsc", "legacy_gw"), ("include-unrouted", "true")];

#[test]
fn s3_a_reference_frontend_and_client_complete_their_loop() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    let registration: Value = serde_json::from_str(REGISTRATION).unwrap();
    assert_eq!(
        client
            .call("POST", "/api/frontends/register", &registration)
            .0,
        201
    );
    let repeated = client.call("POST", "/api/frontends", &registration).0;
    assert!(
        repeated == 200 || repeated == 201,
        "a repeated registration: {repeated}"
    );

    let routed = client.call(
        "POST",
        "/api/messages",
        &submit("+15551230001", Some("legacy_gw")),
    );
    assert_eq!(routed.0, 201, "{}", routed.1);
    let routed = routed.1["data"]["id"].as_u64().unwrap();
    let accepted = client.call(
        "POST",
        "/api/messages/create_async",
        &submit("+15551230002", None),
    );
    assert_eq!(
        (accepted.0, &accepted.1["data"]["status"]),
        (202, &json!("accepted"))
    );
    assert_eq!(poll(&client, OWN), [routed]);
    // The asynchronous submit is stored within its batch: ask until it shows.
    let both = (0..1_000)
        .map(|_| poll(&client, ALL))
        .find(|ids| ids.len() == 2)
        .unwrap();
    assert_eq!(both[0], routed, "oldest first");
    let unrouted = both[1];

    assert_eq!(
        client
            .call("PUT", &format!("/api/messages/{unrouted}"), &Value::Null)
            .0,
        200
    );
    let (_, failed) = client.call("GET", &format!("/api/messages/{unrouted}"), &Value::Null);
    assert_eq!(failed["data"]["delivery_attempts"], 1);
    assert_eq!(
        poll(&client, ALL),
        [routed],
        "the failed one waits two minutes"
    );

    deliver(&client, routed);
    assert!(poll(&client, OWN).is_empty());
    assert_eq!(server.stop(), Some(0));
}

fn deliver(client: &Client, id: u64) {
    let delivered = json!({ "dest_smsc": "legacy_gw" });
    let path = format!("/api/messages/{id}/mark_delivered");
    let (status, done) = client.call("POST", &path, &delivered);
    assert_eq!(
        (status, &done["data"]["status"]),
        (200, &json!("delivered"))
    );
    assert_eq!(
        client.call("POST", &path, &delivered).0,
        409,
        "a second report"
    );
    let (_, log) = client.call("GET", &format!("/api/events/{id}"), &Value::Null);
    let names: Vec<&str> = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["name"].as_str().unwrap())
        .collect();
    let life = [
        "message_inserted",
        "message_routed",
        "delivery_attempt_1",
        "message_delivered",
    ];
    assert_eq!(names[..4], life);
    assert_eq!(names[4..], ["late_report"]);
}
