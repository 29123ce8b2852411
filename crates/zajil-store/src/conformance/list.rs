//! Lists and logs: what operators see (S3, S8, S13.1).

use std::sync::Arc;

use zajil_core::event::{Event, EventName, NodeName};
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::receipt::On;
use zajil_core::smpp::place;
use zajil_core::status::{FinalStatus, Status};

use super::Subject;
use super::build::{
    at, delivered, draft, ended, failed_attempt, id, message, name, routed, scene, unrouted,
};
use super::receipts::origin;
use super::subject::ALL;
use crate::contract::Filter;

async fn found(s: &Subject, filter: Filter) -> Vec<u64> {
    let messages = s.store.messages(filter).await.unwrap();
    for message in &messages {
        assert_eq!(s.get(message.id.get()).await, *message);
    }
    messages.iter().map(|message| message.id.get()).collect()
}

fn all() -> Filter {
    Filter {
        limit: ALL,
        ..Filter::default()
    }
}

fn number(digits: &str) -> Filter {
    Filter {
        number: Some(digits.into()),
        ..all()
    }
}

pub async fn s3_the_newest_come_first(s: Subject) {
    s.accept(vec![unrouted(2), routed(9, "gw"), unrouted(5)])
        .await;
    s.accept(vec![unrouted(3)]).await;
    s.report(5, delivered(), at(1)).await;
    assert_eq!(found(&s, all()).await, [9, 5, 3, 2]);
}

pub async fn s3_limit_and_offset_page_through_all(s: Subject) {
    s.accept((1..=7).map(unrouted).collect()).await;
    let page = |offset| Filter {
        limit: 3,
        offset,
        ..Filter::default()
    };
    assert_eq!(found(&s, page(0)).await, [7, 6, 5]);
    assert_eq!(found(&s, page(3)).await, [4, 3, 2]);
    assert_eq!(found(&s, page(6)).await, [1]);
    assert_eq!(found(&s, page(7)).await, [0; 0]);
}

pub async fn s3_what_is_scheduled_is_selected_until_it_is_due_or_tried(s: Subject) {
    let scheduled = |n: u64, second: i64| {
        let mut draft = routed(n, "gw");
        Arc::make_mut(&mut draft.message).deliver_after = Some(at(second));
        draft
    };
    s.accept(vec![routed(1, "gw"), scheduled(2, 50), scheduled(3, 60)])
        .await;
    s.accept(vec![scheduled(4, 60), scheduled(5, 60)]).await;
    s.report(4, ended(FinalStatus::Failed), at(1)).await;
    s.report(5, failed_attempt(), at(1)).await;
    let after = |second| Filter {
        scheduled_after: Some(at(second)),
        ..all()
    };
    assert_eq!(found(&s, after(1)).await, [3, 2]);
    assert_eq!(found(&s, after(50)).await, [3]);
    let pending = Filter {
        status: Some(Status::Pending),
        ..after(59)
    };
    assert_eq!(found(&s, pending).await, [3]);
    assert_eq!(found(&s, after(60)).await, [0; 0]);
}

pub async fn s3_status_selects(s: Subject) {
    s.accept((1..=8).map(|n| routed(n, "gw")).collect()).await;
    s.report(1, delivered(), at(1)).await;
    for (number, how) in (2..).zip(FinalStatus::ALL.into_iter().skip(1)) {
        s.report(number, ended(how), at(1)).await;
    }
    let status = |status| Filter {
        status: Some(status),
        ..all()
    };
    assert_eq!(found(&s, status(Status::Pending)).await, [8, 7, 6]);
    for (number, how) in (1..).zip(FinalStatus::ALL) {
        assert_eq!(
            found(&s, status(Status::Final(how))).await,
            [number],
            "{how}"
        );
    }
    let page = Filter {
        limit: 1,
        offset: 1,
        ..status(Status::Pending)
    };
    assert_eq!(found(&s, page).await, [7]);
}

