//! The hot paths, each repeated as often as it is told to and alone in its process, so that the
//! instructions of a repetition can be counted: `cargo xtask guard`.
//!
//! `instructions PATH TIMES` runs one of them; `instructions` names them. Everything from the HTTP
//! request to the embedded store takes part, on one thread but for the store's own; sockets do not.
#![expect(
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench measures and prints"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use bytes::Bytes;
use serde::Deserialize;
use smpp_codec::Pdu;
use smpp_codec::pdu::Tolerance;
use tower::ServiceExt as _;
use zajil_api::{Api, Options, router};
use zajil_core::event::NodeName;
use zajil_engine::Engine;
use zajil_store::Store;
use zajil_store_embedded::EmbeddedStore;
use zajil_telemetry::Telemetry;
use zajil_testkit::clock::FakeClock;
use zajil_testkit::dice::FixedDice;

/// Messages of a batch.
const BATCH: u64 = 64;

/// What is counted, and how it begins.
const PATHS: [&str; 5] = ["submit", "batch", "life", "show", "smpp-submit-sm"];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let Some(path) = arguments.next() else {
        println!("{}", PATHS.join("\n"));
        return;
    };
    let times: u64 = arguments.next().unwrap().parse().unwrap();
    if path == "smpp-submit-sm" {
        return smpp(times);
    }
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::TempDir::new().unwrap();
        let door = Door::open(directory.path()).await;
        match path.as_str() {
            "submit" => door.submit(times).await,
            "batch" => door.batch(times).await,
            "life" => door.life(times).await,
            "show" => door.show(times).await,
            _ => panic!("there is no path {path}"),
        }
    });
}

/// A `submit_sm` read and written again.
fn smpp(times: u64) {
    let mut octets = vec![0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1];
    octets.extend(b"\0\x05\0Zajil\0\x01\x0146709771337\0\0\0\0\0\0\x01\0\0\0");
    let text = b"A message of seventy characters, which is what people write, roughly..";
    octets.push(u8::try_from(text.len()).unwrap());
    octets.extend(text);
    let length = u32::try_from(octets.len() + 4).unwrap();
    let frame = [&length.to_be_bytes()[..], &octets].concat();
    let frame = Bytes::from(frame);
    let mut out = bytes::BytesMut::new();
    for _ in 0..times {
        let (header, pdu) = Pdu::decode(black_box(&frame), Tolerance::Strict).unwrap();
        assert!(matches!(pdu, Pdu::SubmitSm(_)));
        out.clear();
        pdu.encode(header.status, header.sequence, &mut out);
        assert_eq!(out, frame);
    }
}

/// A node without its sockets.
struct Door {
    router: Router,
}

impl Door {
    async fn open(directory: &std::path::Path) -> Self {
        let options = zajil_store_embedded::Options::default();
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(directory, &options).unwrap());
        let clock = Arc::new(FakeClock::default());
        let telemetry = Arc::new(Telemetry::new().unwrap());
        let parts = zajil_engine::Parts {
            store: Arc::clone(&store),
            clock: clock.clone(),
            dice: Arc::new(FixedDice::new(vec![0])),
            telemetry: Arc::clone(&telemetry),
            lookup: None,
            charger: None,
        };
        let engine = Engine::start(parts, zajil_engine::Options::default()).await;
        let engine = engine.unwrap();
        let door = Self {
            router: router(Api {
                intake: engine.clone(),
                desk: engine.clone(),
                control: engine,
                store,
                cdrs: None,
                smpp: None,
                carriers: None,
                webhooks: None,
                clock,
                telemetry,
                options: Options::new("Zajil", NodeName::new("n1")),
            }),
        };
        let frontend = r#"{"frontend_name":"gw","frontend_type":"HTTP"}"#.to_owned();
        door.call("POST", "/api/frontends", Some(frontend)).await;
        // What only the first message costs.
        door.life(2).await;
        door
    }

    async fn call(&self, verb: &str, uri: &str, body: Option<String>) -> Bytes {
        let peer: SocketAddr = ([127, 0, 0, 1], 4_000).into();
        let request = Request::builder().method(verb).uri(uri);
        let request = request.header("content-type", "application/json");
        let request = request.extension(ConnectInfo(peer));
        let request = request.body(body.map_or_else(Body::empty, Body::from));
        let request = request.unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let octets = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        assert!(status.is_success(), "{verb} {uri}: {status} {octets:?}");
        octets
    }

    async fn submit(&self, times: u64) {
        for number in 0..times {
            self.call("POST", "/api/messages", Some(message(number)))
                .await;
        }
    }

    async fn batch(&self, times: u64) {
        for number in 0..times {
            self.call("POST", "/api/messages/batch", Some(messages(number)))
                .await;
        }
    }

    /// Submitted, leased and reported by batches.
    async fn life(&self, times: u64) {
        let lease = format!("/api/messages/queue?smsc=gw&lease=60&limit={BATCH}");
        for number in 0..times {
            self.call("POST", "/api/messages/batch", Some(messages(number)))
                .await;
            let leased = self.call("GET", &lease, None).await;
            let leased: Leased = serde_json::from_slice(&leased).unwrap();
            let reports: Vec<String> = leased.data.iter().map(report).collect();
            assert_eq!(u64::try_from(reports.len()), Ok(BATCH));
            let body = format!(r#"{{"reports":[{}]}}"#, reports.join(","));
            self.call("POST", "/api/messages/batch_report", Some(body))
                .await;
        }
    }

    async fn show(&self, times: u64) {
        let message = self.call("POST", "/api/messages", Some(message(0))).await;
        let message: Shown = serde_json::from_slice(&message).unwrap();
        let uri = format!("/api/messages/{}", message.data.id);
        for _ in 0..times {
            self.call("GET", &uri, None).await;
        }
    }
}

fn message(number: u64) -> String {
    format!(
        r#"{{"source_msisdn":"+15550001111","destination_msisdn":"+1555{number:07}",
"message_body":"A message of seventy characters, which is what people write, roughly..",
"source_smsc":"bench","dest_smsc":"gw"}}"#
    )
}

fn messages(number: u64) -> String {
    let messages: Vec<String> = (0..BATCH)
        .map(|nth| message(number * BATCH + nth))
        .collect();
    format!(r#"{{"messages":[{}]}}"#, messages.join(","))
}

fn report(message: &Message) -> String {
    let id = message.id;
    format!(r#"{{"id":{id},"outcome":"delivered","dest_smsc":"gw"}}"#)
}

/// The little of an answer that is used.
#[derive(Deserialize)]
struct Message {
    id: u64,
}

#[derive(Deserialize)]
struct Shown {
    data: Message,
}

#[derive(Deserialize)]
struct Leased {
    data: Vec<Message>,
}
