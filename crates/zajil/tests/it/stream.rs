//! The live stream of the real binary, and `zajil tail` on it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::server::Server;

/// A `zajil tail` whose lines are read.
struct Tail {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Tail {
    fn start(server: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_zajil"))
            .args(["tail", "--server", server, "--json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next event; blocks until there is one.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no event, but {line:?}"))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The id of a first event, known once the stream is open: until then messages are submitted.
fn tail_that_hears(server: &Server, arguments: &[&str]) -> (Tail, Value) {
    let mut tail = Tail::start(&server.base, arguments);
    let client = server.client();
    let body = json!({ "destination_msisdn": "+15551234567", "message_body": "secret" });
    let heard = std::sync::atomic::AtomicBool::new(false);
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !heard.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(client.call("POST", "/api/messages", &body).0, 201);
                std::thread::park_timeout(std::time::Duration::from_millis(20));
            }
        });
        let first = tail.next();
        heard.store(true, std::sync::atomic::Ordering::Relaxed);
        first
    });
    (tail, first)
}

#[test]
fn a_tail_hears_what_happens_and_is_told_of_the_gap_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (mut tail, first) = tail_that_hears(&server, &["--masked"]);
    assert_eq!(first["destination_msisdn"], "+1555123XXXX");
    // A stop ends the stream; the last that is heard is that it stops.
    assert_eq!(server.stop(), Some(0));
    let last =
        std::iter::repeat_with(|| tail.next()).find(|event| event["name"] == "node_stopping");
    let id = last.unwrap()["id"].to_string();
    drop(tail);
    let server = Server::start(data.path());
    let (_, gap) = tail_that_hears(&server, &["--after", &id]);
    assert_eq!(gap["after"].to_string(), id, "{gap}");
}

#[test]
fn a_tail_says_why_it_cannot() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let tail = |server: &str, kind: &str| {
        let tail = Command::new(env!("CARGO_BIN_EXE_zajil"))
            .args(["tail", "--server", server, "--kind", kind])
            .output()
            .unwrap();
        (tail.status.code(), String::from_utf8(tail.stderr).unwrap())
    };
    let (code, told) = tail(&server.base, "weather");
    assert_eq!(code, Some(1));
    assert!(told.contains("kind must be some of message"), "{told}");
    let base = server.base.clone();
    server.kill();
    assert_eq!(tail(&base, "message").0, Some(3));
}
