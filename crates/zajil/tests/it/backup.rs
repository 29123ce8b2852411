//! A backup under load, a restore elsewhere, and what is refused (S14.2).

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;

use crate::command_line::{text, zajil};
use crate::server::{Client, Server};

fn run(words: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.as_ref().to_str().unwrap())
        .collect();
    zajil(&words)
}

fn backup(data: &Path, to: &Path) -> Output {
    run(&[&"backup", &to, &"--data", &data])
}

fn restore(from: &Path, data: &Path, more: &[&str]) -> Output {
    let mut words: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"restore", &from, &"--data", &data];
    words.extend(more.iter().map(|word| word as &dyn AsRef<std::ffi::OsStr>));
    run(&words)
}

fn refused(output: &Output, why: &str) {
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(why), "{told}");
}

/// Submits until told to stop; delivers every third. Notes what was answered.
fn load(client: &Client, stop: &AtomicBool, accepted: &Mutex<Vec<u64>>, count: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        let body = json!({
            "destination_msisdn": "+15550001",
            "message_body": "under load",
            "dest_smsc": "gw",
        });
        let Some((201, answer)) = client.try_call(("POST", "/api/messages"), &[], &body) else {
            continue;
        };
        let id = answer["data"]["id"].as_u64().unwrap();
        accepted.lock().unwrap().push(id);
        if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            client.call(
                "POST",
                &format!("/api/messages/{id}/mark_delivered"),
                &Value::Null,
            );
        }
    }
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let watch = Stopwatch::start();
    while !done() {
        assert!(watch.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn s14_2_a_backup_under_load_holds_all_that_was_answered_before_it() {
    let place = tempfile::tempdir().unwrap();
    let (data, to) = (place.path().join("data"), place.path().join("backup"));
    let server = Server::start(&data);
    let client = server.client();
    let registration = json!({ "frontend_name": "gw", "frontend_type": "SMPP" });
    client.call("POST", "/api/frontends", &registration);
    let route = json!({ "called_prefix": "44", "dest_smsc": "gw" });
    client.call("POST", "/api/routes", &route);
    let (stop, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (client, stop) = (server.client(), Arc::clone(&stop));
            let (accepted, count) = (Arc::clone(&accepted), Arc::clone(&count));
            std::thread::spawn(move || load(&client, &stop, &accepted, &count))
        })
        .collect();
    wait_for("a load", || count.load(Ordering::Relaxed) >= 200);
    let before = accepted.lock().unwrap().clone();
    let made = backup(&data, &to);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let later = count.load(Ordering::Relaxed) + 50;
    wait_for("the load goes on", || {
        count.load(Ordering::Relaxed) >= later
    });
    stop.store(true, Ordering::Relaxed);
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
    let all = accepted.lock().unwrap().clone();

    refused(&backup(&data, &to), "is there already");
    refused(&restore(&to, &data, &["--force"]), "stop the server first");
    let elsewhere = place.path().join("elsewhere");
    let restored = restore(&to, &elsewhere, &[]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    server.kill();

    let server = Server::start(&elsewhere);
    let client = server.client();
    for id in &before {
        let (status, _) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
        assert_eq!(
            status, 200,
            "{id} was answered with 201 before the backup began"
        );
    }
    let (_, routes) = client.call("GET", "/api/routes", &Value::Null);
    assert_eq!(routes["data"].as_array().unwrap().len(), 1);
    let body = json!({ "destination_msisdn": "+15550002", "message_body": "new" });
    let (_, new) = client.call("POST", "/api/messages", &body);
    let new = new["data"]["id"].as_u64().unwrap();
    assert!(
        all.iter().all(|id| *id < new),
        "D4: no id is handed out twice"
    );
    assert_eq!(server.stop(), Some(0));
    let db = rusqlite::Connection::open(elsewhere.join("cdr.db")).unwrap();
    let query = "SELECT count(*), count(DISTINCT message_id) FROM cdrs";
    let rows: (i64, i64) = db
        .query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert!(
        rows.0 > 0 && rows.0 == rows.1,
        "one CDR a message: {rows:?}"
    );
}

#[test]
fn s14_2_a_restore_overwrites_nothing_and_takes_nothing_damaged() {
    let place = tempfile::tempdir().unwrap();
    let (data, to) = (place.path().join("data"), place.path().join("backup"));
    refused(&backup(&data, &to), "queue.db is not there");
    assert!(!to.exists(), "nothing is left of what failed");
    let server = Server::start(&data);
    let body = json!({ "destination_msisdn": "+15550001", "message_body": "x" });
    server.client().call("POST", "/api/messages", &body);
    assert_eq!(server.stop(), Some(0));
    assert!(backup(&data, &to).status.success());

    let mut names: Vec<_> = std::fs::read_dir(&to)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "cdr.db",
        "manifest.json",
        "queue.db",
        "routes.json",
        "rules.json",
    ];
    assert_eq!(names, expected);
    refused(&restore(&to, &data, &[]), "is not empty");
    let forced = restore(&to, &data, &["--force"]);
    assert!(forced.status.success(), "{}", text(&forced.stderr));
    let aside = std::fs::read_dir(place.path())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .find(|name| name.starts_with("data.before-"));
    assert!(place.path().join(aside.unwrap()).join("queue.db").is_file());
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(restore(&to, &empty, &[]).status.success());

    let other = place.path().join("other");
    let manifest = std::fs::read_to_string(to.join("manifest.json")).unwrap();
    let future = manifest.replace("\"began_at_ms\": ", "\"began_at_ms\": 9");
    std::fs::write(to.join("manifest.json"), future).unwrap();
    refused(&restore(&to, &other, &[]), "the clock here is behind");
    let newer = manifest.replace("\"store_form\": ", "\"store_form\": 9");
    std::fs::write(to.join("manifest.json"), newer).unwrap();
    refused(&restore(&to, &other, &[]), "use a newer version");
    std::fs::write(
        to.join("manifest.json"),
        manifest.replace("rules.json", "../x"),
    )
    .unwrap();
    refused(&restore(&to, &other, &[]), "no file of a backup");
    std::fs::write(to.join("manifest.json"), manifest).unwrap();
    let mut octets = std::fs::read(to.join("queue.db")).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(to.join("queue.db"), octets).unwrap();
    refused(
        &restore(&to, &other, &[]),
        "queue.db is not what was backed up",
    );
    assert!(!other.exists());
    let left = std::fs::read_dir(place.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with(".zajil")
    });
    assert_eq!(left.count(), 0, "nothing half made is left");
}
