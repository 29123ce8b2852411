//! A database that is stuck: it keeps its connections, accepts more, and answers nothing.

use std::net::TcpListener;
use std::time::Duration;

use zajil_database::postgres::Dial;
use zajil_store::Store as _;
use zajil_store_postgres::{Options, PostgresStore};
use zajil_telemetry::Stopwatch;

use crate::make::{at, draft, id};
use crate::place::{Schema, database};

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_a_leader_that_is_stuck_does_not_hide_the_one_that_took_its_place() {
    let Some((leader, mut server)) = database().await else {
        return;
    };
    let standby = leader.standby(None).await;
    let mut other = server.hosts[0].clone();
    other.port = standby.port();
    server.hosts.push(other);
    let schema = Schema::new(&server);
    // As a node has it.
    let options = Options {
        schema: schema.name.clone(),
        ..Options::default()
    };
    server.pool_size = 10;
    server.statement_timeout = Duration::from_secs(5);
    server.connect_timeout = Duration::from_secs(1);
    let store = PostgresStore::open(&server, options).await.unwrap();
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    // Every connection for look-ups is made.
    for _ in 0..10 {
        assert!(store.message(id(1)).await.unwrap().is_some());
    }
    leader.signal("-STOP", true);
    standby.promote().await;
    let watch = Stopwatch::start();
    let mut number = 2;
    while store
        .accept(vec![draft(number, "gw", 0)], at(0))
        .await
        .is_err()
    {
        assert!(watch.elapsed() < WITHIN, "no writes within {WITHIN:?}");
        number += 1;
    }
    println!("writes {:?} after the new leader", watch.elapsed());
    // By whichever of the connections.
    let mut good = 0;
    while good < 10 {
        let found = store.message(id(number)).await;
        good = if found.is_ok_and(|found| found.is_some()) {
            good + 1
        } else {
            0
        };
        assert!(watch.elapsed() < WITHIN, "no look-ups within {WITHIN:?}");
    }
    println!("look-ups {:?} after the new leader", watch.elapsed());
    assert!(store.message(id(1)).await.unwrap().is_some());
    // So that its processes end with it.
    leader.signal("-CONT", true);
}

#[tokio::test]
async fn d15_a_try_that_was_given_up_is_followed_by_one_at_the_next_host() {
    let Some((_database, mut server)) = database().await else {
        return;
    };
    let stuck = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut first = server.hosts[0].clone();
    first.port = stuck.local_addr().unwrap().port();
    server.hosts.insert(0, first);
    // It would wait for a minute.
    let dial = Dial::new(&server).unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(50), dial.connect(None)).await;
    assert!(given_up.is_err(), "the stuck one has answered");
    let link = dial.connect(None).await.unwrap();
    link.client.batch_execute("SELECT 1").await.unwrap();
}

/// Also once every connection has been given up, and nobody can ask but by making one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_a_database_that_stays_stuck_keeps_nobody_waiting() {
    stays_stuck(Duration::from_secs(5)).await;
}

/// Where no single question waits for as long as it takes to prove a silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_nor_does_it_where_statements_may_take_half_a_second() {
    stays_stuck(Duration::from_millis(500)).await;
}

async fn stays_stuck(statement: Duration) {
    let Some((database, mut server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let options = Options {
        schema: schema.name.clone(),
        ..Options::default()
    };
    server.statement_timeout = statement;
    server.connect_timeout = Duration::from_secs(1);
    let store = PostgresStore::open(&server, options).await.unwrap();
    assert!(store.message(id(1)).await.unwrap().is_none());
    store.depths(at(0)).await.unwrap();
    database.signal("-STOP", true);
    let watch = Stopwatch::start();
    while watch.elapsed() < statement * 2 + Duration::from_secs(3) {
        assert!(store.message(id(1)).await.is_err());
    }
    // These may take half a minute of a database that answers.
    let watch = Stopwatch::start();
    let asked = (0..8).map(|_| store.depths(at(0)));
    let answers = futures_util::future::join_all(asked).await;
    let took = watch.elapsed();
    database.signal("-CONT", true);
    assert!(answers.iter().all(Result::is_err));
    assert!(took < Duration::from_secs(4), "told after {took:?}");
}
