//! What clients write, where others read it: no line of the log, no series of the metrics, no field
//! of a CDR and no request of a webhook can be forged by it (S3.8, S10, S12).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;

use crate::command_line::{text, zajil};
use crate::server::{Client, Server};

/// Ends a line, a string, a record, a header and a label wherever one is not written as it must be.
const FORGED: &str = "x\"}, \"a\":1\r\n\r\nPOST /forged HTTP/1.1\r\n\
    2026-01-01T00:00:00.000000Z ERROR forged: yes\u{1b}[2J\u{2028}\nforged_metric 1\n";
/// The same without what no name may have.
const NAME: &str = r#"gw"} 1 forged_metric{a="\',--"#;
const WITHIN: Duration = Duration::from_secs(60);

/// A request as the receiver of a webhook hears it.
#[derive(Debug)]
struct Heard {
    head: Vec<String>,
    body: Value,
}

/// Reads requests for good; none when the connection ends.
fn hear(stream: &TcpStream, told: &SyncSender<Heard>) -> Option<()> {
    let mut lines = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.strip_suffix("\r\n").unwrap() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let length = |line: &String| line.strip_prefix("content-length: ")?.parse().ok();
        let mut body = vec![0; head.iter().find_map(length).unwrap()];
        lines.read_exact(&mut body).ok()?;
        let body = serde_json::from_slice(&body).unwrap();
        told.send(Heard { head, body }).ok()?;
        let mut stream = stream;
        write!(stream, "HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

fn receiver() -> (u16, Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = sync_channel(100);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            std::thread::spawn(move || hear(&stream, &tell));
        }
    });
    (port, told)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

/// Writes it wherever something is remembered or told, and answers the id of a message.
fn write_everywhere(client: &Client, port: u16) -> u64 {
    let done = |what: (&str, &str), body: Value| {
        let headers = [
            ("x-request-id", NAME),
            ("user-agent", NAME),
            ("x-forwarded-for", NAME),
        ];
        let (status, answer) = client.try_call(what, &headers, &body).unwrap();
        assert!((200..300).contains(&status), "{what:?}: {status} {answer}");
        answer["data"].clone()
    };
    let hook = json!({
        "url": format!("http://127.0.0.1:{port}/"), "description": NAME,
        "events": ["message_inserted", "message_failed", "frontend_connected", "frontend_paused"],
    });
    done(("POST", "/api/webhooks"), hook);
    let frontend = json!({
        "frontend_name": NAME, "frontend_type": "SMPP", "hostname": NAME,
        "configuration": { FORGED: FORGED },
    });
    done(("POST", "/api/frontends"), frontend);
    let (status, _) = client.call(
        "POST",
        "/api/frontends",
        &json!({ "frontend_name": FORGED, "frontend_type": "SMPP" }),
    );
    assert_eq!(status, 422);
    let page = |verb: &str| format!("/api/frontends/{}/{verb}", encoded(NAME));
    done(("POST", &page("pause")), json!({ "reason": NAME }));
    done(("POST", &page("resume")), Value::Null);
    let message = json!({
        "destination_msisdn": "+15551234567", "message_body": FORGED, "dest_smsc": NAME,
        "source_smsc": NAME,
    });
    let id = done(("POST", "/api/messages"), message)["id"]
        .as_u64()
        .unwrap();
    for (page, body) in [
        (
            "/api/events",
            json!({ "message_id": id, "name": "seen", "description": FORGED }),
        ),
        (
            "/api/events",
            json!({ "message_id": id, "name": NAME, "description": NAME }),
        ),
        (
            "/api/ss7_events",
            json!({ "event_type": NAME, "imsi": "001010000000001" }),
        ),
        (
            "/api/routes",
            json!({ "dest_smsc": NAME, "called_prefix": "+999", "description": FORGED }),
        ),
    ] {
        // A door that does not take it writes it nowhere; what it says must stay on its line too.
        client.call("POST", page, &body);
    }
    for path in ["", "/mark_delivered", "%0d%0aforged:%20yes", "%1b%5b2J"] {
        client.call(
            "GET",
            &format!("/api/messages/{}{path}", encoded(FORGED)),
            &Value::Null,
        );
    }
    id
}

