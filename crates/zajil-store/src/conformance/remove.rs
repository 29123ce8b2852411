//! Removing: hidden from everybody, but accounted for.

use zajil_core::lifecycle::Edit;
use zajil_core::message::Message;
use zajil_core::status::FinalStatus;

use super::Subject;
use super::build::{at, delivered, fallback, id, plain, routed, scene};
use super::subject::ALL;
use crate::contract::{Filter, NotDone};

pub async fn s3_a_removed_message_is_found_by_nobody(s: Subject) {
    s.accept((1..=4).map(|n| routed(n, "gw")).collect()).await;
    s.report(2, delivered(), at(1)).await;
    assert_eq!(s.leased(plain("gw"), at(2), at(60)).await, [1, 3, 4]);
    for number in [1, 2, 3] {
        assert!(
            s.store
                .remove(id(number), scene(at(3)))
                .await
                .unwrap()
                .is_ok()
        );
        assert_eq!(s.find(number).await, None);
        let late = s.try_report(number, delivered(), at(4)).await;
        assert_eq!(late.map(drop), Err(NotDone::NotFound));
        let late = s
            .store
            .edit(id(number), Edit::default(), scene(at(4)))
            .await
            .unwrap();
        assert_eq!(late.map(drop), Err(NotDone::NotFound));
        assert_eq!(
            s.log(number).await.last().unwrap(),
            "message_deleted",
            "its log stays"
        );
    }
    let all = Filter {
        limit: ALL,
        ..Filter::default()
    };
    let found = s.store.messages(all).await.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|message: &Message| message.id)
            .collect::<Vec<_>>(),
        [id(4)]
    );
    assert_eq!(s.offered(fallback("gw"), at(99)).await, [4]);
    assert_eq!(
        s.store
            .sweep(scene(at(1_000_000)), ALL)
            .await
            .unwrap()
            .len(),
        1
    );
}

pub async fn s10_2_a_removed_message_still_has_its_cdr(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw")]).await;
    assert!(s.store.remove(id(1), scene(at(3))).await.unwrap().is_ok());
    let cdrs = s.cdrs().await;
    assert_eq!(cdrs.len(), 1);
    assert_eq!(
        (cdrs[0].message_id, cdrs[0].status),
        (1, FinalStatus::Failed)
    );
    assert_eq!(cdrs[0].message_body.as_deref(), Some("text 1"));
    s.drain().await;
    assert_eq!(s.cdrs().await, []);
}

pub async fn d11_removing_a_finished_message_adds_no_second_cdr(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    s.report(1, delivered(), at(1)).await;
    let before = s.cdrs().await;
    assert!(s.store.remove(id(1), scene(at(3))).await.unwrap().is_ok());
    assert_eq!(s.cdrs().await, before);
}

pub async fn s3_removing_an_unknown_message_is_false(s: Subject) {
    assert!(s.store.remove(id(1), scene(at(0))).await.unwrap().is_err());
    s.accept(vec![routed(1, "gw")]).await;
    assert!(s.store.remove(id(1), scene(at(1))).await.unwrap().is_ok());
    assert!(s.store.remove(id(1), scene(at(2))).await.unwrap().is_err());
    assert_eq!(s.cdrs().await.len(), 1);
}
