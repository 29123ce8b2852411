//! What somebody else does at the database in the same moment, arranged with locks.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Edit;
use zajil_core::offer::Asker;
use zajil_core::port::RoutingChange;
use zajil_database::postgres::{Dial, Link};
use zajil_store::Store as _;
use zajil_store::contract::{OfferAsk, Placed, Purged, Retention};
use zajil_testkit::database::DatabaseServer;

use crate::make::{at, draft, id, scene};
use crate::place::{Schema, database};

/// What must not wait for the other is done by then; what does wait, does so for a minute.
const SOON: Duration = Duration::from_secs(30);

/// Another user of the database, in the middle of a transaction.
async fn other(schema: &Schema, sql: &str) -> Link {
    let link = Dial::new(&schema.server).unwrap().connect(None).await;
    let link = link.unwrap();
    let begin = format!("SET search_path = {}; BEGIN; {sql}", schema.name);
    link.client.batch_execute(&begin).await.unwrap();
    link
}

async fn end(link: Link) {
    link.client.batch_execute("COMMIT").await.unwrap();
}

/// Until somebody waits for a lock of this kind.
async fn until_blocked(database: &DatabaseServer, kind: &str) {
    let waiting =
        format!("SELECT count(*) FROM pg_locks WHERE locktype = '{kind}' AND NOT granted");
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..600 {
        tick.tick().await;
        if database.sql(&waiting).trim() != "0" {
            return;
        }
    }
    panic!("nobody waits for a lock of the kind {kind}");
}

fn ask() -> OfferAsk {
    let asker = Asker {
        name: FrontendName::parse("gw").unwrap(),
        include_unrouted: false,
    };
    OfferAsk {
        asker,
        limit: 10,
        now: at(5),
    }
}

fn reworded(text: &str) -> Edit {
    Edit {
        body: Some((text.into(), NonZeroU32::MIN)),
        ..Edit::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d7_a_lease_hands_out_what_an_edit_before_it_has_made() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = Arc::new(schema.node().await);
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    // Claims stop at a gate between seeing a row and locking it.
    let gate = other(
        &schema,
        "ALTER TABLE q RENAME TO q_rows; \
         CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN \
           IF current_query() LIKE '%SKIP LOCKED%' THEN PERFORM pg_advisory_xact_lock_shared(42); \
           END IF; RETURN true; END $$; \
         CREATE VIEW q AS SELECT * FROM q_rows WHERE gate(); COMMIT; \
         BEGIN; SELECT pg_advisory_xact_lock(42)",
    )
    .await;
    let poller = Arc::clone(&store);
    let mut polls = tokio::task::JoinSet::new();
    polls.spawn(async move { poller.lease(ask(), at(60)).await.unwrap() });
    until_blocked(&database, "advisory").await;
    let edited = store.edit(id(1), reworded("the new text"), scene(4)).await;
    edited.unwrap().unwrap();
    end(gate).await;
    let leased = polls.join_next().await.unwrap().unwrap();
    let bodies: Vec<_> = leased
        .iter()
        .map(|message| &*message.content.body)
        .collect();
    assert_eq!(bodies, ["the new text"]);
}

/// Whoever asks for two queues must not come away with nothing because somebody else is just taking
/// the first of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d7_what_others_are_taking_is_passed_over_for_what_is_free() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let schema = Schema::without_runs(&server);
    let store = schema.node().await;
    let drafts = (1..=40).map(|number| draft(number, "gw", 0));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    let taking = "SELECT FROM q ORDER BY due, id LIMIT 15 FOR UPDATE";
    let rival = other(&schema, taking).await;
    for include_unrouted in [true, false] {
        let mut ask = ask();
        ask.asker.include_unrouted = include_unrouted;
        let leased = store.lease(ask, at(60)).await.unwrap();
        let first = if include_unrouted { 16 } else { 26 };
        let numbers: Vec<u64> = leased.iter().map(|message| message.id.get()).collect();
        assert_eq!(numbers, (first..first + 10).collect::<Vec<_>>());
    }
    end(rival).await;
    // It has taken nothing in the end, and then there is less than is asked for. Where it was, is
    // not looked at each time.
    let mut ask = ask();
    ask.asker.include_unrouted = true;
    ask.limit = 100;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut numbers = BTreeSet::new();
    for _ in 0..1_500 {
        tick.tick().await;
        let leased = store.lease(ask.clone(), at(60)).await.unwrap();
        numbers.extend(leased.iter().map(|message| message.id.get()));
        if numbers.len() == 20 {
            break;
        }
    }
    assert_eq!(numbers, (1..=15).chain(36..=40).collect());
}