fn eventually<T>(what: &str, find: impl Fn() -> Option<T>) -> T {
    let began = Stopwatch::start();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(began.elapsed() < WITHIN, "{what} does not come");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn series(server: &Server) -> String {
    let page = ureq::get(&server.metrics).call().unwrap();
    page.into_body().read_to_string().unwrap()
}

/// Each line is of one series, with labels that end where they should, and one figure.
fn check_metrics(page: &str) {
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, figure) = line.rsplit_once(' ').unwrap();
        assert!(figure.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(
            name.chars().all(plain) && !name.starts_with("forged"),
            "{line}"
        );
        // Outside of quoted text, in which a quote has a backslash before it, one brace opens.
        let mut quoted = false;
        let mut open = 0;
        let mut letters = series.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' if quoted => drop(letters.next()),
                '"' => quoted = !quoted,
                '{' if !quoted => open += 1,
                '}' if !quoted => open -= 1,
                _ => {}
            }
        }
        assert!(!quoted && open == 0, "{line}");
    }
}

#[test]
fn s3_8_what_clients_write_forges_no_line_series_record_or_request() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("zajil.log");
    let settings = format!(
        "[log]\nlevel = \"debug\"\nfile = \"{}\"\n[webhooks]\nallowed_networks = [\"127.0.0.1\"]\n",
        log.display()
    );
    let server = Server::configured(&place.path().join("data"), &settings);
    let (port, told) = receiver();
    let client = server.client();
    let id = write_everywhere(&client, port);
    let queue = eventually("the queue's series", || {
        let page = series(&server);
        let shown = page
            .lines()
            .any(|line| line.starts_with("zajil_queue_messages{frontend=\"gw"));
        shown.then_some(page)
    });
    assert!(
        queue.contains(r#"frontend="gw\"} 1 forged_metric{a=\"\\',--""#),
        "{queue}"
    );
    check_metrics(&queue);

    let failed = json!({ "reason": FORGED, "permanent": true });
    let (status, _) = client.call("POST", &format!("/api/messages/{id}/mark_failed"), &failed);
    assert_eq!(status, 200);
    let exported = |format: &str| {
        let arguments = [
            "cdr",
            "export",
            "--format",
            format,
            "--server",
            &server.base,
        ];
        text(&zajil(&arguments).stdout)
    };
    let rows = eventually("the CDR", || {
        Some(exported("jsonl")).filter(|rows| !rows.is_empty())
    });
    let row: Value = serde_json::from_str(rows.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(
        (row["dest_smsc"].as_str(), row["message_body"].as_str()),
        (Some(NAME), Some(FORGED))
    );
    let csv = exported("csv");
    for field in [FORGED, NAME] {
        let field = format!("\"{}\"", field.replace('"', "\"\""));
        assert!(csv.contains(&field), "{csv}");
    }
    check_metrics(&series(&server));

    // Of everything that was told the head is ours, and the body says what was written.
    let mut bodies = Vec::new();
    while !bodies
        .iter()
        .any(|body: &Value| body["type"] == "message_failed")
    {
        let heard = told.recv_timeout(WITHIN).unwrap();
        assert_eq!(heard.head[0], "POST / HTTP/1.1", "{heard:?}");
        assert!(!heard.head.concat().contains("forged"), "{heard:?}");
        bodies.push(heard.body);
    }
    assert_eq!(server.stop(), Some(0));

    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("gw"), "{log}");
    for line in log.lines() {
        // The time that begins a line is ours: that of the forged one is long over.
        assert!(
            line.starts_with("20") && !line.starts_with("2026-01-01T"),
            "{line:?}"
        );
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
    }
}
