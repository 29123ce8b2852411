//! The binary with its CDRs in the operator's database, which goes away and comes back (S10.2).

use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::command_line::{text, zajil};
use crate::server::{Client, Server};

const CALLED: &str = "+15559870000";

/// Submits and delivers one message; answers its id.
fn deliver(client: &Client, number: u32) -> u64 {
    let body = json!({
        "source_msisdn": "+15551230000", "destination_msisdn": CALLED,
        "message_body": format!("number {number}"), "source_smsc": "app",
    });
    let (status, answer) = client.call("POST", "/api/messages", &body);
    assert_eq!(status, 201, "{answer}");
    let id = answer["data"]["id"].as_u64().unwrap();
    let path = format!("/api/messages/{id}/mark_delivered");
    let (status, answer) = client.call("POST", &path, &json!({"dest_smsc": "gw"}));
    assert_eq!(status, 200, "{answer}");
    id
}

/// Asks until the API finds this many rows in the database; answers their message ids.
fn found(client: &Client, count: usize) -> Vec<u64> {
    let watch = Stopwatch::start();
    loop {
        let path = "/api/cdrs?called_number=%2B15559870000&limit=100";
        let (status, answer) = client.call("GET", path, &Value::Null);
        let rows = answer["data"].as_array().cloned().unwrap_or_default();
        if status == 200 && rows.len() >= count {
            let id = |row: &Value| row["message_id"].as_u64().unwrap();
            return rows.iter().map(id).collect();
        }
        let waited = watch.elapsed();
        assert!(waited < Duration::from_secs(40), "{status} {answer}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

async fn through_an_outage(engine: Engine) {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let mut database = DatabaseServer::open(engine).await;
    let data = tempfile::tempdir().unwrap();
    let settings = format!(
        "[cdr]\ncdr_url = \"{}\"\nhide_message_body_in_export = true\n",
        database.url()
    );
    let server = Server::configured(data.path(), &settings);
    let client = server.client();
    let mut ids: Vec<u64> = (0..3).map(|number| deliver(&client, number)).collect();
    assert_eq!(found(&client, 3).len(), 3);

    database.kill();
    ids.extend((3..10).map(|number| deliver(&client, number)));
    let (status, answer) = client.call("GET", "/api/cdrs", &Value::Null);
    assert_eq!(status, 503, "{answer}");
    let (status, ready) = client.call("GET", "/readyz", &Value::Null);
    assert_eq!(status, 200, "delivery goes on: {ready}");
    assert!(ready.to_string().contains("cdrs"), "{ready}");
    // The node goes too, with what waits.
    server.kill();
    let server = Server::configured(data.path(), &settings);
    let client = server.client();
    ids.push(deliver(&client, 10));

    database.start().await;
    let mut seen = found(&client, 11);
    seen.sort_unstable();
    assert_eq!(seen, ids);
    let rows = database.sql("SELECT COUNT(*), COUNT(message_body) FROM cdrs");
    assert_eq!(rows.trim(), "11|11");
    let (_, answer) = client.call("GET", "/api/cdrs?limit=1", &Value::Null);
    assert_eq!(answer["data"][0]["message_body"], Value::Null, "{answer}");

    let file = data.path().join("zajil.toml");
    let asked = zajil(&["doctor", "--config", file.to_str().unwrap()]);
    let told = text(&asked.stdout);
    let line = told.lines().find(|line| line.contains("CDR database"));
    assert!(
        line.is_some_and(|line| line.contains("the server answers")),
        "{told}"
    );
    let asked = ["cdr", "report", "by_status", "--format", "csv", "--config"];
    let told = zajil(&[&asked[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(
        text(&told.stdout),
        "status,messages,percent\r\ndelivered,11,100.0\r\n",
        "{}",
        text(&told.stderr)
    );
    assert_eq!(server.stop(), Some(0));
    assert!(!data.path().join("cdr.db").exists());
}

#[tokio::test]
async fn s10_2_postgresql_has_every_cdr_once_through_an_outage() {
    through_an_outage(Engine::Postgres).await;
}

#[tokio::test]
async fn s10_2_mariadb_has_every_cdr_once_through_an_outage() {
    through_an_outage(Engine::MySql).await;
}
