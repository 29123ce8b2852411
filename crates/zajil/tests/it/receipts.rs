//! Receipts of the real binary: what a crash leaves of them, and what Kannel reads.
//! Slow: runs with `SLOW_TESTS=1`. `cargo xtask test` brings Kannel.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};
use smpp_codec::pdu::{Bind, Sm, SmResp};
use smpp_codec::session::Side;
use smpp_codec::state::MessageState;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::{Header, Pdu, Status, receipt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use zajil_smpp::link::{self, Answer, Handle, Handler, Link, Reaction};
use zajil_testkit::port::Port;

use crate::server::{Client, Server};
use crate::smpp::{add_account, variable};

/// Longer than anything takes on a slow machine, the lease of a receipt included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

pub(crate) fn is_slow(test: &str) -> bool {
    let slow = variable("SLOW_TESTS").as_deref() == Some("1");
    if !slow {
        println!("SKIPPED {test}: set SLOW_TESTS=1 to run it");
    }
    slow
}

/// Takes every delivery, and says which.
struct Inbox(mpsc::Sender<Sm>);

impl Handler for Inbox {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        let Pdu::DeliverSm(sm) = pdu else {
            return Reaction::Now(Answer::refusal(header, Status::RINVCMDID));
        };
        self.0.try_send(sm).unwrap();
        Reaction::Now(Answer::done(Pdu::DeliverSmResp(SmResp::default())))
    }
}

async fn bound(server: &Server) -> (Handle, mpsc::Receiver<Sm>) {
    let stream = tokio::net::TcpStream::connect(&*server.smpp).await.unwrap();
    // The account is in force since its making was answered.
    bind_over(stream).await.unwrap()
}

/// Binds the account `shop`; what it is delivered comes out of the receiver.
pub(crate) async fn bind_over<S>(stream: S) -> Result<(Handle, mpsc::Receiver<Sm>), Status>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (to, delivered) = mpsc::channel(1_000);
    let handle = bind_as("shop", stream, Inbox(to)).await?;
    Ok((handle, delivered))
}

/// Binds an account as a transceiver that does this with what it is delivered.
#[expect(clippy::disallowed_methods, reason = "a test ends with its runtime")]
pub(crate) async fn bind_as<S, H>(system_id: &str, stream: S, handler: H) -> Result<Handle, Status>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler + 'static,
{
    let options = link::Options {
        window_out: 100,
        ..link::Options::new(Side::Esme)
    };
    let (link, handle) = Link::new(options);
    tokio::spawn(link.run(stream, handler));
    let bind = Bind {
        system_id: Text::new(system_id.to_owned()).unwrap(),
        password: Text::new("secret08").unwrap(),
        interface_version: 0x34,
        ..Bind::default()
    };
    let response = handle.request(Pdu::BindTransceiver(bind)).await.unwrap();
    match response.status {
        Status::ROK => Ok(handle),
        status => Err(status),
    }
}

pub(crate) async fn submit(handle: &Handle) -> String {
    let mut sm = Sm {
        source_addr: zajil_smpp::number::write("SHOP"),
        destination_addr: zajil_smpp::number::write("+46709771337"),
        short_message: ShortMessage::new(&b"hi"[..]).unwrap(),
        ..Sm::default()
    };
    sm.registered_delivery.0 = 1;
    let response = handle.request(Pdu::SubmitSm(sm)).await.unwrap();
    match response.pdu {
        Pdu::SubmitSmResp(resp) if response.status.is_ok() => resp.message_id.to_str().into(),
        other => panic!("{other:?}"),
    }
}

async fn next(delivered: &mut mpsc::Receiver<Sm>) -> String {
    let next = tokio::time::timeout(PATIENCE, delivered.recv()).await;
    let pdu = next.unwrap().unwrap();
    let read = receipt::parse(pdu.short_message.octets()).unwrap();
    assert_eq!(read.state, Some(MessageState::Delivered));
    read.id.unwrap()
}

fn is_delivered(client: &Client, id: &str) {
    let path = format!("/api/messages/{id}/mark_delivered");
    let (status, answer) = client.call("POST", &path, &json!({}));
    assert_eq!(status, 200, "{answer}");
}

