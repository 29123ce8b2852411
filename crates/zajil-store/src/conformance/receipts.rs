//! Receipts: owed with the change of their message, to one account, until they are taken (D19).

use std::sync::Arc;

use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, EventName};
use zajil_core::lifecycle::{Report, Settlement};
use zajil_core::message::Life;
use zajil_core::receipt::{NetworkError, On, State};
use zajil_core::retry::schedule::ErrorClass;
use zajil_core::smpp::{Named, Origin};
use zajil_core::status::FinalStatus;

use super::build::{
    DAY, at, delivered, draft, dropped, ended, failed_attempt, id, message, name, scene,
};
use super::subject::{ALL, all_at_once};
use super::{Home, Subject};
use crate::contract::Draft;
use crate::receipts::{Owed, ReceiptSeq, Told};

pub(super) fn origin(receipt: On) -> Origin {
    let named = |value: &str| Named {
        ton: 1,
        npi: 1,
        value: value.into(),
    };
    Origin {
        receipt,
        source: named("46701133111"),
        destination: named("46709771337"),
        reference: Some(7),
        ..Origin::default()
    }
}

/// A message of the account `shop` that wants receipts.
fn wanting(number: u64, origin: Origin) -> Draft {
    let mut message = message(number);
    message.content.source_smsc = Some(name("shop"));
    message.arranged.origin = Some(Box::new(origin));
    draft(message)
}

fn always(number: u64) -> Draft {
    wanting(number, origin(On::Always))
}

async fn lease(s: &Subject, account: &str, now: Timestamp) -> Vec<Owed> {
    let until = now.plus(std::time::Duration::from_secs(30));
    let leased = s.store.lease_receipts(name(account), ALL, now, until).await;
    leased.unwrap()
}

fn states(owed: &[Owed]) -> Vec<(u64, State)> {
    let state = |owed: &Owed| (owed.receipt.message.get(), owed.receipt.state);
    owed.iter().map(state).collect()
}

fn line(now: Timestamp) -> Event {
    scene(now).event(EventName::ReceiptSent, "to 'shop'")
}

async fn told(s: &Subject, seq: ReceiptSeq, told: Told) {
    s.store.tell_receipts(vec![(seq, told)]).await.unwrap();
}

pub async fn d19_an_ending_owes_the_receipt_that_was_asked_for(s: Subject) {
    let asked = On::ALL.into_iter().zip(1..);
    s.accept(asked.map(|(on, n)| wanting(n, origin(on))).collect())
        .await;
    let again = On::ALL.into_iter().zip(5..);
    s.accept(again.map(|(on, n)| wanting(n, origin(on))).collect())
        .await;
    for number in 1..=4 {
        s.report(number, delivered(), at(10)).await;
        s.report(number + 4, ended(FinalStatus::Failed), at(20))
            .await;
    }
    let owed = lease(&s, "shop", at(30)).await;
    assert_eq!(
        states(&owed),
        [
            (2, State::Delivered),
            (4, State::Delivered),
            (6, State::Undeliverable),
            (7, State::Undeliverable),
        ]
    );
    let first = &owed[0].receipt;
    assert_eq!(
        (first.from.value.as_str(), first.from.ton),
        ("46709771337", 1)
    );
    assert_eq!(
        (first.to.value.as_str(), first.reference),
        ("46701133111", Some(7))
    );
    assert_eq!((first.known_as, first.account.as_str()), (id(2), "shop"));
    assert_eq!((first.submitted_at, first.done_at), (at(0), at(10)));
    assert_eq!((first.text.as_str(), owed[0].tries), ("text 2", 0));
    assert_eq!(s.store.receipts_owed().await.unwrap(), 4);
}

pub async fn d19_every_way_to_end_owes_its_receipt(s: Subject) {
    s.accept((1..=5).map(always).collect()).await;
    let mut at_once = dropped(6);
    Arc::make_mut(&mut at_once.message).content.source_smsc = Some(name("shop"));
    Arc::make_mut(&mut at_once.message).arranged.origin = Some(Box::new(origin(On::Always)));
    s.accept(vec![at_once]).await;
    s.report(1, ended(FinalStatus::Rejected), at(1)).await;
    s.report(2, Report::Removed, at(2)).await;
    s.store.remove(id(3), scene(at(3))).await.unwrap().unwrap();
    let edit = zajil_core::lifecycle::Edit {
        report: Some(ended(FinalStatus::Failed)),
        ..Default::default()
    };
    s.edit(4, edit, at(4)).await;
    assert_eq!(s.store.sweep(scene(at(DAY)), ALL).await.unwrap().len(), 1);
    let mut states = states(&lease(&s, "shop", at(DAY)).await);
    states.sort_unstable_by_key(|(number, _)| *number);
    assert_eq!(
        states,
        [
            (1, State::Rejected),
            (2, State::Deleted),
            (3, State::Deleted),
            (4, State::Undeliverable),
            (5, State::Expired),
            (6, State::Deleted),
        ]
    );
}

