//! Claims that begin where the ones before found something.

use std::collections::BTreeSet;
use std::time::Duration;

use zajil_core::frontend::FrontendName;
use zajil_core::offer::Asker;
use zajil_store::Store as _;
use zajil_store::contract::OfferAsk;
use zajil_store_postgres::PostgresStore;

use crate::make::{at, draft};
use crate::place::{Schema, database};

fn asker(include_unrouted: bool) -> Asker {
    Asker {
        name: FrontendName::parse("gw").unwrap(),
        include_unrouted,
    }
}

async fn lease(store: &PostgresStore, limit: u32, include_unrouted: bool) -> Vec<u64> {
    let ask = OfferAsk {
        asker: asker(include_unrouted),
        limit,
        now: at(200),
    };
    let leased = store.lease(ask, at(900)).await.unwrap();
    leased.iter().map(|message| message.id.get()).collect()
}

async fn accept(store: &PostgresStore, numbers: impl IntoIterator<Item = u64>, due: i64) {
    let numbers = numbers.into_iter();
    let drafts = numbers.map(|number| draft(number, "gw", due)).collect();
    store.accept(drafts, at(due)).await.unwrap();
}

/// By one queue, and by two.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_what_another_node_puts_before_the_front_is_found_soon_and_its_own_at_once() {
    let Some((_database, server)) = database().await else {
        return;
    };
    for both in [false, true] {
        let schema = Schema::new(&server);
        let (store, other) = (schema.node().await, schema.node().await);
        accept(&store, [1], 100).await;
        assert_eq!(lease(&store, 10, both).await, [1]);
        accept(&other, [2], 50).await;
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let mut leased = Vec::new();
        for _ in 0..1_500 {
            tick.tick().await;
            leased = lease(&store, 10, both).await;
            if !leased.is_empty() {
                break;
            }
        }
        assert_eq!(leased, [2]);
        accept(&store, [3], 20).await;
        let due = store.next_due(asker(both), at(200)).await.unwrap();
        assert_eq!(due, Some(at(20)));
        assert_eq!(lease(&store, 10, both).await, [3]);
    }
}

/// While there is more than is asked for, what comes before it may wait, and nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_a_backlog_is_taken_in_order_and_to_its_end() {
    let Some((_database, server)) = database().await else {
        return;
    };
    for both in [false, true] {
        let schema = Schema::new(&server);
        let (store, other) = (schema.node().await, schema.node().await);
        accept(&store, 1..=40, 100).await;
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.extend(lease(&store, 5, both).await);
        }
        assert_eq!(taken, (1..=20).collect::<Vec<_>>());
        // It is due behind what has been taken, so that what is found there is not full.
        accept(&other, 41..=43, 101).await;
        let mut rest = BTreeSet::new();
        loop {
            let leased = lease(&store, 5, both).await;
            if leased.is_empty() {
                break;
            }
            rest.extend(leased);
        }
        assert_eq!(rest, (21..=43).collect());
    }
}
