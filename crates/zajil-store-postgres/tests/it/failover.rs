//! Failovers: the server that takes writes dies under load, its synchronous standby takes over.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use zajil_store::{Error, Store as _};
use zajil_store_postgres::{Options, PostgresStore};
use zajil_telemetry::Stopwatch;

use crate::make::{at, draft, id};
use crate::place::{Schema, database};

const FAILOVERS: u32 = 5;

/// What callers were told.
#[derive(Default)]
struct Told {
    kept: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    unknown: u64,
}

/// Submits one message after the other until it is told to stop.
async fn submit(
    store: Arc<PostgresStore>,
    next: Arc<AtomicU64>,
    (told, stop): (Arc<Mutex<Told>>, Arc<AtomicBool>),
) {
    while !stop.load(Ordering::Acquire) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let answer = store.accept(vec![draft(number, "gw", 0)], at(0)).await;
        let refused = {
            let mut told = told.lock().unwrap();
            match &answer {
                Ok(_) => drop(told.kept.insert(number)),
                Err(Error::Unknown(_)) => told.unknown += 1,
                Err(_) => drop(told.refused.insert(number)),
            }
            answer.is_err()
        };
        if refused {
            tokio::task::yield_now().await;
        }
    }
}

/// Until so many more have been acknowledged; how long the first of them took.
async fn until_more(told: &Mutex<Told>, more: usize) -> Duration {
    let (watch, kept) = (Stopwatch::start(), || told.lock().unwrap().kept.len());
    let before = kept();
    let mut first = None;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while kept() < before + more {
        tick.tick().await;
        if first.is_none() && kept() > before {
            first = Some(watch.elapsed());
        }
        assert!(watch.elapsed() < Duration::from_secs(60), "no service");
    }
    first.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d5_a_failover_to_a_synchronous_standby_loses_nothing_that_was_acknowledged() {
    let Some((first, mut server)) = database().await else {
        return;
    };
    let mut leader = first;
    let mut standby = leader.standby(None).await;
    let mut other = server.hosts[0].clone();
    other.port = standby.port();
    server.hosts.push(other);
    let schema = Schema::new(&server);
    // As a node has it, so that callers hear of the database's absence and come back.
    let options = Options {
        schema: schema.name.clone(),
        ..Options::default()
    };
    server.statement_timeout = Duration::from_secs(5);
    server.connect_timeout = Duration::from_secs(1);
    let store = Arc::new(PostgresStore::open(&server, options).await.unwrap());
    let (next, stop) = (
        Arc::new(AtomicU64::new(1)),
        Arc::new(AtomicBool::new(false)),
    );
    let told = Arc::new(Mutex::new(Told::default()));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let shared = (Arc::clone(&told), Arc::clone(&stop));
        callers.spawn(submit(Arc::clone(&store), Arc::clone(&next), shared));
    }
    for _ in 0..FAILOVERS {
        until_more(&told, 100).await;
        let port = leader.place();
        leader.kill();
        standby.promote().await;
        let took = until_more(&told, 1).await;
        println!("service {took:?} after the new leader took writes");
        // What died comes back as the standby of the other.
        leader = standby;
        standby = leader.standby(Some(port)).await;
    }
    until_more(&told, 100).await;
    stop.store(true, Ordering::Release);
    callers.join_all().await;
    let reader = schema.node().await;
    let told = std::mem::take(&mut *told.lock().unwrap());
    let (kept, refused) = (told.kept.len(), told.refused.len());
    println!(
        "{kept} acknowledged, {refused} refused, {} unknown",
        told.unknown
    );
    let stored = leader.sql(&format!("SELECT id FROM {}.msg", schema.name));
    let stored: BTreeSet<u64> = stored.lines().map(|line| line.parse().unwrap()).collect();
    let lost: Vec<_> = told.kept.difference(&stored).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    let ghosts: Vec<_> = told.refused.intersection(&stored).collect();
    assert!(ghosts.is_empty(), "refused and there: {ghosts:?}");
    // The counts followed what committed, through every failover.
    drop(store);
    assert!(reader.message(id(1)).await.unwrap().is_some());
    let pending = usize::try_from(reader.figures().await.unwrap().pending).unwrap();
    assert_eq!(pending, stored.len());
}
