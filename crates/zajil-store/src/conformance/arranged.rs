//! Messages that wait for their charge (D14), that have further frontends (D12), and refunds.

use std::sync::Arc;

use std::num::NonZeroU32;
use std::time::Duration;

use zajil_core::charge::FailureAction;
use zajil_core::event::EventName;
use zajil_core::lifecycle::{Report, Settlement};
use zajil_core::message::{Arranged, Fallback, Life};
use zajil_core::status::{FinalStatus, Status};

use super::Subject;
use super::build::{
    at, delivered, draft, ended, fallback, id, keyed, message, name, plain, routed, scene, sighting,
};
use super::subject::{ALL, all_at_once};
use crate::contract::{Draft, NotDone, Placed, Refund};

/// Waits for its charge until this second.
pub(super) fn charging(mut draft: Draft, until: i64, on_failure: FailureAction) -> Draft {
    Arc::make_mut(&mut draft.message).life = Life::Charging {
        until: at(until),
        on_failure,
    };
    draft
}

/// For `gw` until this second, then for the others.
pub(super) fn followed(number: u64, rest: &[&str], until: i64) -> Draft {
    let mut draft = routed(number, "gw");
    Arc::make_mut(&mut draft.message).arranged.fallback = Some(Fallback {
        rest: rest.iter().map(|text| name(text)).collect(),
        after: Duration::from_secs(60),
        at: at(until),
    });
    draft
}

/// Paid for: three parts.
fn debited(number: u64) -> Draft {
    let mut draft = routed(number, "gw");
    Arc::make_mut(&mut draft.message).arranged.debited = NonZeroU32::new(3);
    draft
}

fn granted() -> Report {
    Report::Charged(Settlement::Granted {
        debited: NonZeroU32::new(2),
    })
}

fn rejected() -> Report {
    Report::Charged(Settlement::Rejected {
        why: "insufficient balance".into(),
    })
}

pub async fn d14_a_message_that_waits_for_its_charge_is_offered_to_nobody(s: Subject) {
    s.locate(sighting("1", "+15550000002", "gw"), at(0)).await;
    let drafts = vec![
        charging(routed(1, "gw"), 30, FailureAction::Allow),
        charging(draft(message(2)), 30, FailureAction::Allow),
        charging(draft(message(3)), 30, FailureAction::Allow),
    ];
    let placed = s.accept(drafts).await;
    assert_eq!(placed, [const { Placed::Stored(None) }; 3]);
    // A subscriber that comes while its message waits takes nothing either.
    s.locate(sighting("2", "+15550000003", "gw"), at(1)).await;
    for now in [0, 29, 30, 31, 1_000] {
        let held = s.leased(fallback("gw"), at(now), at(now + 5)).await;
        assert_eq!(held, [0_u64; 0], "at {now}");
    }
    assert_eq!(s.get(1).await.status(), Status::Pending);
    assert_eq!(s.store.figures().await.unwrap().pending, 3);
}

pub async fn d14_a_granted_message_is_offered_at_once_and_a_rejected_one_has_its_cdr(s: Subject) {
    s.locate(sighting("1", "+15550000002", "ims"), at(0)).await;
    let drafts = vec![
        charging(routed(1, "gw"), 30, FailureAction::Allow),
        charging(draft(message(2)), 30, FailureAction::Allow),
        charging(routed(3, "gw"), 30, FailureAction::Allow),
    ];
    s.accept(drafts).await;
    let done = s.report(1, granted(), at(1)).await;
    assert_eq!(done.queued_for, Some(name("gw")));
    let done = s.report(2, granted(), at(1)).await;
    assert_eq!(done.queued_for, Some(name("ims")), "its location decides");
    assert_eq!(done.message.arranged.debited, NonZeroU32::new(2));
    s.report(3, rejected(), at(1)).await;
    assert_eq!(s.offered(plain("gw"), at(1)).await, [1]);
    assert_eq!(s.offered(plain("ims"), at(1)).await, [2]);
    assert_eq!(s.get(2).await, done.message);
    let cdrs = s.cdrs().await;
    assert_eq!(cdrs.len(), 1);
    assert_eq!(
        (cdrs[0].message_id, cdrs[0].status),
        (3, FinalStatus::Rejected)
    );
    let told = [
        "message_inserted",
        "charging_attempted",
        "charging_failed",
        "message_failed",
    ];
    assert_eq!(s.log(3).await, told);
    // An answer that comes again changes nothing.
    let again = s.try_report(1, rejected(), at(2)).await;
    assert_eq!(again.unwrap_err(), NotDone::NotYet);
    assert_eq!(s.get(1).await.status(), Status::Pending);
    assert_eq!(s.log(1).await, ["message_inserted", "charging_attempted"]);
}

