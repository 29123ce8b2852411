//! Accepting: durable, visible, all or none, and repetitions recognised (D5, D6).

use std::sync::Arc;

use std::num::NonZeroU32;

use zajil_core::cdr;
use zajil_core::concatenation::{Concatenation, Reference};
use zajil_core::event::EventName;
use zajil_core::message::{CharacterSet, Life, Message, TransferFields};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::retry::Attempt;
use zajil_core::status::{FinalStatus, Status};

use super::Subject;
use super::build::{
    DAY, at, delivered, draft, dropped, fallback, id, keyed, message, name, plain, routed, scene,
    sighting, to_number, unrouted,
};
use super::subject::all_at_once;
use crate::contract::{Filter, Placed};

/// A message in which no field has its everyday value.
pub(super) fn full(number: u64) -> Message {
    let mut message = message(number);
    message.content.source = Sender::restore("My Bank");
    message.content.destination = Msisdn::restore("+44 7700-900123");
    message.content.source_imsi = Some("001010000000001".into());
    message.content.dest_imsi = Some("001010000000002".into());
    message.content.parts = NonZeroU32::new(3).unwrap();
    message.content.part_number = NonZeroU32::new(2);
    message.content.tp = TransferFields {
        data_coding_scheme: Some(0xf6),
        character_set: Some(CharacterSet::Ucs2),
        coding_group: Some("general_data_coding".into()),
        compressed: Some(false),
        has_message_class: Some(true),
        message_class: Some(2),
        user_data_header: Some("{\"concat\":{\"ref\":7}}".into()),
        concatenation: Some(Concatenation {
            reference: Reference::Bits16(40_846),
            total: 3,
            sequence: 2,
        }),
    };
    message.content.send_time = Some(at(-3));
    message.content.raw_pdu = Some(vec![0, 255, 17, 0]);
    message.content.raw_data = true;
    message.content.raw_sip = true;
    message.dest_smsc = Some(name("gw"));
    message.updated_at = at(1);
    message.expires = at(777);
    message.deliver_after = Some(at(5));
    message.attempts = Attempt::new(4);
    message.charge_failed = true;
    message
}

pub async fn d5_an_accepted_message_is_visible_with_every_field(s: Subject) {
    let mut full = draft(full(7));
    full.events
        .push(scene(at(0)).event(EventName::Routed, "route 3, to \"gw\""));
    s.accept(vec![full.clone(), unrouted(8)]).await;
    assert_eq!(s.get(7).await, *full.message);
    assert_eq!(s.store.events(id(7)).await.unwrap(), full.events);
    assert_eq!(s.get(8).await, message(8));
    assert_eq!(
        s.store
            .offer(super::subject::ask(plain("gw"), at(5)))
            .await
            .unwrap(),
        [Arc::unwrap_or_clone(full.message)]
    );
    assert_eq!(s.find(9).await, None);
}

pub async fn d5_any_text_comes_back_as_it_was(s: Subject) {
    let long = "ab'\";--\\".repeat(20_000);
    let texts = [
        "",
        "'; DROP TABLE q; --",
        "nul \0 here",
        "مرحبا 🙂 \u{202e}x\r\n",
        &long,
    ];
    let drafts = (1..).zip(texts).map(|(number, text)| {
        let mut draft = unrouted(number);
        Arc::make_mut(&mut draft.message).content.body = text.into();
        Arc::make_mut(&mut draft.message).content.source_imsi =
            Some(text.chars().take(50).collect());
        draft
            .events
            .push(scene(at(0)).event(EventName::Other("said".into()), text));
        draft
    });
    let drafts: Vec<_> = drafts.collect();
    s.accept(drafts.clone()).await;
    for draft in drafts {
        assert_eq!(s.get(draft.message.id.get()).await, *draft.message);
        assert_eq!(
            s.store.events(draft.message.id).await.unwrap(),
            draft.events
        );
    }
}

pub async fn d5_a_batch_has_an_answer_each_in_order(s: Subject) {
    let placed = s
        .accept(vec![routed(3, "b"), routed(1, "a"), unrouted(2)])
        .await;
    let queue = |text: &str| Placed::Stored(Some(name(text)));
    assert_eq!(placed, [queue("b"), queue("a"), Placed::Stored(None)]);
}

