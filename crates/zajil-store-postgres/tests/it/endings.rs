//! The order of endings: nothing is passed over because its transaction was slow, and one node at a
//! time tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use zajil_core::lifecycle::Report;
use zajil_database::postgres::Dial;
use zajil_store::cluster::Cluster as _;
use zajil_store::contract::OutboxSeq;
use zajil_store::{Endings, Store as _, record};

use crate::make::{at, draft, id, scene};
use crate::place::{Schema, database};

const DELIVERED: Report = Report::Delivered { by: None, at: None };

async fn read(endings: &dyn Endings, after: OutboxSeq) -> Vec<(OutboxSeq, i64)> {
    let found = endings.finished(after, 50).await.unwrap();
    found
        .into_iter()
        .map(|(seq, cdr)| (seq, cdr.message_id))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d16_an_ending_whose_transaction_is_slow_is_not_passed_over() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let home = Schema::new(&server);
    let node = home.node().await;
    node.accept((1..=2).map(|n| draft(n, "gw", 0)).collect(), at(0))
        .await
        .unwrap();
    // It draws the first place, and commits last.
    let slow = Dial::new(&server).unwrap().connect(None).await.unwrap();
    let begin = format!(
        "SET search_path = {}; BEGIN; SELECT 1 FROM q WHERE id = 1 FOR UPDATE; \
         INSERT INTO fin SELECT 1, 'delivered', 0, 'n1', NULL, 0, NULL, 0, false, \
         nextval('outbox_seq'), 0, '{}', 0; DELETE FROM q WHERE id = 1",
        home.name,
        record::encode_events(&[])
    );
    slow.client.batch_execute(&begin).await.unwrap();
    node.report(vec![(id(2), DELIVERED)], scene(1))
        .await
        .unwrap();
    let endings = node.endings().unwrap();
    assert_eq!(read(endings, OutboxSeq(0)).await, [], "2 has to wait for 1");
    let last = endings.finished_last().await;
    assert_eq!(last, Err(zajil_store::Error::Busy), "nobody can say yet");
    slow.client.batch_execute("COMMIT").await.unwrap();
    let both = read(endings, OutboxSeq(0)).await;
    let ids: Vec<i64> = both.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, [1, 2]);
    assert_eq!(endings.finished_last().await, Ok(both[1].0));
    // One that is undone holds up nobody for longer than it lasts.
    slow.client
        .batch_execute("BEGIN; SELECT pg_current_xact_id(), nextval('outbox_seq'); ROLLBACK")
        .await
        .unwrap();
    assert_eq!(read(endings, both[1].0).await, []);
    assert!(endings.finished_last().await.unwrap() > both[1].0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d16_a_reader_sees_every_ending_of_all_nodes_once_and_in_order() {
    const EACH: u64 = 300;
    let Some((_database, server)) = database().await else {
        return;
    };
    let home = Schema::new(&server);
    let reader = home.node().await;
    let mut running = JoinSet::new();
    for number in 0..3_u64 {
        let node = Arc::new(home.node().await);
        let first = number * EACH + 1;
        node.accept(
            (first..first + EACH).map(|n| draft(n, "gw", 0)).collect(),
            at(0),
        )
        .await
        .unwrap();
        for part in 0..4 {
            let node = Arc::clone(&node);
            running.spawn(async move {
                for number in (first..first + EACH).filter(|n| n % 4 == part) {
                    let reports = vec![(id(number), DELIVERED)];
                    node.report(reports, scene(1)).await.unwrap();
                }
            });
        }
    }
    let endings = reader.endings().unwrap();
    let (mut after, mut seen) = (OutboxSeq(0), BTreeMap::<i64, u32>::new());
    let mut follow = async |seen: &mut BTreeMap<i64, u32>| {
        for (seq, message) in read(endings, after).await {
            assert!(seq > after, "{seq:?} behind {after:?}");
            after = seq;
            *seen.entry(message).or_default() += 1;
        }
    };
    while !running.is_empty() {
        follow(&mut seen).await;
        while let Some(done) = running.try_join_next() {
            done.unwrap();
        }
    }
    let all = 3 * usize::try_from(EACH).unwrap();
    let within = async {
        while seen.len() < all {
            follow(&mut seen).await;
        }
    };
    let caught_up = tokio::time::timeout(Duration::from_secs(60), within).await;
    assert!(caught_up.is_ok(), "{} of {all} were seen", seen.len());
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d16_one_node_at_a_time_tells_of_endings() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let home = Schema::new(&server);
    let (a, b) = (home.node().await, home.node().await);
    let turn = async |node: &zajil_store_postgres::PostgresStore| {
        node.endings().unwrap().takes_turn().await.unwrap()
    };
    assert!(turn(&a).await);
    assert!(!turn(&b).await);
    assert!(turn(&a).await, "it keeps its turn by asking");
    a.leave().await.unwrap();
    assert!(turn(&b).await);
    assert!(!turn(&a).await);
}