pub async fn d14_an_answer_that_never_comes_is_swept(s: Subject) {
    let drafts = vec![
        charging(routed(1, "gw"), 30, FailureAction::Allow),
        charging(routed(2, "gw"), 30, FailureAction::Deny),
        charging(routed(3, "gw"), 31, FailureAction::Allow),
    ];
    s.accept(drafts).await;
    assert!(s.store.sweep(scene(at(29)), ALL).await.unwrap().is_empty());
    let swept = s.store.sweep(scene(at(30)), ALL).await.unwrap();
    assert_eq!(swept.len(), 2);
    assert!(s.store.sweep(scene(at(30)), ALL).await.unwrap().is_empty());
    assert_eq!(s.offered(plain("gw"), at(30)).await, [1]);
    assert!(s.get(1).await.charge_failed);
    let rejected = s.get(2).await;
    assert_eq!(rejected.status(), Status::Final(FinalStatus::Rejected));
    s.store.sweep(scene(at(31)), ALL).await.unwrap();
    assert_eq!(s.offered(plain("gw"), at(31)).await, [1, 3]);
    assert_eq!(s.cdrs().await.len(), 1);
}

pub async fn d14_nothing_else_ends_a_message_that_waits_for_its_charge(s: Subject) {
    let mut brief = charging(routed(2, "gw"), 60, FailureAction::Allow);
    Arc::make_mut(&mut brief.message).expires = at(20);
    let drafts = vec![charging(routed(1, "gw"), 60, FailureAction::Allow), brief];
    s.accept(drafts).await;
    let removed = s.store.remove(id(1), scene(at(1))).await.unwrap();
    assert_eq!(removed, Err(NotDone::Charging));
    for report in [delivered(), ended(FinalStatus::Failed)] {
        let refused = s.try_report(1, report, at(1)).await;
        assert_eq!(refused.unwrap_err(), NotDone::Charging);
    }
    assert!(s.store.sweep(scene(at(59)), ALL).await.unwrap().is_empty());
    s.store.sweep(scene(at(60)), ALL).await.unwrap();
    s.store.sweep(scene(at(60)), ALL).await.unwrap();
    assert!(s.get(2).await.is_dead_letter());
    assert_eq!(s.store.remove(id(1), scene(at(61))).await.unwrap(), Ok(()));
    assert_eq!(s.cdrs().await.len(), 2);
}

pub async fn d14_a_debit_that_is_known_late_is_kept_and_given_back(s: Subject) {
    let drafts = vec![
        charging(routed(1, "gw"), 30, FailureAction::Deny),
        charging(routed(2, "gw"), 30, FailureAction::Allow),
    ];
    s.accept(drafts).await;
    s.store.sweep(scene(at(30)), ALL).await.unwrap();
    for number in [1, 2] {
        let done = s.report(number, granted(), at(40)).await;
        assert_eq!(done.events.len(), 1);
        assert_eq!(s.get(number).await, done.message);
        assert_eq!(done.message.arranged.debited, NonZeroU32::new(2));
        assert_eq!(s.log(number).await.last().unwrap(), "charging_attempted");
    }
    assert!(!s.get(2).await.charge_failed);
    let refunds = s.store.refunds(at(41), ALL).await.unwrap();
    assert_eq!(refunds.len(), 1, "of the one that was rejected");
    assert_eq!(refunds[0].call.message, id(1));
    assert_eq!(s.cdrs().await.len(), 1, "no second CDR");
}

