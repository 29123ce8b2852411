//! Sub-commands and signals as a person meets them.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_core::civil::to_the_second;
use zajil_core::clock::Clock as _;

use crate::server::Server;

pub(crate) fn zajil(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zajil"))
        .args(arguments)
        .output()
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn d3_messages_and_routes_from_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--server", &server.base]);
        zajil(&all)
    };
    let added = run(&["route", "add", "gw", "--called-prefix", "+44"]);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let sent = run(&["message", "send", "+447700900123", "hello", "--json"]);
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let sent: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    let id = sent["data"]["id"].to_string();
    let shown = text(&run(&["message", "show", &id]).stdout);
    for part in ["dest_smsc", "gw", "message_inserted", "message_routed"] {
        assert!(shown.contains(part), "{part} in:\n{shown}");
    }
    let shown = run(&["message", "show", &id, "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["data"]["id"].to_string(), id);
    assert_eq!(shown["data"]["events"][0]["name"], "message_inserted");
    let pdu = "400b919746121611f10000811170021232230f06080412340202a0fb5bce268700";
    let part = json!({ "destination_msisdn": "+1555", "direction": "sc-ms", "pdu": pdu });
    let (_, part) = server.client().call("POST", "/api/messages_raw", &part);
    let part = part["data"]["id"].to_string();
    let shown = text(&run(&["message", "show", &part]).stdout);
    for row in [
        "1 of 2 parts",
        "[part 1 missing] world!",
        &format!("2: {part}"),
    ] {
        assert!(shown.contains(row), "{row} in:\n{shown}");
    }
    let exported = data.path().join("routes.json");
    std::fs::write(&exported, run(&["route", "export", "--json"]).stdout).unwrap();
    let imported = run(&["route", "import", "--replace", exported.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let listed = text(&run(&["route", "list"]).stdout);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(run(&["message", "remove", &id]).status.success());
    let gone = run(&["message", "show", &id]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone.stderr).contains("not found"));
}

#[test]
fn d3_messages_for_later_are_listed_and_cancelled() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--server", &server.base]);
        let run = zajil(&all);
        assert!(run.status.success(), "{all:?}: {}", text(&run.stderr));
        text(&run.stdout)
    };
    run(&["message", "send", "+447700900123", "now"]);
    let later = zajil_engine::system::SystemClock
        .now()
        .plus(Duration::from_secs(3_600));
    let later = to_the_second(later);
    let sent = ["message", "send", "+447700900124", "later", "--json"];
    let sent = run(&[&sent[..], &["--deliver-after", &later]].concat());
    let sent: Value = serde_json::from_str(&sent).unwrap();
    let id = sent["data"]["id"].to_string();
    let listed = run(&["message", "list", "--scheduled"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let due = sent["data"]["deliver_after"].as_str().unwrap();
    assert!(listed.contains(&id) && listed.contains(due), "{listed}");
    let cancelled = run(&["message", "cancel", &id, "--reason", "moved away"]);
    assert!(cancelled.contains("failed"), "{cancelled}");
    assert!(run(&["message", "show", &id]).contains("moved away"));
    let listed = run(&["message", "list", "--scheduled"]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
}

/// Runs a command, and reads what it prints as JSON.
fn json_of(arguments: &[&str]) -> Value {
    let run = zajil(&[arguments, &["--json"]].concat());
    let printed = text(&run.stdout);
    let read = serde_json::from_str(&printed);
    read.unwrap_or_else(|error| panic!("{error}: {printed}\n{}", text(&run.stderr)))
}

#[test]
fn d3_commands_without_a_server_print_json_when_asked() {
    let place = tempfile::tempdir().unwrap();
    let (data, file) = (place.path().join("data"), place.path().join("zajil.toml"));
    std::fs::create_dir(&data).unwrap();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    std::fs::write(file, "[api]\nport = 0\n").unwrap();
    assert_eq!(
        json_of(&["config", "check", file])["data"]["notes"],
        json!([])
    );
    std::fs::write(file, "[api]\nprot = 0\n").unwrap();
    let wrong = json_of(&["config", "check", file]);
    let lines = &wrong["errors"]["lines"];
    assert!(lines[0].as_str().unwrap().contains("prot"), "{wrong}");

    let key = ["key", "create", "--name", "ops", "--scope", "admin"];
    let key = json_of(&[&key[..], &["--data", data]].concat());
    let secret = key["data"]["key"].as_str().unwrap();
    assert!(
        secret.contains(key["data"]["id"].as_str().unwrap()),
        "{key}"
    );

    let reports = json_of(&["cdr", "report", "--list"]);
    assert!(reports[0]["report"].is_string(), "{reports}");

    let (backup, restored) = (place.path().join("backup"), place.path().join("restored"));
    let (backup, restored) = (backup.to_str().unwrap(), restored.to_str().unwrap());
    json_of(&["backup", "--data", data, backup]);
    let told = json_of(&["restore", backup, "--data", restored]);
    assert_eq!(told["data"]["data"], restored);
    assert_eq!(told["data"]["restored"]["counts"]["pending"], 0);

    let demo = zajil(&["demo", "--json"]);
    let lines: Vec<Value> = text(&demo.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let cdrs = lines.last().unwrap()["cdrs"].as_array().unwrap();
    assert_eq!(cdrs.len(), 3, "{lines:?}");
}

#[test]
fn d3_the_manual_has_a_page_for_each_command() {
    let place = tempfile::tempdir().unwrap();
    let pages = place.path().join("man1");
    let told = json_of(&["man", pages.to_str().unwrap()]);
    let told = told["data"]["pages"].as_array().unwrap();
    for page in [
        "zajil.1",
        "zajil-message.1",
        "zajil-message-send.1",
        "zajil-smpp-carrier-add.1",
    ] {
        assert!(told.contains(&json!(page)), "no {page} in {told:?}");
    }
    let hidden = told
        .iter()
        .any(|page| page.as_str().unwrap().contains("gen-docs"));
    assert!(!hidden, "{told:?}");
    let page = std::fs::read_to_string(pages.join("zajil-message-send.1")).unwrap();
    let lines = [".TH", "Send a message", "deliver\\-after", "RFC 3339"];
    for line in lines {
        assert!(page.contains(line), "no {line} in:\n{page}");
    }
}

#[test]
fn d3_exit_codes_are_as_documented() {
    assert_eq!(zajil(&["nonsense"]).status.code(), Some(2));
    let nobody = zajil(&["message", "list", "--server", "http://127.0.0.1:9"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert_eq!(zajil(&["config", "example"]).status.code(), Some(0));
    let misspelt = zajil(&["message", "list", "--status", "gone"]);
    assert_eq!(misspelt.status.code(), Some(2));
    let missing = zajil(&["config", "check", "/nowhere/zajil.toml"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn d18_refusals_are_counted_by_reason() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (status, _) = server.client().call("POST", "/api/messages", &json!({}));
    assert_eq!(status, 422);
    let metrics = server.metrics.trim_end_matches("/metrics");
    let page = ureq::get(format!("{metrics}/metrics")).call().unwrap();
    let page = page.into_body().read_to_string().unwrap();
    let line = "zajil_refusals_total{door=\"rest\",reason=\"invalid\"} 1";
    assert!(page.contains(line), "{page}");
}

#[test]
fn d20_a_second_server_on_the_same_data_says_so() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "127.0.0.1:0",
        "--smpp-listen",
        "127.0.0.1:0",
    ];
    let second = Command::new(env!("CARGO_BIN_EXE_zajil"))
        .args(arguments)
        .arg("--data")
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("in use by another zajil process"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn d2_the_demo_shows_a_message_delivered() {
    let demo = zajil(&["demo"]);
    let shown = text(&demo.stdout);
    assert!(demo.status.success(), "{shown}\n{}", text(&demo.stderr));
    for part in [
        "message_delivered",
        "number_translated",
        "delivery_attempt_2",
        "handset_sim",
    ] {
        assert!(shown.contains(part), "{part} in:\n{shown}");
    }
}

#[test]
fn d3_shells_complete_commands_and_options() {
    let script = |shell: &str| {
        let printed = zajil(&["completions", shell]);
        assert!(printed.status.success(), "{}", text(&printed.stderr));
        text(&printed.stdout)
    };
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = script(shell);
        for word in ["message", "smpp-sim", "dry-run"] {
            assert!(script.contains(word), "{shell} knows no {word}");
        }
    }
    // A real bash takes the script and is asked as a person who presses Tab asks it.
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("zajil.bash");
    std::fs::write(&file, script("bash")).unwrap();
    let tab = |typed: &[&str]| {
        let last = (typed.len() - 1).to_string();
        let asked = r#"source "$1"; COMP_CWORD=$2; shift 2; COMP_WORDS=("$@")
            _zajil zajil "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s\n' "${COMPREPLY[@]}""#;
        let run = Command::new("bash")
            .args(["--norc", "-c", asked, "bash"])
            .arg(&file)
            .arg(last)
            .args(typed)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", text(&run.stderr));
        text(&run.stdout)
    };
    assert_eq!(tab(&["zajil", "comp"]), "completions\n");
    assert_eq!(tab(&["zajil", "message", "se"]), "send\n");
    assert_eq!(tab(&["zajil", "migrate", "--dry"]), "--dry-run\n");
    assert_eq!(zajil(&["completions", "cmd"]).status.code(), Some(2));
}