pub async fn s13_1_digits_select_by_either_number(s: Subject) {
    let between = |id, from: &str, to: &str| {
        let mut draft = unrouted(id);
        Arc::make_mut(&mut draft.message).content.source = Sender::restore(from);
        Arc::make_mut(&mut draft.message).content.destination = Msisdn::restore(to);
        draft
    };
    let drafts = vec![
        between(1, "7726", "+15551230001"),
        between(2, "+15551230001", "+447700900123"),
        between(3, "My Bank", "447700900999"),
        between(4, "", "+100%200"),
    ];
    s.accept(drafts).await;
    s.report(1, delivered(), at(1)).await;
    assert_eq!(found(&s, number("5551230001")).await, [2, 1]);
    assert_eq!(found(&s, number("+15551230001")).await, [2, 1]);
    assert_eq!(found(&s, number("15551230001")).await, [2, 1]);
    assert_eq!(found(&s, number("7700900")).await, [3, 2]);
    assert_eq!(found(&s, number("772")).await, [1]);
    assert_eq!(found(&s, number("000000")).await, [0; 0]);
    assert_eq!(
        found(&s, number("7%6")).await,
        [0; 0],
        "digits, not a pattern"
    );
    assert_eq!(found(&s, number("7_26")).await, [0; 0]);
}

pub async fn s13_1_selections_combine(s: Subject) {
    s.accept((1..=9).map(unrouted).collect()).await;
    for number in [2, 4, 6] {
        s.report(number, delivered(), at(1)).await;
    }
    let status = Some(Status::Final(FinalStatus::Delivered));
    let both = Filter {
        status,
        ..number("1555000000")
    };
    assert_eq!(found(&s, both.clone()).await, [6, 4, 2]);
    assert_eq!(
        found(
            &s,
            Filter {
                limit: 1,
                offset: 1,
                ..both
            }
        )
        .await,
        [4]
    );
    assert_eq!(
        found(
            &s,
            Filter {
                status,
                ..number("15550000004")
            }
        )
        .await,
        [4]
    );
    assert_eq!(
        found(
            &s,
            Filter {
                status,
                ..number("15550000005")
            }
        )
        .await,
        [0; 0]
    );
}

pub async fn s8_a_log_keeps_the_order_of_what_happened(s: Subject) {
    let mut draft = routed(1, "gw");
    for n in 0..3 {
        let mut line = draft.events[0].clone();
        line.name = EventName::Other(format!("step {n}").into());
        draft.events.push(line);
    }
    s.accept(vec![draft]).await;
    // Node clocks differ: what is written later stays later.
    s.report(1, failed_attempt(), at(50)).await;
    s.report(1, failed_attempt(), at(20)).await;
    s.report(1, delivered(), at(40)).await;
    let _late = s.try_report(1, delivered(), at(10)).await;
    let expected = [
        "message_inserted",
        "step 0",
        "step 1",
        "step 2",
        "delivery_attempt_1",
        "delivery_attempt_2",
        "delivery_attempt_3",
        "message_delivered",
        "late_report",
    ];
    assert_eq!(s.log(1).await, expected);
}

pub async fn s8_outside_systems_add_their_own_events(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw")]).await;
    let event = |text: &str| Event {
        name: EventName::Other("hlr_query".into()),
        description: text.into(),
        at: at(5),
        source: NodeName::new("hlr \"7\""),
    };
    assert!(s.store.add_event(id(1), event("absent")).await.unwrap());
    s.report(1, delivered(), at(6)).await;
    assert!(
        s.store
            .add_event(id(1), event("after the end"))
            .await
            .unwrap()
    );
    let events = s.store.events(id(1)).await.unwrap();
    assert_eq!(events[1], event("absent"));
    assert_eq!(events[4], event("after the end"));
    assert_eq!(events.len(), 5);
    assert_eq!(s.log(2).await, ["message_inserted"]);
    assert_eq!(s.get(2).await, *routed(2, "gw").message);
}

