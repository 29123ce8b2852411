//! SMPP clients of the field against the real binary. Slow: runs with `SLOW_TESTS=1`.
//! `cargo xtask test` brings smpplib; without it the tests use what they find.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;

use crate::server::{Client, Server};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/smpplib_life.py");

pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests have no configuration of their own"
    )]
    std::env::var(name).ok()
}

/// The interpreter that has smpplib; none when the test is not to run, and why is said.
pub(crate) fn smpplib(test: &str) -> Option<String> {
    if variable("SLOW_TESTS").as_deref() != Some("1") {
        println!("SKIPPED {test}: set SLOW_TESTS=1 to run it");
        return None;
    }
    let brought = variable("SMPPLIB_PYTHON");
    let python = brought.clone().unwrap_or_else(|| "python3".to_owned());
    let mut command = Command::new(&python);
    command.args(["-c", "import smpplib"]).stderr(Stdio::null());
    let starts = command.status().is_ok_and(|status| status.success());
    assert!(starts || brought.is_none(), "{python} must have smpplib");
    if !starts {
        println!("SKIPPED {test}: {python} has no smpplib");
    }
    starts.then_some(python)
}

fn peer(python: &str, server: &Server) -> Command {
    let (host, port) = server.smpp.rsplit_once(':').unwrap();
    let mut command = Command::new(python);
    command.args([SCRIPT, host, port]).stdout(Stdio::piped());
    command
}

pub(crate) fn add_account(client: &Client, system_id: &str) {
    let account = json!({ "system_id": system_id, "password": "secret08" });
    let (status, answer) = client.call("POST", "/api/smpp/accounts", &account);
    assert_eq!(status, 201, "{answer}");
}

/// Longer than a change of an account takes to be in force, on any machine.
const IN_FORCE: Duration = Duration::from_secs(30);

/// Retried for as long as a change may take to be in force.
fn outcome(mut run: impl FnMut() -> std::process::Output) -> std::process::Output {
    let begun = Stopwatch::start();
    loop {
        let output = run();
        if output.status.success() || begun.elapsed() > IN_FORCE {
            return output;
        }
    }
}

/// D9: what smpplib makes of a short text, a long one and one in Arabic arrives at another smpplib
/// octet for octet, part by part.
#[test]
fn smpplib_submits_and_is_delivered_to() {
    let Some(python) = smpplib("smpplib_submits_and_is_delivered_to") else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    add_account(&client, "shop");
    add_account(&client, "phone");
    let route = json!({ "called_prefix": "+46", "dest_smsc": "phone" });
    let (status, answer) = client.call("POST", "/api/routes", &route);
    assert_eq!(status, 201, "{answer}");
    let output = outcome(|| peer(&python, &server).output().unwrap());
    assert!(output.status.success(), "{output:?}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sorted = |name: &str| {
        let mut all: Vec<String> = seen[name]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect();
        all.sort();
        all
    };
    assert_eq!(sorted("sent"), sorted("got"));
    assert!(sorted("sent").len() >= 5, "{seen}");
    let id = seen["ids"][0].as_str().unwrap();
    let (_, message) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
    assert_eq!(message["data"]["message_body"], "hello @ €", "{message}");
    assert_eq!(message["data"]["source_smsc"], "shop");
    assert_eq!(message["data"]["status"], "delivered");
    let joined = seen["ids"][1].as_str().unwrap();
    let (_, part) = client.call("GET", &format!("/api/messages/{joined}"), &Value::Null);
    assert_eq!(part["data"]["message_parts"], 2, "{part}");
    assert_eq!(server.stop(), Some(0));
}

/// D5: every id that a client has seen in a `submit_sm_resp` is there after a kill -9.
#[test]
fn d5_what_was_answered_survives_a_kill() {
    let Some(python) = smpplib("d5_what_was_answered_survives_a_kill") else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    add_account(&server.client(), "shop");
    let mut ids = Vec::new();
    let begun = Stopwatch::start();
    while begun.elapsed() < IN_FORCE {
        let mut child = peer(&python, &server).arg("100000").spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        ids.extend(lines.map_while(Result::ok).take(200));
        if ids.is_empty() {
            // The account is not in force yet.
            child.wait().unwrap();
            continue;
        }
        server.kill();
        drop(child.kill());
        child.wait().unwrap();
        break;
    }
    assert_eq!(ids.len(), 200);
    let server = Server::start(data.path());
    let client = server.client();
    for id in ids {
        let (status, _) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
        assert_eq!(status, 200, "{id}");
    }
}

/// Runs `zajil smpp account …` or `zajil smpp carrier …`; answers its exit code and what it says.
pub(crate) fn smpp_command(
    server: &Server,
    whom: &str,
    arguments: &[&str],
    input: &str,
) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zajil"))
        .args(["smpp", "--server", &server.base, whom])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Accounts from the command line: the password comes from the standard input and is shown nowhere.
#[test]
fn accounts_are_kept_from_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let run = |arguments: &[&str], input: &str| smpp_command(&server, "account", arguments, input);
    let added = run(&["add", "shop", "--senders", "SHOP,40404"], "secret08\n");
    assert_eq!(added.0, Some(0), "{}", added.1);
    let again = run(&["add", "shop"], "secret08\n");
    assert_eq!(again.0, Some(1), "{}", again.1);
    let changed = run(
        &[
            "set",
            "shop",
            "--bind-types",
            "receiver",
            "--max-binds",
            "1",
        ],
        "",
    );
    assert_eq!(changed.0, Some(0), "{}", changed.1);
    let wrong = run(&["set", "shop", "--allowed-ips", "here"], "");
    assert!(
        wrong.1.contains("allowed_ips[0] must be an IP address"),
        "{}",
        wrong.1
    );
    let (_, shown) = run(&["show", "shop"], "");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["senders"], json!(["SHOP", "40404"]));
    assert_eq!(shown["bind_types"], json!(["receiver"]));
    assert!(shown.get("password").is_none(), "{shown}");
    let (_, listed) = run(&["list"], "");
    assert!(listed.contains("shop"), "{listed}");
    assert_eq!(run(&["remove", "shop"], "").0, Some(0));
    assert_eq!(run(&["show", "shop"], "").0, Some(1));
    let stored: Vec<u8> = std::fs::read(data.path().join("queue.db")).unwrap();
    let holds = |text: &[u8]| stored.windows(text.len()).any(|window| window == text);
    assert!(!holds(b"secret08"));
}
