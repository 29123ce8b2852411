//! Applications of the field as a matrix: each form of a text with each way to ask for receipts,
//! to a far end that takes it and to one that refuses it. What arrives is compared octet for octet,
//! and the receipts are those that were asked for, as the application's own library reads them.
//! Slow: runs with `SLOW_TESTS=1`. `cargo xtask test` brings the libraries.

mod jasmin;
mod npm_carrier;
mod outcomes;
mod phones;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sms_codec::gsm7::{self, Shift};

use self::npm_carrier::NpmCarrier;
use self::phones::{Arrived, Phones};
use crate::receipts::{Kannel, PATIENCE, is_slow, sink, wait_for};
use crate::server::{Client, Server};
use crate::smpp::{add_account, smpplib, variable};

/// Letters that the codings of the field have at different places.
const SHORT: &str = "hello @ €_[~] $ åäö";

/// A form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Short,
    Udh,
    Sar,
    Payload,
    Ucs2,
    Binary,
    Flash,
}

impl Form {
    const ALL: [Self; 7] = [
        Self::Short,
        Self::Udh,
        Self::Sar,
        Self::Payload,
        Self::Ucs2,
        Self::Binary,
        Self::Flash,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Udh => "udh",
            Self::Sar => "sar",
            Self::Payload => "payload",
            Self::Ucs2 => "ucs2",
            Self::Binary => "binary",
            Self::Flash => "flash",
        }
    }

    fn text(self) -> String {
        match self {
            Self::Short | Self::Flash => SHORT.to_owned(),
            // Longer than one message, and short enough for libraries that limit message_payload.
            Self::Udh | Self::Sar | Self::Payload => "0123456789 @_å ".repeat(15),
            Self::Ucs2 => "مرحبا ☃ 😀".to_owned(),
            Self::Binary => String::new(),
        }
    }

    /// What the far end must be given, whole, and how it must say that it is coded.
    fn expected(self) -> (u8, Vec<u8>) {
        let text = self.text();
        match self {
            Self::Binary => (0x04, (0..=139).map(|n: u8| n.wrapping_mul(37)).collect()),
            Self::Ucs2 => (
                0x08,
                text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            ),
            Self::Flash => (0x10, gsm7::encode(&text, Shift::DEFAULT).unwrap()),
            _ => (0x00, gsm7::encode(&text, Shift::DEFAULT).unwrap()),
        }
    }

    const fn parts(self) -> usize {
        match self {
            Self::Udh | Self::Sar => 2,
            _ => 1,
        }
    }

    /// The first digits of the numbers whose phones are given it in the form that it came in.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Sar => "462",
            Self::Payload => "463",
            _ => "461",
        }
    }
}

/// How receipts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    All,
    Failure,
    FirstPart,
    LastPart,
}

impl Asks {
    const ALL: [Self; 5] = [
        Self::Nothing,
        Self::All,
        Self::Failure,
        Self::FirstPart,
        Self::LastPart,
    ];

    /// `registered_delivery` of each part.
    fn of_parts(self, parts: usize) -> Vec<u8> {
        let of = |part: usize| match self {
            Self::Nothing => 0,
            Self::All => 1,
            Self::Failure => 2,
            Self::FirstPart => u8::from(part == 1),
            Self::LastPart => u8::from(part == parts),
        };
        (1..=parts).map(of).collect()
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Taken,
    Refused,
}

impl End {
    /// The word of REST.
    const fn status(self) -> &'static str {
        match self {
            Self::Taken => "delivered",
            Self::Refused => "failed",
        }
    }

    /// `stat`, `message_state` and `err` of the receipt for a part that was asked for so.
    fn receipt(self, asked: u8) -> Option<(&'static str, u64, &'static str)> {
        match (self, asked) {
            (Self::Taken, 1) => Some(("DELIVRD", 2, "000")),
            (Self::Refused, 1 | 2) => Some(("UNDELIV", 5, "001")),
            _ => None,
        }
    }
}

/// One submit of the matrix.
#[derive(Debug, Clone)]
struct Case {
    form: Form,
    asks: Vec<u8>,
    end: End,
    to: String,
}

