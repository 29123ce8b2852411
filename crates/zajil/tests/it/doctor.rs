//! `zajil doctor` on a machine that is well, on one that is not, and without a server (S14.4).

use std::net::TcpListener;
use std::process::Output;

use serde_json::{Value, json};

use crate::command_line::{text, zajil};
use crate::server::Server;

fn doctor(arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let mut all = vec!["doctor", "--json"];
    all.extend(arguments);
    let run: Output = zajil(&all);
    let shown = text(&run.stdout);
    let report: Value = serde_json::from_str(&shown)
        .unwrap_or_else(|error| panic!("{error}: {shown}{}", text(&run.stderr)));
    let checks = report["data"]["checks"].as_array().unwrap().clone();
    (run.status.code(), checks)
}

/// The level and the sentence of a check.
fn check<'a>(checks: &'a [Value], name: &str) -> (&'a str, &'a str) {
    let found = checks.iter().find(|check| check["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} is not in {checks:#?}"));
    let [level, sentence] = ["level", "sentence"].map(|key| found[key].as_str().unwrap());
    (level, sentence)
}

/// A configuration with ports of its own, so that other servers here do not matter.
fn configuration(directory: &std::path::Path, more: &str) -> String {
    let free = || {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    let file = directory.join("zajil.toml");
    let (api, metrics) = (free(), free());
    let text = format!(
        "{more}\n[api]\nport = {api}\nmax_connections = 100\n\
         [metrics]\nlisten = \"127.0.0.1:{metrics}\"\n[store]\ndirectory = \"{}\"\n",
        directory.join("data").display()
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn s14_4_without_a_server_the_machine_is_checked_and_the_code_is_3() {
    let place = tempfile::tempdir().unwrap();
    let file = configuration(place.path(), "");
    std::fs::create_dir(place.path().join("data")).unwrap();
    let (code, checks) = doctor(&["--config", &file]);
    assert_eq!(code, Some(3), "{checks:#?}");
    assert_eq!(check(&checks, "configuration").0, "ok");
    assert_eq!(check(&checks, "data directory").0, "ok");
    assert_eq!(check(&checks, "API port").0, "ok");
    assert_eq!(check(&checks, "server").0, "fail");
    let left = std::fs::read_dir(place.path().join("data"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "it leaves nothing behind");
}

#[test]
fn s14_4_with_a_server_all_is_well_and_a_message_is_explained() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let server = Server::start(&data);
    let body = json!({ "destination_msisdn": "+15550001", "message_body": "x" });
    let (_, sent) = server.client().call("POST", "/api/messages", &body);
    let id = sent["data"]["id"].to_string();
    let file = configuration(place.path(), "");
    let (code, checks) = doctor(&["--config", &file, "--server", &server.base]);
    let store = check(&checks, "store");
    assert_eq!(store.0, "ok");
    assert!(store.1.starts_with("open by process "), "{}", store.1);
    assert!(store.1.contains("1 pending"), "{}", store.1);
    assert_eq!(check(&checks, "server").0, "ok");
    assert_eq!(check(&checks, "readiness"), ("ok", "ready: node, store"));
    // Its metrics are at another address than the configuration says.
    assert_eq!(check(&checks, "metrics").0, "fail");
    assert_eq!(code, Some(1));

    for words in [["message", "why", &id], ["doctor", "--message", &id]] {
        let mut all = words.to_vec();
        all.extend(["--server", &server.base]);
        let why = zajil(&all);
        assert_eq!(why.status.code(), Some(0), "{}", text(&why.stderr));
        let why = text(&why.stdout);
        assert!(
            why.starts_with(&format!("message {id} is pending\n- no route")),
            "{why}"
        );
        assert!(
            why.contains("\n    > give it to a frontend: PATCH"),
            "{why}"
        );
    }
    assert_eq!(server.stop(), Some(0));
    let (_, checks) = doctor(&["--config", &file, "--server", "http://127.0.0.1:9"]);
    let store = check(&checks, "store");
    assert!(store.1.starts_with("not open, sound"), "{}", store.1);
}

#[test]
fn s14_4_what_is_wrong_fails_with_code_1_and_a_remedy() {
    let place = tempfile::tempdir().unwrap();
    let file = configuration(
        place.path(),
        "[charging]\nocs_url = \"http://127.0.0.1:9/jsonrpc\"\n",
    );
    let data = place.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(
        data.join("queue.db"),
        "not a database at all, whatever its name says",
    )
    .unwrap();
    let (code, checks) = doctor(&["--config", &file]);
    assert_eq!(code, Some(1));
    assert_eq!(check(&checks, "store").0, "fail");
    assert_eq!(check(&checks, "charging").0, "fail");
    for bad in checks.iter().filter(|check| check["level"] == "fail") {
        assert!(bad["remedy"].is_string(), "{bad}");
    }
    std::fs::write(place.path().join("bad.toml"), "[api]\nprot = 1\n").unwrap();
    let bad = place.path().join("bad.toml");
    let arguments = [
        "--config",
        bad.to_str().unwrap(),
        "--server",
        "http://127.0.0.1:9",
    ];
    let (code, checks) = doctor(&arguments);
    assert_eq!(code, Some(1));
    assert!(
        check(&checks, "configuration")
            .1
            .contains("did you mean 'port'?")
    );
}
