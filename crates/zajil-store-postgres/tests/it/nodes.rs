//! Two nodes at one database, and a connection that breaks at any moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::offer::Asker;
use zajil_store::cluster::{Hint, Introduction};
use zajil_store::contract::{OfferAsk, Purged, Retention};
use zajil_store::{Cluster as _, Error, Store as _};
use zajil_store_postgres::PostgresStore;

use crate::make::{at, draft, id, scene};
use crate::place::{Schema, database};

fn ask(limit: u32) -> OfferAsk {
    let asker = Asker {
        name: FrontendName::parse("gw").unwrap(),
        include_unrouted: true,
    };
    OfferAsk {
        asker,
        limit,
        now: at(5),
    }
}

async fn lease_all(node: Arc<PostgresStore>) -> Vec<u64> {
    let (mut held, mut empty) = (Vec::new(), 0);
    // What the other is just taking is passed over: nothing found once is not nothing there.
    while empty < 20 {
        let leased = node.lease(ask(7), at(60)).await.unwrap();
        empty = if leased.is_empty() { empty + 1 } else { 0 };
        held.extend(leased.iter().map(|message| message.id.get()));
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d7_two_nodes_never_hold_one_message_and_together_hold_all() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let (a, b) = (Arc::new(schema.node().await), Arc::new(schema.node().await));
    let drafts = (1..=300).map(|number| draft(number, "gw", 0));
    a.accept(drafts.collect(), at(0)).await.unwrap();
    let mut pollers = JoinSet::new();
    for node in [&a, &b, &a, &b] {
        pollers.spawn(lease_all(Arc::clone(node)));
    }
    let mut held = pollers.join_all().await.concat();
    held.sort_unstable();
    assert_eq!(held, (1..=300).collect::<Vec<_>>());
    // Both report all of them: one wins each time, and both figures agree.
    let delivered = Report::Delivered { by: None, at: None };
    let reports = || (1..=300).map(|number| (id(number), delivered.clone()));
    let (ours, theirs) = tokio::join!(
        a.report(reports().collect(), scene(6)),
        b.report(reports().collect(), scene(6)),
    );
    let wins = [ours.unwrap(), theirs.unwrap()].concat();
    assert_eq!(wins.iter().filter(|outcome| outcome.is_ok()).count(), 300);
    let figures = b.figures().await.unwrap();
    assert_eq!(
        (figures.messages, figures.pending, figures.outbox),
        (300, 0, 300)
    );
    assert_eq!(a.figures().await.unwrap(), figures);
}

pub(crate) fn called(name: &str) -> Introduction {
    Introduction {
        name: name.to_owned(),
        address: "http://127.0.0.1:8080".to_owned(),
        version: "1".to_owned(),
        number: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_a_number_is_lent_to_one_node_and_who_lost_it_is_told() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let (a, b) = (schema.node().await, schema.node().await);
    assert_eq!(a.join(called("a")).await.unwrap().get(), 0);
    assert_eq!(b.join(called("b")).await.unwrap().get(), 1);
    assert_eq!(a.beat().await, Ok(false));
    assert_eq!(b.drain("a".into(), true).await, Ok(true));
    assert_eq!(a.beat().await, Ok(true));
    // Another process under its name is refused while it lives.
    let again = schema.node().await;
    let refused = again.join(called("a")).await;
    assert!(
        matches!(&refused, Err(Error::Conflict(why)) if why.contains("a node with the name a"))
    );
    assert_eq!(a.beat().await, Ok(true));
    // It says nothing for longer than its place is lent: whoever takes it need not ask.
    let name = &schema.name;
    database.sql(&format!(
        "UPDATE {name}.node SET seen_at = seen_at - 30001 WHERE name = 'a'"
    ));
    assert_eq!(again.join(called("a")).await.unwrap().get(), 0);
    assert_eq!(a.beat().await, Err(Error::NotFound));
    // That one dies, and comes back at once: the database has seen its connections end.
    drop(again);
    let back = schema.node().await;
    let mut number = back.join(called("a")).await;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..600 {
        if number.is_ok() {
            break;
        }
        tick.tick().await;
        number = back.join(called("a")).await;
    }
    assert_eq!(number.unwrap().get(), 0);
    let names: Vec<_> = b
        .members()
        .await
        .unwrap()
        .into_iter()
        .map(|m| m.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
    b.leave().await.unwrap();
    assert_eq!(a.members().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn d15_what_one_node_stores_is_hinted_to_the_other() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let (a, b) = (schema.node().await, schema.node().await);
    // Whatever was told before it listened.
    assert_eq!(b.hint().await, Ok(Hint::Everything));
    a.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    let queue = Hint::Queue(FrontendName::parse("gw").ok());
    assert_eq!(b.hint().await, Ok(queue));
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_3_a_day_that_nobody_can_ask_for_is_dropped_and_its_ids_stay_taken() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node().await;
    store
        .accept(vec![draft(7, "gw", 0), draft(8, "gw", 0)], at(0))
        .await
        .unwrap();
    let day = format!(
        "SELECT to_regclass('{}.msg_19723') IS NOT NULL",
        schema.name
    );
    let delivered = Report::Delivered { by: None, at: None };
    store
        .report(vec![(id(7), delivered.clone())], scene(1))
        .await
        .unwrap();
    let hour = Duration::from_secs(3_600);
    let keep = Retention {
        messages: hour,
        events: 2 * hour,
        frontends: hour,
    };
    let purge = async |hours: i64| {
        if let Some((last, _)) = store.outbox(10).await.unwrap().last() {
            store.outbox_done(*last).await.unwrap();
        }
        while store.purge(keep, at(hours * 3_600), 10).await.unwrap() != Purged::default() {}
    };
    purge(5).await;
    assert_eq!(database.sql(&day).trim(), "t", "one message still waits");
    store
        .report(vec![(id(8), delivered)], scene(2))
        .await
        .unwrap();
    purge(9).await;
    assert_eq!(database.sql(&day).trim(), "f");
    assert_eq!(store.highest_id().await.unwrap(), Some(id(8)));
    store.accept(vec![draft(9, "gw", 0)], at(0)).await.unwrap();
    assert_eq!(
        database.sql(&day).trim(),
        "t",
        "made anew for whoever needs it"
    );
}
