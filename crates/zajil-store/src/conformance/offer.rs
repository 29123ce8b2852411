//! Offering: who is offered what, and in which order (S3.1).

use std::sync::Arc;

use zajil_core::status::FinalStatus;

use super::Subject;
use super::build::{
    at, delivered, draft, ended, failed_attempt, fallback, message, name, plain, routed, scene,
    sighting, to_number, unrouted,
};
use super::subject::ask;
use crate::contract::OfferAsk;

const NOBODY: [u64; 0] = [];

pub async fn s3_1_a_routed_message_is_offered_to_its_frontend_only(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "other")]).await;
    assert_eq!(s.offered(plain("gw"), at(0)).await, [1]);
    assert_eq!(s.offered(plain("other"), at(0)).await, [2]);
    assert_eq!(s.offered(plain("GW"), at(0)).await, NOBODY);
    assert_eq!(s.offered(fallback("third"), at(0)).await, NOBODY);
}

pub async fn s3_1_an_unrouted_message_waits_for_include_unrouted(s: Subject) {
    s.accept(vec![unrouted(1)]).await;
    assert_eq!(s.offered(plain("gw"), at(0)).await, NOBODY);
    assert_eq!(s.offered(fallback("gw"), at(0)).await, [1]);
    assert_eq!(s.offered(fallback("other"), at(0)).await, [1]);
}

pub async fn s3_1_include_unrouted_adds_to_the_askers_own(s: Subject) {
    s.locate(sighting("001", "+15550000004", "ims"), at(0))
        .await;
    s.accept(vec![
        routed(1, "gw"),
        unrouted(2),
        routed(3, "other"),
        unrouted(4),
    ])
    .await;
    assert_eq!(s.offered(fallback("gw"), at(0)).await, [1, 2]);
    assert_eq!(s.offered(fallback("ims"), at(0)).await, [2, 4]);
}

pub async fn s3_1_nothing_is_offered_once_it_expires(s: Subject) {
    let mut routed = routed(1, "gw");
    Arc::make_mut(&mut routed.message).expires = at(60);
    let mut unrouted = unrouted(2);
    Arc::make_mut(&mut unrouted.message).expires = at(60);
    s.accept(vec![routed, unrouted]).await;
    assert_eq!(s.offered(fallback("gw"), at(59)).await, [1, 2]);
    assert_eq!(
        s.offered(fallback("gw"), at(60)).await,
        NOBODY,
        "before the sweep, too"
    );
    assert_eq!(s.leased(fallback("gw"), at(60), at(90)).await, NOBODY);
    assert_eq!(s.get(1).await.status().as_str(), "pending");
}

pub async fn s3_1_nothing_is_offered_before_deliver_after(s: Subject) {
    let mut later = routed(1, "gw");
    Arc::make_mut(&mut later.message).deliver_after = Some(at(60));
    s.accept(vec![later]).await;
    assert_eq!(s.offered(plain("gw"), at(59)).await, NOBODY);
    assert_eq!(s.leased(plain("gw"), at(59), at(90)).await, NOBODY);
    assert_eq!(s.offered(plain("gw"), at(60)).await, [1]);
}

pub async fn s3_1_nothing_is_offered_after_its_end(s: Subject) {
    s.accept((1..=6).map(|number| routed(number, "gw")).collect())
        .await;
    s.report(1, delivered(), at(1)).await;
    for (number, how) in (2..).zip(FinalStatus::ALL.into_iter().skip(1)) {
        s.report(number, ended(how), at(1)).await;
    }
    assert_eq!(s.offered(fallback("gw"), at(2)).await, [6]);
    assert_eq!(s.leased(fallback("gw"), at(2), at(9)).await, [6]);
}

pub async fn s3_1_the_longest_due_comes_first_then_the_lower_id(s: Subject) {
    let entry = |number, inserted: i64, after: Option<i64>| {
        let mut draft = routed(number, "gw");
        Arc::make_mut(&mut draft.message).inserted_at = at(inserted);
        Arc::make_mut(&mut draft.message).deliver_after = after.map(at);
        draft
    };
    let drafts = vec![
        entry(1, 50, None),
        entry(2, 10, Some(90)),
        entry(3, 60, Some(20)),
        entry(9, 40, None),
        entry(5, 40, None),
        entry(7, 10, Some(40)),
    ];
    s.accept(drafts).await;
    assert_eq!(s.offered(plain("gw"), at(100)).await, [3, 5, 7, 9, 1, 2]);
    // A failed attempt puts a message behind those that fall due before it.
    s.report(3, failed_attempt(), at(100)).await;
    assert_eq!(s.offered(plain("gw"), at(400)).await, [5, 7, 9, 1, 2, 3]);
}

