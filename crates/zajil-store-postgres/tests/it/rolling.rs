//! A rolling upgrade: this version works on while the next one brings the tables to its form.
//!
//! The next version is not there yet; what it may do to the tables is (ADR 15): add tables, and
//! columns with defaults. Here every table gets a column, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::JoinSet;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::offer::Asker;
use zajil_store::Store as _;
use zajil_store::contract::OfferAsk;
use zajil_store_postgres::{OpenError, Options, PostgresStore};

use crate::make::{at, draft, id, scene};
use crate::place::{Schema, database};

/// What it looks like in the next form.
const EXPAND: &str = "DO $$ DECLARE t regclass; BEGIN \
     FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'SCHEMA'::regnamespace \
       AND relkind IN ('r', 'p') AND NOT relispartition LOOP \
       EXECUTE format('ALTER TABLE %s ADD COLUMN later bigint NOT NULL DEFAULT 7', t); \
     END LOOP; END $$; \
     UPDATE SCHEMA.form SET version = version + 1";

/// A whole life: submitted, leased, delivered, looked up.
async fn live(store: &PostgresStore, number: u64) {
    store
        .accept(vec![draft(number, "gw", 0)], at(0))
        .await
        .unwrap();
    let ask = OfferAsk {
        asker: Asker {
            name: FrontendName::parse("gw").unwrap(),
            include_unrouted: true,
        },
        limit: 1,
        now: at(5),
    };
    let leased = store.lease(ask, at(60)).await.unwrap();
    let [message] = leased.as_slice() else {
        panic!("{} leased", leased.len());
    };
    assert_eq!(message.id, id(number));
    let delivered = Report::Delivered { by: None, at: None };
    let reported = store.report(vec![(id(number), delivered)], scene(6)).await;
    assert!(reported.unwrap()[0].is_ok());
    let found = store.message(id(number)).await.unwrap().unwrap();
    assert_eq!(found.status().as_str(), "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_a_node_works_on_while_the_next_version_brings_the_tables_forward() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = Arc::new(schema.node().await);
    let (lived, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut worker = JoinSet::new();
    {
        let (store, lived, stop) = (Arc::clone(&store), Arc::clone(&lived), Arc::clone(&stop));
        worker.spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let number = lived.load(Ordering::Acquire) + 1;
                live(&store, number).await;
                lived.store(number, Ordering::Release);
            }
        });
    }
    let until = async |more: u64| {
        let before = lived.load(Ordering::Acquire);
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(5));
        for _ in 0..12_000 {
            tick.tick().await;
            if lived.load(Ordering::Acquire) >= before + more {
                return;
            }
        }
        panic!("it does not go on");
    };
    until(20).await;
    database.sql(&EXPAND.replace("SCHEMA", &schema.name));
    until(50).await;
    stop.store(true, Ordering::Release);
    worker.join_all().await;
    let figures = store.figures().await.unwrap();
    assert_eq!(figures.pending, 0);
    assert_eq!(figures.messages, lived.load(Ordering::Acquire));
    // Rows of this version have what the next one expects of them.
    let told = format!("SELECT DISTINCT later FROM {}.fin", schema.name);
    assert_eq!(database.sql(&told).trim(), "7");
    // Only a start looks at the form: a node that is brought back to this version is refused.
    let options = Options {
        schema: schema.name.clone(),
        ..Options::default()
    };
    let refused = PostgresStore::open(&server, options).await.unwrap_err();
    let OpenError::Database(_, why) = &refused else {
        panic!("{refused}");
    };
    assert!(why.to_string().contains("newer version"), "{why}");
}
