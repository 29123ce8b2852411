//! A node's traces at a collector: every step of a message's way (S14.4).

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;

use crate::server::Server;

/// What a span's name looks like in protobuf: field 5, its length, its text.
fn named(name: &str) -> Vec<u8> {
    let mut octets = vec![0x2a, u8::try_from(name.len()).unwrap()];
    octets.extend_from_slice(name.as_bytes());
    octets
}

/// A collector that keeps every octet it gets.
fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut block = [0; 4_096];
            // One request a connection: what it asks for is not looked at, so it is answered first.
            drop(
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                ),
            );
            while let Ok(count @ 1..) = stream.read(&mut block) {
                keep.lock().unwrap().extend_from_slice(&block[..count]);
            }
        }
    });
    (endpoint, kept)
}

#[test]
fn s14_4_a_collector_gets_every_step_of_a_traced_message() {
    let (endpoint, kept) = collector();
    let data = tempfile::tempdir().unwrap();
    let settings = format!("[traces]\nendpoint = \"{endpoint}\"\nsampling = 1.0\n");
    let server = Server::configured(data.path(), &settings);
    let client = server.client();
    let route = json!({ "dest_smsc": "gw", "called_prefix": "+1555" });
    let (status, answer) = client.call("POST", "/api/routes", &route);
    assert_eq!(status, 201, "{answer}");
    let body = json!({
        "source_msisdn": "+15551230000", "destination_msisdn": "+15559870000",
        "message_body": "hello",
    });
    let (status, answer) = client.call("POST", "/api/messages", &body);
    assert_eq!(status, 201, "{answer}");
    let path = "/api/messages/queue?smsc=gw&lease=30";
    let (status, due) = client.call("GET", path, &Value::Null);
    assert_eq!(
        (status, due["data"].as_array().map(Vec::len)),
        (200, Some(1))
    );
    let path = format!("/api/messages/{}/mark_delivered", answer["data"]["id"]);
    let (status, told) = client.call("POST", &path, &json!({ "dest_smsc": "gw" }));
    assert_eq!(status, 200, "{told}");
    let steps = ["accept", "route", "store", "offer", "report", "deliver"];
    let watch = Stopwatch::start();
    loop {
        let kept = kept.lock().unwrap().clone();
        let missing: Vec<&str> = steps
            .into_iter()
            .filter(|name| !kept.windows(name.len() + 2).any(|part| part == named(name)))
            .collect();
        if missing.is_empty() {
            let text = String::from_utf8_lossy(&kept);
            assert!(
                !text.contains("5559870000") && !text.contains("hello"),
                "{text}"
            );
            break;
        }
        assert!(watch.elapsed().as_secs() < 60, "no {missing:?}");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    assert_eq!(server.stop(), Some(0));
}