impl Case {
    fn json(&self, n: usize) -> Value {
        let hex = match self.form {
            Form::Binary => hex(&self.form.expected().1),
            _ => String::new(),
        };
        json!({
            "n": n, "form": self.form.name(), "asks": self.asks, "to": self.to,
            "text": self.form.text(), "hex": hex,
        })
    }

    /// How many receipts its parts are owed.
    fn owed(&self) -> usize {
        let owed = self
            .asks
            .iter()
            .filter_map(|asked| self.end.receipt(*asked));
        owed.count()
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Every combination.
fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for form in Form::ALL {
        for asks in Asks::ALL {
            for end in [End::Taken, End::Refused] {
                let digit = match end {
                    End::Taken => phones::TAKES,
                    End::Refused => phones::REFUSES,
                };
                cases.push(Case {
                    form,
                    asks: asks.of_parts(form.parts()),
                    end,
                    to: format!("{}{digit}{:06}", form.prefix(), cases.len()),
                });
            }
        }
    }
    cases
}

/// What an application says, line by line.
#[derive(Debug, Default)]
struct Said {
    /// The ids that it was answered with, by case and part; answers may come in any order.
    ids: BTreeMap<u64, BTreeMap<u64, String>>,
    receipts: Vec<Value>,
}

/// Lets an application submit the cases and wait for the receipts that they are owed.
fn run(mut command: Command, server: &Server, cases: &[Case]) -> Said {
    let (host, port) = server.smpp.rsplit_once(':').unwrap();
    let owed: usize = cases.iter().map(Case::owed).sum();
    let mut child = command
        .args([host, port, &owed.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = cases.iter().enumerate().map(|(n, case)| case.json(n));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    let mut output = String::new();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        stdout.read_to_string(&mut output).unwrap();
        output
    });
    let ended = wait_for(|| child.try_wait().unwrap());
    let output = reader.join().unwrap();
    assert!(ended.success(), "{output}");
    let mut said = Said::default();
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["submitted"].as_u64() {
            Some(n) => {
                let id = line["id"].as_str().unwrap().to_owned();
                let part = line["part"].as_u64().unwrap();
                said.ids.entry(n).or_default().insert(part, id);
            }
            None => said.receipts.push(line),
        }
    }
    said
}

/// What arrived is what was sent, in the form in which it was sent.
fn compare(case: &Case, parts: &[Arrived]) {
    let (coding, octets) = case.form.expected();
    assert_eq!(parts.len(), case.form.parts(), "{case:?} {parts:?}");
    for (part, place) in parts.iter().zip(1..) {
        let total = u8::try_from(parts.len()).unwrap();
        let placed = (total > 1).then_some((total, place));
        assert_eq!((part.coding, part.place), (coding, placed), "{case:?}");
        assert_eq!(part.form, case.form, "{case:?}");
    }
    let whole: Vec<u8> = parts.iter().flat_map(|part| part.octets.clone()).collect();
    assert_eq!(whole, octets, "{case:?}");
}

/// The sum of the samples that begin so.
fn metric(server: &Server, begins: &str) -> f64 {
    let mut answer = ureq::get(&server.metrics).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let lines = text.lines().filter(|line| line.starts_with(begins));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

/// The message of an id as REST shows it.
fn message(client: &Client, id: &str) -> Value {
    let (status, answer) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

/// Whoever messages are delivered to.
trait FarEnd {
    /// `err` of what it does not deliver: our own code, unless it says one.
    const ERR: &'static str = "001";

    /// So many parts, by number, in their order.
    fn arrived(&mut self, parts: usize) -> BTreeMap<String, Vec<Arrived>>;
}

/// A server with a far end of its own.
struct Field<F> {
    data: tempfile::TempDir,
    server: Server,
    far: F,
    _runtime: tokio::runtime::Runtime,
}

impl<F: FarEnd> Field<F> {
    fn new(far: impl AsyncFnOnce(&Server) -> F) -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path());
        add_account(&server.client(), "shop");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let far = runtime.block_on(far(&server));
        Self {
            data,
            server,
            far,
            _runtime: runtime,
        }
    }

    /// What arrives of each case is what was sent.
    fn arrive(&mut self, cases: &[Case]) {
        let parts = cases.iter().map(|case| case.form.parts()).sum();
        let arrived = self.far.arrived(parts);
        for case in cases {
            compare(case, &arrived[&case.to]);
        }
    }

    /// Exactly so many receipts were sent, and none waits.
    fn receipts_are(&self, owed: usize) {
        let figures = || {
            let waits = metric(&self.server, "zajil_receipts_waiting");
            (waits == 0.0).then(|| metric(&self.server, "zajil_receipts_total{"))
        };
        let owed = f64::from(u32::try_from(owed).unwrap());
        wait_for(|| figures().filter(|sent| *sent >= owed));
        assert_eq!(figures(), Some(owed));
    }

    fn end(self) {
        drop(self.far);
        assert_eq!(self.server.stop(), Some(0));
    }
}