/// What a network said of the last attempt is kept for the receipt, where one will be owed.
pub async fn d19_a_receipt_knows_what_the_network_said(s: Subject) {
    let code = |code| NetworkError {
        network: NetworkError::GSM,
        code,
    };
    s.accept(vec![
        always(1),
        always(2),
        always(3),
        always(4),
        wanting(5, origin(On::Never)),
    ])
    .await;
    let absent = Report::AttemptFailed {
        class: Some(ErrorClass::Absent),
        reason: None,
        retry_after: None,
        by: None,
        schedules: Arc::default(),
    };
    s.report(1, failed_attempt().because(Some(code(6))), at(1))
        .await;
    s.report(2, absent, at(1)).await;
    s.report(3, failed_attempt().because(Some(code(6))), at(1))
        .await;
    // The next attempt has failed for a reason that nobody gave.
    s.report(3, failed_attempt(), at(500)).await;
    s.report(5, failed_attempt().because(Some(code(6))), at(1))
        .await;
    let refused = ended(FinalStatus::Failed).because(Some(code(0x1234)));
    s.report(4, refused, at(2)).await;
    assert_eq!(s.store.sweep(scene(at(DAY)), ALL).await.unwrap().len(), 4);
    let owed = lease(&s, "shop", at(DAY)).await;
    let mut told: Vec<_> = owed
        .iter()
        .map(|owed| (owed.receipt.message.get(), owed.receipt.error))
        .collect();
    told.sort_unstable_by_key(|(number, _)| *number);
    assert_eq!(
        told,
        [
            (1, Some(code(6))),
            (2, Some(code(27))),
            (3, None),
            (4, Some(code(0x1234))),
        ]
    );
    let silent = s.get(5).await.arranged.origin.unwrap();
    assert_eq!(silent.error, None, "nobody will ask");
}

/// The submit was answered with a refusal: its sender knows of no message.
pub async fn d19_a_refused_submit_owes_nothing(s: Subject) {
    let mut charging = always(1);
    Arc::make_mut(&mut charging.message).life = Life::Charging {
        until: at(30),
        on_failure: zajil_core::charge::FailureAction::Deny,
    };
    let mut lost = charging.clone();
    Arc::make_mut(&mut lost.message).id = id(2);
    s.accept(vec![charging, lost]).await;
    let rejected = Settlement::Rejected { why: "no".into() };
    s.report(1, Report::Charged(rejected), at(1)).await;
    assert_eq!(s.store.sweep(scene(at(40)), ALL).await.unwrap().len(), 1);
    let mut at_once = dropped(3);
    Arc::make_mut(&mut at_once.message).content.source_smsc = Some(name("shop"));
    Arc::make_mut(&mut at_once.message).arranged.origin = Some(Box::new(origin(On::Always)));
    if let Life::Ended(ending) = &mut Arc::make_mut(&mut at_once.message).life {
        ending.how = FinalStatus::Rejected;
    }
    let line = scene(at(0)).event(EventName::ChargingFailed, "no");
    at_once.events.push(line);
    s.accept(vec![at_once]).await;
    assert_eq!(lease(&s, "shop", at(50)).await, []);
    assert_eq!(s.store.receipts_owed().await.unwrap(), 0);
}

/// A message has one receipt at a time, and who is sending an outdated one takes back nothing.
pub async fn d19_a_state_on_the_way_gives_place_to_the_next(s: Subject) {
    let intermediate = Origin {
        intermediate: true,
        ..origin(On::Always)
    };
    s.accept(vec![wanting(1, intermediate), always(2)]).await;
    s.report(1, failed_attempt(), at(1)).await;
    s.report(2, failed_attempt(), at(1)).await;
    let first = lease(&s, "shop", at(2)).await;
    assert_eq!(states(&first), [(1, State::Enroute)]);
    s.report(1, delivered(), at(3)).await;
    told(&s, first[0].seq, Told::Done(line(at(4)))).await;
    told(&s, first[0].seq, Told::Again(at(DAY))).await;
    let last = lease(&s, "shop", at(4)).await;
    assert_eq!(states(&last), [(1, State::Delivered)]);
    assert!(last[0].seq > first[0].seq);
    let log = s.log(1).await;
    assert!(!log.contains(&"receipt_sent".to_owned()), "{log:?}");
}

