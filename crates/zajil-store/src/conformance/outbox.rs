//! The outbox: one CDR per finished message, until the sink has it (S10.2, D16).

use zajil_core::cdr;
use zajil_core::status::FinalStatus;

use super::Subject;
use super::build::{at, delivered, dropped, ended, id, routed, scene};
use super::purge;
use super::subject::{ALL, all_at_once};
use crate::contract::OutboxSeq;

pub async fn s10_2_every_ending_has_exactly_one_entry(s: Subject) {
    s.accept((1..=5).map(|n| routed(n, "gw")).collect()).await;
    s.accept(vec![dropped(6)]).await;
    s.report(1, delivered(), at(1)).await;
    s.report(2, ended(FinalStatus::Failed), at(2)).await;
    assert!(s.store.remove(id(3), scene(at(3))).await.unwrap().is_ok());
    let late = (0..3).map(|_| s.try_report(1, delivered(), at(4)));
    assert!(all_at_once(late).await.iter().all(Result::is_err));
    s.store.sweep(scene(at(1_000_000)), ALL).await.unwrap();
    s.store.sweep(scene(at(1_000_000)), ALL).await.unwrap();
    let mut ids: Vec<_> = s.cdrs().await.iter().map(|cdr| cdr.message_id).collect();
    assert_eq!(ids[..4], [6, 1, 2, 3]);
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    assert_eq!(s.store.figures().await.unwrap().outbox, 6);
}

pub async fn s10_2_entries_come_in_the_order_of_the_endings(s: Subject) {
    s.accept((1..=4).map(|n| routed(n, "gw")).collect()).await;
    let mut expected = Vec::new();
    for number in [3_u8, 1, 4, 2] {
        // Even when clocks disagree.
        let now = at(100 - 7 * i64::from(number));
        let done = s.report(number.into(), delivered(), now).await;
        expected.push(cdr::of(&done.message).unwrap());
    }
    assert_eq!(s.cdrs().await, expected);
    assert_eq!(s.cdrs().await, expected, "reading takes nothing away");
}

pub async fn s10_2_the_limit_takes_the_oldest(s: Subject) {
    s.accept((1..=5).map(|n| routed(n, "gw")).collect()).await;
    for number in [5, 4, 3, 2, 1] {
        s.report(number, delivered(), at(9)).await;
    }
    let two = s.store.outbox(2).await.unwrap();
    assert_eq!(
        two.iter()
            .map(|(_, cdr)| cdr.message_id)
            .collect::<Vec<_>>(),
        [5, 4]
    );
    s.store.outbox_done(two[1].0).await.unwrap();
    let two = s.store.outbox(2).await.unwrap();
    assert_eq!(
        two.iter()
            .map(|(_, cdr)| cdr.message_id)
            .collect::<Vec<_>>(),
        [3, 2]
    );
}

pub async fn s10_2_done_entries_are_forgotten_and_others_stay(s: Subject) {
    let left = || async {
        s.cdrs()
            .await
            .iter()
            .map(|cdr| cdr.message_id)
            .collect::<Vec<_>>()
    };
    s.store.outbox_done(OutboxSeq(0)).await.unwrap();
    s.accept((1..=4).map(|n| routed(n, "gw")).collect()).await;
    for number in 1..=3 {
        s.report(number, delivered(), at(9)).await;
    }
    let entries = s.store.outbox(ALL).await.unwrap();
    for _ in 0..2 {
        s.store.outbox_done(entries[1].0).await.unwrap();
        assert_eq!(left().await, [3]);
    }
    s.store.outbox_done(entries[0].0).await.unwrap();
    assert_eq!(left().await, [3], "an older mark brings nothing back");
    assert_eq!(s.store.figures().await.unwrap().outbox, 1);
    s.drain().await;
    assert_eq!(left().await, [0; 0]);
    // What ends later has a later place.
    s.report(4, delivered(), at(10)).await;
    let later = s.store.outbox(ALL).await.unwrap();
    assert!(later[0].0 > entries[2].0);
    assert_eq!(left().await, [4]);
    assert!(
        s.find(1).await.is_some(),
        "the message itself stays until retention"
    );
}

pub async fn endings_can_be_read_again_until_retention_is_over(s: Subject) {
    // A shared store says that it keeps no order.
    let Some(endings) = s.store.endings() else {
        return;
    };
    let behind = |seq: u64, limit: u32| {
        let found = endings.finished(OutboxSeq(seq), limit);
        async move {
            let found = found.await.unwrap();
            let ids = found.iter().map(|(_, cdr)| cdr.message_id);
            (
                found.last().map_or(seq, |(seq, _)| seq.0),
                ids.collect::<Vec<_>>(),
            )
        }
    };
    let last = || async { endings.finished_last().await.unwrap().0 };
    assert_eq!(last().await, 0);
    s.accept((1..=4).map(|n| routed(n, "gw")).collect()).await;
    for number in [3, 1, 2] {
        s.report(number, delivered(), at(9)).await;
    }
    let (first, ids) = behind(0, 1).await;
    assert_eq!(ids, [3]);
    assert_eq!(behind(first, 1).await.1, [1]);
    s.drain().await;
    let (end, ids) = behind(0, ALL).await;
    assert_eq!((end, ids), (last().await, vec![3, 1, 2]), "drained or not");
    s.report(4, delivered(), at(10)).await;
    assert_eq!(behind(end, ALL).await.1, [4], "not drained");
    assert!(last().await > end);
    s.drain().await;
    let before = last().await;
    purge::everything(&s, at(1_000_000)).await;
    assert_eq!(behind(0, ALL).await.1, [0_i64; 0]);
    assert_eq!(last().await, before, "a place is never given out again");
}
