//! kill -9 at random moments under load: what was acknowledged is there, once, with one CDR.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Client, Server};

/// What clients were told, over all rounds.
#[derive(Default)]
struct Told {
    accepted: Vec<u64>,
    delivered: Vec<u64>,
}

/// Rounds of the full test; a quick run of the suite does a few.
fn rounds() -> u32 {
    if std::env::var_os("SLOW_TESTS").is_some() {
        50
    } else {
        5
    }
}

#[test]
fn d5_d11_fifty_kills_lose_nothing_and_double_nothing() {
    let data = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Told::default()));
    let seed = u64::from(std::process::id());
    let mut chance = seed;
    println!("seed {seed}");
    for round in 0..rounds() {
        let server = Server::start(data.path());
        let stop = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (client, told) = (server.client(), Arc::clone(&told));
                let stop = Arc::clone(&stop);
                let name = format!("{round}-{worker}");
                std::thread::spawn(move || work(&client, &told, &stop, &name))
            })
            .collect();
        // A linear congruential step is chance enough for a moment within 300 ms.
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let moment = Duration::from_millis(40 + (chance >> 33) % 300);
        std::thread::park_timeout(moment);
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().unwrap();
        }
    }
    let server = Server::start(data.path());
    let statuses = look_at_all(&server.client(), &told.lock().unwrap());
    assert_eq!(server.stop(), Some(0));
    check_cdrs(data.path(), &statuses);
}

/// Submits, takes and delivers until the server is gone; notes only what was answered.
fn work(client: &Client, told: &Mutex<Told>, stop: &AtomicBool, name: &str) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..5 {
            number += 1;
            let body = json!({
                "destination_msisdn": format!("+1555{number:07}"),
                "message_body": format!("crash {name} {number}"),
                "source_smsc": "test",
            });
            let Some((201, answer)) = client.try_call(("POST", "/api/messages"), &[], &body) else {
                continue;
            };
            told.lock()
                .unwrap()
                .accepted
                .push(answer["data"]["id"].as_u64().unwrap());
        }
        let path = "/api/messages/queue?smsc=gw&lease=5&limit=3";
        let headers = [("include-unrouted", "true")];
        let Some((200, due)) = client.try_call(("GET", path), &headers, &Value::Null) else {
            continue;
        };
        for message in due["data"].as_array().unwrap() {
            let id = message["id"].as_u64().unwrap();
            let path = format!("/api/messages/{id}/mark_delivered");
            let report = json!({ "dest_smsc": "gw" });
            if let Some((200, _)) = client.try_call(("POST", &path), &[], &report) {
                told.lock().unwrap().delivered.push(id);
            }
        }
    }
}

/// Every acknowledged message, with its status now.
fn look_at_all(client: &Client, told: &Told) -> BTreeMap<u64, String> {
    let mut statuses = BTreeMap::new();
    assert!(
        told.accepted.len() > 50,
        "the load was too small to prove anything"
    );
    for id in &told.accepted {
        let (status, answer) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
        assert_eq!(status, 200, "message {id} was acknowledged and is gone");
        let message = &answer["data"];
        let body = message["message_body"].as_str().unwrap();
        assert!(body.starts_with("crash "), "message {id} holds {body:?}");
        let word = message["status"].as_str().unwrap().to_owned();
        assert!(
            statuses.insert(*id, word).is_none(),
            "id {id} was handed out twice"
        );
    }
    let mut delivered = told.delivered.clone();
    delivered.sort_unstable();
    let count = delivered.len();
    delivered.dedup();
    assert_eq!(
        delivered.len(),
        count,
        "a message was reported delivered twice with success"
    );
    for id in delivered {
        // A message whose own 201 was lost may be delivered all the same.
        if let Some(status) = statuses.get(&id) {
            assert_eq!(status, "delivered", "the delivery of {id} was undone");
        }
    }
    statuses
}

fn check_cdrs(data: &std::path::Path, statuses: &BTreeMap<u64, String>) {
    let db = rusqlite::Connection::open(data.join("cdr.db")).unwrap();
    let mut query = db.prepare("SELECT message_id, count(*), min(status) FROM cdrs GROUP BY 1");
    let rows = query.as_mut().unwrap().query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?.unsigned_abs(),
            row.get::<_, i64>(1)?,
            row.get::<_, String>(2)?,
        ))
    });
    let mut cdrs = BTreeMap::new();
    for row in rows.unwrap() {
        let (id, count, status) = row.unwrap();
        assert_eq!(count, 1, "message {id} has {count} CDRs");
        cdrs.insert(id, status);
    }
    for (id, status) in statuses {
        let finished = (status != "pending").then_some(status);
        assert_eq!(cdrs.get(id), finished, "the CDR of message {id}");
    }
    let check: String = rusqlite::Connection::open(data.join("queue.db"))
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}