pub async fn d19_a_leased_receipt_is_given_to_nobody_else(s: Subject) {
    s.accept((1..=20).map(always).collect()).await;
    for number in 1..=20 {
        s.report(number, delivered(), at(1)).await;
    }
    let store = &s.store;
    let asks = (0..10).map(|_| store.lease_receipts(name("shop"), 3, at(2), at(30)));
    let mut taken = Vec::new();
    for leased in all_at_once(asks).await {
        let leased = leased.unwrap();
        assert!(leased.len() <= 3);
        taken.extend(leased.iter().map(|owed| owed.receipt.message.get()));
    }
    taken.sort_unstable();
    assert_eq!(taken, (1..=20).collect::<Vec<_>>());
    assert_eq!(lease(&s, "shop", at(29)).await, []);
    assert_eq!(lease(&s, "other", at(31)).await, []);
    assert_eq!(lease(&s, "shop", at(31)).await.len(), 20);
}

/// Who asks whether something is due takes nothing, and is told what a lease would give.
pub async fn d19_a_look_for_what_is_due_takes_nothing(s: Subject) {
    let is_due = |account: &str, now| s.store.receipts_due(name(account), now);
    s.accept((1..=2).map(always).collect()).await;
    assert!(!is_due("shop", at(DAY)).await.unwrap(), "nothing has ended");
    s.report(1, delivered(), at(5)).await;
    s.report(2, delivered(), at(6)).await;
    assert!(!is_due("shop", at(4)).await.unwrap());
    assert!(!is_due("other", at(DAY)).await.unwrap());
    for _ in 0..2 {
        assert!(is_due("shop", at(9)).await.unwrap());
    }
    // As they were: in their order, and not tried.
    let owed = lease(&s, "shop", at(9)).await;
    assert_eq!(
        states(&owed),
        [(1, State::Delivered), (2, State::Delivered)]
    );
    assert_eq!(owed[0].tries, 0);
    assert!(!is_due("shop", at(38)).await.unwrap(), "held until 39");
    assert!(is_due("shop", at(39)).await.unwrap());
    told(&s, owed[0].seq, Told::Done(line(at(40)))).await;
    told(&s, owed[1].seq, Told::Again(at(DAY))).await;
    assert!(!is_due("shop", at(60)).await.unwrap());
    assert!(is_due("shop", at(DAY)).await.unwrap());
}

pub async fn d19_what_is_told_of_a_receipt_decides(s: Subject) {
    s.accept((1..=3).map(always).collect()).await;
    for number in 1..=3 {
        s.report(number, delivered(), at(1)).await;
    }
    let owed = lease(&s, "shop", at(2)).await;
    let all = vec![
        (owed[0].seq, Told::Done(line(at(3)))),
        (owed[1].seq, Told::Again(at(60))),
        (owed[2].seq, Told::Unsent(at(3))),
    ];
    s.store.tell_receipts(all.clone()).await.unwrap();
    assert!(s.log(1).await.ends_with(&["receipt_sent".to_owned()]));
    let left = lease(&s, "shop", at(59)).await;
    assert_eq!(states(&left), [(3, State::Delivered)]);
    assert_eq!(left[0].tries, 0);
    // Told twice: nothing more happens to one that is gone.
    s.store.tell_receipts(all[..1].to_vec()).await.unwrap();
    let log = s.log(1).await;
    let sent = log.iter().filter(|name| *name == "receipt_sent").count();
    assert_eq!(sent, 1, "{log:?}");
    let again = lease(&s, "shop", at(60)).await;
    assert_eq!(
        (states(&again), again[0].tries),
        (vec![(2, State::Delivered)], 1)
    );
    assert_eq!(s.store.receipts_owed().await.unwrap(), 2);
}

pub async fn d19_the_oldest_receipts_are_found_whosever_they_are(s: Subject) {
    s.accept((1..=3).map(always).collect()).await;
    for number in 1..=3_u32 {
        s.report(number.into(), delivered(), at(number.into()))
            .await;
    }
    lease(&s, "shop", at(5)).await;
    let stale = s.store.stale_receipts(at(3), ALL).await.unwrap();
    assert_eq!(
        states(&stale),
        [(1, State::Delivered), (2, State::Delivered)]
    );
    let one = s.store.stale_receipts(at(3), 1).await.unwrap();
    assert_eq!(states(&one), [(1, State::Delivered)]);
    assert_eq!(s.store.stale_receipts(at(1), ALL).await.unwrap(), []);
}

pub async fn d19_receipts_survive_closing_and_opening(home: Arc<dyn Home>) {
    let s = Subject::new(home.open().await);
    s.accept(vec![always(1), always(2)]).await;
    s.report(1, delivered(), at(1)).await;
    s.report(2, delivered(), at(2)).await;
    let before = lease(&s, "shop", at(2)).await;
    told(&s, before[0].seq, Told::Done(line(at(2)))).await;
    s.store.close().await.unwrap();
    drop(s);
    let s = Subject::new(home.open().await);
    assert_eq!(lease(&s, "shop", at(31)).await, []);
    assert_eq!(lease(&s, "shop", at(32)).await, before[1..]);
    s.store.close().await.unwrap();
}
