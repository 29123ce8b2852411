//! A server that keeps messages just long enough to lease, list and deliver them.

use std::collections::{BTreeSet, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;

#[derive(Debug, Default)]
struct Queue {
    last_id: u64,
    due: VecDeque<u64>,
    leased: BTreeSet<u64>,
}

type Shared = Arc<Mutex<Queue>>;

#[derive(Debug, Deserialize)]
struct Listing {
    limit: usize,
    lease: Option<u32>,
}

pub(crate) fn serve(listener: TcpListener) {
    let router = Router::new()
        .route("/api/frontends", post(async || StatusCode::CREATED))
        .route("/api/messages", post(submit))
        .route("/api/messages/queue", get(list))
        .route("/api/messages/{id}/mark_delivered", post(mark_delivered))
        .route("/api/messages/batch_report", post(batch_report))
        .with_state(Shared::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}

async fn submit(State(queue): State<Shared>) -> (StatusCode, String) {
    let mut queue = queue.lock().unwrap();
    queue.last_id += 1;
    let id = queue.last_id;
    queue.due.push_back(id);
    (StatusCode::CREATED, format!(r#"{{"data":{{"id":{id}}}}}"#))
}

async fn list(State(queue): State<Shared>, Query(listing): Query<Listing>) -> String {
    let mut queue = queue.lock().unwrap();
    let count = listing.limit.min(queue.due.len());
    let ids: Vec<u64> = if listing.lease.is_some() {
        queue.due.drain(..count).collect()
    } else {
        queue.due.iter().take(count).copied().collect()
    };
    if listing.lease.is_some() {
        queue.leased.extend(&ids);
    }
    let items: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"id":{id},"message_body":"text"}}"#))
        .collect();
    format!(r#"{{"data":[{}]}}"#, items.join(","))
}

#[derive(Debug, Deserialize)]
struct Reports {
    reports: Vec<Reported>,
}

#[derive(Debug, Deserialize)]
struct Reported {
    id: u64,
}

async fn batch_report(State(queue): State<Shared>, body: String) -> String {
    let Reports { reports } = serde_json::from_str(&body).unwrap();
    let leased = &mut queue.lock().unwrap().leased;
    let accepted = reports.iter().filter(|report| leased.remove(&report.id));
    format!(r#"{{"data":{{"accepted":{}}}}}"#, accepted.count())
}

async fn mark_delivered(State(queue): State<Shared>, Path(id): Path<u64>) -> StatusCode {
    let leased = queue.lock().unwrap().leased.remove(&id);
    if leased {
        StatusCode::OK
    } else {
        StatusCode::CONFLICT
    }
}
