//! The far end as a carrier of the field: a server on the package smpp of npm.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use zajil_testkit::authority::Authority;

use super::phones::{Arrived, of_coding};
use super::{FarEnd, Form, PEERS};
use crate::receipts::{PATIENCE, wait_for};
use crate::server::Server;

/// The carrier; it ends with this.
pub(super) struct NpmCarrier {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Value>,
    throttled: usize,
}

impl Drop for NpmCarrier {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Each is a carrier to us: its name and `system_id`, the numbers that go to it, how long texts do,
/// and whether over TLS.
const CARRIERS: [(&str, &str, &str, bool); 3] = [
    ("hex", "461", "udh", false),
    ("decimal", "462", "sar", true),
    ("capitals", "463", "payload", false),
];

impl NpmCarrier {
    pub(super) fn new(server: &Server, modules: &str) -> Self {
        let authority = Authority::new();
        authority.issue("carrier", "localhost");
        let mut child = Command::new("node")
            .env("NODE_PATH", modules)
            .arg(format!("{PEERS}/carrier_smpp.js"))
            .args([authority.path("carrier.pem"), authority.path("carrier.key")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                drop(tell.send(serde_json::from_str(&line).unwrap()));
            }
        });
        let carrier = Self {
            stdin: child.stdin.take().unwrap(),
            child,
            lines,
            throttled: 0,
        };
        let ports = carrier.next();
        let client = server.client();
        for (name, prefix, long_text, tls) in CARRIERS {
            let port = if tls { "tls_port" } else { "port" };
            let settings = json!({
                "name": name, "system_id": name, "password": "secret08", "tls": tls,
                "hosts": [format!("localhost:{}", ports[port])],
                "tls_ca_path": tls.then(|| authority.path("ca.pem")), "long_text": long_text,
                "delivered_at": "receipt",
            });
            let (status, answer) = client.call("POST", "/api/smpp/carriers", &settings);
            assert_eq!(status, 201, "{answer}");
            let route = json!({ "called_prefix": format!("+{prefix}"), "dest_smsc": name });
            assert_eq!(client.call("POST", "/api/routes", &route).0, 201);
            // The files go with this function; the session stays.
            wait_for(|| {
                let path = format!("/api/smpp/carriers/{name}");
                let (_, shown) = client.call("GET", &path, &Value::Null);
                (shown["data"]["state"]["sessions"] == 1).then_some(())
            });
        }
        carrier
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// It had too much once in each session, and got it again.
    pub(super) fn has_throttled(&self) {
        assert_eq!(self.throttled, CARRIERS.len());
    }

    /// What mobiles send it comes in, whole and in its parts.
    pub(super) fn sends_messages_of_mobiles(&mut self, server: &Server) {
        let sm = |more: Value| {
            let mut sm = json!({
                "session": "hex", "source_addr_ton": 1, "source_addr_npi": 1,
                "source_addr": "46701133111", "destination_addr": "4672999",
            });
            for (name, value) in more.as_object().unwrap() {
                sm[name] = value.clone();
            }
            sm
        };
        for sm in [
            sm(json!({ "text": "hej @ €", "data_coding": 0 })),
            sm(json!({ "text": "привет", "data_coding": 8 })),
            sm(json!({ "text": "one ", "udh": "0500035a0201", "data_coding": 0 })),
            sm(json!({ "text": "and two", "udh": "0500035a0202", "data_coding": 0 })),
        ] {
            writeln!(self.stdin, "{sm}").unwrap();
            assert_eq!(self.next(), json!({ "answered": 0 }));
        }
        let (_, list) = server
            .client()
            .call("GET", "/api/messages?status=pending", &Value::Null);
        let mut bodies: Vec<_> = list["data"].as_array().unwrap().iter().collect();
        bodies.sort_by_key(|message| message["id"].as_u64());
        assert!(
            bodies.iter().all(|one| one["source_smsc"] == "hex"),
            "{list}"
        );
        let bodies: Vec<_> = bodies.iter().map(|one| &one["message_body"]).collect();
        assert_eq!(bodies, ["hej @ €", "привет", "one ", "and two"]);
    }
}

impl FarEnd for NpmCarrier {
    const ERR: &'static str = "011";

    fn arrived(&mut self, parts: usize) -> BTreeMap<String, Vec<Arrived>> {
        let mut all: BTreeMap<String, Vec<Arrived>> = BTreeMap::new();
        let mut came = 0;
        while came < parts {
            let line = self.next();
            if line.get("throttled").is_some() {
                self.throttled += 1;
                continue;
            }
            came += 1;
            let to = line["to"].as_str().unwrap().to_owned();
            all.entry(to).or_default().push(read(&line));
        }
        for parts in all.values_mut() {
            parts.sort_by_key(|part| part.place);
        }
        all
    }
}

/// What it says of a submit, in octets; what it reads must be the text.
fn read(line: &Value) -> Arrived {
    let octet = |value: &Value| u8::try_from(value.as_u64().unwrap()).unwrap();
    let hex = line["octets"].as_str().unwrap().as_bytes();
    let pairs = hex.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let octets = pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    let coding = octet(&line["coding"]);
    let mut arrived = Arrived {
        coding,
        form: of_coding(coding),
        place: None,
        octets,
    };
    if line["payload"] == true {
        arrived.form = Form::Payload;
    }
    if let [total, place] = &line["sar"].as_array().unwrap()[..]
        && !total.is_null()
    {
        arrived.form = Form::Sar;
        arrived.place = Some((octet(total), octet(place)));
    }
    if octet(&line["esm_class"]) & 0x40 != 0 {
        arrived = arrived.without_header();
    }
    if let Some(text) = line["read"].as_str() {
        let known = arrived.form.text();
        let whole = arrived.place.is_none();
        assert!(
            if whole {
                text == known
            } else {
                known.contains(text)
            },
            "{line}"
        );
    }
    arrived
}
