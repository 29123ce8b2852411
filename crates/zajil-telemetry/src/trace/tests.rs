//! Traces as a collector gets them: over HTTP, in protobuf, read here field by field.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::mpsc;
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::event::NodeName;
use zajil_core::id::MessageId;
use zajil_core::message::{Arranged, Content, Life, Message, TransferFields};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::retry::Attempt;

use super::Options;
use super::tracer::{QUEUE, most, trace};
use crate::{ChargeFact, Fact, Stopwatch, Telemetry};

const DEADLINE: Duration = Duration::from_secs(60);

/// The fields of a protobuf message: numbers as eight octets, everything else as it is.
fn fields(mut octets: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(octets: &mut &[u8]) -> u64 {
        let mut number = 0;
        for place in 0.. {
            let octet = octets[0];
            *octets = &octets[1..];
            number |= u64::from(octet & 0x7f) << (7 * place);
            if octet < 0x80 {
                break;
            }
        }
        number
    }
    let mut found = Vec::new();
    while !octets.is_empty() {
        let tag = varint(&mut octets);
        let value = match tag & 7 {
            0 => varint(&mut octets).to_be_bytes().to_vec(),
            wire => {
                let length = if wire == 1 { 8 } else { varint(&mut octets) };
                let (value, rest) = octets.split_at(usize::try_from(length).unwrap());
                octets = rest;
                value.to_vec()
            }
        };
        found.push((tag >> 3, value));
    }
    found
}

fn all(message: &[u8], field: u64) -> Vec<Vec<u8>> {
    let fields = fields(message).into_iter();
    fields
        .filter_map(|(number, value)| (number == field).then_some(value))
        .collect()
}

fn one(message: &[u8], field: u64) -> Vec<u8> {
    all(message, field).pop().unwrap_or_default()
}

fn text(message: &[u8], field: u64) -> String {
    String::from_utf8(one(message, field)).unwrap()
}

/// Every span of a request.
fn spans(request: &[u8]) -> Vec<Vec<u8>> {
    all(&one(&one(request, 1), 2), 2)
}

fn attributes(span: &[u8], field: u64) -> Vec<String> {
    let shown = |pair: &Vec<u8>| {
        let value = one(pair, 2);
        let number = one(&value, 3);
        let value = match <[u8; 8]>::try_from(number) {
            Ok(number) => u64::from_be_bytes(number).to_string(),
            Err(_) => text(&value, 1),
        };
        format!("{}={value}", text(pair, 1))
    };
    all(span, field).iter().map(shown).collect()
}

/// Reads one request; answers its head and body.
fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut octets = Vec::new();
    let end = loop {
        let mut block = [0; 4_096];
        let count = stream.read(&mut block).ok().filter(|count| *count > 0)?;
        octets.extend_from_slice(&block[..count]);
        if let Some(at) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8(octets[..end].to_vec())
        .unwrap()
        .to_lowercase();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.split_once('\r').unwrap().0.parse().unwrap();
    let mut body = octets.split_off(end);
    let read = body.len();
    body.resize(length, 0);
    stream.read_exact(&mut body[read..]).unwrap();
    Some((head, body))
}

/// A collector that tells what it gets.
fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            while let Some(request) = read_request(&mut stream) {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .unwrap();
                if tell.send(request).is_err() {
                    return;
                }
            }
        }
    });
    (format!("http://{address}/v1/traces"), told)
}

fn traced(endpoint: &str, sampling: f64) -> Telemetry {
    let options = Options {
        endpoint: endpoint.to_owned(),
        sampling,
        node: "zajil@here".to_owned(),
    };
    Telemetry::new().unwrap().with_traces(&options).unwrap()
}

/// A message that has failed once; only its id and attempts are told.
fn message(number: u64) -> Message {
    let at = Timestamp::from_secs(1_000);
    Message {
        id: id(number),
        content: Content {
            source: Sender::restore("7726"),
            destination: Msisdn::restore("+15551234567"),
            body: "hello".into(),
            source_smsc: None,
            source_imsi: None,
            dest_imsi: None,
            parts: NonZeroU32::MIN,
            part_number: None,
            tp: TransferFields::default(),
            send_time: None,
            raw_pdu: None,
            raw_data: false,
            raw_sip: false,
        },
        dest_smsc: None,
        inserted_at: at,
        updated_at: at,
        expires: at,
        deliver_after: None,
        attempts: Attempt::default().next(),
        charge_failed: false,
        arranged: Arranged::default(),
        origin_node: NodeName::new("node-a"),
        life: Life::Pending { leased_until: None },
    }
}

fn id(number: u64) -> MessageId {
    MessageId::new(number).unwrap()
}

