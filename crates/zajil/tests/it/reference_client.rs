//! The loop of a client and a frontend written for the reference, unmodified.

use serde_json::{Value, json};

use crate::server::{Client, Server};

const ROUTED: &[(&str, &str)] = &[("smsc", "legacy_gw")];
const UNROUTED_TOO: &[(&str, &str)] = &[("smsc", "legacy_gw"), ("include-unrouted", "true")];

#[test]
fn s3_a_reference_frontend_and_client_complete_their_loop() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    register(&client);
    let routed = submit_both_ways(&client);

    assert_eq!(poll(&client, ROUTED), [routed]);
    // The asynchronous submit is stored within its batch: ask until it shows.
    let both = (0..1_000)
        .map(|_| poll(&client, UNROUTED_TOO))
        .find(|ids| ids.len() == 2)
        .unwrap();
    assert_eq!(both[0], routed, "oldest first");
    let unrouted = both[1];

    let message = format!("/api/messages/{unrouted}");
    assert_eq!(client.call("PUT", &message, &Value::Null).0, 200);
    let (_, failed) = client.call("GET", &message, &Value::Null);
    assert_eq!(failed["data"]["delivery_attempts"], 1);
    assert_eq!(poll(&client, UNROUTED_TOO), [routed]);

    deliver_twice(&client, routed);
    assert!(poll(&client, ROUTED).is_empty());
    assert_eq!(
        log(&client, routed),
        [
            "message_inserted",
            "message_routed",
            "delivery_attempt_1",
            "message_delivered",
            "late_report"
        ]
    );
    assert_eq!(server.stop(), Some(0));
}

fn register(client: &Client) {
    let registration = json!({
        "frontend_name": "legacy_gw", "frontend_type": "SMPP", "hostname": "gw1",
        "uptime_seconds": 5, "configuration": "{\"version\":\"1.2\"}", "unknown_field": true,
    });
    let first = client.call("POST", "/api/frontends/register", &registration);
    assert_eq!(first.0, 201);
    let again = client.call("POST", "/api/frontends", &registration).0;
    assert!([200, 201].contains(&again), "registered again: {again}");
}

/// One to the frontend, answered when stored, and one that nothing routes, answered before.
fn submit_both_ways(client: &Client) -> u64 {
    let body = |to: &str, dest: Option<&str>| {
        json!({
            "source_msisdn": "+15550009999", "destination_msisdn": to, "message_body": "hi",
            "source_smsc": "web", "dest_smsc": dest,
        })
    };
    let named = body("+15551230001", Some("legacy_gw"));
    let (status, routed) = client.call("POST", "/api/messages", &named);
    assert_eq!(status, 201, "{routed}");
    let unnamed = body("+15551230002", None);
    let (status, taken) = client.call("POST", "/api/messages/create_async", &unnamed);
    assert_eq!(
        (status, &taken["data"]["status"]),
        (202, &json!("accepted"))
    );
    routed["data"]["id"].as_u64().unwrap()
}

fn poll(client: &Client, headers: &[(&str, &str)]) -> Vec<u64> {
    let answer = client.try_call(("GET", "/api/messages"), headers, &Value::Null);
    let (status, list) = answer.unwrap();
    assert_eq!(status, 200);
    let messages = list["data"].as_array().unwrap();
    messages.iter().map(|m| m["id"].as_u64().unwrap()).collect()
}

fn deliver_twice(client: &Client, id: u64) {
    let path = format!("/api/messages/{id}/mark_delivered");
    let delivered = json!({ "dest_smsc": "legacy_gw" });
    let (status, done) = client.call("POST", &path, &delivered);
    assert_eq!(
        (status, &done["data"]["status"]),
        (200, &json!("delivered"))
    );
    assert_eq!(client.call("POST", &path, &delivered).0, 409);
}

fn log(client: &Client, id: u64) -> Vec<String> {
    let (_, log) = client.call("GET", &format!("/api/events/{id}"), &Value::Null);
    let lines = log["data"].as_array().unwrap();
    let name = |line: &Value| line["name"].as_str().unwrap().to_owned();
    lines.iter().map(name).collect()
}
