//! What the store tells the metrics: transactions, its queue, leases that ran out (S12).

use std::sync::Arc;

use tempfile::TempDir;
use zajil_core::frontend::FrontendName;
use zajil_core::offer::Asker;
use zajil_store::Store;
use zajil_store::contract::OfferAsk;
use zajil_store_embedded::{EmbeddedStore, Options};
use zajil_telemetry::Telemetry;

use crate::make::{at, draft};

fn open(directory: &TempDir) -> (EmbeddedStore, Arc<Telemetry>) {
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let options = Options {
        telemetry: Some(Arc::clone(&telemetry)),
        ..Options::default()
    };
    let store = EmbeddedStore::open(directory.path(), &options).unwrap();
    (store, telemetry)
}

fn ask(limit: u32, secs: i64) -> OfferAsk {
    let asker = Asker {
        name: FrontendName::parse("gw").unwrap(),
        include_unrouted: false,
    };
    OfferAsk {
        asker,
        limit,
        now: at(secs),
    }
}

#[tokio::test]
async fn every_transaction_is_measured_and_an_undone_one_counted() {
    let directory = TempDir::new().unwrap();
    let (store, telemetry) = open(&directory);
    let metrics = &telemetry.metrics;
    store
        .accept(vec![draft(1, "gw", 0), draft(2, "gw", 0)], at(0))
        .await
        .unwrap();
    store.accept(vec![draft(3, "gw", 0)], at(0)).await.unwrap();
    assert_eq!(metrics.store_commit.get_sample_count(), 2);
    assert_eq!(metrics.store_batch.get_sample_count(), 2);
    assert_eq!(metrics.store_undone.get(), 0);
    store
        .accept(vec![draft(1, "gw", 0)], at(0))
        .await
        .unwrap_err();
    assert_eq!(metrics.store_undone.get(), 2, "in its batch, then alone");
    assert_eq!(metrics.store_commit.get_sample_count(), 2);
    store.close().await.unwrap();
    assert_eq!(metrics.store_queue.get(), 0);
}

#[tokio::test]
async fn a_lease_that_ran_out_without_a_report_is_counted_once() {
    let directory = TempDir::new().unwrap();
    let (store, telemetry) = open(&directory);
    let returns = || {
        telemetry
            .metrics
            .render()
            .contains("lease_returns_total 1\n")
    };
    store
        .accept(vec![draft(1, "gw", 0), draft(2, "gw", 0)], at(0))
        .await
        .unwrap();
    assert_eq!(store.lease(ask(1, 10), at(20)).await.unwrap().len(), 1);
    assert_eq!(store.lease(ask(1, 15), at(99)).await.unwrap().len(), 1);
    assert!(!returns());
    assert_eq!(store.lease(ask(9, 20), at(30)).await.unwrap().len(), 1);
    assert!(returns());
    assert_eq!(store.lease(ask(9, 25), at(40)).await.unwrap().len(), 0);
    assert!(returns());
}

#[tokio::test]
async fn the_depth_of_a_long_queue_is_counted_piece_by_piece() {
    let directory = TempDir::new().unwrap();
    let (store, _) = open(&directory);
    for batch in 0..41 {
        let drafts = (1..=1_000).map(|number| draft(batch * 1_000 + number, "gw", 0));
        store.accept(drafts.collect(), at(0)).await.unwrap();
    }
    let depths = store.depths(at(1_000)).await.unwrap();
    let total: u64 = depths.values().map(|depth| depth.total()).sum();
    assert_eq!(total, 41_000);
}