/// Runs an application through the matrix.
fn check<F: FarEnd>(command: Command, field: &mut Field<F>) {
    check_cases(command, field, &matrix());
}

/// Likewise, through some of it.
fn check_cases<F: FarEnd>(command: Command, field: &mut Field<F>, cases: &[Case]) {
    let client = field.server.client();
    let said = run(command, &field.server, cases);
    field.arrive(cases);
    let mut owed = Vec::new();
    for (n, case) in (0..).zip(cases) {
        let ids = &said.ids[&n];
        assert_eq!(ids.len(), case.form.parts(), "{case:?}");
        for (id, asked) in ids.values().zip(&case.asks) {
            // No receipt of those was waited for that nobody asked for.
            let message = wait_for(|| {
                Some(message(&client, id)).filter(|message| message["status"] != "pending")
            });
            if case.form.parts() == 1 {
                assert_eq!(message["message_body"], case.form.text(), "{case:?}");
            }
            assert_eq!(message["status"], case.end.status(), "{case:?} {message}");
            owed.extend(case.end.receipt(*asked).map(|(stat, state, err)| {
                let err = if case.end == End::Refused {
                    F::ERR
                } else {
                    err
                };
                json!({
                    "receipt": id, "id": id, "stat": stat, "state": state, "err": err,
                    "kind": 4, "source": case.to, "destination": "SHOP",
                })
            }));
        }
    }
    let sorted = |receipts: &[Value]| {
        let mut all: Vec<String> = receipts.iter().map(Value::to_string).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&said.receipts), sorted(&owed));
    field.receipts_are(owed.len());
}

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");

/// D9, D19.
#[test]
fn smpplib_sends_every_form_and_gets_the_receipts_it_asks_for() {
    let Some(python) = smpplib("smpplib_sends_every_form_and_gets_the_receipts_it_asks_for") else {
        return;
    };
    let mut command = Command::new(python);
    command.arg(format!("{PEERS}/esme_smpplib.py"));
    let mut field = Field::new(Phones::new);
    check(command, &mut field);
    field.end();
}

/// D9, D19. The library writes texts in GSM octets and says IA5.
#[test]
fn smpp_of_npm_sends_every_form_and_gets_the_receipts_it_asks_for() {
    const TEST: &str = "smpp_of_npm_sends_every_form_and_gets_the_receipts_it_asks_for";
    if !is_slow(TEST) {
        return;
    }
    let Some(modules) = variable("SMPP_NODE_MODULES") else {
        println!("SKIPPED {TEST}: cargo xtask test brings the package and sets SMPP_NODE_MODULES");
        return;
    };
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", modules)
        .arg(format!("{PEERS}/esme_smpp.js"));
    let mut field = Field::new(Phones::new);
    check(command, &mut field);
    field.end();
}

/// D9, D19. A crate of Rust, with its own writing of texts and parts.
#[test]
fn rusmppc_sends_every_form_and_gets_the_receipts_it_asks_for() {
    const TEST: &str = "rusmppc_sends_every_form_and_gets_the_receipts_it_asks_for";
    if !is_slow(TEST) {
        return;
    }
    let Some(binary) = variable("ESME_RUSMPP") else {
        println!("SKIPPED {TEST}: cargo xtask test builds the application and sets ESME_RUSMPP");
        return;
    };
    let mut field = Field::new(Phones::new);
    check(Command::new(binary), &mut field);
    field.end();
}

