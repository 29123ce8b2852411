//! The load balancer of the reference deployment before two nodes: SMPP binds and live streams.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::{Value, json};
use zajil_testkit::database::{DatabaseServer, Engine};
use zajil_testkit::port::Port;

use crate::history::until;
use crate::server::{Client, Server};
use crate::smpp::add_account;

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/cluster/haproxy.cfg"
);

/// A child with its ports that ends with its test.
struct Ends(
    Child,
    #[expect(dead_code, reason = "kept, not asked")] Vec<Port>,
);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts it with the example of the deployment; only addresses and ports differ, and the third
/// node is not there. Answers where it takes HTTP and SMPP.
fn balance(folder: &Path, nodes: &[Server; 2]) -> (Ends, String, String) {
    let ports = [Port::any(), Port::any()];
    let [http, smpp] = ports
        .each_ref()
        .map(|port| format!("127.0.0.1:{}", port.number()));
    let mut text = std::fs::read_to_string(EXAMPLE).unwrap();
    text = text
        .replace("10.0.0.1:8080", &http)
        .replace("10.0.0.1:2775", &smpp);
    text = text.replace("check port 8080", "check");
    for (number, node) in (1..).zip(nodes) {
        let api = node.base.strip_prefix("http://").unwrap();
        let (_, port) = api.rsplit_once(':').unwrap();
        let bind = format!("{} port {port}", node.smpp);
        text = text.replace(&format!("10.0.0.1{number}:8080"), api);
        text = text.replace(&format!("10.0.0.1{number}:2775"), &bind);
    }
    let there = |line: &&str| !line.contains("10.0.0.13");
    let text: String = text
        .lines()
        .filter(there)
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(!text.contains("10.0.0."), "{text}");
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("/usr/sbin/haproxy");
    command.args(["-db", "-f"]).arg(file).stdin(Stdio::null());
    (
        Ends(command.spawn().unwrap(), ports.into()),
        format!("http://{http}"),
        smpp,
    )
}

/// A session of SMPP, octet by octet.
struct Session(TcpStream);

impl Session {
    /// Bound as a transceiver; none when the bind is refused or the connection ends.
    fn bind(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut session = Self(stream);
        let body = b"app\0secret08\0\0\x34\0\0\0";
        (session.ask(0x0000_0009, body)? == 0).then_some(session)
    }

    /// The status of the answer.
    fn ask(&mut self, command: u32, body: &[u8]) -> Option<u32> {
        self.send(command, 1, body)?;
        loop {
            let [told, status, number] = self.read()?;
            if told == command | 0x8000_0000 {
                return Some(status);
            }
            // The node asks whether we are there.
            assert_eq!(told, 0x0000_0015);
            self.send(0x8000_0015, number, b"")?;
        }
    }

    fn send(&mut self, command: u32, number: u32, body: &[u8]) -> Option<()> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let header = [length, command, 0, number].map(u32::to_be_bytes).concat();
        self.0.write_all(&[&header, body].concat()).ok()
    }

    /// Command, status and number of the next PDU.
    fn read(&mut self) -> Option<[u32; 3]> {
        let mut header = [0; 16];
        self.0.read_exact(&mut header).ok()?;
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let mut rest = vec![0; usize::try_from(word(0)).unwrap() - 16];
        self.0.read_exact(&mut rest).ok()?;
        Some([word(4), word(8), word(12)])
    }

    fn is_alive(&mut self) -> bool {
        self.ask(0x0000_0015, b"") == Some(0)
    }
}

/// How many binds a node holds.
fn binds(node: &Server) -> u64 {
    let mut page = ureq::get(&node.metrics).call().unwrap();
    let page = page.body_mut().read_to_string().unwrap();
    let lines = page
        .lines()
        .filter(|line| line.starts_with("zajil_smpp_sessions{"));
    let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    counts.sum()
}

fn submit(client: &Client) -> Option<u16> {
    let body = json!({ "destination_msisdn": "+15551234567", "message_body": "x" });
    let answer = client.try_call(("POST", "/api/messages"), &[], &body);
    answer.map(|(status, _)| status)
}

fn node(data: &Path, database: &DatabaseServer, name: &str) -> Server {
    let url = database.url();
    let settings = format!(
        "[node]\nsmsc_node_name = \"{name}\"\n[store]\nurl = \"{url}\"\n\
         [cdr]\ncdr_url = \"{url}\"\n"
    );
    Server::configured(&data.join(name), &settings)
}

/// A live stream, and the lines that it tells.
fn listen(base: &str) -> (Ends, Receiver<String>) {
    let tail = Command::new(env!("CARGO_BIN_EXE_zajil"))
        .args(["tail", "--json", "--server", base])
        .stdout(Stdio::piped())
        .spawn();
    let mut tail = Ends(tail.unwrap(), Vec::new());
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap());
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
            drop(told.send(std::mem::take(&mut line)));
        }
    });
    (tail, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_binds_and_streams_behind_the_balancer_outlive_a_drain_and_go_to_the_other_node() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let nodes = ["a", "b"].map(|name| node(data.path(), &database, name));
    let (_balancer, http, smpp) = balance(data.path(), &nodes);
    let client = Client::new(&http);
    until("the balancer has found a node", || {
        submit(&client) == Some(201)
    });
    add_account(&client, "app");
    // Binds are spread by how many each has.
    let mut sessions: Vec<Session> = Vec::new();
    until("four binds are there", || {
        sessions.extend(Session::bind(&smpp));
        sessions.len() == 4
    });
    assert_eq!([binds(&nodes[0]), binds(&nodes[1])], [2, 2]);

    // A live stream through the balancer hears of what its node takes.
    let (mut tail, heard) = listen(&http);
    // It tells of its own node, and the balancer sends submits to the one that has less to do.
    until("the stream tells of a submit", || {
        for node in &nodes {
            submit(&node.client());
        }
        heard.recv_timeout(Duration::from_millis(50)).is_ok()
    });

    // A node that is drained keeps what it has, and gets nothing new.
    let drained = client.call("POST", "/api/cluster/a/drain", &Value::Null);
    assert_eq!(drained.0, 200, "{}", drained.1);
    until("new binds go to the other node only", || {
        let before = [binds(&nodes[0]), binds(&nodes[1])];
        let Some(session) = Session::bind(&smpp) else {
            return false;
        };
        sessions.push(session);
        let after = [binds(&nodes[0]), binds(&nodes[1])];
        after == [before[0], before[1] + 1]
    });
    for session in &mut sessions {
        assert!(session.is_alive(), "a drain ends no bind");
    }
    assert_eq!(submit(&client), Some(201));
    assert!(
        tail.0.try_wait().unwrap().is_none(),
        "a drain ends no stream"
    );

    // One that dies ends its binds, and they come back at the other.
    let [one, other] = nodes;
    one.kill();
    let before = binds(&other);
    sessions.retain_mut(Session::is_alive);
    assert_eq!(u64::try_from(sessions.len()).unwrap(), before);
    let again = Session::bind(&smpp).expect("a bind at the node that is left");
    assert_eq!(binds(&other), before + 1);
    assert_eq!(submit(&client), Some(201));
    drop((again, sessions, tail));
    assert_eq!(other.stop(), Some(0));
}
