//! Debits and kill -9: no message is lost, none is debited twice, none is debited unrecorded (D14).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;
use zajil_testkit::fake::ocs::{Behaviour, FakeOcs};

use crate::server::{Client, Server};

const ACCOUNT: &str = "15550001111";
const DEBIT: &str = "SessionSv1.ProcessMessage";

fn start(data: &Path, ocs: &FakeOcs) -> Server {
    let url = ocs.url();
    let settings = format!(
        "[charging]\ndefault_charging_enabled = true\ncharging_mode = \"debit\"\n\
         ocs_url = \"{url}\"\nocs_timeout = 1000\n"
    );
    Server::configured(data, &settings)
}

fn body(number: usize) -> Value {
    json!({
        "source_msisdn": format!("+{ACCOUNT}"),
        "destination_msisdn": format!("+1666{number:07}"),
        "message_body": "charged",
        "source_smsc": "test",
    })
}

/// Looks again and again until there is something to see.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        let waited = watch.elapsed();
        assert!(waited < Duration::from_secs(40), "{what} did not happen");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn due(client: &Client) -> Vec<Value> {
    let path = "/api/messages/queue?smsc=gw&limit=1000";
    let headers = [("include-unrouted", "true")];
    let (status, answer) = client
        .try_call(("GET", path), &headers, &Value::Null)
        .unwrap();
    assert_eq!(status, 200);
    answer["data"].as_array().unwrap().clone()
}

/// The messages that were debited, each as often as it was.
fn debited(ocs: &FakeOcs) -> Vec<u64> {
    let calls = ocs.calls_of(DEBIT);
    let ids = calls.iter().map(|call| &call.params["Event"]["OriginID"]);
    ids.map(|id| id.as_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn d14_a_kill_between_the_debit_and_its_record_neither_loses_nor_repeats_it() {
    let (data, ocs) = (tempfile::tempdir().unwrap(), FakeOcs::start_blocking());
    ocs.set_balance(ACCOUNT, 10);
    // The money moves, and the answer never comes.
    ocs.behave(Behaviour::Stall);
    let server = start(data.path(), &ocs);
    let client = server.client();
    let submit =
        std::thread::spawn(move || client.try_call(("POST", "/api/messages"), &[], &body(1)));
    until("the debit", || (ocs.debited(ACCOUNT) == 1).then_some(()));
    server.kill();
    assert!(submit.join().unwrap().is_none(), "nobody was told anything");

    ocs.behave(Behaviour::Normal);
    let server = start(data.path(), &ocs);
    let client = server.client();
    assert!(
        due(&client).is_empty(),
        "not before its charge counts as lost"
    );
    let message = until("the offer", || due(&client).pop());
    assert_eq!(message["charge_failed"], true);
    let id = message["id"].as_u64().unwrap();
    assert_eq!(debited(&ocs), [id], "asked for once, and never again");
    let (_, log) = client.call("GET", &format!("/api/events/{id}"), &Value::Null);
    assert!(log.to_string().contains("money may have moved"), "{log}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn s14_readiness_is_told_at_once_while_charging_and_enum_are_black_holes() {
    let (data, ocs) = (tempfile::tempdir().unwrap(), FakeOcs::start_blocking());
    ocs.behave(Behaviour::Stall);
    // Takes every question and answers none.
    let names = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let settings = format!(
        "[enum]\nenum_domains = [\"e164.arpa\"]\nenum_dns_servers = [\"{}\"]\n\
         [charging]\nocs_url = \"{}\"\n",
        names.local_addr().unwrap(),
        ocs.url(),
    );
    let server = Server::configured(data.path(), &settings);
    let client = server.client();
    for _ in 0..3 {
        let begun = Stopwatch::start();
        let (status, answer) = client.call("GET", "/readyz", &Value::Null);
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(900), "{took:?}");
        assert_eq!(status, 200, "{answer}");
    }
    let told = until("both are found silent", || {
        let (_, answer) = client.call("GET", "/readyz", &Value::Null);
        let told = answer.to_string();
        (told.matches("no answer within").count() == 2).then_some(told)
    });
    assert!(told.contains("charging") && told.contains("enum"), "{told}");
    assert_eq!(server.stop(), Some(0));
}

/// Rounds of the full test; a quick run of the suite does a few.
fn rounds() -> u32 {
    if std::env::var_os("SLOW_TESTS").is_some() {
        20
    } else {
        3
    }
}

#[test]
fn d14_kills_under_load_debit_no_message_twice_and_none_that_is_not_known() {
    let (data, ocs) = (
        tempfile::tempdir().unwrap(),
        Arc::new(FakeOcs::start_blocking()),
    );
    ocs.set_unlimited(ACCOUNT);
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let mut chance = u64::from(std::process::id());
    println!("seed {chance}");
    for round in 0..rounds() {
        let server = start(data.path(), &ocs);
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (client, accepted) = (server.client(), Arc::clone(&accepted));
                std::thread::spawn(move || submit_until_gone(&client, &accepted, round, worker))
            })
            .collect();
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::park_timeout(Duration::from_millis(60 + (chance >> 33) % 200));
        server.kill();
        for worker in workers {
            worker.join().unwrap();
        }
    }
    let server = start(data.path(), &ocs);
    let client = server.client();
    let known = |id: u64| {
        client
            .call("GET", &format!("/api/messages/{id}"), &Value::Null)
            .0
            == 200
    };
    let accepted = accepted.lock().unwrap();
    assert!(accepted.len() > 20, "the load was too small");
    let debits = debited(&ocs);
    let once: BTreeSet<u64> = debits.iter().copied().collect();
    assert_eq!(once.len(), debits.len(), "a message was debited twice");
    for id in accepted.iter() {
        assert!(known(*id), "message {id} was acknowledged and is gone");
        assert!(
            once.contains(id),
            "message {id} was accepted without its debit"
        );
    }
    for id in once {
        assert!(known(id), "message {id} was debited and nobody knows it");
    }
    assert_eq!(server.stop(), Some(0));
}

/// Every other submit carries a key, and is repeated once under it.
fn submit_until_gone(client: &Client, accepted: &Mutex<Vec<u64>>, round: u32, worker: u32) {
    for number in 0.. {
        let key = format!("{round}-{worker}-{number}");
        let keyed = [("idempotency-key", key.as_str())];
        let headers: &[(&str, &str)] = if number % 2 == 0 { &keyed } else { &[] };
        let mut first = None;
        for _ in 0..1 + headers.len() {
            let call = ("POST", "/api/messages");
            let Some((status, answer)) = client.try_call(call, headers, &body(number)) else {
                return;
            };
            assert_eq!(status, 201, "{answer}");
            let id = answer["data"]["id"].as_u64().unwrap();
            assert!(
                first.is_none_or(|first| first == id),
                "the key was forgotten"
            );
            if first.replace(id).is_none() {
                accepted.lock().unwrap().push(id);
            }
        }
    }
}