/// D19: no receipt is lost, whenever the process is killed: after the submit, after the end of the
/// message, while receipts are on their way.
#[test]
fn d19_no_receipt_is_lost_to_a_kill() {
    if !is_slow("d19_no_receipt_is_lost_to_a_kill") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    add_account(&server.client(), "shop");
    let mut owed = BTreeSet::new();
    runtime.block_on(async {
        let (handle, _delivered) = bound(&server).await;
        for _ in 0..60 {
            owed.insert(submit(&handle).await);
        }
    });
    server.kill();
    let server = Server::start(data.path());
    for id in &owed {
        is_delivered(&server.client(), id);
    }
    server.kill();
    let server = Server::start(data.path());
    let mut taken = BTreeSet::new();
    runtime.block_on(async {
        let (_handle, mut delivered) = bound(&server).await;
        for _ in 0..20 {
            taken.insert(next(&mut delivered).await);
        }
        server.kill();
        // What it had sent before.
        while let Some(pdu) = delivered.recv().await {
            let read = receipt::parse(pdu.short_message.octets()).unwrap();
            taken.extend(read.id);
        }
    });
    let server = Server::start(data.path());
    runtime.block_on(async {
        let (_handle, mut delivered) = bound(&server).await;
        while taken != owed {
            let id = next(&mut delivered).await;
            assert!(owed.contains(&id), "{id} was never submitted");
            taken.insert(id);
        }
    });
    assert_eq!(server.stop(), Some(0));
}

/// Answers every request with 200, and tells its path.
pub(crate) fn sink() -> (u16, Receiver<String>) {
    sink_saying("")
}

/// Likewise, with this text.
pub(crate) fn sink_saying(text: &'static str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told): (Sender<String>, Receiver<String>) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else {
                continue;
            };
            let rest = lines.map_while(Result::ok);
            rest.take_while(|line| !line.is_empty()).for_each(drop);
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
            );
            drop(stream.write_all(answer.as_bytes()));
            let path = first.split(' ').nth(1).unwrap_or("").to_owned();
            if tell.send(path).is_err() {
                return;
            }
        }
    });
    (port, told)
}

/// Kannel's two processes; they end with the value.
pub(crate) struct Kannel {
    boxes: Vec<Child>,
    sendsms: u16,
    _ports: [Port; 3],
}

