//! The description of the API says what is true: its examples run, the committed copy is fresh.

use serde_json::Value;

use crate::app::{App, app};
use crate::contract;

/// A node on which everything that the examples name is there, with the numbers they use.
async fn furnished() -> App {
    let app = app().await;
    app.frontend("gateway_1").await;
    app.submitted("").await;
    for (path, body) in [
        (
            "mms_messages",
            r#"{"destination_msisdn":"155","subject":"x"}"#,
        ),
        (
            "webhooks",
            r#"{"url":"https://example.com/x","events":["message_delivered"]}"#,
        ),
        ("ss7_events", r#"{"event_type":"MAP_PURGE_MS"}"#),
        (
            "smpp/accounts",
            r#"{"system_id":"shop","password":"secret08"}"#,
        ),
        (
            "smpp/carriers",
            r#"{"name":"upstream","hosts":["h:1"],"system_id":"us","password":"x"}"#,
        ),
        (
            "routes",
            r#"{"called_prefix":"+1","dest_smsc":"gateway_1"}"#,
        ),
        (
            "translations",
            r#"{"called_match":"^x$","called_replace":"y"}"#,
        ),
        (
            "locations",
            r#"{"imsi":"001010000000001","msisdn":"+15551234567"}"#,
        ),
    ] {
        app.data(&format!("POST /api/{path}\n\n{body}")).await;
    }
    app
}

/// The path with its examples, and the query string that must be there.
fn uri(path: &str, operation: &Value) -> String {
    let mut uri = path.to_owned();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, example) = (parameter["name"].as_str().unwrap(), &parameter["example"]);
        match (parameter["in"].as_str().unwrap(), example.as_str()) {
            ("path", Some(example)) => uri = uri.replace(&format!("{{{name}}}"), example),
            ("query", Some(example)) => uri += &format!("?{name}={example}"),
            _ => assert_ne!(parameter["required"], true, "{path}: {name} has no example"),
        }
    }
    uri
}

#[tokio::test(start_paused = true)]
async fn the_examples_of_the_description_work() {
    let mut ran = 0;
    for (verb, path, operation) in contract::operations() {
        if !operation["responses"]["200"]["content"]["text/event-stream"].is_null() {
            continue; // It does not end: the tests of the stream read it.
        }
        // A key's id is by chance, a single node has no cluster, and nobody receives here: other
        // tests go there.
        let elsewhere = ["/api/keys/{id}", "/api/webhooks/{id}/test"];
        if elsewhere.contains(&path.as_str()) || path.starts_with("/api/cluster") {
            continue;
        }
        let uri = uri(&path, operation);
        let examples = &operation["requestBody"]["content"]["application/json"]["examples"];
        let bodies: Vec<_> = match examples.as_object() {
            Some(examples) => examples
                .values()
                .map(|example| example["value"].to_string())
                .collect(),
            None => vec![String::new()],
        };
        for body in bodies {
            let app = furnished().await;
            if (verb.as_str(), path.as_str()) == ("POST", "/api/smpp/accounts") {
                app.call("DELETE /api/smpp/accounts/shop").await;
            }
            if (verb.as_str(), path.as_str()) == ("POST", "/api/smpp/carriers") {
                app.call("DELETE /api/smpp/carriers/upstream").await;
            }
            if path.ends_with("/requeue") {
                let ended = uri.replace("requeue", "mark_delivered");
                app.data(&format!("POST {ended}")).await;
            }
            let answer = app.call(&format!("{verb} {uri}\n\n{body}")).await;
            let first = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap();
            let worked = answer.starts_with('2') && first.starts_with('2');
            assert!(worked, "{verb} {uri} {body}: {answer}");
            ran += 1;
        }
    }
    assert!(ran > 50, "{ran}");
}

#[test]
fn the_committed_description_is_that_of_this_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let fresh = committed == zajil_api::openapi_json();
    assert!(fresh, "docs/openapi.json is stale: cargo xtask gen");
}

#[tokio::test(start_paused = true)]
async fn the_description_and_its_page_are_served_and_need_no_other_server() {
    let app = app().await;
    let served = app.raw("/api/openapi.json").await;
    assert_eq!(served, zajil_api::openapi_json());
    let page = app.raw("/api/docs").await;
    for outside in ["http://", "https://", "src=\"//", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}
