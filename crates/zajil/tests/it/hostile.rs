//! Peers that mean no good: what they send is refused or cut off, and memory stays where it was
//! (S3.7, S3.8). Under `SLOW_TESTS`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::server::Server;

/// How long a peer of ours waits for the server to end it: beyond every limit of the server.
const PATIENCE: Duration = Duration::from_secs(120);
/// How much more memory the server may have, in MiB.
const MORE_MIB: u64 = 100;

/// What an idle connection may cost, in KiB, in a build without optimisation.
const IDLE_KIB: u64 = 24;

fn skipped() -> bool {
    let skipped = std::env::var_os("SLOW_TESTS").is_none();
    if skipped {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
    }
    skipped
}

fn connect(server: &Server) -> TcpStream {
    let address = server.base.strip_prefix("http://").unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The first line of the answer; empty when the server closed without one.
fn first_line(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 1_024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => answer.extend(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server left us waiting: {error}"),
        }
        if answer.contains(&b'\r') {
            break;
        }
    }
    let line = String::from_utf8_lossy(&answer);
    line.split('\r').next().unwrap_or_default().to_owned()
}

/// Resident memory of the server in MiB.
fn memory_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib / 1_024
}

/// The server still takes messages, and has not grown.
fn unharmed(server: &Server, before: u64, what: &str) {
    let body = json!({ "destination_msisdn": "+15550001", "message_body": "x" });
    let (status, _) = server.client().call("POST", "/api/messages", &body);
    assert_eq!(status, 201, "{what}");
    let after = memory_mib(server);
    assert!(after < before + MORE_MIB, "{what}: {before} to {after} MiB");
}

/// What it is, the request, and the statuses that may answer it; empty = closed without one.
type Case<'a> = (&'a str, &'a str, &'a [&'a str]);

const MALFORMED: [Case<'_>; 6] = [
    (
        "no HTTP",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        &["400", ""],
    ),
    (
        "a header with a NUL",
        "GET / HTTP/1.1\r\nhost: x\r\na: \0\r\n\r\n",
        &["400", ""],
    ),
    (
        "two lengths",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        &["400", ""],
    ),
    (
        "a path out of here",
        "GET /api/../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
        &["404"],
    ),
    (
        "a path with a line break",
        "GET /api/messages/1%0d%0aset-cookie:%20a=b HTTP/1.1\r\nhost: x\r\n\r\n",
        &["404"],
    ),
    (
        "a request id with a line break",
        "GET /nowhere HTTP/1.1\r\nhost: x\r\nx-request-id: a\u{b}b\r\n\r\n",
        &["400", "404"],
    ),
];

#[test]
fn s3_8_too_much_is_refused_and_leaves_no_trace() {
    if skipped() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path());
    let before = memory_mib(&server);
    let huge = "POST /api/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n";
    let chunked = "POST /api/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let lines = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(100_000)
    );
    let uri = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(10 << 20));
    let header = format!(
        "GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n",
        "a".repeat(10 << 20)
    );
    let endless = format!(
        "{chunked}{}",
        format!("10000\r\n{}\r\n", "x".repeat(65_536)).repeat(256)
    );
    let deep = format!(
        "{{\"message_body\":{}1{}}}",
        "[".repeat(500_000),
        "]".repeat(500_000)
    );
    let deep = format!(
        "POST /api/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{deep}",
        deep.len()
    );
    let large: [Case<'_>; 6] = [
        ("a body of 1 GiB", huge, &["413"]),
        ("a body without end", &endless, &["413", ""]),
        ("100,000 headers", &lines, &["431", ""]),
        ("a URI of 10 MiB", &uri, &["414", "431", ""]),
        ("a header of 10 MiB", &header, &["431", ""]),
        ("JSON half a million deep", &deep, &["400", "422"]),
    ];
    for (what, request, answers) in large.into_iter().chain(MALFORMED) {
        let mut stream = connect(&server);
        // The server may close before it has heard all.
        drop(stream.write_all(request.as_bytes()));
        let line = first_line(&mut stream);
        let code = line.split(' ').nth(1).unwrap_or_default();
        assert!(answers.contains(&code), "{what}: {line}");
        unharmed(&server, before, what);
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn s3_8_slow_clients_are_cut_off_and_hold_nobody_up() {
    if skipped() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path());
    let before = memory_mib(&server);
    let head = "POST /api/messages HTTP/1.1\r\nhost: x\r\n";
    let mut heads: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    let mut bodies: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    for stream in &mut heads {
        stream.write_all(head.as_bytes()).unwrap();
    }
    for stream in &mut bodies {
        let begun = format!("{head}content-length: 100000\r\n\r\n{{");
        stream.write_all(begun.as_bytes()).unwrap();
    }
    unharmed(&server, before, "while they dawdle");
    for stream in &mut bodies {
        let line = first_line(stream);
        assert!(line.contains(" 400"), "a body that does not come: {line}");
    }
    for stream in &mut heads {
        let line = first_line(stream);
        assert!(
            line.is_empty() || line.contains(" 408"),
            "a head that does not come: {line}"
        );
    }
    unharmed(&server, before, "afterwards");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn s3_8_thousands_of_idle_connections_cost_little_and_are_closed() {
    if skipped() {
        return;
    }
    // Both ends are on this machine, and the test has one descriptor for each as well.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let open = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let open: usize = open
        .unwrap()
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    let most = 9_000.min(open.saturating_sub(500));
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path());
    let before = memory_mib(&server);
    let mut idle: Vec<_> = (0..most).map(|_| connect(&server)).collect();
    let each = most as u64 * IDLE_KIB / 1_024;
    unharmed(&server, before + each, "while they are idle");
    let mut last = idle.pop().unwrap();
    assert_eq!(first_line(&mut last), "", "the server ends it");
    drop(idle);
    // What the allocator keeps it uses again: another such crowd costs nothing more.
    let again: Vec<_> = (0..most).map(|_| connect(&server)).collect();
    unharmed(&server, before + each, "the second time");
    drop(again);
    assert_eq!(server.stop(), Some(0));
}
