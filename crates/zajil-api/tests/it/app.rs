//! The door with the real engine and the memory store behind it, and requests as text.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use futures_util::StreamExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use zajil_api::{Access, AccessOptions, Api, Options, Part, Readiness, router};
use zajil_core::cdr::Cdr;
use zajil_core::charge::{Call, Failed, Refused, Verdict};
use zajil_core::clock::Timestamp;
use zajil_core::event::NodeName;
use zajil_core::port::{CdrFilter, CdrPlace, CdrSearch, Charger, Found};
use zajil_engine::Engine;
use zajil_store::Store;
use zajil_store::contract::OutboxSeq;
use zajil_store::memory::MemoryStore;
use zajil_telemetry::Telemetry;
use zajil_testkit::clock::FakeClock;
use zajil_testkit::dice::FixedDice;

use crate::contract::{self, Answer};

/// The headers of an answer that matter.
const SHOWN: [&str; 6] = [
    "allow",
    "retry-after",
    "www-authenticate",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node in a test.
pub(crate) struct App {
    router: Router,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) access: Arc<Access>,
}

/// A node that has just started, at 2026-01-01T00:00:00Z.
pub(crate) async fn app() -> App {
    app_with(Options::new("Zajil", NodeName::new("n1"))).await
}

/// A node that says that it is not ready.
pub(crate) async fn app_that_is_not_ready() -> App {
    let mut options = Options::new("Zajil", NodeName::new("n1"));
    options.ready = Readiness::new(|| {
        let part = |name, needed, state: Result<(), &str>| Part {
            name,
            needed,
            state: state.map_err(str::to_owned),
        };
        Box::pin(std::future::ready(vec![
            part("charging", false, Err("no answer")),
            part("store", true, Err("it is starting")),
        ]))
    });
    app_with(options).await
}

/// A node that asks who calls.
pub(crate) async fn app_with_access(access: AccessOptions) -> App {
    let mut options = Options::new("Zajil", NodeName::new("n1"));
    options.access = Arc::new(Access::new(access));
    options.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    app_with(options).await
}

/// A node that charges for every message, accounts on which nothing is left.
pub(crate) async fn app_without_credit() -> App {
    let options = Options::new("Zajil", NodeName::new("n1"));
    app_that_asks(options, Some(Arc::new(NoCredit))).await
}

async fn app_with(options: Options) -> App {
    app_that_asks(options, None).await
}

async fn app_that_asks(options: Options, charger: Option<Arc<dyn Charger>>) -> App {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(FakeClock::default());
    let telemetry = Telemetry::new().unwrap();
    let telemetry = Arc::new(telemetry.with_live(clock.clone(), NodeName::new("n1"), 64));
    let parts = zajil_engine::Parts {
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock: clock.clone(),
        dice: Arc::new(FixedDice::new(vec![0])),
        telemetry: Arc::clone(&telemetry),
        lookup: None,
        charger: charger.clone(),
    };
    let settings = zajil_engine::Options {
        node: NodeName::new("n1"),
        charging: zajil_engine::Charging {
            by_default: charger.is_some(),
            ..zajil_engine::Charging::default()
        },
        ..zajil_engine::Options::default()
    };
    let engine = Engine::start(parts, settings).await.unwrap();
    let access = Arc::clone(&options.access);
    let api = Api {
        intake: engine.clone(),
        desk: engine.clone(),
        control: engine.clone(),
        store: store.clone(),
        cdrs: Some(Arc::new(Shelf(store.clone()))),
        smpp: None,
        carriers: None,
        webhooks: Some(Arc::new(book(&store, &clock, &telemetry))),
        clock: clock.clone(),
        telemetry: Arc::clone(&telemetry),
        options,
    };
    App {
        router: router(api),
        clock,
        store,
        engine,
        telemetry,
        access,
    }
}

/// Subscriptions on the store's shelf; nothing is sent.
fn book(
    store: &Arc<MemoryStore>,
    clock: &Arc<FakeClock>,
    telemetry: &Arc<Telemetry>,
) -> zajil_webhook::Book {
    let parts = zajil_webhook::Parts {
        store: store.clone(),
        clock: clock.clone(),
        dice: Arc::new(FixedDice::new(vec![0])),
        telemetry: Arc::clone(telemetry),
    };
    zajil_webhook::Book::new(parts, zajil_webhook::Options::default()).unwrap()
}

/// A charging system that grants nothing.
#[derive(Debug)]
struct NoCredit;

impl Charger for NoCredit {
    fn charge<'a>(&'a self, _: &'a Call) -> Asked<'a, Verdict> {
        Box::pin(std::future::ready(Verdict::Refused(Refused::NoCredit)))
    }

    fn refund<'a>(&'a self, _: &'a Call) -> Asked<'a, Result<(), Failed>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn unusable(&self) -> Option<Failed> {
        None
    }