pub async fn d5_a_batch_is_stored_whole_or_not_at_all(s: Subject) {
    s.accept(vec![routed(5, "gw")]).await;
    let before = s.store.figures().await.unwrap();
    let twin = keyed(routed(1, "gw"), 1, 1, at(DAY));
    // The third cannot be stored: its id is taken. Neither can the first two, then.
    let batch = vec![twin.clone(), dropped(2), unrouted(5)];
    assert!(s.try_accept(batch).await.is_err());
    assert!(
        s.try_accept(vec![routed(6, "gw"), routed(6, "gw")])
            .await
            .is_err()
    );
    for number in [1, 2, 6] {
        assert_eq!(s.find(number).await, None);
        assert_eq!(s.log(number).await, [""; 0]);
    }
    assert_eq!(s.cdrs().await, []);
    assert_eq!(s.offered(fallback("gw"), at(0)).await, [5]);
    assert_eq!(s.get(5).await, *routed(5, "gw").message);
    assert_eq!(s.store.figures().await.unwrap(), before);
    assert_eq!(
        s.accept(vec![twin]).await,
        [Placed::Stored(Some(name("gw")))],
        "key is free"
    );
}

pub async fn d5_an_empty_batch_is_no_error(s: Subject) {
    assert_eq!(s.accept(Vec::new()).await, []);
    assert!(
        s.store
            .report(Vec::new(), scene(at(0)))
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn d5_many_callers_at_once_are_all_stored(s: Subject) {
    let batches = (0..40).map(|batch| {
        let drafts = (1..=5).map(|n| routed(batch * 5 + n, "gw")).collect();
        s.try_accept(drafts)
    });
    for placed in all_at_once(batches).await {
        assert_eq!(placed.unwrap().len(), 5);
    }
    assert_eq!(
        s.offered(plain("gw"), at(0)).await,
        (1..=200).collect::<Vec<_>>()
    );
    assert_eq!(s.store.figures().await.unwrap().pending, 200);
}

pub async fn s3_1_an_answer_names_the_queue(s: Subject) {
    s.locate(sighting("001", "15550000001", "ims"), at(0)).await;
    let mut explicit = to_number(2, "+15550000001");
    Arc::make_mut(&mut explicit.message).dest_smsc = Some(name("gw"));
    let drafts = vec![
        to_number(1, "+15550000001"),
        explicit,
        to_number(3, "+15550000009"),
        dropped(4),
    ];
    let placed = s.accept(drafts).await;
    let queue = |text: &str| Placed::Stored(Some(name(text)));
    assert_eq!(
        placed,
        [
            queue("ims"),
            queue("gw"),
            Placed::Stored(None),
            Placed::Stored(None)
        ]
    );
}

pub async fn d6_the_same_key_and_body_answer_the_first_message(s: Subject) {
    s.accept(vec![keyed(routed(1, "gw"), 9, 1, at(300))]).await;
    let again = keyed(routed(2, "gw"), 9, 1, at(300));
    assert_eq!(s.accept(vec![again]).await, [Placed::Repeated(id(1))]);
    assert_eq!(s.find(2).await, None);
    assert_eq!(s.log(2).await, [""; 0]);
    assert_eq!(s.log(1).await, ["message_inserted"]);
    assert_eq!(s.offered(plain("gw"), at(0)).await, [1]);
    // An end does not make the submit new.
    s.report(1, delivered(), at(10)).await;
    let again = keyed(routed(3, "gw"), 9, 1, at(300));
    assert_eq!(s.accept(vec![again]).await, [Placed::Repeated(id(1))]);
    assert_eq!(s.store.figures().await.unwrap().messages, 1);
}

pub async fn d6_a_key_repeated_within_a_batch_is_recognised(s: Subject) {
    let batch = vec![
        keyed(unrouted(1), 1, 1, at(300)),
        unrouted(2),
        keyed(unrouted(3), 1, 1, at(300)),
        keyed(unrouted(4), 1, 2, at(300)),
        keyed(unrouted(5), 2, 2, at(300)),
    ];
    let stored = Placed::Stored(None);
    let expected = [
        stored.clone(),
        stored.clone(),
        Placed::Repeated(id(1)),
        Placed::KeyReused,
        stored,
    ];
    assert_eq!(s.accept(batch).await, expected);
    assert_eq!(s.offered(fallback("gw"), at(0)).await, [1, 2, 5]);
}

pub async fn d6_the_same_key_with_another_body_is_refused_alone(s: Subject) {
    s.accept(vec![keyed(unrouted(1), 9, 1, at(300))]).await;
    let batch = vec![unrouted(2), keyed(unrouted(3), 9, 2, at(300)), unrouted(4)];
    let stored = Placed::Stored(None);
    assert_eq!(
        s.accept(batch).await,
        [stored.clone(), Placed::KeyReused, stored]
    );
    assert_eq!(s.offered(fallback("gw"), at(0)).await, [1, 2, 4]);
    // The refused body has not taken the key over.
    let again = keyed(unrouted(5), 9, 1, at(300));
    assert_eq!(s.accept(vec![again]).await, [Placed::Repeated(id(1))]);
}

pub async fn d6_a_key_is_known_until_its_instant(s: Subject) {
    let submit = |number, second: i64| {
        let mut draft = keyed(unrouted(number), 9, 1, at(second + 300));
        Arc::make_mut(&mut draft.message).inserted_at = at(second);
        vec![draft]
    };
    assert_eq!(s.accept(submit(1, 0)).await, [Placed::Stored(None)]);
    assert_eq!(s.accept(submit(2, 299)).await, [Placed::Repeated(id(1))]);
    // A repetition does not prolong it; the first one after its instant is new, and known again.
    assert_eq!(s.accept(submit(3, 300)).await, [Placed::Stored(None)]);
    assert_eq!(s.accept(submit(4, 301)).await, [Placed::Repeated(id(3))]);
}

pub async fn d6_a_key_outlives_its_message(s: Subject) {
    s.accept(vec![keyed(unrouted(1), 9, 1, at(300))]).await;
    assert!(s.store.remove(id(1), scene(at(1))).await.unwrap().is_ok());
    let again = keyed(unrouted(2), 9, 1, at(300));
    assert_eq!(s.accept(vec![again]).await, [Placed::Repeated(id(1))]);
}

pub async fn s4_3_a_message_that_ended_on_arrival_has_its_cdr(s: Subject) {
    let draft = dropped(1);
    assert_eq!(s.accept(vec![draft.clone()]).await, [Placed::Stored(None)]);
    assert_eq!(s.get(1).await, *draft.message);
    assert_eq!(s.log(1).await, ["message_inserted", "message_dropped"]);
    assert_eq!(s.cdrs().await, [cdr::of(&draft.message).unwrap()]);
    assert_eq!(s.offered(fallback("gw"), at(1)).await, [0; 0]);
    let dropped = Status::Final(FinalStatus::Dropped);
    let filter = Filter {
        status: Some(dropped),
        limit: 10,
        ..Filter::default()
    };
    assert_eq!(
        s.store.messages(filter).await.unwrap(),
        [Arc::unwrap_or_clone(draft.message)]
    );
    let figures = s.store.figures().await.unwrap();
    assert_eq!(
        (figures.messages, figures.pending, figures.outbox),
        (1, 0, 1)
    );
}

pub async fn d4_the_highest_id_never_falls(s: Subject) {
    assert_eq!(s.store.highest_id().await.unwrap(), None);
    s.accept(vec![
        unrouted(70),
        dropped(90),
        keyed(unrouted(80), 1, 1, at(300)),
    ])
    .await;
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(90)));
    s.accept(vec![unrouted(85)]).await;
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(90)));
    s.drain().await;
    super::purge::everything(&s, at(10 * DAY)).await;
    assert_eq!(s.find(90).await, None);
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(90)));
    s.accept(vec![unrouted(95)]).await;
    assert!(s.store.remove(id(95), scene(at(1))).await.unwrap().is_ok());
    s.drain().await;
    super::purge::everything(&s, at(20 * DAY)).await;
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(95)));
    assert!(matches!(s.get(70).await.life, Life::Pending { .. }));
}

