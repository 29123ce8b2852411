//! Moving between a data directory and a database, both ways; and what nodes say to it.

use std::sync::Arc;

use tempfile::TempDir;
use zajil_database::Server;
use zajil_store::cluster::{Cluster as _, Introduction};
use zajil_store::conformance::moved::{self, MovableHome};
use zajil_store::conformance::{Boxed, Home};
use zajil_store::transfer::{Mark, Port, Role};
use zajil_store::{Error, Store};
use zajil_store_embedded::{EmbeddedPort, EmbeddedStore};
use zajil_store_postgres::{Options, PostgresPort, PostgresStore};

use crate::place::{Schema, database};

#[derive(Debug)]
struct Directory(TempDir);

impl Home for Directory {
    fn open(&self) -> Boxed<'_, Arc<dyn Store>> {
        let options = zajil_store_embedded::Options::default();
        let store = EmbeddedStore::open(self.0.path(), &options).unwrap();
        Box::pin(std::future::ready(Arc::new(store) as Arc<dyn Store>))
    }
}

impl MovableHome for Directory {
    fn port(&self) -> Boxed<'_, Box<dyn Port>> {
        let port = EmbeddedPort::target(self.0.path()).unwrap();
        Box::pin(std::future::ready(Box::new(port) as Box<dyn Port>))
    }
}

impl MovableHome for Schema {
    fn port(&self) -> Boxed<'_, Box<dyn Port>> {
        Box::pin(async {
            let port = PostgresPort::target(&self.server, &self.name).await;
            Box::new(port.unwrap()) as Box<dyn Port>
        })
    }
}

fn directory() -> Arc<dyn MovableHome> {
    Arc::new(Directory(TempDir::new().unwrap()))
}

fn schema(server: &Server) -> Arc<dyn MovableHome> {
    Arc::new(Schema::new(server))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_a_history_goes_on_over_moves_both_ways() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let homes = vec![directory(), schema(&server), schema(&server), directory()];
    moved::a_history_goes_on_over_moves(homes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_what_is_held_or_told_is_neither_lost_nor_doubled_both_ways() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let there = moved::what_is_held_or_told_is_neither_lost_nor_doubled;
    there(directory(), schema(&server)).await;
    there(schema(&server), directory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_a_move_that_stops_goes_on_both_ways() {
    let Some((_database, server)) = database().await else {
        return;
    };
    moved::a_move_that_stops_goes_on(directory(), schema(&server)).await;
    moved::a_move_that_stops_goes_on(schema(&server), directory()).await;
    moved::only_an_empty_store_is_filled(directory(), schema(&server)).await;
    moved::only_an_empty_store_is_filled(schema(&server), directory()).await;
    moved::what_was_altered_is_found(directory(), schema(&server)).await;
    moved::what_was_altered_is_found(schema(&server), directory()).await;
    moved::only_one_side_starts(directory(), schema(&server)).await;
    moved::only_one_side_starts(schema(&server), directory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_what_has_left_is_not_read_with_a_page() {
    let Some((database, server)) = database().await else {
        return;
    };
    let home = Arc::new(Schema::new(&server));
    let damage = format!("INSERT INTO {}.event VALUES (2, 1000, 0, '?')", home.name);
    moved::what_has_left_is_not_read_with_a_page(home, || drop(database.sql(&damage))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_what_was_told_out_of_order_is_told_once() {
    let Some((database, server)) = database().await else {
        return;
    };
    let home = Arc::new(Schema::new(&server));
    let tell = format!("DELETE FROM {}.outbox WHERE id = 3", home.name);
    let homes = (home as Arc<dyn MovableHome>, directory());
    moved::what_was_told_out_of_order_is_told_once(homes, || drop(database.sql(&tell))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_a_target_that_is_refused_is_left_as_it_was() {
    let Some((database, server)) = database().await else {
        return;
    };
    let home = Schema::new(&server);
    let node = home.node().await;
    node.join(named("a")).await.unwrap();
    let form = format!("SELECT version FROM {}.form", home.name);
    let older = format!("UPDATE {}.form SET version = version - 1", home.name);
    database.sql(&older);
    let before = database.sql(&form);
    let target = PostgresPort::target(&home.server, &home.name).await;
    let why = format!("{:?}", target.unwrap_err());
    assert!(why.contains("has tables of form"), "{why}");
    assert_eq!(database.sql(&form), before);
    node.leave().await.unwrap();
}

fn named(name: &str) -> Introduction {
    Introduction {
        name: name.into(),
        address: "127.0.0.1:1".into(),
        version: "test".into(),
        number: None,
    }
}

async fn refused(home: &Schema) -> String {
    let opened = PostgresPort::existing(&home.server, &home.name).await;
    format!("{:?}", opened.unwrap_err())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_nothing_is_moved_while_a_node_works_and_no_node_starts_while_it_is() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let home = Schema::new(&server);
    let why = refused(&home).await;
    assert!(why.contains("Missing"), "{why}");
    let node = home.node().await;
    node.join(named("a")).await.unwrap();
    let why = refused(&home).await;
    assert!(why.contains("the node a runs: stop it first"), "{why}");
    // It dies: for as long as it may only be out of reach nothing is moved.
    drop(node);
    let silent = loop {
        let why = refused(&home).await;
        if !why.contains("the node a runs") {
            break why;
        }
        tokio::task::yield_now().await;
    };
    assert!(silent.contains("did not say that it stops"), "{silent}");
    let node = home.node().await;
    node.join(named("a")).await.unwrap();
    node.leave().await.unwrap();
    // This one was started, and has not joined yet.
    let mut port = home.port().await;
    let mark = Mark {
        id: "drawn".into(),
        role: Role::Source,
        other: "elsewhere".into(),
        at: zajil_core::clock::Timestamp::EPOCH,
        done: false,
        reached: None,
    };
    port.set_mark(Some(mark)).await.unwrap();
    let late = node.join(named("a")).await;
    assert!(
        matches!(&late, Err(Error::Conflict(why)) if why.contains("on their way to elsewhere"))
    );
    let options = Options {
        schema: home.name.clone(),
        ..Options::default()
    };
    let started = PostgresStore::open(&home.server, options).await;
    let why = format!("{:?}", started.unwrap_err());
    assert!(why.contains("on their way to elsewhere"), "{why}");
    let other = refused(&home).await;
    assert!(
        other.contains("is being moved by another process"),
        "{other}"
    );
}
