//! Submits and whole lives a second, beside what the bare engine takes: rows of the same size,
//! committed in groups by one thread, into one table of the same kind of file on the same disk.
//!
//! `cargo bench -p zajil-store-embedded --bench throughput -- 100000 512 3`: messages, callers and
//! rounds. `TMPDIR` says on which disk.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench prints its figures, and ends where it cannot go on"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use zajil_store::Store as _;
use zajil_store::record::{encode_events, encode_extra};
use zajil_store_embedded::{EmbeddedStore, Options};
use zajil_telemetry::Stopwatch;

#[path = "shared/deliver.rs"]
mod deliver;
#[path = "../tests/it/make.rs"]
mod make;

use deliver::deliver;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// As many as the store's writer takes at once.
const GROUP: usize = 512;
const DELIVERERS: u64 = 16;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok());
    let mut next = |default| arguments.next().unwrap_or(default);
    let (messages, callers, rounds) = (next(100_000), next(512), next(3));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    for _ in 0..rounds {
        let bare = runtime.block_on(bare(messages, callers))?;
        println!("bare rows: {bare:.0}/s");
        let [submits, lives] = runtime.block_on(store(messages, callers))?;
        println!(
            "submits: {submits:.0}/s, {:.2} of bare rows",
            submits / bare
        );
        println!("lease and report: {lives:.0}/s, {:.2}", lives / bare);
    }
    Ok(())
}

/// One row, and who waits for it.
type Row = (i64, Vec<u8>, oneshot::Sender<()>);

async fn bare(messages: u64, callers: u64) -> Result<f64, Failed> {
    let directory = tempfile::TempDir::new()?;
    let db = open(&directory.path().join("bare.db"))?;
    let (rows, take) = sync_channel::<Row>(8_192);
    let writer = std::thread::spawn(move || write(&db, &take));
    let watch = Stopwatch::start();
    call(messages, callers, move |number| {
        let (told, waits) = oneshot::channel();
        let sent = rows.try_send((i64::try_from(number).unwrap(), record(number), told));
        async move {
            sent.map_err(|_| "the queue is full")?;
            Ok(waits.await?)
        }
    })
    .await?;
    let rate = messages as f64 / watch.elapsed().as_secs_f64();
    writer.join().map_err(|_| "the writer panicked")?;
    Ok(rate)
}

/// What the store writes of a message, as octets.
fn record(number: u64) -> Vec<u8> {
    let draft = make::draft(number, "gw", 0);
    let content = &draft.message.content;
    let mut record = content.source.as_str().as_bytes().to_vec();
    record.extend(content.destination.as_str().as_bytes());
    record.extend(content.body.as_bytes());
    record.extend(encode_extra(&draft.message).unwrap_or_default().as_bytes());
    record.extend(encode_events(&draft.events).as_bytes());
    record
}

async fn store(messages: u64, callers: u64) -> Result<[f64; 2], Failed> {
    let directory = tempfile::TempDir::new()?;
    let store = EmbeddedStore::open(directory.path(), &Options::default())?;
    let store = Arc::new(store);
    let watch = Stopwatch::start();
    let submits = Arc::clone(&store);
    call(messages, callers, move |number| {
        let store = Arc::clone(&submits);
        async move {
            let drafts = vec![make::draft(number, "gw", 0)];
            store.accept(drafts, make::at(0)).await?;
            Ok(())
        }
    })
    .await?;
    let submitted = messages as f64 / watch.elapsed().as_secs_f64();
    let watch = Stopwatch::start();
    let mut running = JoinSet::new();
    for _ in 0..DELIVERERS {
        running.spawn(deliver(Arc::clone(&store)));
    }
    let mut delivered = 0;
    while let Some(done) = running.join_next().await {
        delivered += done??;
    }
    assert_eq!(delivered, messages);
    Ok([submitted, delivered as f64 / watch.elapsed().as_secs_f64()])
}

/// Calls once for each number, so many at a time.
async fn call<F, A>(messages: u64, callers: u64, one: F) -> Result<(), Failed>
where
    F: Fn(u64) -> A + Send + Sync + 'static,
    A: Future<Output = Result<(), Failed>> + Send,
{
    let (one, next) = (Arc::new(one), Arc::new(AtomicU64::new(0)));
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let (one, next) = (Arc::clone(&one), Arc::clone(&next));
        running.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed) + 1;
                if number > messages {
                    return Ok::<(), Failed>(());
                }
                one(number).await?;
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

/// With the settings of the store.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.pragma_update(None, "page_size", 8_192)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    db.pragma_update(None, "cache_size", -65_536)?;
    db.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, record BLOB NOT NULL)")?;
    Ok(db)
}

/// As the store's writer does it.
fn gather(rows: &Receiver<Row>, group: &mut Vec<Row>) {
    let watch = Stopwatch::start();
    loop {
        let before = group.len();
        while group.len() < GROUP
            && let Ok(next) = rows.try_recv()
        {
            group.push(next);
        }
        let is_late = watch.elapsed() >= Duration::from_millis(1);
        if group.len() == before || group.len() == GROUP || is_late {
            return;
        }
        std::thread::yield_now();
    }
}

fn write(db: &Connection, rows: &Receiver<Row>) {
    let mut insert = db.prepare("INSERT INTO row VALUES (?1, ?2)").unwrap();
    let mut group = Vec::with_capacity(GROUP);
    while let Ok(first) = rows.recv() {
        group.push(first);
        gather(rows, &mut group);
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (id, record, _) in &group {
            insert.execute((id, record)).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
        for (_, _, told) in group.drain(..) {
            told.send(()).unwrap();
        }
    }
}
