//! `zajil migrate` as processes: killed at several places and run again, there and back, with nodes
//! on either side.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::command_line::{text, zajil};
use crate::server::{Client, Server};

/// More than a page of a move.
const MESSAGES: usize = 2_500;

fn submit(client: &Client, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let messages: Vec<Value> = (0..250)
            .map(|n| {
                json!({
                    "destination_msisdn": format!("+1555{n:07}"),
                    "message_body": "to be moved",
                    "source_smsc": "test",
                })
            })
            .collect();
        let (status, answer) = client.call(
            "POST",
            "/api/messages/batch",
            &json!({ "messages": messages }),
        );
        assert!(status < 300, "{status} {answer}");
        let sent = answer["data"]["results"].as_array().unwrap();
        ids.extend(sent.iter().map(|one| one["id"].as_u64().unwrap()));
    }
    ids
}

/// Runs it until it says this, and kills it there.
fn kill_at(arguments: &[&str], said: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zajil"))
        .arg("migrate")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let heard: Vec<String> = lines
        .map(Result::unwrap)
        .take_while(|line| !line.contains(said))
        .collect();
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "it never said {said}, but {heard:?}");
}

fn migrate(arguments: &[&str]) -> Result<Value, String> {
    let mut all = vec!["migrate", "--json"];
    all.extend(arguments);
    let ran = zajil(&all);
    match ran.status.success() {
        true => Ok(serde_json::from_slice(&ran.stdout).unwrap()),
        false => Err(text(&ran.stderr)),
    }
}

fn refused_start(data: &Path) -> String {
    let data = data.to_str().unwrap();
    let ran = zajil(&["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert!(!ran.status.success());
    text(&ran.stderr)
}

/// What became of the first message, the second and the last.
fn statuses(client: &Client, ids: &[u64]) -> Vec<Value> {
    let some = [ids[0], ids[1], ids[ids.len() - 1]];
    let shown = some.map(|id| client.call("GET", &format!("/api/messages/{id}"), &Value::Null));
    shown
        .into_iter()
        .map(|(_, one)| one["data"]["status"].clone())
        .collect()
}

/// Moves out of a directory, killed at several places; answers the report.
fn move_over_kills(arguments: &[&str], data: &Path) -> Value {
    let looked = [arguments, &["--dry-run"]].concat();
    let looked = migrate(&looked).unwrap();
    assert_eq!(looked["data"]["moved"], json!(false));
    for said in [
        "moving",
        "carried counter",
        "carried message",
        "carried message",
        "compared message",
    ] {
        kill_at(arguments, said);
        let why = refused_start(data);
        assert!(why.contains("on their way to"), "{why}");
    }
    let moved = migrate(arguments).unwrap();
    assert_eq!(
        (&moved["data"]["moved"], &moved["data"]["resumed"]),
        (&json!(true), &json!(true))
    );
    // The same as the look that changed nothing.
    assert_eq!(moved["data"]["tables"], looked["data"]["tables"]);
    let why = refused_start(data);
    assert!(why.contains("its data were moved to"), "{why}");
    moved
}

/// What a report says of messages.
fn messages(moved: &Value) -> Value {
    let tables = moved["data"]["tables"].as_array().unwrap();
    let named = |one: &&Value| one["table"] == json!("message");
    tables.iter().find(named).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_everything_moves_to_a_database_and_back_over_kills() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let folder = tempfile::tempdir().unwrap();
    let [old, new, node] = ["old", "new", "node"].map(|name| folder.path().join(name));
    let url = database.url();
    let server = Server::start(&old);
    let client = server.client();
    let ids = submit(&client, MESSAGES);
    let delivered = format!("/api/messages/{}/mark_delivered", ids[0]);
    let report = json!({ "dest_smsc": "gw" });
    let (status, answer) = client.call("POST", &delivered, &report);
    assert_eq!(status, 200, "{answer}");
    let there = [
        "--from",
        "embedded",
        "--to",
        &url,
        "--data",
        old.to_str().unwrap(),
    ];
    let why = migrate(&there).unwrap_err();
    assert!(why.contains("in use by another zajil process"), "{why}");
    assert_eq!(server.stop(), Some(0));

    let moved = move_over_kills(&there, &old);
    assert_eq!(messages(&moved)["rows"], json!(ids.len()));

    let settings = format!("[store]\nurl = \"{url}\"\n");
    let server = Server::configured(&node, &settings);
    let client = server.client();
    assert_eq!(statuses(&client, &ids), ["delivered", "pending", "pending"]);
    let back = [
        "--from",
        &url,
        "--to",
        "embedded",
        "--data",
        new.to_str().unwrap(),
    ];
    let why = migrate(&back).unwrap_err();
    assert!(why.contains("runs: stop it first"), "{why}");
    assert_eq!(server.stop(), Some(0));

    kill_at(&back, "carried message");
    let back = migrate(&back).unwrap();
    assert_eq!(messages(&back), messages(&moved));
    let server = Server::start(&new);
    let client = server.client();
    assert_eq!(statuses(&client, &ids), ["delivered", "pending", "pending"]);
    let ask = ("GET", "/api/messages/queue?smsc=gw&limit=1");
    let headers = [("include-unrouted", "true")];
    let (_, all) = client.try_call(ask, &headers, &Value::Null).unwrap();
    assert_eq!(all["data"][0]["id"], json!(ids[1]), "in its order");
    assert_eq!(server.stop(), Some(0));

    // What was moved away can be had again, when somebody says so.
    let undone = migrate(&[
        "--from",
        "embedded",
        "--data",
        old.to_str().unwrap(),
        "--undo",
    ]);
    assert_eq!(undone.unwrap()["data"]["undone"], json!(true));
    assert_eq!(Server::start(&old).stop(), Some(0));
}
