//! Webhooks of a cluster: one node takes over from another, at a real PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use zajil_database::Server;
use zajil_database::postgres::Dial;
use zajil_store::Store;
use zajil_store_postgres::PostgresStore;
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::node::{Node, local};
use crate::receiver::{Manner, Receiver};

const DELIVERED: &[&str] = &["message_delivered"];

/// A database, and a way to it; none in a quick run of the suite.
async fn database() -> Option<(DatabaseServer, Server)> {
    if !zajil_testkit::slow::asked_for() {
        return None;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let mut server = Server::parse(&database.url()).unwrap();
    server.pool_size = 5;
    server.connect_timeout = Duration::from_secs(60);
    server.statement_timeout = Duration::from_secs(60);
    Some((database, server))
}

/// Another process that shares the store, as far as the database can tell.
async fn process(server: &Server) -> Arc<dyn Store> {
    let options = zajil_store_postgres::Options {
        answer_within: Duration::from_secs(60),
        ..Default::default()
    };
    Arc::new(PostgresStore::open(server, options).await.unwrap())
}

/// Another process sends webhooks from now on.
async fn take_over(node: &mut Node, database: &DatabaseServer, server: &Server) {
    node.halt().await;
    database.sql("DELETE FROM zajil.duty");
    node.store = process(server).await;
    node.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d16_a_transaction_of_somebody_else_does_not_stop_what_is_on_the_shelf() {
    let Some((database, server)) = database().await else {
        return;
    };
    let receiver = Receiver::start(Manner::Answer(503)).await;
    let mut node = Node::on(process(&server).await, local()).await;
    node.subscribe(&receiver.url(), DELIVERED).await;
    let id = node.deliver().await;
    receiver.wait_for(1).await;
    let shelved = async {
        while node.shelved().await == 0 || node.place().await == 0 {
            tokio::task::yield_now().await;
        }
    };
    let shelved = tokio::time::timeout(Duration::from_secs(60), shelved).await;
    assert!(shelved.is_ok(), "it is not on the shelf");
    // A backup, or somebody who has forgotten to end it.
    let other = Dial::new(&server).unwrap().connect(None).await.unwrap();
    let begin = "BEGIN; SELECT pg_current_xact_id()";
    other.client.batch_execute(begin).await.unwrap();
    receiver.behave(Manner::Answer(200));
    take_over(&mut node, &database, &server).await;
    node.clock.advance(Duration::from_secs(3_600));
    let all = receiver.wait_for(2).await;
    assert_eq!(all[1].message_id(), id);
    drop(other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s12_3_places_that_nobody_used_are_no_lost_webhooks_and_endings_that_went_are() {
    let Some((database, server)) = database().await else {
        return;
    };
    let receiver = Receiver::start(Manner::Answer(200)).await;
    let mut node = Node::on(process(&server).await, local()).await;
    node.subscribe(&receiver.url(), DELIVERED).await;
    let first = node.deliver().await;
    receiver.wait_for(1).await;
    let settled = async {
        while node.place().await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), settled)
        .await
        .unwrap();
    // Transactions that were undone, and what a crash of the database leaves out.
    database.sql("SELECT count(nextval('zajil.outbox_seq')) FROM generate_series(1, 40)");
    take_over(&mut node, &database, &server).await;
    let second = node.deliver().await;
    let all = receiver.wait_for(2).await;
    assert_eq!([all[0].message_id(), all[1].message_id()], [first, second]);
    let lost = |node: &Node| node.telemetry.metrics.webhooks.lost.get();
    assert_eq!(lost(&node), 0);
    // Three end while nobody sends, and retention takes them with all before.
    node.halt().await;
    for _ in 0..3 {
        node.deliver().await;
    }
    node.forget_finished().await;
    node.deliver().await;
    take_over(&mut node, &database, &server).await;
    receiver.wait_for(3).await;
    assert!(lost(&node) >= 3, "{}", lost(&node));
}
