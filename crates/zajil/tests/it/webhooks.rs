//! Webhooks of the real binary: kill -9 and an outage of the receiver lose no ending.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::history::until;
use crate::server::{Client, Server};

const SETTINGS: &str = "[webhooks]\nallowed_networks = [\"127.0.0.1\"]\n";

/// A receiver that acknowledges what it writes down, except while it is to fail.
#[derive(Clone)]
struct Receiver {
    port: u16,
    told: Arc<Mutex<BTreeSet<u64>>>,
    fails: Arc<AtomicBool>,
    /// Takes requests and answers none.
    holds: Arc<AtomicBool>,
    held: Arc<AtomicUsize>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            told: Arc::default(),
            fails: Arc::default(),
            holds: Arc::default(),
            held: Arc::default(),
        };
        let serves = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serves = serves.clone();
                std::thread::spawn(move || while serves.serve(&stream).is_some() {});
            }
        });
        receiver
    }

    /// One request; none when the connection ends.
    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(count) = line.strip_prefix("content-length: ") {
                length = count.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        if self.holds.load(Ordering::SeqCst) {
            self.held.fetch_add(1, Ordering::SeqCst);
            while self.holds.load(Ordering::SeqCst) {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            return None;
        }
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let fails = self.fails.load(Ordering::SeqCst);
        if !fails {
            let id = body["data"]["message_id"].as_u64().unwrap();
            self.told.lock().unwrap().insert(id);
        }
        let status = if fails { "503 X" } else { "204 X" };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").ok()
    }

    fn wait_for(&self, ids: &BTreeSet<u64>) {
        let mut missing = 0;
        for _ in 0..6_000 {
            missing = ids.difference(&self.told.lock().unwrap()).count();
            if missing == 0 {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        panic!("{missing} of {} were never told", ids.len());
    }
}

fn subscribe(client: &Client, receiver: &Receiver) {
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    let body = json!({ "url": url, "events": ["message_delivered", "message_failed"] });
    let (status, answer) = client.call("POST", "/api/webhooks", &body);
    assert_eq!(status, 201, "{answer}");
    assert!(
        answer["data"]["secret"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
}

/// Messages that have ended, as far as the client was told.
fn end_some(client: &Client, count: usize) -> BTreeSet<u64> {
    let mut ids = BTreeSet::new();
    for number in 0..count {
        let body = json!({ "destination_msisdn": "+15551234567", "message_body": "x" });
        let (_, answer) = client.call("POST", "/api/messages", &body);
        let id = answer["data"]["id"].as_u64().unwrap();
        let (path, report) = match number % 2 {
            0 => ("mark_delivered", json!({})),
            _ => ("mark_failed", json!({ "permanent": true })),
        };
        let (status, _) = client.call("POST", &format!("/api/messages/{id}/{path}"), &report);
        assert_eq!(status, 200);
        ids.insert(id);
    }
    ids
}

#[test]
fn s3_8_kills_and_an_outage_lose_no_ending() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let mut ids = BTreeSet::new();
    for round in 0..6 {
        let server = Server::configured(data.path(), SETTINGS);
        let client = server.client();
        if round == 0 {
            subscribe(&client, &receiver);
        }
        // Every other time the receiver is away while messages end and the node dies.
        receiver.fails.store(round % 2 == 1, Ordering::SeqCst);
        ids.extend(end_some(&client, 20 + round * 7));
        server.kill();
    }
    receiver.fails.store(false, Ordering::SeqCst);
    let server = Server::configured(data.path(), SETTINGS);
    receiver.wait_for(&ids);
    assert_eq!(*receiver.told.lock().unwrap(), ids, "and nothing else");
    assert_eq!(server.stop(), Some(0));
}

/// Of two nodes the one that sends dies while its requests are under way, twice.
#[tokio::test(flavor = "multi_thread")]
async fn d16_what_a_node_that_died_had_under_way_is_sent_by_the_other() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let node = |name: &str| {
        let url = database.url();
        let settings = format!(
            "{SETTINGS}[node]\nsmsc_node_name = \"{name}\"\n[store]\nurl = \"{url}\"\n\
             [cdr]\ncdr_url = \"{url}\"\n"
        );
        Server::configured(&data.path().join(name), &settings)
    };
    let mut nodes = ["a", "b"].map(|name| Some(node(name)));
    let receiver = Receiver::start();
    subscribe(&nodes[0].as_ref().unwrap().client(), &receiver);
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let held = receiver.held.load(Ordering::SeqCst);
        receiver.holds.store(true, Ordering::SeqCst);
        for server in nodes.iter().flatten() {
            ids.extend(end_some(&server.client(), 20));
        }
        until("a request is under way", || {
            receiver.held.load(Ordering::SeqCst) > held
        });
        let sends = database.sql(
            "SELECT n.name FROM zajil.duty d JOIN zajil.node n ON n.session = d.session \
             WHERE d.name = 'endings'",
        );
        let (name, at) = match sends.trim() {
            "a" => ("a", 0),
            "b" => ("b", 1),
            other => panic!("{other} sends"),
        };
        nodes[at].take().unwrap().kill();
        receiver.holds.store(false, Ordering::SeqCst);
        let other = nodes.iter().flatten().next().unwrap();
        ids.extend(end_some(&other.client(), 20));
        receiver.wait_for(&ids);
        nodes[at] = Some(node(name));
    }
    assert_eq!(*receiver.told.lock().unwrap(), ids, "and nothing else");
    for server in nodes.into_iter().flatten() {
        assert_eq!(server.stop(), Some(0));
    }
}