pub async fn d6_a_key_can_be_forgotten(s: Subject) {
    let submit = |number| keyed(routed(number, "gw"), 1, 1, at(600));
    s.accept(vec![submit(1)]).await;
    let other = [9; 32];
    s.store.forget_key(other, id(1)).await.unwrap();
    s.store.forget_key([1; 32], id(2)).await.unwrap();
    assert_eq!(s.accept(vec![submit(2)]).await, [Placed::Repeated(id(1))]);
    s.store.forget_key([1; 32], id(1)).await.unwrap();
    let placed = s.accept(vec![submit(3)]).await;
    assert_eq!(placed, [Placed::Stored(Some(name("gw")))]);
}

pub async fn d12_the_next_frontend_gets_what_the_first_did_not_take(s: Subject) {
    s.accept(vec![followed(1, &["b", "c"], 60), followed(2, &["b"], 90)])
        .await;
    assert!(s.store.sweep(scene(at(59)), ALL).await.unwrap().is_empty());
    let swept = s.store.sweep(scene(at(60)), ALL).await.unwrap();
    assert_eq!(swept.len(), 1);
    assert_eq!(swept[0].queued_for, Some(name("b")));
    assert_eq!(swept[0].fell_back_from, Some(name("gw")));
    assert_eq!(s.get(1).await, swept[0].message);
    assert_eq!(s.offered(plain("gw"), at(60)).await, [2]);
    assert_eq!(s.offered(plain("b"), at(60)).await, [1]);
    let swept = s.store.sweep(scene(at(120)), ALL).await.unwrap();
    assert_eq!(swept.len(), 2);
    assert_eq!(s.offered(plain("b"), at(120)).await, [2]);
    assert_eq!(s.offered(plain("c"), at(120)).await, [1]);
    let left = s.store.sweep(scene(at(50_000)), ALL).await.unwrap();
    assert!(left.is_empty(), "the last one keeps it");
    assert_eq!(s.get(1).await.arranged, Arranged::default());
}

pub async fn d12_a_frontend_that_holds_a_message_keeps_its_turn(s: Subject) {
    s.accept(vec![followed(1, &["b"], 60)]).await;
    assert_eq!(s.leased(plain("gw"), at(55), at(100)).await, [1]);
    let swept = s.store.sweep(scene(at(60)), ALL).await.unwrap();
    assert_eq!(swept[0].fell_back_from, None);
    assert_eq!(s.get(1).await.dest_smsc, Some(name("gw")));
    assert_eq!(s.leased_until(1).await, Some(at(100)));
    s.store.sweep(scene(at(159)), ALL).await.unwrap();
    assert_eq!(s.get(1).await.dest_smsc, Some(name("gw")));
    s.store.sweep(scene(at(160)), ALL).await.unwrap();
    assert_eq!(s.offered(plain("b"), at(160)).await, [1]);
}

pub async fn d19_what_a_network_took_is_held_until_it_tells(s: Subject) {
    s.accept(vec![followed(1, &["b"], 60)]).await;
    let taken = |by: &str, until| Report::Taken {
        by: Some(name(by)),
        until: at(until),
        told: "took it as 7".into(),
        parts: None,
    };
    let done = s.report(1, taken("gw", 500), at(10)).await;
    assert_eq!(done.message, s.get(1).await);
    assert_eq!(done.message.attempts.get(), 0);
    assert_eq!(s.leased_until(1).await, Some(at(500)));
    let theirs = s
        .store
        .report(vec![(id(1), taken("b", 900))], scene(at(20)))
        .await;
    assert_eq!(theirs.unwrap()[0].as_ref().err(), Some(&NotDone::NotTheirs));
    s.store.sweep(scene(at(70)), ALL).await.unwrap();
    assert_eq!(s.offered(plain("gw"), at(499)).await, [0_u64; 0]);
    assert_eq!(s.offered(plain("gw"), at(500)).await, [1]);
    assert_eq!(s.log(1).await[1..2], ["message_taken"]);
}

