//! Turns that are far off when a message comes.

use std::collections::BTreeSet;
use std::sync::Arc;

use zajil_store::Store as _;
use zajil_testkit::database::DatabaseServer;

use crate::make::{at, draft, id, scene};
use crate::place::{Schema, database};

const DAY: i64 = 86_400;
const MESSAGES: u64 = 2_500;

/// They stand in no index by turn, and yet each is told once when it comes, by whichever node.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s9_1_what_nobody_took_within_a_day_is_told_once_though_no_index_had_it() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::without_runs(&server);
    told_once(&database, &schema).await;
}

/// In runs they stand in no index at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s9_1_what_nobody_took_within_a_day_is_told_once_though_it_stood_in_runs() {
    let Some((database, server)) = database().await else {
        return;
    };
    told_once(&database, &Schema::new(&server)).await;
}

async fn told_once(database: &DatabaseServer, schema: &Schema) {
    let (one, other) = (schema.node().await, schema.node().await);
    let far = (1..=MESSAGES)
        .map(|number| draft(number, "gw", 0))
        .collect();
    one.accept(far, at(0)).await.unwrap();
    let mut near = draft(MESSAGES + 1, "gw", 0);
    Arc::make_mut(&mut near.message).expires = at(60);
    one.accept(vec![near], at(0)).await.unwrap();
    let listed = format!(
        "SELECT count(number), count(*) FROM {}.q WHERE id <= {MESSAGES}",
        schema.name
    );
    let rows = if schema.least_run == 0 { MESSAGES } else { 0 };
    assert_eq!(database.sql(&listed).trim(), format!("0|{rows}"));
    // In time, without a walk having to come by.
    let told = one.sweep(scene(60), 10_000).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].message.id, id(MESSAGES + 1));
    // A walk lists nothing whose turn is hours away.
    for second in 61..70 {
        assert!(one.sweep(scene(second), 10_000).await.unwrap().is_empty());
    }
    assert_eq!(database.sql(&listed).trim(), format!("0|{rows}"));
    // Nobody has swept for a day.
    let mut ended = BTreeSet::new();
    for second in 0..8 {
        let (one, other) = tokio::join!(
            one.sweep(scene(DAY + second), 10_000),
            other.sweep(scene(DAY + second), 10_000)
        );
        for told in one.unwrap().into_iter().chain(other.unwrap()) {
            assert!(ended.insert(told.message.id), "told twice");
        }
    }
    assert_eq!(ended, (1..=MESSAGES).map(id).collect());
    let figures = one.figures().await.unwrap();
    assert_eq!((figures.pending, figures.outbox), (0, MESSAGES + 1));
}

/// What a node of the former version has stored is in no index of this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_turns_of_messages_of_a_former_version_are_found() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node().await;
    let mut soon = draft(1, "gw", 0);
    Arc::make_mut(&mut soon.message).expires = at(300);
    store.accept(vec![soon], at(0)).await.unwrap();
    database.sql(&format!("UPDATE {}.q SET number = NULL", schema.name));
    assert!(store.sweep(scene(1), 10).await.unwrap().is_empty());
    let listed = format!("SELECT number = '' FROM {}.q", schema.name);
    assert_eq!(database.sql(&listed).trim(), "t", "its turn is near");
    assert_eq!(store.sweep(scene(300), 10).await.unwrap().len(), 1);
}

/// As when the walk takes longer than a statement may.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s9_1_a_walk_that_fails_does_not_stop_what_is_listed_from_being_told() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node().await;
    let mut near = draft(1, "gw", 0);
    Arc::make_mut(&mut near.message).expires = at(60);
    store
        .accept(vec![near, draft(2, "gw", 0)], at(0))
        .await
        .unwrap();
    let name = &schema.name;
    database.sql(&format!(
        "CREATE FUNCTION {name}.fails() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57014'; END $$; \
         CREATE TRIGGER fails BEFORE UPDATE ON {name}.q FOR EACH ROW \
         WHEN (OLD.number IS NULL) EXECUTE FUNCTION {name}.fails()"
    ));
    let told = store.sweep(scene(DAY), 10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].message.id, id(1));
    assert!(store.sweep(scene(DAY + 1), 10).await.unwrap().is_empty());
    database.sql(&format!("DROP TRIGGER fails ON {name}.q"));
    let told = store.sweep(scene(DAY + 2), 10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].message.id, id(2));
}

/// One node walks, however many there are; another takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_one_node_walks_at_a_time_and_another_when_it_has_gone() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let (one, other) = (schema.node().await, schema.node().await);
    assert!(one.sweep(scene(0), 10).await.unwrap().is_empty());
    one.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    let listed = format!("SELECT count(number) FROM {}.q", schema.name);
    assert!(other.sweep(scene(DAY - 60), 10).await.unwrap().is_empty());
    assert_eq!(database.sql(&listed).trim(), "0", "it is not its duty");
    one.close().await.unwrap();
    assert!(other.sweep(scene(DAY - 50), 10).await.unwrap().is_empty());
    assert_eq!(database.sql(&listed).trim(), "1");
    assert_eq!(other.sweep(scene(DAY), 10).await.unwrap().len(), 1);
}
