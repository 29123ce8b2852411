//! Leases: a message in the hands of one poller (D7).

use std::sync::Arc;

use std::collections::BTreeSet;

use zajil_core::lifecycle::Report;
use zajil_core::message::{Life, Message};
use zajil_core::status::{FinalStatus, Status};

use super::Subject;
use super::build::{
    at, delivered, failed_attempt, fallback, plain, routed, scene, sighting, to_number, unrouted,
};
use super::subject::{ALL, all_at_once, ask};
use crate::contract::OfferAsk;

const NOBODY: [u64; 0] = [];

pub async fn d7_a_held_message_is_given_to_nobody_else(s: Subject) {
    s.accept(vec![routed(1, "gw"), unrouted(2)]).await;
    assert_eq!(s.leased(fallback("gw"), at(0), at(60)).await, [1, 2]);
    assert_eq!(s.leased(fallback("gw"), at(1), at(61)).await, NOBODY);
    assert_eq!(
        s.offered(fallback("gw"), at(1)).await,
        NOBODY,
        "a plain offer respects it, too"
    );
    assert_eq!(s.leased(fallback("other"), at(1), at(61)).await, NOBODY);
    assert_eq!(s.leased_until(1).await, Some(at(60)));
}

pub async fn d7_many_callers_at_once_never_share_a_message(s: Subject) {
    s.locate(sighting("001", "+15550000001", "gw"), at(0)).await;
    let drafts = (1..=300).map(|n| match n % 3 {
        0 => routed(n, "gw"),
        1 => to_number(n, "+15550000001"),
        _ => unrouted(n),
    });
    s.accept(drafts.collect()).await;
    let callers = (0..32).map(|n| {
        let limit = if n % 2 == 0 { 20 } else { 7 };
        s.store.lease(
            OfferAsk {
                limit,
                ..ask(fallback("gw"), at(1))
            },
            at(60),
        )
    });
    let mut seen = BTreeSet::new();
    for messages in all_at_once(callers).await {
        for message in messages.unwrap() {
            assert!(seen.insert(message.id), "{} was given twice", message.id);
        }
    }
    assert_eq!(seen.len(), 300, "16 x 20 + 16 x 7 is more than there are");
}

pub async fn d7_a_lease_returns_at_its_end(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    assert_eq!(s.leased(plain("gw"), at(0), at(60)).await, [1]);
    assert_eq!(s.offered(plain("gw"), at(59)).await, NOBODY);
    assert_eq!(s.offered(plain("gw"), at(60)).await, [1]);
    assert_eq!(s.leased(plain("gw"), at(60), at(90)).await, [1]);
    assert_eq!(s.leased(plain("gw"), at(60), at(90)).await, NOBODY);
}

pub async fn d7_a_lease_changes_nothing_but_the_hold(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    let given = s
        .store
        .lease(ask(plain("gw"), at(5)), at(60))
        .await
        .unwrap();
    let life = Life::Pending {
        leased_until: Some(at(60)),
    };
    let held = Message {
        life,
        ..Arc::unwrap_or_clone(routed(1, "gw").message)
    };
    assert_eq!(s.get(1).await, held);
    assert_eq!(given, [held]);
    assert_eq!(s.log(1).await, ["message_inserted"]);
}

pub async fn d7_a_lease_honours_limit_and_order(s: Subject) {
    let timed = |number, second: i64| {
        let mut draft = routed(number, "gw");
        Arc::make_mut(&mut draft.message).inserted_at = at(second);
        draft
    };
    s.accept(vec![timed(1, 30), timed(2, 20), timed(3, 10), timed(4, 20)])
        .await;
    let two = || OfferAsk {
        limit: 2,
        ..ask(plain("gw"), at(40))
    };
    let numbers = |messages: Vec<Message>| messages.iter().map(|m| m.id.get()).collect::<Vec<_>>();
    assert_eq!(numbers(s.store.lease(two(), at(60)).await.unwrap()), [3, 2]);
    assert_eq!(numbers(s.store.lease(two(), at(60)).await.unwrap()), [4, 1]);
}

pub async fn d7_returned_messages_queue_by_the_end_of_their_lease(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw"), routed(3, "gw")])
        .await;
    let one = |now| OfferAsk {
        limit: 1,
        ..ask(plain("gw"), now)
    };
    s.store.lease(one(at(1)), at(90)).await.unwrap();
    s.store.lease(one(at(1)), at(60)).await.unwrap();
    assert_eq!(s.offered(plain("gw"), at(100)).await, [3, 2, 1]);
}

pub async fn d7_a_failed_attempt_ends_the_lease(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    assert_eq!(s.leased(plain("gw"), at(0), at(3_600)).await, [1]);
    s.report(1, failed_attempt(), at(10)).await;
    assert_eq!(s.leased_until(1).await, None);
    assert_eq!(s.offered(plain("gw"), at(10 + 119)).await, NOBODY);
    assert_eq!(s.offered(plain("gw"), at(10 + 120)).await, [1]);
}

pub async fn d7_a_report_after_the_lease_ran_out_still_counts(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    assert_eq!(s.leased(plain("gw"), at(0), at(60)).await, [1]);
    assert_eq!(s.leased(plain("gw"), at(70), at(130)).await, [1]);
    s.report(1, delivered(), at(80)).await;
    assert_eq!(
        s.get(1).await.status(),
        Status::Final(FinalStatus::Delivered)
    );
    assert_eq!(s.offered(plain("gw"), at(140)).await, NOBODY);
    let late = s
        .try_report(1, Report::Delivered { by: None, at: None }, at(90))
        .await;
    assert!(late.is_err(), "the second holder comes late");
}

pub async fn s9_1_a_held_message_expires_all_the_same(s: Subject) {
    let mut short = routed(1, "gw");
    Arc::make_mut(&mut short.message).expires = at(30);
    s.accept(vec![short]).await;
    assert_eq!(s.leased(plain("gw"), at(0), at(60)).await, [1]);
    assert_eq!(s.store.sweep(scene(at(30)), ALL).await.unwrap().len(), 1);
    assert_eq!(s.get(1).await.status(), Status::Final(FinalStatus::Expired));
    assert_eq!(s.offered(plain("gw"), at(61)).await, NOBODY);
}