pub async fn s8_an_unknown_message_has_no_log(s: Subject) {
    let event = routed(1, "gw").events.remove(0);
    assert!(!s.store.add_event(id(1), event).await.unwrap());
    assert_eq!(s.log(1).await, [""; 0]);
    s.accept(vec![routed(1, "gw")]).await;
    assert_eq!(
        s.log(1).await,
        ["message_inserted"],
        "the refused line is not in the log"
    );
}

pub async fn s3_frontend_client_time_and_place_select(s: Subject) {
    let mut drafts: Vec<_> = (1..=6).map(|n| routed(n, "gw")).collect();
    Arc::make_mut(&mut drafts[1].message).dest_smsc = None;
    Arc::make_mut(&mut drafts[2].message).content.source_smsc = Some(name("other"));
    for (second, draft) in (0..).zip(&mut drafts) {
        Arc::make_mut(&mut draft.message).inserted_at = at(second);
    }
    s.accept(drafts).await;
    let by = Report::Delivered {
        by: Some(name("late")),
        at: None,
    };
    s.report(6, by, at(9)).await;
    let to = |dest: Option<&str>| Filter {
        dest_smsc: Some(dest.map(name)),
        ..all()
    };
    assert_eq!(found(&s, to(Some("gw"))).await, [5, 4, 3, 1]);
    assert_eq!(found(&s, to(None)).await, [2]);
    assert_eq!(found(&s, to(Some("late"))).await, [6], "as it ended");
    let from_other = Filter {
        source_smsc: Some(name("other")),
        ..all()
    };
    assert_eq!(found(&s, from_other).await, [3]);
    let between = Filter {
        from: Some(at(1)),
        to: Some(at(4)),
        ..all()
    };
    assert_eq!(found(&s, between).await, [4, 3, 2]);
    for status in [None, Some(Status::Pending)] {
        let page = Filter {
            status,
            before: Some(id(4)),
            limit: 2,
            ..Filter::default()
        };
        assert_eq!(found(&s, page).await, [3, 2]);
    }
}

pub async fn d19_what_waits_is_found_by_its_addresses_if_its_application_wants_that(s: Subject) {
    let message = |number: u64, findable: bool, to: &str| {
        let mut message = message(number);
        let mut origin = origin(On::Never);
        (origin.findable, origin.destination.value) = (findable, to.into());
        message.content.source_smsc = Some(name("shop"));
        message.arranged.origin = Some(Box::new(origin));
        message
    };
    let submitted = |number, findable, to| draft(message(number, findable, to));
    let here = || Filter {
        place: Some(place(&name("shop"), "+46701133111", "46-709771337")),
        ..all()
    };
    let mut routed = message(7, true, "46709771337");
    routed.dest_smsc = Some(name("gw"));
    s.accept(vec![
        submitted(1, true, "46709771337"),
        submitted(2, false, "46709771337"),
        submitted(3, true, "46709771338"),
        submitted(4, true, "+46709771337"),
        submitted(5, true, "46709771337"),
        draft(routed),
    ])
    .await;
    assert_eq!(found(&s, here()).await, [7, 5, 4, 1]);
    let page = Filter {
        limit: 2,
        before: Some(id(7)),
        ..here()
    };
    assert_eq!(found(&s, page).await, [5, 4]);
    // What fails and waits on is found; what has ended is not, nor is it in another's place.
    s.report(1, failed_attempt(), at(1)).await;
    s.report(4, delivered(), at(1)).await;
    s.store.remove(id(7), scene(at(2))).await.unwrap().unwrap();
    let change = Edit {
        origin: Some(Box::default()),
        ..Edit::default()
    };
    s.edit(5, change, at(3)).await;
    assert_eq!(found(&s, here()).await, [5, 1]);
    let others = Filter {
        place: Some(place(&name("other"), "46701133111", "46709771337")),
        ..all()
    };
    assert_eq!(found(&s, others).await, [0; 0]);
}
