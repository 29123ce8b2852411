//! Submits and whole lives a second, beside what the same server takes as bare batches of rows.
//!
//! `cargo bench -p zajil-store-postgres --bench throughput -- 20000 256 2` : messages, callers and
//! nodes. The server is one of the tests' (16 MB of buffers, no fsync): only the ratios mean
//! something.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures, and ends where it cannot go on"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::offer::Asker;
use zajil_database::Server;
use zajil_database::postgres::Dial;
use zajil_store::Store as _;
use zajil_store::contract::OfferAsk;
use zajil_store_postgres::{Options, PostgresStore};
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::{DatabaseServer, Engine};

#[path = "../../zajil-store-embedded/tests/it/make.rs"]
mod make;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const BATCH: usize = 500;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok());
    let (messages, callers) = (
        arguments.next().unwrap_or(20_000),
        arguments.next().unwrap_or(256),
    );
    let nodes = arguments.next().unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(messages, callers, nodes))
}

async fn run(messages: u64, callers: u64, nodes: u64) -> Result<(), Failed> {
    let database = DatabaseServer::open(Engine::Postgres).await;
    let server = Server::parse(&database.url())?;
    let mut stores = Vec::new();
    for _ in 0..nodes {
        let store = PostgresStore::open(&server, Options::default()).await?;
        stores.push(Arc::new(store));
    }
    let raw = raw(&server, messages).await?;
    println!("bare rows: {raw:.0}/s, batches of {BATCH} by one connection");
    let next = Arc::new(AtomicU64::new(0));
    let start = Stopwatch::start();
    let submit = |store: Arc<PostgresStore>, next: Arc<AtomicU64>| async move {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed) + 1;
            if number > messages {
                return Ok::<(), zajil_store::Error>(());
            }
            let drafts = vec![make::draft(number, "gw", 0)];
            store.accept(drafts, make::at(0)).await?;
        }
    };
    let mut running = JoinSet::new();
    for (store, _) in stores.iter().cycle().zip(0..callers) {
        running.spawn(submit(Arc::clone(store), Arc::clone(&next)));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    tell("submits", messages, start, raw);
    let start = Stopwatch::start();
    let mut running = JoinSet::new();
    for (store, _) in stores.iter().cycle().zip(0..16) {
        running.spawn(deliver(Arc::clone(store)));
    }
    let mut delivered = 0;
    while let Some(done) = running.join_next().await {
        delivered += done??;
    }
    tell("leases and reports", delivered, start, raw);
    Ok(())
}

fn tell(what: &str, count: u64, start: Stopwatch, raw: f64) {
    let rate = rate(count, start);
    println!(
        "{what}: {rate:.0}/s, {:.2} of bare rows ({count})",
        rate / raw
    );
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
fn rate(count: u64, start: Stopwatch) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

/// Takes and delivers until nothing is left.
async fn deliver(store: Arc<PostgresStore>) -> Result<u64, zajil_store::Error> {
    let asker = Asker {
        name: FrontendName::parse("gw").map_err(|_| zajil_store::Error::NotFound)?,
        include_unrouted: false,
    };
    let mut count = 0;
    loop {
        let ask = OfferAsk {
            asker: asker.clone(),
            limit: 100,
            now: make::at(1),
        };
        let held = store.lease(ask, make::at(600)).await?;
        if held.is_empty() {
            return Ok(count);
        }
        let done = Report::Delivered { by: None, at: None };
        let reports = held.iter().map(|message| (message.id, done.clone()));
        for outcome in store.report(reports.collect(), make::scene(2)).await? {
            count += u64::from(outcome.is_ok());
        }
    }
}

/// Rows like those of a message into one table with a key: what nothing that stores it can beat.
async fn raw(server: &Server, messages: u64) -> Result<f64, Failed> {
    let dial = Dial::new(server)?;
    let link = dial.connect(None).await?;
    link.client
        .batch_execute("CREATE TABLE bare (id bigint PRIMARY KEY, body text NOT NULL)")
        .await?;
    let insert = link
        .client
        .prepare("INSERT INTO bare SELECT * FROM unnest($1::bigint[], $2::text[])")
        .await?;
    let body = "x".repeat(380);
    let ids: Vec<i64> = (1..=i64::try_from(messages)?).collect();
    let start = Stopwatch::start();
    for ids in ids.chunks(BATCH) {
        let bodies = vec![body.as_str(); ids.len()];
        link.client.execute(&insert, &[&ids, &bodies]).await?;
    }
    Ok(rate(messages, start))
}