pub async fn d4_reserved_ids_count_as_used(s: Subject) {
    s.store.reserve_ids(id(40)).await.unwrap();
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(40)));
    s.accept(vec![unrouted(30)]).await;
    s.store.reserve_ids(id(20)).await.unwrap();
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(40)));
    s.accept(vec![unrouted(50)]).await;
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(50)));
    s.drain().await;
    super::purge::everything(&s, at(10 * DAY)).await;
    s.store.reserve_ids(id(45)).await.unwrap();
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(50)));
}

/// The store was away in between, or the first attempt to store it had an unknown outcome.
pub async fn s3_3_a_message_that_comes_late_is_placed_as_of_now(s: Subject) {
    let ends = Some(Some(at(60)));
    let mut where_it_is = sighting("001", "+15550000001", "ims");
    where_it_is.expires = ends;
    s.locate(where_it_is, at(0)).await;
    let late = vec![keyed(unrouted(1), 9, 1, at(300))];
    let placed = s.store.accept(late, at(60)).await.unwrap();
    assert_eq!(placed, [Placed::Stored(None)], "the location has run out");
    assert_eq!(s.get(1).await.inserted_at, at(0));
    let again = vec![keyed(unrouted(2), 9, 1, at(900))];
    let placed = s.store.accept(again, at(300)).await.unwrap();
    assert_eq!(placed, [Placed::Stored(None)], "the key is forgotten");
}