/// What stands in a run that another node is just taking from waits for no longer than that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr26_runs_that_others_are_taking_are_passed_over() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let schema = Schema::of_runs(&server);
    let store = schema.node().await;
    let drafts = (1..=120).map(|number| draft(number, "gw", 0));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    let taking = "SELECT FROM run ORDER BY due, first LIMIT 1 FOR UPDATE";
    let lease = async |limit, include_unrouted| {
        let mut ask = ask();
        ask.limit = limit;
        ask.asker.include_unrouted = include_unrouted;
        let leased = store.lease(ask, at(60)).await.unwrap();
        let numbers = leased.iter().map(|message| message.id.get());
        numbers.collect::<Vec<_>>()
    };
    // Three runs of forty.
    let rival = other(&schema, taking).await;
    assert_eq!(lease(10, true).await, (41..=50).collect::<Vec<_>>());
    assert_eq!(lease(50, false).await, (51..=100).collect::<Vec<_>>());
    end(rival).await;
    let rest: Vec<u64> = (1..=40).chain(101..=120).collect();
    assert_eq!(lease(100, false).await, rest);
    assert_eq!(lease(100, false).await, [0; 0]);
}

/// Two undo the same run at once; one of them leases from it before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr26_an_edit_of_a_message_in_a_run_waits_for_who_takes_from_it() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::of_runs(&server);
    let store = Arc::new(schema.node().await);
    let drafts = (1..=20).map(|number| draft(number, "gw", 0));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    let rival = other(&schema, "SELECT FROM run FOR UPDATE").await;
    let mut edits = tokio::task::JoinSet::new();
    for number in [3, 12] {
        let store = Arc::clone(&store);
        edits.spawn(async move {
            let edited = store.edit(id(number), reworded("the new text"), scene(4));
            edited.await.unwrap().unwrap();
        });
    }
    until_blocked(&database, "transactionid").await;
    rival
        .client
        .batch_execute(
            "UPDATE run SET ids = ids[11:], dues = dues[11:], turns = turns[11:]; \
             INSERT INTO q (id, dest, number, undecided, due, turn, attempts, updated_at) \
             SELECT id, 'gw', '', false, inserted_at, expires, 0, inserted_at \
             FROM msg WHERE id <= 10",
        )
        .await
        .unwrap();
    end(rival).await;
    edits.join_all().await;
    let mut ask = ask();
    ask.limit = 100;
    let leased = store.lease(ask, at(60)).await.unwrap();
    let numbers: Vec<u64> = leased.iter().map(|message| message.id.get()).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    let edited = leased
        .iter()
        .filter(|message| &*message.content.body == "the new text");
    assert_eq!(
        edited.map(|message| message.id).collect::<Vec<_>>(),
        [id(3), id(12)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s11_2_what_takes_long_holds_no_caller_up() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = Arc::new(schema.node().await);
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    let rival = other(&schema, "LOCK TABLE route IN ACCESS EXCLUSIVE MODE").await;
    let importer = Arc::clone(&store);
    let mut imports = tokio::task::JoinSet::new();
    imports.spawn(async move {
        let import = RoutingChange::ImportRoutes {
            routes: Vec::new(),
            replace: false,
        };
        importer.change_routing(import, None).await.unwrap()
    });
    until_blocked(&database, "relation").await;
    // The first poll looks after locations that have run out; an edit has a transaction of its own.
    let calls = async {
        assert_eq!(store.lease(ask(), at(60)).await.unwrap().len(), 1);
        let edited = store.edit(id(1), reworded("new"), scene(4)).await;
        edited.unwrap().unwrap();
    };
    tokio::time::timeout(SOON, calls).await.unwrap();
    end(rival).await;
    let (version, _) = imports.join_next().await.unwrap().unwrap();
    assert_eq!(version, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s9_3_the_days_to_come_are_made_ahead_and_a_new_one_waits_for_no_reader() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node().await;
    let there = |day: i64| {
        let (name, day) = (&schema.name, at(0).secs() / 86_400 + day);
        let sql = format!("SELECT to_regclass('{name}.msg_{day}') IS NOT NULL");
        database.sql(&sql).trim() == "t"
    };
    let hour = Duration::from_secs(3_600);
    let keep = Retention {
        messages: hour,
        events: hour,
        frontends: hour,
    };
    assert!(!there(0));
    let purged = store.purge(keep, at(0), 10).await.unwrap();
    assert_eq!(purged, Purged::default());
    assert_eq!(
        [-1, 0, 1, 2, 3].map(there),
        [false, true, true, true, false]
    );
    // A backup or a survey reads all of it for hours, and another writer is in the middle.
    let rival = other(
        &schema,
        "SELECT count(*) FROM msg; LOCK TABLE msg, fin, event, log IN ROW EXCLUSIVE MODE",
    )
    .await;
    let number = MessageId::floor_of(at(9 * 86_400)).get() + 1;
    let stored = store.accept(vec![draft(number, "gw", 9 * 86_400)], at(9 * 86_400));
    let stored = tokio::time::timeout(SOON, stored).await.unwrap().unwrap();
    assert!(matches!(stored[..], [Placed::Stored(Some(_))]));
    assert!(there(9));
    end(rival).await;
}
