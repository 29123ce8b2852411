//! What carriers took and have not told the end of: by id, by message, and overdue (D19).

use std::sync::Arc;

use zajil_core::lifecycle::Report;
use zajil_core::smpp::Awaited;

use super::build::{at, delivered, id, name, routed};
use super::subject::{ALL, all_at_once};
use super::{Home, Subject};
use crate::awaited::AwaitedPart;

/// `up` took a message as these parts, waited for until this second.
pub(super) fn taken(ids: &[&str], until: i64) -> Report {
    Report::Taken {
        by: Some(name("gw")),
        until: at(until + 3_600),
        told: "took it".into(),
        parts: Some(Awaited {
            carrier: name("up"),
            ids: ids.iter().map(|&id| id.to_owned()).collect(),
            tail: "000002".into(),
            until: at(until),
        }),
    }
}

pub(super) async fn find(s: &Subject, carrier: &str, ids: &[&str]) -> Vec<AwaitedPart> {
    let ids = ids.iter().map(|&id| id.to_owned()).collect();
    s.store.awaited_parts(name(carrier), ids).await.unwrap()
}

async fn told(s: &Subject, part: &str) -> Option<u64> {
    let told = s.store.part_delivered(name("up"), part.into());
    told.await.unwrap()
}

fn known(parts: &[AwaitedPart]) -> Vec<(&str, u64)> {
    parts
        .iter()
        .map(|part| (part.id.as_str(), part.message.get()))
        .collect()
}

pub async fn d19_what_a_carrier_took_is_found_by_its_ids(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw")]).await;
    s.report(1, taken(&["b7", "a7"], 60), at(5)).await;
    s.report(2, taken(&["c7"], 90), at(6)).await;
    let expected = AwaitedPart {
        carrier: name("up"),
        id: "a7".into(),
        message: id(1),
        tail: "000002".into(),
        taken_at: at(5),
        until: at(60),
        parts: 2,
        delivered: false,
    };
    assert_eq!(find(&s, "up", &["a7"]).await, [expected]);
    let some = find(&s, "up", &["c7", "x", "b7", "c7"]).await;
    assert_eq!(known(&some), [("b7", 1), ("c7", 2)]);
    assert_eq!(some[1].parts, 1);
    // Ids are a carrier's own, and compared as they are.
    assert_eq!(find(&s, "gw", &["a7"]).await, []);
    assert_eq!(find(&s, "up", &["A7", ""]).await, []);
}

pub async fn d19_an_id_that_is_given_again_means_the_new_part(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw")]).await;
    s.report(1, taken(&["7", "8"], 60), at(5)).await;
    assert_eq!(told(&s, "8").await, Some(1));
    s.report(2, taken(&["8", "9"], 90), at(6)).await;
    let all = find(&s, "up", &["7", "8", "9"]).await;
    assert_eq!(known(&all), [("7", 1), ("8", 2), ("9", 2)]);
    assert!(!all[1].delivered);
    // Within one call too: the last one counts.
    let both = vec![
        (id(1), taken(&["5"], 60)),
        (id(2), taken(&["5"], 60)),
        (id(2), taken(&["6"], 60)),
    ];
    let scene = super::build::scene(at(7));
    let outcomes = s.store.report(both, scene).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    let all = find(&s, "up", &["5", "6"]).await;
    assert_eq!(known(&all), [("5", 2), ("6", 2)]);
}

pub async fn d19_a_report_without_effect_awaits_nothing(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "other")]).await;
    s.report(1, delivered(), at(1)).await;
    for number in [1, 2, 3] {
        let refused = s.try_report(number, taken(&["7"], 60), at(5)).await;
        assert!(refused.is_err(), "{number}");
    }
    assert_eq!(find(&s, "up", &["7"]).await, []);
    assert_eq!(told(&s, "7").await, None);
}

pub async fn d19_of_receipts_at_once_exactly_one_is_the_last(s: Subject) {
    let parts: Vec<String> = (10..30).map(|part| part.to_string()).collect();
    let ids: Vec<&str> = parts.iter().map(String::as_str).collect();
    s.accept(vec![routed(1, "gw"), routed(2, "gw")]).await;
    s.report(1, taken(&ids, 60), at(5)).await;
    s.report(2, taken(&["7"], 60), at(5)).await;
    let all = ids
        .iter()
        .map(|part| s.store.part_delivered(name("up"), (*part).to_owned()));
    let answers = all_at_once(all).await.into_iter();
    let mut left: Vec<u64> = answers.map(|left| left.unwrap().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, (0..20).collect::<Vec<u64>>());
    // Said again: as before.
    assert_eq!(told(&s, "10").await, Some(0));
    assert_eq!(told(&s, "7").await, Some(0));
    assert!(
        find(&s, "up", &["10", "7"])
            .await
            .iter()
            .all(|p| p.delivered)
    );
}

pub async fn d19_overdue_parts_are_found_the_longest_first(s: Subject) {
    s.accept((1..=3).map(|n| routed(n, "gw")).collect()).await;
    s.report(1, taken(&["3", "2"], 60), at(5)).await;
    s.report(2, taken(&["4"], 50), at(5)).await;
    s.report(3, taken(&["1"], 70), at(5)).await;
    let late = async |now, limit| s.store.overdue_parts(at(now), limit).await.unwrap();
    assert_eq!(late(50, ALL).await, []);
    assert_eq!(known(&late(61, ALL).await), [("4", 2), ("2", 1), ("3", 1)]);
    assert_eq!(known(&late(71, 2).await), [("4", 2), ("2", 1)]);
}

pub async fn d19_parts_are_forgotten_by_turn(s: Subject) {
    s.accept((1..=2).map(|n| routed(n, "gw")).collect()).await;
    s.report(1, taken(&["1", "2"], 60), at(5)).await;
    s.report(2, taken(&["3"], 60), at(5)).await;
    // Submitted again later, and taken again.
    s.report(1, taken(&["4"], 60), at(9)).await;
    let forget = async |of| {
        let mut gone = s.store.forget_parts(of).await.unwrap();
        gone.sort();
        gone.into_iter().map(|(_, id)| id).collect::<Vec<String>>()
    };
    assert_eq!(
        forget(vec![(id(1), at(5)), (id(9), at(9))]).await,
        ["1", "2"]
    );
    let left = find(&s, "up", &["1", "2", "3", "4"]).await;
    assert_eq!(known(&left), [("3", 2), ("4", 1)]);
    assert_eq!(told(&s, "4").await, Some(0));
    assert!(forget(Vec::new()).await.is_empty());
    // The end of a message alone forgets nothing: who tells it does.
    s.report(2, delivered(), at(10)).await;
    assert_eq!(known(&find(&s, "up", &["3"]).await), [("3", 2)]);
}

pub async fn d19_what_carriers_took_survives_closing_and_opening(home: Arc<dyn Home>) {
    let s = Subject::new(home.open().await);
    s.accept(vec![routed(1, "gw")]).await;
    s.report(1, taken(&["1", "2"], 60), at(5)).await;
    assert_eq!(told(&s, "1").await, Some(1));
    let before = find(&s, "up", &["1", "2"]).await;
    s.store.close().await.unwrap();
    drop(s);
    let s = Subject::new(home.open().await);
    assert_eq!(find(&s, "up", &["1", "2"]).await, before);
    assert_eq!(told(&s, "2").await, Some(0));
    s.store.close().await.unwrap();
}