fn counted(telemetry: &Telemetry, outcome: &str) -> u64 {
    telemetry.metrics.spans(outcome).get()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let watch = Stopwatch::start();
    while !done() {
        assert!(watch.elapsed() < DEADLINE, "{what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// What is told of a message that was charged in vain and delivered all the same.
fn life(message: &Message, took: Duration) -> [Fact<'_>; 8] {
    let id = message.id;
    [
        Fact::Decided {
            message,
            took,
            route: Some(9),
        },
        Fact::Charge(ChargeFact::Failed {
            id,
            took,
            refused: true,
            why: "no money",
        }),
        Fact::Stored { id, took },
        Fact::Accepted {
            message,
            took,
            queued: true,
        },
        Fact::Offered { id, took },
        Fact::Reported { id, took },
        Fact::Delivered {
            message,
            after: took,
        },
        Fact::LateReport { id },
    ]
}

#[test]
fn s14_4_the_steps_of_a_message_are_one_trace_at_the_collector() {
    let (endpoint, told) = collector();
    let telemetry = traced(&endpoint, 1.0);
    let message = message(77);
    let id = message.id;
    let facts = life(&message, Duration::from_millis(3));
    facts.iter().for_each(|fact| telemetry.record(fact));
    let (head, body) = told.recv_timeout(DEADLINE).unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf\r\n"),
        "{head}"
    );
    let resource = one(&one(&body, 1), 1);
    let version = format!("service.version={}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        attributes(&resource, 1),
        [
            "service.name=zajil",
            "service.instance.id=zajil@here",
            &version
        ]
    );
    let spans = spans(&body);
    let names: Vec<String> = spans.iter().map(|span| text(span, 5)).collect();
    let expected = [
        "route", "charge", "store", "accept", "offer", "report", "deliver",
    ];
    assert_eq!(names, expected);
    let root = one(&spans[3], 2);
    for (name, span) in names.iter().zip(&spans) {
        assert_eq!(one(span, 1), trace(id), "{name} is of the trace");
        assert_eq!((one(span, 1).len(), one(span, 2).len()), (16, 8), "{name}");
        let parent = if name == "accept" {
            Vec::new()
        } else {
            root.clone()
        };
        assert_eq!(one(span, 4), parent, "{name}");
        let at = |field| u64::from_le_bytes(one(span, field).try_into().unwrap());
        assert_eq!(at(8) - at(7), 3_000_000, "{name}");
        assert_eq!(attributes(span, 9)[0], "zajil.message_id=77");
    }
    let mut ids: Vec<Vec<u8>> = spans.iter().map(|span| one(span, 2)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
    assert_eq!(attributes(&spans[0], 9)[1], "zajil.route_id=9");
    assert_eq!(attributes(&spans[6], 9)[1], "zajil.attempts=2");
    let status = one(&spans[1], 15);
    assert_eq!(
        (text(&status, 2), one(&status, 3)[7]),
        ("refused".to_owned(), 2)
    );
    assert!(one(&spans[0], 15).is_empty());
    until("counted", || counted(&telemetry, "sent") == 7);
}

#[test]
fn s14_4_a_share_of_the_messages_is_traced_and_whole() {
    let (endpoint, told) = collector();
    let telemetry = traced(&endpoint, 0.25);
    let took = Duration::ZERO;
    for number in 1..=1_000 {
        let message = &message(number);
        let id = message.id;
        telemetry.record(&Fact::Stored { id, took });
        telemetry.record(&Fact::Accepted {
            message,
            took,
            queued: true,
        });
    }
    drop(telemetry);
    let mut of = std::collections::BTreeMap::new();
    while let Ok((_, body)) = told.recv_timeout(Duration::from_millis(200)) {
        for span in spans(&body) {
            *of.entry(one(&span, 1)).or_insert(0) += 1;
        }
    }
    assert!((200..300).contains(&of.len()), "{} of 1,000", of.len());
    assert!(of.values().all(|spans| *spans == 2));
}

#[test]
fn s14_4_without_a_share_nothing_is_sent() {
    let telemetry = traced("http://127.0.0.1:9/", 0.0);
    for number in 1..=1_000 {
        telemetry.record(&Fact::Stored {
            id: id(number),
            took: Duration::ZERO,
        });
    }
    drop(telemetry);
    assert_eq!(most(0.0), 0);
    assert_eq!(most(1.0), u64::MAX);
}

#[test]
fn s14_4_a_collector_that_hangs_costs_spans_which_are_counted_and_no_time() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", silent.local_addr().unwrap());
    let telemetry = traced(&endpoint, 1.0);
    let many = 3 * QUEUE as u64;
    // It would never end if telling waited: nothing ever leaves the queue for good.
    for number in 1..=many {
        telemetry.record(&Fact::Stored {
            id: id(number),
            took: Duration::ZERO,
        });
    }
    let dropped = counted(&telemetry, "dropped");
    assert!(dropped >= many - 2 * QUEUE as u64, "{dropped} of {many}");
    assert_eq!(counted(&telemetry, "sent"), 0);
}

#[test]
fn s14_4_a_collector_that_is_away_costs_spans_which_are_counted() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", port.local_addr().unwrap());
    drop(port);
    let telemetry = traced(&endpoint, 1.0);
    telemetry.record(&Fact::Stored {
        id: id(1),
        took: Duration::ZERO,
    });
    until("a failure", || counted(&telemetry, "failed") == 1);
    telemetry.record(&Fact::Stored {
        id: id(2),
        took: Duration::ZERO,
    });
    until("it goes on", || counted(&telemetry, "failed") == 2);
}
