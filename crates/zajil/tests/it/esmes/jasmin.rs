//! Jasmin on both sides: its clients bind to us, and we to its server. It runs as its documents
//! say, with a broker and a Redis of its own; `cargo xtask test` brings it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::phones::{Arrived, Phones};
use super::{Case, End, FarEnd, Field, Form, PEERS, check_cases, hex, matrix, quoted};
use crate::receipts::{PATIENCE, is_slow, sink_saying, wait_for};
use crate::server::{Client, Server};
use crate::smpp::{smpplib, variable};

/// The interpreter that has Jasmin; none when the test is not to run, and why is said.
pub(super) fn python(test: &str) -> Option<String> {
    if !is_slow(test) {
        return None;
    }
    let python = variable("JASMIN_PYTHON");
    if python.is_none() {
        println!("SKIPPED {test}: cargo xtask test brings Jasmin and sets JASMIN_PYTHON");
    }
    python
}

/// Its processes; they end with the value.
pub(super) struct Jasmin {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    http: u64,
    smpp: u64,
    _folder: tempfile::TempDir,
}

impl Drop for Jasmin {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.child.wait());
    }
}

impl Jasmin {
    pub(super) fn start(python: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(python)
            .arg(format!("{PEERS}/jasmin_peer.py"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                drop(tell.send(serde_json::from_str::<Value>(&line).unwrap()));
            }
        });
        let mut jasmin = Self {
            stdin: child.stdin.take(),
            child,
            lines,
            http: 0,
            smpp: 0,
            _folder: folder,
        };
        let ready = jasmin.lines.recv_timeout(PATIENCE).unwrap();
        jasmin.http = ready["http"].as_u64().unwrap();
        jasmin.smpp = ready["smpp"].as_u64().unwrap();
        jasmin
    }

    /// Has it do something, and waits until it has.
    fn does(&mut self, what: &Value) -> Value {
        writeln!(self.stdin.as_ref().unwrap(), "{what}").unwrap();
        let answer = self.lines.recv_timeout(PATIENCE).unwrap();
        answer["answer"].clone()
    }

    /// Binds one of its clients there, as the account `shop`.
    pub(super) fn binds(&mut self, name: &str, smpp: &str) {
        let port: u16 = smpp.rsplit_once(':').unwrap().1.parse().unwrap();
        let settings = json!({ "port": port, "username": "shop", "password": "secret08" });
        self.does(&json!(["connector", name, settings]));
    }

    /// Has what a user sends, who is new, go through this client.
    pub(super) fn user(&mut self, user: &str, client: &str) {
        self.does(&json!(["user", user, "secret08"]));
        self.does(&json!(["goes_to", user, client]));
    }

    /// Sends over HTTP, as this user.
    pub(super) fn sends(&self, user: &str, rest: &str) {
        let url = format!(
            "http://127.0.0.1:{}/send?username={user}&password=secret08&{rest}",
            self.http
        );
        let mut answer = ureq::get(&url).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(text.starts_with("Success"), "{text}");
    }

    /// Sends a case over HTTP where that has words for it.
    fn submits(&mut self, case: &Case, n: usize, sink: u16) {
        let asked = *case.asks.last().unwrap();
        let dlr = format!("http://127.0.0.1:{sink}/dlr/{n}");
        let (coding, octets) = case.form.expected();
        if matches!(case.form, Form::Sar | Form::Flash) || asked > 1 {
            let split = if case.form == Form::Sar { "sar" } else { "udh" };
            let sm = json!({
                "user": "zajil", "from": "SHOP", "to": case.to, "hex": hex(&octets),
                "coding": coding, "split": split, "registered_delivery": asked,
                "dlr_url": (asked > 0).then_some(dlr), "dlr_level": 2,
            });
            self.does(&json!(["submit", "zajil", sm]));
            return;
        }
        let content = match case.form {
            Form::Ucs2 | Form::Binary => format!("hex-content={}", hex(&octets)),
            _ => format!("content={}", quoted(case.form.text().as_bytes())),
        };
        let dlr = match asked {
            0 => "dlr=no".to_owned(),
            _ => format!(
                "dlr=yes&dlr-level=2&dlr-method=GET&dlr-url={}",
                quoted(dlr.as_bytes())
            ),
        };
        let to = &case.to;
        self.sends(
            "zajil",
            &format!("from=SHOP&to={to}&coding={coding}&{content}&{dlr}"),
        );
    }
}

/// What it can send: it knows no `message_payload`, and asks for the receipt of the last part.
fn cases() -> Vec<Case> {
    let of_jasmin = |case: &Case| {
        case.form != Form::Payload && case.asks.iter().all(|asked| *asked == case.asks[0])
    };
    let mut cases: Vec<Case> = matrix().into_iter().filter(of_jasmin).collect();
    for case in &mut cases {
        let parts = case.asks.len();
        case.asks[..parts - 1].fill(0);
    }
    cases
}

/// The parameters that it calls back with.
pub(super) fn parameters(path: &str) -> BTreeMap<&str, &str> {
    let (_, parameters) = path.split_once('?').unwrap();
    let pairs = parameters.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).collect()
}

/// The ids of the messages to a number, part by part.
fn ids(client: &Client, number: &str) -> Vec<String> {
    let (_, list) = client.call(
        "GET",
        &format!("/api/messages?number={number}"),
        &Value::Null,
    );
    let mut ids: Vec<u64> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|message| message["id"].as_u64())
        .collect();
    ids.sort_unstable();
    ids.iter().map(u64::to_string).collect()
}

