//! Long queues whose messages come and go in every way: what stands in runs and what has a row of
//! its own are one line.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::queue::{Home, Standing};
use zajil_core::status::Status;
use zajil_store::Store;
use zajil_store::contract::{Filter, OfferAsk};
use zajil_store_embedded::{EmbeddedStore, Options};

use crate::file;
use crate::make::{at, draft, id, scene};

pub(crate) fn open(directory: &TempDir) -> EmbeddedStore {
    EmbeddedStore::open(directory.path(), &Options::default()).unwrap()
}

pub(crate) fn ask(limit: u32, secs: i64) -> OfferAsk {
    file::ask("gw", limit, secs)
}

pub(crate) async fn deliver(store: &EmbeddedStore, ids: impl IntoIterator<Item = u64>, secs: i64) {
    let done = Report::Delivered { by: None, at: None };
    let reports = ids.into_iter().map(|number| (id(number), done.clone()));
    let outcomes = store.report(reports.collect(), scene(secs)).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
}

async fn pending(store: &EmbeddedStore) -> Vec<u64> {
    let filter = Filter {
        status: Some(Status::Pending),
        limit: 100_000,
        ..Filter::default()
    };
    let messages = store.messages(filter).await.unwrap();
    messages.iter().map(|message| message.id.get()).collect()
}

#[tokio::test]
async fn a_line_keeps_its_order_whatever_leaves_it() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    // Later batches were inserted earlier in part: runs overlap.
    for batch in 0..8_u64 {
        let drafts = (1..=500).map(|n| {
            let secs = i64::try_from((n * 7 + batch) % 40).unwrap();
            draft(batch * 1_000 + n, "gw", secs)
        });
        store.accept(drafts.collect(), at(40)).await.unwrap();
    }
    let gone: BTreeSet<u64> = (0..8_000)
        .filter(|n| (1..=500).contains(&(n % 1_000)) && n % 3 == 0)
        .collect();
    deliver(&store, gone.iter().copied(), 41).await;
    let mut seen = Vec::new();
    loop {
        let offered = store.offer(ask(70, 50)).await.unwrap();
        let leased = store.lease(ask(70, 50), at(600)).await.unwrap();
        let ids = |all: &[zajil_core::message::Message]| -> Vec<_> {
            all.iter().map(|message| message.id).collect()
        };
        assert_eq!(
            ids(&offered),
            ids(&leased),
            "a lease takes what an offer shows"
        );
        if leased.is_empty() {
            break;
        }
        seen.extend(leased.iter().map(|m| (m.inserted_at, m.id.get())));
    }
    assert!(seen.is_sorted());
    let seen: BTreeSet<u64> = seen.iter().map(|(_, number)| *number).collect();
    assert_eq!(seen.len(), 4_000 - gone.len());
    assert!(seen.is_disjoint(&gone));
    assert_eq!(
        store.figures().await.unwrap().pending,
        4_000 - gone.len() as u64
    );
}

#[tokio::test]
async fn two_leases_of_one_transaction_share_no_message() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(&directory));
    let drafts = (1..=3_000).map(|n| draft(n, "gw", 0));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for turn in 0..64_u64 {
        let store = Arc::clone(&store);
        calls.spawn(async move {
            if turn % 4 == 0 {
                // Reported without a lease, by whoever saw them in a listing.
                deliver(&store, [3_000 - turn], 1).await;
            }
            store.lease(ask(40, 1), at(600)).await.unwrap()
        });
    }
    let mut ids = BTreeSet::new();
    let mut leased = 0;
    while let Some(got) = calls.join_next().await {
        let got = got.unwrap();
        leased += got.len();
        ids.extend(got.iter().map(|message| message.id));
    }
    assert_eq!((leased, ids.len()), (64 * 40, 64 * 40));
}

#[tokio::test]
async fn what_waits_is_listed_and_counted_wherever_it_stands() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let drafts = (1..=1_000).map(|n| draft(n, "gw", 0));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    store.lease(ask(300, 1), at(600)).await.unwrap();
    deliver(&store, (200..=400).chain([999]), 2).await;
    let waits: Vec<u64> = (1..=1_000)
        .rev()
        .filter(|n| !(200..=400).contains(n) && *n != 999)
        .collect();
    assert_eq!(pending(&store).await, waits);
    let page = Filter {
        status: Some(Status::Pending),
        limit: 3,
        offset: 598,
        ..Filter::default()
    };
    let page = store.messages(page).await.unwrap();
    let ids: Vec<u64> = page.iter().map(|message| message.id.get()).collect();
    assert_eq!(ids, waits[598..601], "past the edge between rows and runs");
    let depths = store.depths(at(3)).await.unwrap();
    let depth = depths[&Home::Frontend(FrontendName::parse("gw").unwrap())];
    assert_eq!(depth.get(Standing::Leased), 199);
    assert_eq!(depth.get(Standing::Due), 599);
    assert_eq!(store.figures().await.unwrap().first_due, Some(at(0)));
    drop(store);
    let store = open(&directory);
    assert_eq!(store.figures().await.unwrap().pending, 798);
    assert_eq!(pending(&store).await, waits);
}

#[tokio::test]
async fn messages_that_fall_due_within_a_second_are_counted_one_by_one() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    // A clock that was set back: the store has messages of moments that are still to come.
    let drafts = (0..100).map(|n| {
        let mut draft = draft(n + 1, "gw", 0);
        let message = Arc::make_mut(&mut draft.message);
        message.inserted_at = at(0).plus(Duration::from_millis(9 * n));
        message.updated_at = message.inserted_at;
        draft
    });
    store.accept(drafts.collect(), at(0)).await.unwrap();
    for (millis, due) in [(0, 1), (450, 51), (891, 100), (5_000, 100)] {
        let now = at(0).plus(Duration::from_millis(millis));
        let depths = store.depths(now).await.unwrap();
        let depth = depths[&Home::Frontend(FrontendName::parse("gw").unwrap())];
        let found = (depth.get(Standing::Due), depth.get(Standing::Waiting));
        assert_eq!(found, (due, 100 - due), "after {millis} ms");
    }
}

#[tokio::test]
async fn lives_of_every_length_end_when_they_are_over() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let drafts = (1..=2_000_u64).map(|n| {
        let mut draft = draft(n, "gw", 0);
        let secs = i64::try_from(60 + n * 37 % 900).unwrap();
        Arc::make_mut(&mut draft.message).expires = at(secs);
        draft
    });
    store.accept(drafts.collect(), at(0)).await.unwrap();
    deliver(&store, (1..=2_000).filter(|n| n % 2 == 0), 1).await;
    store.lease(ask(200, 1), at(30)).await.unwrap();
    drop(store);
    let store = open(&directory);
    let mut over = BTreeSet::new();
    for secs in 0..=960 {
        for swept in store.sweep(scene(secs), 10_000).await.unwrap() {
            let message = swept.message;
            assert_eq!(message.expires, at(secs), "neither early nor late");
            assert!(over.insert(message.id.get()), "once");
        }
    }
    assert_eq!(over, (1..=2_000).filter(|n| n % 2 == 1).collect());
    assert_eq!(store.figures().await.unwrap().pending, 0);
    let db = rusqlite::Connection::open(directory.path().join("queue.db")).unwrap();
    for table in ["run", "turn", "expiry", "q"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = db.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table} keeps nothing of what has ended");
    }
}
