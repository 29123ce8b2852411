//! Tokens of an issuer, as a server meets it: its key set comes, changes, and cannot be had (S3.8).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_core::clock::Clock as _;
use zajil_engine::system::SystemClock;
use zajil_telemetry::Stopwatch;
use zajil_testkit::issuer::{Key, key_set};

use crate::command_line::{text, zajil};
use zajil_testkit::authority::Authority;

use crate::protected::settings;
use crate::server::Server;

/// How long a change may take to be seen; the machine may be slow.
const WITHIN: Duration = Duration::from_secs(60);

/// An issuer's web server.
struct Issuer {
    base: String,
    /// What it answers; none = it is out of order.
    set: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    fn with(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let set = Arc::new(Mutex::new(Some(key_set(keys))));
        let asked = Arc::new(AtomicUsize::new(0));
        let (answered, counted) = (Arc::clone(&set), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::Relaxed);
                answer(stream.unwrap(), answered.lock().unwrap().as_deref());
            }
        });
        Self { base, set, asked }
    }

    fn says(&self, set: Option<String>) {
        *self.set.lock().unwrap() = set;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn settings(&self, more: &str) -> String {
        let base = &self.base;
        format!(
            "[api]\naccess = 'required'\n[oidc]\nissuer = 'https://idp.example'\n\
             audience = ['zajil']\njwks_url = '{base}/keys'\n{more}\n"
        )
    }
}

fn answer(mut stream: TcpStream, set: Option<&str>) {
    let head = BufReader::new(stream.try_clone().unwrap()).lines();
    let head = head
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    assert_ne!(head.count(), 0);
    let (status, body) = match set {
        Some(set) => ("200 OK", set),
        None => ("502 Bad Gateway", "<html>out of order</html>"),
    };
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).unwrap();
}

fn token(key: &Key) -> String {
    let now = SystemClock.now().secs();
    key.token(&json!({
        "iss":"https://idp.example","aud":"zajil","sub":"alice","exp":now + 3_600,"scope":"read"
    }))
}

/// The status of a look at the messages.
fn status(server: &Server, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let call = ("GET", "/api/messages");
    server
        .client()
        .try_call(call, &headers, &Value::Null)
        .unwrap()
        .0
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !done() {
        assert!(watch.elapsed() < WITHIN, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn s3_8_the_issuers_keys_are_fetched_change_and_outlive_an_outage() {
    let (first, second) = (Key::new("1", "ES256"), Key::new("2", "RS256"));
    let issuer = Issuer::with(&[&first]);
    let place = tempfile::tempdir().unwrap();
    let settings = issuer.settings("min_refresh_seconds = 1");
    let server = Server::configured(&place.path().join("data"), &settings);
    let (old, new) = (token(&first), token(&second));
    wait_for("the first key set", || status(&server, &old) == 200);
    issuer.says(None);
    assert_eq!(status(&server, &new), 401);
    let before = issuer.asked();
    wait_for("a fetch that fails", || {
        status(&server, &new);
        issuer.asked() > before
    });
    assert_eq!(status(&server, &old), 200, "the last good set stays");
    issuer.says(Some(key_set(&[&second])));
    wait_for("the new key", || status(&server, &new) == 200);
    assert_ne!(status(&server, &old), 200, "the former key has ended");
    let (_, ready) = server.client().call("GET", "/readyz", &Value::Null);
    assert!(ready.to_string().contains("issuer"), "{ready}");
    // The command line bears tokens as it bears keys.
    let list = zajil(&[
        "message",
        "list",
        "--server",
        &server.base,
        "--api-key",
        &new,
    ]);
    assert!(list.status.success(), "{}", text(&list.stderr));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn s3_8_a_storm_of_unknown_keys_does_not_reach_the_issuer() {
    let known = Key::new("1", "EdDSA");
    let issuer = Issuer::with(&[&known]);
    let place = tempfile::tempdir().unwrap();
    let settings = issuer.settings("min_refresh_seconds = 3600");
    let server = Server::configured(&place.path().join("data"), &settings);
    let sound = token(&known);
    wait_for("the key set", || status(&server, &sound) == 200);
    for at in 0..100 {
        let stranger = Key::new(&format!("x{at}"), "EdDSA");
        assert!([401, 429].contains(&status(&server, &token(&stranger))));
    }
    assert_eq!(status(&server, &sound), 200);
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn s14_4_doctor_reads_the_key_set_as_the_server_would() {
    let key = Key::new("1", "ES256");
    let issuer = Issuer::with(&[&key]);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("zajil.toml");
    let report = |settings: &str| {
        let data = place.path().join("data").display().to_string();
        std::fs::write(
            &file,
            format!("{settings}\n[store]\ndirectory = '{data}'\n"),
        )
        .unwrap();
        let run = zajil(&["doctor", "--config", file.to_str().unwrap()]);
        let shown = text(&run.stdout);
        let line = shown.lines().find(|line| line.contains("token issuer"));
        line.unwrap_or_else(|| panic!("{shown}")).to_owned()
    };
    let well = report(&issuer.settings(""));
    assert!(well.contains("its key set has a key"), "{well}");
    // Over TLS, and by the authorities that are named: what answers there is no issuer.
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let server = Server::configured(&place.path().join("other"), &settings(&authority, ""));
    let base = server.base.replace("127.0.0.1", "localhost");
    let url = issuer.settings("").replace(&issuer.base, &base);
    let ca = authority.path("ca.pem").display().to_string();
    let read = report(&format!("{url}ca_file = '{ca}'\n"));
    assert!(read.contains("404"), "{read}");
    let unknown = report(&url);
    assert!(unknown.contains("certificate"), "{unknown}");
    issuer.says(Some("{\"keys\":[]}".to_owned()));
    let empty = report(&issuer.settings(""));
    assert!(
        empty.contains("no key that can sign a token here"),
        "{empty}"
    );
    issuer.says(None);
    let away = report(&issuer.settings(""));
    assert!(away.contains("502"), "{away}");
}
