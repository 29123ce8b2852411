//! Kannel's own simulated carrier, `drive_smpp`, as a carrier of ours: what it writes down of our
//! submits, octet for octet, and its messages of mobiles. Slow: runs with `SLOW_TESTS=1`.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use sms_codec::gsm7::{self, Shift};
use zajil_testkit::port::Port;

use crate::receipts::{PATIENCE, is_slow, wait_for};
use crate::server::{Client, Server};

/// Where Debian has it.
const BINARY: &str = "/usr/lib/kannel/test/drive_smpp";
/// It wants to find Kannel's bearerbox there, wherever that listens.
const BEARERBOX: (&str, u16) = ("127.0.0.1", 13_001);
/// It sends so many messages of mobiles, and stays until it was sent as many.
const MESSAGES: usize = 8;

/// It ends with this.
struct DriveSmpp {
    child: Child,
    /// The octets of each submit.
    submits: Receiver<Vec<u8>>,
    _bearerbox: Option<TcpListener>,
}

impl Drop for DriveSmpp {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl DriveSmpp {
    fn start(directory: &Path, port: u16) -> Self {
        let settings = directory.join("drive_smpp.conf");
        std::fs::write(&settings, "group = core\nadmin-port = 1\n").unwrap();
        // Who listens there already does as well.
        let bearerbox = TcpListener::bind(BEARERBOX).ok();
        let mut child = Command::new(BINARY)
            .args(["-v", "0", "-p", &port.to_string(), "-c"])
            .arg(settings)
            .args(["-m", &MESSAGES.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (tell, submits) = channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while log.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                if let Some(octets) = octets(&line) {
                    drop(tell.send(octets.to_vec()));
                }
                line.clear();
            }
        });
        Self {
            child,
            submits,
            _bearerbox: bearerbox,
        }
    }
}

/// What a line says of a submit, between its brackets.
fn octets(line: &[u8]) -> Option<&[u8]> {
    const BEGINS: &[u8] = b"submit_sm: short_message = <";
    let at = line.windows(BEGINS.len()).position(|it| it == BEGINS)?;
    line.get(at + BEGINS.len()..)?.strip_suffix(b">\n")
}

fn pending(client: &Client) -> Vec<Value> {
    let (_, list) = client.call("GET", "/api/messages?status=pending", &Value::Null);
    list["data"].as_array().unwrap().clone()
}

/// It knows no `bind_transceiver`: a pair is bound. It cuts texts at a zero octet when it writes
/// them down, so none has one: long ones go by `sar_*`, and without `@`.
#[test]
fn d9_kannels_drive_smpp_as_carrier_gets_texts_octet_for_octet() {
    const TEST: &str = "d9_kannels_drive_smpp_as_carrier_gets_texts_octet_for_octet";
    if !is_slow(TEST) {
        return;
    }
    if !Path::new(BINARY).is_file() {
        println!("SKIPPED {TEST}: there is no {BINARY}");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    let held = Port::any();
    let port = held.number();
    let drive = DriveSmpp::start(data.path(), port);
    let carrier = json!({
        "name": "kannel", "system_id": "zajil", "password": "secret08", "bind": "pair",
        "hosts": [format!("127.0.0.1:{port}")], "long_text": "sar",
    });
    let (status, answer) = client.call("POST", "/api/smpp/carriers", &carrier);
    assert_eq!(status, 201, "{answer}");
    // What its mobiles send comes in, and waits.
    let heard = wait_for(|| Some(pending(&client)).filter(|all| all.len() == MESSAGES));
    let mut bodies: Vec<_> = heard.iter().map(|one| &one["message_body"]).collect();
    bodies.sort_by_key(|body| body.as_str().map(str::to_owned));
    assert_eq!(bodies, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert!(
        heard.iter().all(|one| one["source_smsc"] == "kannel"),
        "{heard:?}"
    );
    let long = "0123456789 _å[é] ".repeat(12);
    let texts = ["hello", "£_$ ÄÖÜß", "[~] {€}", "ΔΦΓΛΩ", &long];
    let mut ids = Vec::new();
    for text in texts {
        let message = json!({
            "source_msisdn": "+46701133111", "destination_msisdn": "+46709771337",
            "message_body": text, "source_smsc": "test", "dest_smsc": "kannel",
        });
        let (status, answer) = client.call("POST", "/api/messages", &message);
        assert_eq!(status, 201, "{answer}");
        ids.push(answer["data"]["id"].to_string());
    }
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for text in texts {
        let octets = gsm7::encode(text, Shift::DEFAULT).unwrap();
        // 160 septets; of a long one as many as stand beside a header with a reference of 16 bits.
        let (first, rest) = match octets.len() {
            0..=160 => (octets.as_slice(), &[][..]),
            _ => octets.split_at(152),
        };
        sent.push(first.to_vec());
        sent.extend((!rest.is_empty()).then(|| rest.to_vec()));
    }
    let take = || drive.submits.recv_timeout(PATIENCE).unwrap();
    let mut got: Vec<Vec<u8>> = std::iter::repeat_with(take).take(sent.len()).collect();
    sent.sort();
    got.sort();
    assert_eq!(got, sent);
    for id in ids {
        wait_for(|| {
            let (_, now) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
            (now["data"]["status"] == "delivered").then_some(())
        });
    }
    drop(drive);
    assert_eq!(server.stop(), Some(0));
}
