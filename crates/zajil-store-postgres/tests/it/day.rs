//! Days of traffic with retention on, in as long as the statements take: tables and indexes stop
//! growing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::event::Scene;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::offer::Asker;
use zajil_core::port::Dedupe;
use zajil_core::retry::Attempt;
use zajil_store::Store as _;
use zajil_store::contract::{Draft, OfferAsk, Purged, Retention};
use zajil_store_postgres::PostgresStore;
use zajil_testkit::database::DatabaseServer;

use crate::make::{at, draft, scene};
use crate::place::{Schema, database};

const HOUR: i64 = 3_600;
/// Half an hour of traffic at a time.
const STEP: i64 = HOUR / 2;
const DAYS: usize = 5;
/// Messages in a step.
const EACH: u64 = 100;

fn submitted(step: i64) -> Vec<Draft> {
    let first = MessageId::floor_of(at(step * STEP)).get();
    let drafts = (0..EACH).map(|number| {
        let mut draft = draft(first + number, "gw", step * STEP);
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(first + number).to_be_bytes());
        let until = at(step * STEP + 2 * HOUR);
        draft.dedupe = Some((Dedupe { key, body: key }, until));
        draft
    });
    drafts.collect()
}

/// Takes all that is due and delivers it; of ten one is put off for an hour first.
async fn deliver(store: &PostgresStore, step: i64) {
    let scene: Scene = scene(step * STEP);
    loop {
        let asker = Asker {
            name: FrontendName::parse("gw").unwrap(),
            include_unrouted: true,
        };
        let ask = OfferAsk {
            asker,
            limit: 50,
            now: scene.now,
        };
        let held = store.lease(ask, at(step * STEP + 60)).await.unwrap();
        if held.is_empty() {
            return;
        }
        let reports = held.iter().map(|message| {
            let fails = message.id.get() % 10 == 0 && message.attempts == Attempt::default();
            let report = match fails {
                true => Report::AttemptFailed {
                    reason: Some("busy".to_owned()),
                    retry_after: Some(Duration::from_secs(3_600)),
                    by: None,
                    class: None,
                    schedules: Arc::default(),
                },
                false => Report::Delivered { by: None, at: None },
            };
            (message.id, report)
        });
        for outcome in store
            .report(reports.collect(), scene.clone())
            .await
            .unwrap()
        {
            outcome.unwrap();
        }
    }
}

/// Records leave, and what retention no longer keeps.
async fn clean(store: &PostgresStore, step: i64) {
    let hours = |count: u64| Duration::from_secs(count * 3_600);
    let keep = Retention {
        messages: hours(12),
        events: hours(24),
        frontends: hours(12),
    };
    while let Some((last, _)) = store.outbox(500).await.unwrap().last() {
        store.outbox_done(*last).await.unwrap();
    }
    let now = at(step * STEP);
    store.sweep(scene(step * STEP), 1_000).await.unwrap();
    while store.purge(keep, now, 1_000).await.unwrap() != Purged::default() {}
}

/// The octets of each table with its indexes; the days of one count together.
fn sizes(database: &DatabaseServer, schema: &str) -> BTreeMap<String, u64> {
    let sql = format!(
        "SELECT regexp_replace(c.relname, '_[0-9]{{5}}$', ''), sum(pg_total_relation_size(c.oid)) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = '{schema}' AND c.relkind = 'r' GROUP BY 1"
    );
    let told = database.sql(&sql);
    let line = |line: &str| {
        let (name, size) = line.split_once('|').unwrap();
        (name.to_owned(), size.parse().unwrap())
    };
    told.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s9_3_tables_and_indexes_level_off_when_retention_is_on() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node().await;
    // The largest of each day.
    let mut days = vec![BTreeMap::<String, u64>::new(); DAYS];
    for (day, largest) in days.iter_mut().enumerate() {
        for step in 0..24 * HOUR / STEP {
            let step = i64::try_from(day).unwrap() * 24 * HOUR / STEP + step;
            store
                .accept(submitted(step), at(step * STEP))
                .await
                .unwrap();
            deliver(&store, step).await;
            clean(&store, step).await;
            // Half an hour is a moment here: what would have followed by itself meanwhile.
            database.sql("VACUUM (ANALYZE, TRUNCATE false)");
            for (name, size) in sizes(&database, &schema.name) {
                let known = largest.entry(name).or_default();
                *known = size.max(*known);
            }
        }
    }
    println!("{days:#?}");
    let figures = store.figures().await.unwrap();
    assert!(
        figures.messages > 0 && figures.pending < 2 * EACH,
        "{figures:?}"
    );
    let (last, before) = days.split_last().unwrap();
    for (name, size) in last {
        // Of the days at which everything that is kept was there.
        let known = before[2..].iter().filter_map(|day| day.get(name)).max();
        let most = known.unwrap() * 5 / 4 + 64 * 1_024;
        assert!(*size <= most, "{name}: {size} octets, {known:?} before");
    }
    // Texts have left the disk.
    let there = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'SCHEMA.msg'::regclass";
    let days_there: usize = database
        .sql(&there.replace("SCHEMA", &schema.name))
        .trim()
        .parse()
        .unwrap();
    assert!(days_there <= 6, "{days_there} days of messages");
}