pub async fn d12_a_refusal_goes_to_the_next_at_once_and_the_last_one_ends(s: Subject) {
    s.accept(vec![followed(1, &["b"], 60)]).await;
    let refused = || Report::Refused {
        by: None,
        reason: None,
    };
    let done = s.report(1, refused(), at(5)).await;
    assert_eq!(done.queued_for, Some(name("b")));
    assert_eq!(done.fell_back_from, Some(name("gw")));
    assert_eq!(s.offered(plain("gw"), at(5)).await, [0_u64; 0]);
    assert_eq!(s.offered(plain("b"), at(5)).await, [1]);
    let done = s.report(1, refused(), at(6)).await;
    assert_eq!(done.fell_back_from, None);
    let cdrs = s.cdrs().await;
    assert_eq!(cdrs.len(), 1);
    assert_eq!(cdrs[0].dest_smsc.as_deref(), Some("b"));
    assert_eq!(cdrs[0].status, FinalStatus::Failed);
    assert!(s.store.sweep(scene(at(500)), ALL).await.unwrap().is_empty());
}

pub async fn d14_a_debit_whose_message_ends_undelivered_waits_to_be_given_back(s: Subject) {
    s.accept((1..=4).map(debited).collect()).await;
    s.report(1, delivered(), at(1)).await;
    s.report(2, ended(FinalStatus::Failed), at(1)).await;
    s.store.remove(id(3), scene(at(1))).await.unwrap().unwrap();
    let refunds = s.store.refunds(at(1_000_000), ALL).await.unwrap();
    let told: Vec<_> = refunds
        .iter()
        .map(|Refund { call, how, begun }| (call.message, call.parts.get(), *how, *begun))
        .collect();
    let failed = FinalStatus::Failed;
    assert_eq!(told, [(id(2), 3, failed, None), (id(3), 3, failed, None)]);
    assert_eq!(refunds[0].call.calling, "7726");
    assert_eq!(
        s.store.refunds(at(1_000_000), 1).await.unwrap(),
        refunds[..1]
    );
    // Undelivered to the end of its life.
    s.store.sweep(scene(at(100_000)), ALL).await.unwrap();
    assert_eq!(s.store.refunds(at(1_000_000), ALL).await.unwrap().len(), 3);
    assert_eq!(s.store.figures().await.unwrap().refunds, 3);
}

pub async fn d14_a_refund_is_begun_once_and_logged_when_done(s: Subject) {
    s.accept(vec![debited(1)]).await;
    assert!(!s.store.begin_refund(id(1), at(0)).await.unwrap());
    s.report(1, ended(FinalStatus::Failed), at(1)).await;
    let tries = (0..8).map(|_| s.store.begin_refund(id(1), at(2)));
    let won = all_at_once(tries)
        .await
        .into_iter()
        .filter(|won| *won == Ok(true));
    assert_eq!(won.count(), 1);
    assert_eq!(
        s.store.refunds(at(1_000_000), ALL).await.unwrap()[0].begun,
        Some(at(2))
    );
    s.store.postpone_refund(id(1), at(2)).await.unwrap();
    assert_eq!(
        s.store.refunds(at(1_000_000), ALL).await.unwrap()[0].begun,
        None
    );
    assert!(s.store.begin_refund(id(1), at(3)).await.unwrap());
    let line = scene(at(3)).event(EventName::ChargingAttempted, "refunded");
    for _ in 0..2 {
        let line = Some(line.clone());
        s.store.refund_done(id(1), line).await.unwrap();
    }
    assert!(
        s.store
            .refunds(at(1_000_000), ALL)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        s.log(1).await,
        ["message_inserted", "message_failed", "charging_attempted"]
    );
}