pub async fn s3_1_the_limit_cuts_one_order_over_all_queues(s: Subject) {
    s.locate(sighting("001", "+15550000003", "gw"), at(0)).await;
    let timed = |mut draft: crate::contract::Draft, second: i64| {
        Arc::make_mut(&mut draft.message).inserted_at = at(second);
        draft
    };
    let drafts = vec![
        timed(routed(1, "gw"), 50),
        timed(unrouted(2), 40),
        timed(to_number(3, "+15550000003"), 30),
        timed(unrouted(4), 20),
        timed(routed(5, "gw"), 10),
    ];
    s.accept(drafts).await;
    let mut expected = vec![5, 4, 3, 2, 1];
    assert_eq!(s.offered(fallback("gw"), at(60)).await, expected);
    assert_eq!(s.offered(plain("gw"), at(60)).await, [5, 3, 1]);
    for limit in (1..=4).rev() {
        let page = OfferAsk {
            limit,
            ..ask(fallback("gw"), at(60))
        };
        let page = s.store.offer(page).await.unwrap();
        expected.pop();
        let page: Vec<_> = page.iter().map(|message| message.id.get()).collect();
        assert_eq!(page, expected);
    }
}

pub async fn d7_an_offer_holds_nothing(s: Subject) {
    let message = message(1);
    s.accept(vec![draft(message.clone())]).await;
    for _ in 0..2 {
        assert_eq!(s.offered(fallback("gw"), at(5)).await, [1]);
    }
    assert_eq!(s.get(1).await, message);
    assert_eq!(s.log(1).await, ["message_inserted"]);
}

pub async fn d7_next_due_is_never_late(s: Subject) {
    let next = |asker| async { s.store.next_due(asker, at(0)).await.unwrap() };
    let not_after = |next: Option<_>, secs| assert!(next.unwrap() <= at(secs), "{next:?}");
    let mut later = routed(1, "gw");
    Arc::make_mut(&mut later.message).deliver_after = Some(at(60));
    s.accept(vec![later, unrouted(2)]).await;
    not_after(next(plain("gw")).await, 60);
    not_after(next(fallback("gw")).await, 0);
    // Held, it falls due when it comes back.
    assert_eq!(s.leased(fallback("gw"), at(1), at(30)).await, [2]);
    not_after(next(fallback("gw")).await, 30);
    // Put off by a failure.
    s.report(2, failed_attempt(), at(2)).await;
    not_after(next(fallback("gw")).await, 60);
    // A location takes it.
    s.locate(sighting("001", "+15550000002", "ims"), at(3))
        .await;
    not_after(next(plain("ims")).await, 122);
    not_after(next(plain("gw")).await, 60);
}

pub async fn d7_next_due_of_an_asker_without_messages_is_none(s: Subject) {
    assert_eq!(s.store.next_due(fallback("gw"), at(2)).await.unwrap(), None);
    s.accept(vec![routed(1, "gw"), unrouted(2)]).await;
    assert_eq!(s.store.next_due(plain("other"), at(2)).await.unwrap(), None);
    s.report(1, delivered(), at(1)).await;
    assert_eq!(s.store.next_due(plain("gw"), at(2)).await.unwrap(), None);
    assert!(
        s.store
            .remove(super::build::id(2), scene(at(1)))
            .await
            .unwrap()
            .is_ok()
    );
    assert_eq!(s.store.next_due(fallback("gw"), at(2)).await.unwrap(), None);
}

pub async fn d17_a_long_queue_is_offered_page_by_page(s: Subject) {
    let queue = |number: u64| {
        if number.is_multiple_of(3) {
            "other"
        } else {
            "gw"
        }
    };
    for start in (0..1_500).step_by(500) {
        s.accept(
            (start + 1..=start + 500)
                .map(|n| routed(n, queue(n)))
                .collect(),
        )
        .await;
    }
    let mut seen = Vec::new();
    loop {
        let page = OfferAsk {
            limit: 300,
            ..ask(plain("gw"), at(1))
        };
        let page = s.store.lease(page, at(60)).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(
            page.iter()
                .all(|message| message.dest_smsc == Some(name("gw")))
        );
        seen.extend(page.into_iter().map(|message| message.id.get()));
    }
    assert_eq!(seen, (1..=1_500).filter(|n| n % 3 != 0).collect::<Vec<_>>());
}