    fn health(&self) -> Asked<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The CDRs that wait in the outbox, found as a database would find them.
#[derive(Debug)]
struct Shelf(Arc<MemoryStore>);

impl CdrSearch for Shelf {
    fn search<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Option<CdrPlace>,
        limit: u32,
    ) -> Found<'a, Vec<(CdrPlace, Cdr)>> {
        Box::pin(async move {
            let entries = self
                .0
                .outbox(1_000)
                .await
                .map_err(|error| error.to_string())?;
            let place = |seq: OutboxSeq| CdrPlace(seq.0.try_into().unwrap());
            let rows = entries
                .into_iter()
                .rev()
                .map(|(seq, cdr)| (place(seq), cdr));
            let fits = |(place, cdr): &(CdrPlace, Cdr)| {
                let number = filter.number.as_ref();
                before.is_none_or(|before| *place < before)
                    && filter.status.is_none_or(|status| status == cdr.status)
                    && number.is_none_or(|n| *n == cdr.called_number || *n == cdr.calling_number)
            };
            Ok(rows.filter(fits).take(limit.try_into().unwrap()).collect())
        })
    }

    fn purge(&self, _: Timestamp, _: u32) -> Found<'_, u64> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn health(&self) -> Found<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl App {
    /// Sends a request: the verb and the URI on the first line, then headers, an empty line and
    /// the body. Answers with the status, the headers that matter and the body, in which fields
    /// of messages that are null or false are left out.
    pub(crate) async fn call(&self, request: &str) -> String {
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        self.send(head, body.as_bytes().to_vec()).await
    }

    /// Like [`App::call`], with any octets as body.
    pub(crate) async fn send(&self, head: &str, body: Vec<u8>) -> String {
        self.send_from(([192, 0, 2, 7], 4_000).into(), head, body)
            .await
    }

    /// Like [`App::send`], from another address.
    pub(crate) async fn send_from(&self, peer: SocketAddr, head: &str, body: Vec<u8>) -> String {
        let mut lines = head.lines();
        let (verb, uri) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::builder()
            .method(verb)
            .uri(uri)
            .extension(ConnectInfo(peer));
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let sent = body.clone();
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut answer = status.to_string();
        for name in SHOWN {
            if let Some(value) = response.headers().get(name) {
                answer += &format!("\n{name}: {}", value.to_str().unwrap());
            }
        }
        let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        let media = headers
            .get("content-type")
            .map(|media| media.to_str().unwrap());
        let described = Answer {
            status,
            media,
            headers: &headers,
            body: &body,
        };
        contract::check(verb, uri, &described);
        if (200..300).contains(&status) {
            contract::check_taken(verb, uri, &sent);
        }
        if !body.is_empty() && media.is_some_and(|media| media.contains("json")) {
            let mut value: Value = serde_json::from_slice(&body).unwrap();
            shorten(&mut value);
            answer += &format!("\n{value}");
        }
        answer
    }

    /// Opens a stream; the header is the id to go on after.
    pub(crate) async fn stream(&self, uri: &str, last_event_id: Option<&str>) -> Stream {
        let mut request = Request::builder().uri(uri);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        self.opened(request).await
    }

    /// A live stream that a key opens.
    pub(crate) async fn stream_of(&self, uri: &str, key: &str) -> Stream {
        let request = Request::builder().uri(uri).header("x-api-key", key);
        self.opened(request).await
    }

    async fn opened(&self, request: axum::http::request::Builder) -> Stream {
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream(response.into_body().into_data_stream())
    }

    /// Hands on what was told, as the pump of the hub does.
    pub(crate) fn pump(&self) {
        self.telemetry.live().unwrap().turn();
    }

    /// The `x-request-id` of the answer to a GET that came with this one, or without.
    pub(crate) async fn request_id(&self, uri: &str, sent: Option<&str>) -> String {
        let mut request = Request::builder().uri(uri);
        if let Some(id) = sent {
            request = request.header("x-request-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap();
        id.to_owned()
    }

    /// The body of a page as it is.
    pub(crate) async fn raw(&self, uri: &str) -> String {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The `data` of an answer that must be a success.
    pub(crate) async fn data(&self, request: &str) -> Value {
        let answer = self.call(request).await;
        assert!(answer.starts_with('2'), "{answer}");
        let (_, body) = answer.split_once('\n').unwrap();
        serde_json::from_str::<Value>(body).unwrap()["data"].take()
    }

    /// Submits a message with these fields beside the required ones; answers with its id.
    pub(crate) async fn submitted(&self, fields: &str) -> u64 {
        let body =
            format!(r#"{{"destination_msisdn":"+15551234567","message_body":"hello"{fields}}}"#);
        let data = self.data(&format!("POST /api/messages\n\n{body}")).await;
        data["id"].as_u64().unwrap()
    }

    /// Registers a frontend.
    pub(crate) async fn frontend(&self, name: &str) {
        let body = format!(r#"{{"frontend_name":"{name}","frontend_type":"SMPP"}}"#);
        self.data(&format!("POST /api/frontends\n\n{body}")).await;
    }

    /// The ids in a list of messages.
    pub(crate) async fn ids(&self, request: &str) -> Vec<u64> {
        let data = self.data(request).await;
        let ids = data.as_array().unwrap().iter();
        ids.map(|message| message["id"].as_u64().unwrap()).collect()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// The chunks of a live stream.
pub(crate) struct Stream(BodyDataStream);

impl Stream {
    /// The next chunk; none after the end.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let chunk = self.0.next().await?.unwrap();
        Some(String::from_utf8(chunk.to_vec()).unwrap())
    }

    /// The events of the next chunk: name and data.
    pub(crate) async fn events(&mut self) -> Vec<(String, Value)> {
        let chunk = self.chunk().await.expect("the stream has ended");
        let frames = chunk.split("\n\n").filter(|frame| frame.contains("data: "));
        let field = |frame: &str, name: &str| {
            let line = frame.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().to_owned()
        };
        frames
            .map(|frame| {
                let data = field(frame, "data: ");
                (
                    field(frame, "event: "),
                    serde_json::from_str(&data).unwrap(),
                )
            })
            .collect()
    }
}

/// Leaves out what says nothing in a message.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => {
            if fields.contains_key("destination_msisdn") {
                fields.retain(|_, field| !field.is_null() && *field != Value::Bool(false));
            }
            fields.values_mut().for_each(shorten);
        }
        _ => {}
    }
}
