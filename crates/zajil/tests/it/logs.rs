//! The log of a run: ids of requests and messages, no numbers, no texts, opened again at SIGHUP.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;

use crate::server::Server;

const SENDER: &str = "+447700900777";
const RECIPIENT: &str = "15557654321";
const TEXT: &str = "the quick brown fox";

fn start(place: &Path, level: &str) -> Server {
    let log = place.join("zajil.log");
    let settings = format!(
        "[log]\nlevel = \"{level}\"\nformat = \"json\"\nfile = \"{}\"\n",
        log.display()
    );
    Server::configured(&place.join("data"), &settings)
}

/// A message through its life, and requests that are refused: wherever a number may slip out.
fn run(server: &Server) -> u64 {
    let client = server.client();
    let body = json!({
        "source_msisdn": SENDER,
        "destination_msisdn": RECIPIENT,
        "message_body": TEXT,
    });
    let headers = [("x-request-id", "the-request")];
    let sent = client.try_call(("POST", "/api/messages"), &headers, &body);
    let id = sent.unwrap().1["data"]["id"].as_u64().unwrap();
    let location = json!({ "imsi": "001019999999999", "msisdn": RECIPIENT, "location": "gw" });
    client.call("POST", "/api/locations", &location);
    for (verb, path) in [
        ("GET", format!("/api/messages?number={RECIPIENT}")),
        ("GET", format!("/api/locations/{RECIPIENT}")),
        ("GET", format!("/api/messages/{RECIPIENT}")),
        ("GET", format!("/api/nothing/{RECIPIENT}")),
        ("GET", format!("/api/diagnose/{id}")),
        (
            "POST",
            format!("/api/messages/{id}/increment_delivery_attempt"),
        ),
        ("POST", format!("/api/messages/{id}/mark_delivered")),
        ("POST", format!("/api/messages/{id}/mark_delivered")),
    ] {
        client.call(verb, &path, &Value::Null);
    }
    let bad = json!({ "destination_msisdn": "x", "message_body": TEXT });
    client.call("POST", "/api/messages", &bad);
    let question = json!({ "called_number": RECIPIENT, "calling_number": SENDER });
    client.call("POST", "/api/routes/simulate", &question);
    id
}

#[test]
fn s10_4_no_number_and_no_text_is_in_the_log_at_info() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), "info");
    run(&server);
    assert_eq!(server.stop(), Some(0));
    let log = std::fs::read_to_string(place.path().join("zajil.log")).unwrap();
    assert!(log.contains("stopped"), "{log}");
    for secret in [SENDER, RECIPIENT, TEXT, "001019999999999", "7700900777"] {
        assert!(!log.contains(secret), "{secret} in:\n{log}");
    }
}

#[test]
fn s14_3_lines_carry_the_ids_of_their_request_and_message() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), "debug");
    let id = run(&server);
    assert_eq!(server.stop(), Some(0));
    let log = std::fs::read_to_string(place.path().join("zajil.log")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let answered = lines.iter().find(|line| {
        line["fields"]["message"] == "answered" && line["span"]["request_id"] == "the-request"
    });
    let answered = answered.unwrap_or_else(|| panic!("no such line in:\n{log}"));
    assert_eq!(answered["span"]["message_id"], id);
    assert_eq!(answered["span"]["path"], "/api/messages");
    assert_eq!(answered["fields"]["status"], 201);
    let refused = lines
        .iter()
        .find(|line| line["fields"]["message"] == "request refused");
    assert!(refused.unwrap()["span"]["request_id"].is_string());
}

#[test]
fn s14_3_a_log_that_was_put_aside_is_begun_anew_at_sighup() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), "info");
    let log = place.path().join("zajil.log");
    std::fs::rename(&log, place.path().join("aside")).unwrap();
    server.signal("-HUP");
    let watch = Stopwatch::start();
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("SIGHUP")) {
        assert!(watch.elapsed() < Duration::from_secs(20), "no new log");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert_eq!(server.stop(), Some(0));
}
