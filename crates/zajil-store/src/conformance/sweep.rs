//! The sweep that ends lives that are over (S9.1).

use std::sync::Arc;

use std::collections::BTreeSet;

use zajil_core::id::MessageId;
use zajil_core::status::{FinalStatus, Status};

use super::Subject;
use super::build::{at, delivered, failed_attempt, id, name, routed, scene, unrouted};
use super::subject::{ALL, all_at_once};
use crate::contract::{Draft, Reported};

fn until(mut draft: Draft, second: i64) -> Draft {
    Arc::make_mut(&mut draft.message).expires = at(second);
    draft
}

fn ids(swept: &[Reported]) -> BTreeSet<MessageId> {
    swept.iter().map(|swept| swept.message.id).collect()
}

pub async fn s9_1_only_a_life_that_is_over_expires(s: Subject) {
    let drafts = vec![
        until(routed(1, "gw"), 60),
        until(routed(2, "gw"), 61),
        until(unrouted(3), 60),
        until(routed(4, "gw"), 30),
    ];
    s.accept(drafts).await;
    s.report(4, delivered(), at(1)).await;
    assert!(s.store.sweep(scene(at(59)), ALL).await.unwrap().is_empty());
    let swept = s.store.sweep(scene(at(60)), ALL).await.unwrap();
    assert_eq!(ids(&swept), [id(1), id(3)].into());
    let message = s.get(1).await;
    assert_eq!(message.status(), Status::Final(FinalStatus::Expired));
    assert!(message.is_dead_letter());
    assert_eq!(message.ending().unwrap().at, at(60));
    assert_eq!(s.log(1).await, ["message_inserted", "message_dead_letter"]);
    assert_eq!(s.get(2).await.status(), Status::Pending);
    assert_eq!(
        s.get(4).await.status(),
        Status::Final(FinalStatus::Delivered)
    );
    let cdrs = s.cdrs().await;
    assert_eq!(cdrs.len(), 3);
    assert_eq!(cdrs.iter().filter(|cdr| cdr.deadletter).count(), 2);
}

pub async fn s9_1_an_expired_message_is_told_to_the_caller(s: Subject) {
    s.accept(vec![until(routed(1, "gw"), 600), until(unrouted(2), 600)])
        .await;
    s.report(1, failed_attempt(), at(0)).await;
    s.report(1, failed_attempt(), at(200)).await;
    let mut swept = s.store.sweep(scene(at(600)), ALL).await.unwrap();
    swept.sort_by_key(|swept| swept.message.id);
    let told: Vec<_> = swept
        .iter()
        .map(|s| &s.message)
        .map(|m| (m.id.get(), m.dest_smsc.clone(), m.attempts.get()))
        .collect();
    assert_eq!(told, [(1, Some(name("gw")), 2), (2, None, 0)]);
}

pub async fn s9_1_the_sweep_honours_its_limit(s: Subject) {
    s.accept((1..=5).map(|n| until(routed(n, "gw"), 60)).collect())
        .await;
    let mut all = BTreeSet::new();
    for expected in [2, 2, 1, 0] {
        let swept = s.store.sweep(scene(at(99)), 2).await.unwrap();
        assert_eq!(swept.len(), expected);
        all.extend(ids(&swept));
    }
    assert_eq!(all, (1..=5).map(id).collect());
    assert_eq!(s.cdrs().await.len(), 5);
}

pub async fn s9_1_two_sweeps_at_once_end_each_message_once(s: Subject) {
    s.accept((1..=50).map(|n| until(routed(n, "gw"), 60)).collect())
        .await;
    let sweeps = (0..4).map(|_| s.store.sweep(scene(at(60)), ALL));
    let mut swept: Vec<u64> = Vec::new();
    for sweep in all_at_once(sweeps).await {
        swept.extend(sweep.unwrap().iter().map(|swept| swept.message.id.get()));
    }
    swept.sort_unstable();
    assert_eq!(swept, (1..=50).collect::<Vec<_>>());
    assert_eq!(s.cdrs().await.len(), 50);
    assert_eq!(s.log(7).await, ["message_inserted", "message_dead_letter"]);
}
