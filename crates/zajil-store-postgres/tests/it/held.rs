//! Reports of what this node has leased itself, whose rows it does not lock again.

use std::num::NonZeroU32;
use std::time::Duration;

use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::offer::Asker;
use zajil_database::postgres::Dial;
use zajil_store::Store as _;
use zajil_store::contract::{NotDone, OfferAsk, Outcome};
use zajil_store_postgres::PostgresStore;

use crate::make::{at, draft, id, scene};
use crate::place::{Schema, database};

const DELIVERED: Report = Report::Delivered { by: None, at: None };

async fn lease(store: &PostgresStore, now: i64) -> Vec<u64> {
    let ask = OfferAsk {
        asker: Asker {
            name: FrontendName::parse("gw").unwrap(),
            include_unrouted: false,
        },
        limit: 10,
        now: at(now),
    };
    let leased = store.lease(ask, at(now + 60)).await.unwrap();
    leased.iter().map(|message| message.id.get()).collect()
}

async fn deliver(store: &PostgresStore, numbers: &[u64]) -> Vec<Outcome> {
    let reports = numbers.iter().map(|number| (id(*number), DELIVERED));
    store.report(reports.collect(), scene(5)).await.unwrap()
}

/// Pending, ended and not drained, of all.
async fn figures(store: &PostgresStore) -> [u64; 3] {
    let figures = store.figures().await.unwrap();
    [figures.pending, figures.outbox, figures.messages]
}

async fn leased() -> Option<(
    zajil_testkit::database::DatabaseServer,
    Schema,
    PostgresStore,
)> {
    let (database, server) = database().await?;
    let schema = Schema::new(&server);
    let store = schema.node().await;
    let drafts = (1..=3).map(|number| draft(number, "gw", 0));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    assert_eq!(lease(&store, 1).await, [1, 2, 3]);
    Some((database, schema, store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_what_a_node_has_leased_ends_without_a_look_at_its_text() {
    let Some((_database, schema, store)) = leased().await else {
        return;
    };
    let rival = Dial::new(&schema.server).unwrap().connect(None).await;
    let rival = rival.unwrap();
    let hold = format!(
        "SET search_path = {}; BEGIN; LOCK TABLE msg IN ACCESS EXCLUSIVE MODE",
        schema.name
    );
    rival.client.batch_execute(&hold).await.unwrap();
    let done = tokio::time::timeout(Duration::from_secs(30), deliver(&store, &[1, 2, 3]));
    let done = done.await.expect("it waits for the texts");
    assert!(done.iter().all(Result::is_ok));
    rival.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(figures(&store).await, [0, 3, 3]);
    let found = store.message(id(2)).await.unwrap().unwrap();
    assert_eq!(found.status().as_str(), "delivered");
    assert_eq!(store.events(id(2)).await.unwrap().len(), 3);
}

/// All in one millisecond: no instant tells that the row is another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d7_what_another_node_has_edited_behind_a_lease_ends_as_it_is_by_then() {
    let Some((_database, schema, store)) = leased().await else {
        return;
    };
    let other = schema.node().await;
    let edit = Edit {
        body: Some(("the new text".into(), NonZeroU32::MIN)),
        ..Edit::default()
    };
    other.edit(id(2), edit, scene(0)).await.unwrap().unwrap();
    let done = deliver(&store, &[1, 2, 3]).await;
    let bodies = done
        .into_iter()
        .map(|done| done.unwrap().message.content.body);
    assert_eq!(bodies.filter(|body| body == "the new text").count(), 1);
    assert_eq!(figures(&store).await, [0, 3, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d7_what_has_ended_behind_a_lease_is_ended_once_and_its_report_is_late() {
    let Some((database, schema, store)) = leased().await else {
        return;
    };
    let other = schema.node().await;
    // A row that is written anew and means the same, as a walk for turns does.
    let touch = format!("UPDATE {}.q SET number = '' WHERE id = 1", schema.name);
    database.sql(&touch);
    assert!(deliver(&other, &[2]).await[0].is_ok());
    assert_eq!(lease(&other, 100).await, [1, 3]);
    let done = deliver(&store, &[1, 2, 3]).await;
    assert!(done[0].is_ok() && done[2].is_ok(), "{done:?}");
    assert!(matches!(done[1], Err(NotDone::AlreadyFinal(_))));
    let late = deliver(&other, &[1, 3]).await;
    let late = late
        .iter()
        .filter(|done| matches!(done, Err(NotDone::AlreadyFinal(_))));
    assert_eq!(late.count(), 2);
    assert_eq!(figures(&store).await, [0, 3, 3]);
}

/// One report of a batch is of what it holds, another one of the same message is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d7_a_message_that_is_reported_twice_at_once_ends_once() {
    let Some((_database, _schema, store)) = leased().await else {
        return;
    };
    let done = deliver(&store, &[1, 1, 2, 9]).await;
    assert!(done[0].is_ok() && done[2].is_ok());
    assert!(matches!(done[1], Err(NotDone::AlreadyFinal(_))));
    assert!(matches!(done[3], Err(NotDone::NotFound)));
    let (one, other) = tokio::join!(deliver(&store, &[3]), deliver(&store, &[3]));
    let ended = one.iter().chain(&other).filter(|done| done.is_ok());
    assert_eq!(ended.count(), 1);
    assert_eq!(figures(&store).await, [0, 3, 3]);
}
