//! Carriers behind the real binary: kept, followed, submitted to, and what a crash leaves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zajil_smpp::sim;
use zajil_telemetry::Stopwatch;

use crate::server::{Client, Server};
use crate::smpp::smpp_command;

/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A simulated carrier beside the process under test.
struct Sim {
    carrier: Arc<sim::Carrier>,
    port: u16,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sim {
    fn start(options: sim::Options) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let carrier = runtime.block_on(async {
            sim::Carrier::new(options, Arc::new(zajil_engine::system::SystemClock))
        });
        let stop = CancellationToken::new();
        let serving = Arc::clone(&carrier).serve((listener, None), stop.clone());
        let thread = std::thread::spawn(move || runtime.block_on(serving));
        Self {
            carrier,
            port,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn wait_for<T>(mut poll: impl FnMut() -> Option<T>) -> T {
    let begun = Stopwatch::start();
    loop {
        if let Some(answer) = poll() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "not in time");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn add_carrier(client: &Client, port: u16, more: &Value) {
    let mut carrier = json!({
        "name": "up", "hosts": [format!("127.0.0.1:{port}")],
        "system_id": "zajil", "password": "secret08",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        carrier[name] = value.clone();
    }
    let (status, answer) = client.call("POST", "/api/smpp/carriers", &carrier);
    assert_eq!(status, 201, "{answer}");
    let route = json!({ "called_prefix": "+46", "dest_smsc": "up" });
    let (status, answer) = client.call("POST", "/api/routes", &route);
    assert_eq!(status, 201, "{answer}");
}

fn submit(client: &Client, text: &str) -> String {
    let message = json!({
        "source_msisdn": "+46701133111", "destination_msisdn": "+46709771337",
        "message_body": text, "source_smsc": "test",
    });
    let (status, answer) = client.call("POST", "/api/messages", &message);
    assert_eq!(status, 201, "{answer}");
    answer["data"]["id"].to_string()
}

fn status(client: &Client, id: &str) -> String {
    let (_, answer) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
    answer["data"]["status"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A carrier added while the node runs is bound to, and what is routed to it is delivered.
#[test]
fn a_message_goes_through_a_carrier_that_was_added_over_the_api() {
    let sim = Sim::start(sim::Options::default());
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    add_carrier(&client, sim.port, &Value::Null);
    let id = submit(&client, "hello");
    wait_for(|| (status(&client, &id) == "delivered").then_some(()));
    let seen = sim.carrier.seen();
    assert_eq!(&seen[0].short_message.octets()[..], b"hello");
    assert_eq!(server.stop(), Some(0));
    wait_for(|| (sim.carrier.receivers() == 0).then_some(()));
}

/// D5, D19: killed with messages on their way in every stage, a node loses none: those that wait
/// for receipts are found by them, those without an answer are submitted again.
#[test]
fn d19_a_kill_between_submit_and_receipt_loses_nothing() {
    let sim = Sim::start(sim::Options {
        receipts: sim::Receipts {
            delay: Duration::from_secs(2),
            ids: sim::IdForm::HexThenDecimal,
            ..sim::Receipts::default()
        },
        first_id: 0x0386_01fa,
        ..sim::Options::default()
    });
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    add_carrier(
        &client,
        sim.port,
        &json!({ "delivered_at": "receipt", "window": 5 }),
    );
    wait_for(|| (sim.carrier.receivers() == 1).then_some(()));
    let texts: Vec<String> = (0..40).map(|number| format!("text {number}")).collect();
    let ids: Vec<String> = texts.iter().map(|text| submit(&client, text)).collect();
    wait_for(|| (sim.carrier.submits() >= 10).then_some(()));
    server.kill();
    let server = Server::start(data.path());
    let client = server.client();
    for id in &ids {
        wait_for(|| (status(&client, id) == "delivered").then_some(()));
    }
    let seen = sim.carrier.seen();
    let texts = seen.iter().map(|sm| sm.short_message.octets().to_vec());
    let mut distinct: Vec<Vec<u8>> = texts.collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 40);
    // What had no answer, or whose answer was not on the disk yet: at most the window.
    assert!(seen.len() <= 45, "{} sent twice", seen.len() - 40);
    assert_eq!(server.stop(), Some(0));
}

/// Carriers from the command line: the password comes from the standard input and is shown nowhere,
/// refusals name the field and the rule.
#[test]
fn carriers_are_kept_from_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let run = |arguments: &[&str], input: &str| smpp_command(&server, "carrier", arguments, input);
    let add = |more: &[&str]| {
        let arguments = ["add", "up", "--system-id", "zajil", "--enabled", "false"];
        run(&[&arguments, more].concat(), "secret08\n")
    };
    let without = add(&[]);
    assert!(without.1.contains("hosts is required"), "{}", without.1);
    let wrong = add(&["--hosts", "nowhere"]);
    assert!(
        wrong.1.contains("hosts[0] must be host:port"),
        "{}",
        wrong.1
    );
    let added = add(&["--hosts", "192.0.2.1:2775,192.0.2.2:2775", "--bind", "pair"]);
    assert_eq!(added.0, Some(0), "{}", added.1);
    let changed = run(
        &["set", "up", "--window", "50", "--destination-ton", "1"],
        "",
    );
    assert_eq!(changed.0, Some(0), "{}", changed.1);
    let (_, shown) = run(&["show", "up"], "");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&shown["window"], &shown["bind"]),
        (&json!(50), &json!("pair"))
    );
    assert!(shown.get("password").is_none(), "{shown}");
    let (_, listed) = run(&["list"], "");
    assert!(listed.contains("192.0.2.1:2775,192.0.2.2:2775"), "{listed}");
    let (_, audit) = server.client().call("GET", "/api/audit", &Value::Null);
    let audit = audit.to_string();
    assert!(
        audit.contains("smpp_carrier") && !audit.contains("secret08"),
        "{audit}"
    );
    assert_eq!(run(&["remove", "up"], "").0, Some(0));
    assert_eq!(run(&["show", "up"], "").0, Some(1));
}