impl Drop for Kannel {
    fn drop(&mut self) {
        for child in self.boxes.iter_mut().rev() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Kannel {
    /// Whether it is installed; where it is not that is said.
    pub(crate) fn is_there(test: &str) -> bool {
        let there = Command::new("bearerbox").arg("--version").output().is_ok();
        if !there {
            println!("SKIPPED {test}: there is no Kannel");
        }
        there
    }

    pub(crate) fn start(directory: &Path, smpp: &str, sink: u16) -> Self {
        let (_, smpp_port) = smpp.rsplit_once(':').unwrap();
        let ports = [Port::any(), Port::any(), Port::any()];
        let [admin, smsbox, sendsms] = ports.each_ref().map(Port::number);
        let shown = directory.display();
        let file = directory.join("kannel.conf");
        let settings = format!(
            "group = core\nadmin-port = {admin}\nadmin-password = secret\n\
             admin-interface = 127.0.0.1\nsmsbox-port = {smsbox}\nbox-allow-ip = 127.0.0.1\n\
             log-file = {shown}/bearerbox.log\nlog-level = 0\ndlr-storage = internal\n\
             sms-resend-freq = 1\n\n\
             group = smsc\nsmsc = smpp\nsmsc-id = zajil\nhost = 127.0.0.1\nport = {smpp_port}\n\
             transceiver-mode = true\nsmsc-username = shop\nsmsc-password = secret08\n\
             system-type = \"\"\ninterface-version = 34\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {sendsms}\n\
             sendsms-interface = 127.0.0.1\nlog-file = {shown}/smsbox.log\nlog-level = 0\n\n\
             group = sendsms-user\nusername = tester\npassword = tester\nmax-messages = 5\n\
             concatenation = true\n\n\
             group = sms-service\nkeyword = default\ncatch-all = true\nmax-messages = 0\n\
             get-url = \"http://127.0.0.1:{sink}/mo?from=%p&to=%P&text=%b\"\n"
        );
        std::fs::write(&file, settings).unwrap();
        let mut kannel = Self {
            boxes: Vec::new(),
            sendsms,
            _ports: ports,
        };
        // The second may start before the first listens: it is started until it stays.
        for (binary, waits_for) in [("bearerbox", smsbox), ("smsbox", sendsms)] {
            let child = Command::new(binary)
                .arg(&file)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            kannel.boxes.push(child);
            let up = || std::net::TcpStream::connect(("127.0.0.1", waits_for)).ok();
            wait_for(up);
        }
        kannel
    }

    fn send(&self, rest: &str, sink: u16) {
        let dlr = format!("http%3A%2F%2F127.0.0.1%3A{sink}%2Fdlr%3Ftype%3D%25d%26text%3D%25A");
        self.sends(&format!(
            "from=SHOP&to=%2B46709771337&dlr-mask=31&dlr-url={dlr}&{rest}"
        ));
    }

    /// Sends what the parameters say.
    pub(crate) fn sends(&self, parameters: &str) {
        let url = format!(
            "http://127.0.0.1:{}/cgi-bin/sendsms?username=tester&password=tester&{parameters}",
            self.sendsms
        );
        let answer = ureq::get(&url).call().unwrap();
        assert_eq!(answer.status(), 202);
    }
}

pub(crate) fn wait_for<T>(mut poll: impl FnMut() -> Option<T>) -> T {
    let begun = zajil_telemetry::Stopwatch::start();
    loop {
        if let Some(answer) = poll() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "not in time");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// The messages that wait, oldest first.
fn waiting(client: &Client, wanted: usize) -> Vec<Value> {
    wait_for(|| {
        let (_, list) = client.call("GET", "/api/messages?status=pending", &Value::Null);
        let mut all = list["data"].as_array().unwrap().clone();
        all.reverse();
        (all.len() == wanted).then_some(all)
    })
}

/// What Kannel says of a receipt: its kind and the text that we sent.
fn told(sink: &Receiver<String>, kind: u32) -> String {
    loop {
        let path = sink.recv_timeout(PATIENCE).unwrap();
        if path.starts_with(&format!("/dlr?type={kind}&")) {
            return path;
        }
    }
}

/// Kannel binds to us, sends, is delivered to, and makes of our receipts what they mean.
#[test]
fn d19_kannel_sends_receives_and_understands_our_receipts() {
    const TEST: &str = "d19_kannel_sends_receives_and_understands_our_receipts";
    if !is_slow(TEST) || !Kannel::is_there(TEST) {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    add_account(&client, "shop");
    let (sink, heard) = sink();
    let kannel = Kannel::start(data.path(), &server.smpp, sink);
    // Delivered, and failed for good.
    kannel.send("text=hello+%40", sink);
    let message = waiting(&client, 1).remove(0);
    assert_eq!(message["message_body"], "hello @");
    // 8: we have taken it.
    told(&heard, 8);
    is_delivered(&client, &message["id"].to_string());
    let receipt = told(&heard, 1);
    assert!(receipt.contains("stat%3ADELIVRD"), "{receipt}");
    kannel.send("text=never", sink);
    let message = waiting(&client, 1).remove(0);
    let path = format!("/api/messages/{}/mark_failed", message["id"]);
    let failed = json!({ "permanent": true, "reason": "no" });
    assert_eq!(client.call("POST", &path, &failed).0, 200);
    let receipt = told(&heard, 2);
    assert!(receipt.contains("stat%3AUNDELIV"), "{receipt}");
    // A long text goes in parts; each that asks has its receipt.
    kannel.send(&format!("text={}", "0123456789".repeat(20)), sink);
    for part in waiting(&client, 2) {
        assert_eq!(part["message_parts"], 2);
        is_delivered(&client, &part["id"].to_string());
    }
    told(&heard, 1);
    // In Cyrillic letters.
    kannel.send("coding=2&charset=UTF-8&text=%D0%90", sink);
    let message = waiting(&client, 1).remove(0);
    assert_eq!(message["message_body"], "А");
    is_delivered(&client, &message["id"].to_string());
    told(&heard, 1);
    // The other way.
    let to_kannel = json!({
        "source_msisdn": "+46701133111", "destination_msisdn": "+46700000001",
        "message_body": "to you", "dest_smsc": "shop", "source_smsc": "test",
    });
    let (status, answer) = client.call("POST", "/api/messages", &to_kannel);
    assert_eq!(status, 201, "{answer}");
    let path = wait_for(|| heard.recv().ok().filter(|path| path.starts_with("/mo?")));
    assert!(path.ends_with("text=to+you"), "{path}");
    let id = &answer["data"]["id"];
    wait_for(|| {
        let (_, now) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
        (now["data"]["status"] == "delivered").then_some(())
    });
    drop(kannel);
    assert_eq!(server.stop(), Some(0));
}