/// D9, D19. What Jasmin reads of a receipt is what it calls back with.
#[test]
fn jasmin_sends_every_form_and_gets_the_receipts_it_asks_for() {
    let Some(python) = python("jasmin_sends_every_form_and_gets_the_receipts_it_asks_for") else {
        return;
    };
    let mut field = Field::new(Phones::new);
    let (sink, heard) = sink_saying("ACK/Jasmin");
    let mut jasmin = Jasmin::start(&python);
    jasmin.binds("zajil", &field.server.smpp);
    jasmin.user("zajil", "zajil");
    let cases = cases();
    for (n, case) in cases.iter().enumerate() {
        jasmin.submits(case, n, sink);
    }
    field.arrive(&cases);
    let client = field.server.client();
    let mut owed = BTreeMap::new();
    for (n, case) in cases.iter().enumerate() {
        let ids = ids(&client, &case.to);
        assert_eq!(ids.len(), case.form.parts(), "{case:?}");
        let asked = *case.asks.last().unwrap();
        if let Some((stat, _, err)) = case.end.receipt(asked) {
            let delivered = if case.end == End::Taken { "001" } else { "000" };
            let id = ids.last().unwrap().clone();
            owed.insert(
                n,
                [stat.to_owned(), id, err.to_owned(), delivered.to_owned()],
            );
        }
    }
    let mut told = BTreeMap::new();
    while told.len() < owed.len() {
        let path = heard.recv_timeout(PATIENCE).unwrap();
        let n = path
            .strip_prefix("/dlr/")
            .unwrap()
            .split('?')
            .next()
            .unwrap();
        let with = parameters(&path);
        for (name, value) in [("level", "2"), ("sub", "001")] {
            assert_eq!(with[name], value, "{path}");
        }
        for date in ["subdate", "donedate"] {
            assert_eq!(with[date].len(), 10, "{path}");
        }
        let said = ["message_status", "id_smsc", "err", "dlvrd"].map(|name| with[name].to_owned());
        assert_eq!(
            told.insert(n.parse::<usize>().unwrap(), said),
            None,
            "{path}"
        );
    }
    assert_eq!(told, owed);
    field.receipts_are(cases.iter().map(Case::owed).sum());
    drop(jasmin);
    assert!(heard.try_recv().is_err());
    field.end();
}

/// Jasmin between two of ours: a carrier of the one, and an application of the other, which has the
/// phones.
struct Carrier {
    beyond: Field<Phones>,
    _jasmin: Jasmin,
}

impl Carrier {
    /// It becomes two carriers of the server, one for each form in which long texts go out. Both
    /// bind as one account, and Jasmin sends the receipts of either to both in turns.
    fn of(server: &Server, mut jasmin: Jasmin, beyond: Field<Phones>) -> Self {
        jasmin.binds("beyond", &beyond.server.smpp);
        jasmin.user("zajil", "beyond");
        jasmin.does(&json!(["comes_to", "zajil"]));
        let client = server.client();
        for (name, prefix) in [("udh", "461"), ("sar", "462")] {
            let settings = json!({
                "name": name, "system_id": "zajil", "password": "secret08",
                "hosts": [format!("127.0.0.1:{}", jasmin.smpp)], "long_text": name,
                "delivered_at": "receipt",
            });
            let (status, answer) = client.call("POST", "/api/smpp/carriers", &settings);
            assert_eq!(status, 201, "{answer}");
            let route = json!({ "called_prefix": format!("+{prefix}"), "dest_smsc": name });
            assert_eq!(client.call("POST", "/api/routes", &route).0, 201);
        }
        Self {
            beyond,
            _jasmin: jasmin,
        }
    }

    /// What comes to Jasmin comes through it.
    fn sends_messages_of_mobiles(&mut self, server: &Server) {
        let texts = ["hej @ €", "привет"];
        for text in texts {
            let message = json!({
                "source_msisdn": "+46701133111", "destination_msisdn": "+4672999",
                "message_body": text, "source_smsc": "test", "dest_smsc": "shop",
            });
            let (status, answer) =
                self.beyond
                    .server
                    .client()
                    .call("POST", "/api/messages", &message);
            assert_eq!(status, 201, "{answer}");
        }
        let come = wait_for(|| {
            let path = "/api/messages?status=pending&number=4672999";
            let (_, list) = server.client().call("GET", path, &Value::Null);
            let all = list["data"].as_array().unwrap().clone();
            (all.len() == texts.len()).then_some(all)
        });
        let mut bodies: Vec<&str> = Vec::new();
        for message in &come {
            assert_eq!(message["source_msisdn"], "+46701133111", "{message}");
            bodies.push(message["message_body"].as_str().unwrap());
        }
        bodies.sort_unstable();
        assert_eq!(bodies, texts);
    }
}

impl FarEnd for Carrier {
    fn arrived(&mut self, parts: usize) -> BTreeMap<String, Vec<Arrived>> {
        self.beyond.far.arrived(parts)
    }
}

/// D9, D10, D19. Its ids are words, and its receipts have neither `sub` nor `dlvrd`. It says that
/// it took a `message_payload`, and then loses it: none is sent.
#[test]
fn jasmin_as_carrier_gets_every_form_and_its_receipts_go_back() {
    const TEST: &str = "jasmin_as_carrier_gets_every_form_and_its_receipts_go_back";
    let (Some(smpplib), Some(python)) = (smpplib(TEST), python(TEST)) else {
        return;
    };
    let (beyond, jasmin) = (Field::new(Phones::new), Jasmin::start(&python));
    let mut command = Command::new(smpplib);
    command.arg(format!("{PEERS}/esme_smpplib.py"));
    let mut field = Field::new(async |server: &Server| Carrier::of(server, jasmin, beyond));
    let mut cases = matrix();
    cases.retain(|case| case.form != Form::Payload);
    check_cases(command, &mut field, &cases);
    field.far.sends_messages_of_mobiles(&field.server);
    field.end();
}
