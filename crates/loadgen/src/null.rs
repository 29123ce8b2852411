//! The null server: a submit is parsed and answered, and stored nowhere.
//!
//! It stands on the same libraries as the real door (axum on hyper, tokio's multi-thread runtime
//! with one worker per core), reads the same JSON into a typed struct with serde and answers 201
//! with a small JSON body that carries a counter as id. Nothing is validated beyond the types,
//! translated, routed, charged or stored. Its rate is what HTTP and JSON alone cost on this
//! machine; the real server's rate as a share of it says what everything else costs.

use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::listen;

/// The members of a submit (S2) that a typical client sends; others are ignored.
#[derive(Debug, Deserialize)]
struct Submit {
    source_msisdn: Option<String>,
    destination_msisdn: String,
    message_body: String,
    source_smsc: Option<String>,
    dest_smsc: Option<String>,
}

/// The only thing that is kept from one request to the next.
type LastId = Arc<AtomicU64>;

/// Serves until the process ends.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let router = Router::new()
        .route("/readyz", get(ready))
        .route("/api/frontends", post(register))
        .route("/api/messages", post(submit))
        .route("/api/messages/create_async", post(submit_async))
        .with_state(LastId::default());
    let listener = listener.tap_io(|stream| {
        // Failing is harmless: the answer leaves a little later.
        stream.set_nodelay(true).ok();
    });
    axum::serve(listener, router).await
}

/// Serves on `address` with one worker per core; `ready` is told the real address.
pub fn run(
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> io::Result<()> {
    listen::on(address, ready, serve)
}

async fn ready() -> &'static str {
    "ready\n"
}

async fn register() -> Response {
    json(StatusCode::CREATED, r#"{"data":{"id":1}}"#.to_owned())
}

async fn submit(State(last): State<LastId>, body: Bytes) -> Response {
    answer(&body, || {
        let id = last.fetch_add(1, Ordering::Relaxed) + 1;
        let created = format!(r#"{{"data":{{"id":{id},"status":"pending"}},"status":"success"}}"#);
        json(StatusCode::CREATED, created)
    })
}

async fn submit_async(body: Bytes) -> Response {
    answer(&body, || {
        json(
            StatusCode::ACCEPTED,
            r#"{"data":{"status":"accepted"}}"#.to_owned(),
        )
    })
}

fn answer(body: &[u8], accepted: impl FnOnce() -> Response) -> Response {
    match serde_json::from_slice::<Submit>(body) {
        Ok(submit) => {
            submit.pass_unused();
            accepted()
        }
        Err(error) => {
            let detail = serde_json::json!({ "errors": { "detail": error.to_string() } });
            json(StatusCode::UNPROCESSABLE_ENTITY, detail.to_string())
        }
    }
}

impl Submit {
    /// Nothing looks at the members; the parser's work must not be optimised away for that.
    fn pass_unused(self) {
        let Self {
            source_msisdn,
            destination_msisdn,
            message_body,
            source_smsc,
            dest_smsc,
        } = self;
        black_box((
            source_msisdn,
            destination_msisdn,
            message_body,
            source_smsc,
            dest_smsc,
        ));
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