/// D9, D10, D19. The same to a carrier of the field, whose receipts decide: it writes ids in
/// another way in each session, throttles, is bound to over TLS for one form, and reads each text
/// itself.
#[test]
fn smpp_of_npm_as_carrier_gets_every_form_and_its_receipts_go_back() {
    const TEST: &str = "smpp_of_npm_as_carrier_gets_every_form_and_its_receipts_go_back";
    let (Some(python), Some(modules)) = (smpplib(TEST), variable("SMPP_NODE_MODULES")) else {
        println!("SKIPPED {TEST}: cargo xtask test brings smpplib and smpp of npm");
        return;
    };
    let mut command = Command::new(python);
    command.arg(format!("{PEERS}/esme_smpplib.py"));
    let mut field = Field::new(async |server: &Server| NpmCarrier::new(server, &modules));
    check(command, &mut field);
    field.far.has_throttled();
    field.far.sends_messages_of_mobiles(&field.server);
    field.end();
}

/// Octets as a parameter of a URL has them.
fn quoted(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("%{o:02X}")).collect()
}

/// What Kannel is told to send, and how to ask for receipts: `dlr-mask` has 1 for deliveries and 2
/// for failures. It has no other way for long texts than a header, and one mask for a text.
fn kannel_query(case: &Case, n: usize, sink: u16) -> String {
    let (text, coding) = match case.form {
        Form::Binary => (case.form.expected().1, "coding=1"),
        Form::Ucs2 => (case.form.text().into_bytes(), "coding=2&charset=UTF-8"),
        Form::Flash => (
            case.form.text().into_bytes(),
            "coding=0&mclass=0&charset=UTF-8",
        ),
        _ => (case.form.text().into_bytes(), "coding=0&charset=UTF-8"),
    };
    let mask = match case.asks[0] {
        1 => "3",
        2 => "2",
        _ => "0",
    };
    let dlr = format!("http://127.0.0.1:{sink}/dlr?n={n}&type=%d&text=%A");
    format!(
        "from=SHOP&to=%2B{}&{coding}&text={}&dlr-mask={mask}&dlr-url={}",
        case.to,
        quoted(&text),
        quoted(dlr.as_bytes())
    )
}

/// D9, D19. What Kannel makes of a receipt is its type: 1 delivered, 2 failed.
#[test]
fn kannel_sends_every_form_and_gets_the_receipts_it_asks_for() {
    const TEST: &str = "kannel_sends_every_form_and_gets_the_receipts_it_asks_for";
    if !is_slow(TEST) || !Kannel::is_there(TEST) {
        return;
    }
    let mut field = Field::new(Phones::new);
    let (sink, heard) = sink();
    let kannel = Kannel::start(field.data.path(), &field.server.smpp, sink);
    let of_kannel = |case: &Case| {
        let form = !matches!(case.form, Form::Sar | Form::Payload);
        form && case.asks.iter().all(|asked| *asked == case.asks[0])
    };
    let mut cases: Vec<Case> = matrix().into_iter().filter(of_kannel).collect();
    for case in &mut cases {
        // It asks for the receipt of one part, and takes it for that of the text.
        case.asks.iter_mut().skip(1).for_each(|asked| *asked = 0);
    }
    for (n, case) in cases.iter().enumerate() {
        kannel.sends(&kannel_query(case, n, sink));
    }
    field.arrive(&cases);
    let mut owed = BTreeMap::new();
    for (n, case) in cases.iter().enumerate() {
        if case.owed() > 0 {
            let kind = if case.end == End::Taken { 1 } else { 2 };
            owed.insert(n, kind);
        }
    }
    let mut told = BTreeMap::new();
    while told.len() < owed.len() {
        let path = heard.recv_timeout(PATIENCE).unwrap();
        let words = path.strip_prefix("/dlr?n=").unwrap();
        let mut words = words.split('&');
        let n: usize = words.next().unwrap().parse().unwrap();
        let kind = words.next().unwrap().strip_prefix("type=").unwrap();
        let before = told.insert(n, kind.parse::<i32>().unwrap());
        assert_eq!(before, None, "{path}");
    }
    assert_eq!(told, owed);
    field.receipts_are(cases.iter().map(Case::owed).sum());
    assert!(heard.try_recv().is_err());
    drop(kannel);
    field.end();
}
