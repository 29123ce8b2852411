//! Finding the parts of one text (D9).

use std::num::NonZeroU32;
use std::time::Duration;

use zajil_core::concatenation::{Concatenation, MOST_ON_A_SIDE, Reference};
use zajil_core::lifecycle::Edit;
use zajil_core::message::Message;
use zajil_core::number::{Msisdn, Sender};

use super::Subject;
use super::build::{DAY, at, delivered, draft, id, message, name, scene, unrouted};
use crate::contract::Draft;

/// Message `number`: part `sequence` of three with the reference 7, all to one number.
fn part(number: u64, sequence: u8, second: i64) -> Message {
    let mut message = message(number);
    message.inserted_at = at(second);
    message.content.destination = Msisdn::restore("+15550000001");
    message.content.tp.concatenation = Some(Concatenation {
        reference: Reference::Bits8(7),
        total: 3,
        sequence,
    });
    message
}

/// The parts that are found around message `number`, each as look-ups find it.
async fn around(s: &Subject, number: u64) -> Vec<u64> {
    let parts = s.store.parts(id(number)).await.unwrap();
    for part in &parts {
        assert_eq!(s.get(part.id.get()).await, *part);
    }
    parts.iter().map(|part| part.id.get()).collect()
}

pub async fn d9_the_parts_of_a_text_find_each_other(s: Subject) {
    let mut wide = part(4, 2, 0);
    wide.content.tp.concatenation = Some(Concatenation {
        reference: Reference::Bits16(7),
        total: 3,
        sequence: 2,
    });
    let mut client = part(5, 2, 0);
    client.content.source_smsc = Some(name("other"));
    let mut source = part(6, 2, 0);
    source.content.source = Sender::restore("7727");
    let mut written = part(7, 3, 20);
    written.content.destination = Msisdn::restore("1 555-000 0001");
    s.accept(vec![draft(part(3, 1, 10)), unrouted(1), draft(wide)])
        .await;
    s.accept([client, source, written].map(draft).to_vec())
        .await;
    s.accept(vec![draft(part(2, 2, 10))]).await;
    for number in [2, 3, 7] {
        assert_eq!(around(&s, number).await, [2, 3, 7], "by time, then by id");
    }
    for number in [4, 5, 6] {
        assert_eq!(around(&s, number).await, [number]);
    }
    assert_eq!(around(&s, 1).await, [0; 0], "it is whole");
    assert_eq!(around(&s, 99).await, [0; 0], "nobody knows it");
}

pub async fn d9_parts_are_found_within_a_day_of_each_other(s: Subject) {
    s.accept(
        [(1, 0), (2, DAY), (3, DAY + 1)]
            .map(|(n, at)| draft(part(n, 1, at)))
            .to_vec(),
    )
    .await;
    assert_eq!(around(&s, 1).await, [1, 2]);
    assert_eq!(around(&s, 2).await, [1, 2, 3]);
    assert_eq!(around(&s, 3).await, [2, 3]);
}

pub async fn d9_a_part_is_found_in_every_state_until_it_is_gone(s: Subject) {
    s.accept((1..=4).map(|n| draft(part(n, 1, 0))).collect())
        .await;
    s.report(1, delivered(), at(10)).await;
    let edit = Edit {
        body: Some(("edited".into(), NonZeroU32::MIN)),
        dest_smsc: Some(Some(name("gw"))),
        ..Edit::default()
    };
    s.edit(2, edit, at(10)).await;
    assert_eq!(around(&s, 3).await, [1, 2, 3, 4]);
    s.store.remove(id(3), scene(at(20))).await.unwrap().unwrap();
    assert_eq!(around(&s, 3).await, [0; 0]);
    assert_eq!(around(&s, 4).await, [1, 2, 4]);
    s.drain().await;
    super::purge::everything(&s, at(10 * DAY)).await;
    assert_eq!(around(&s, 1).await, [0; 0]);
    assert_eq!(around(&s, 4).await, [2, 4]);
}

pub async fn d9_only_the_nearest_of_many_parts_are_found(s: Subject) {
    let side = u64::from(MOST_ON_A_SIDE);
    let (first, last) = (1, 2 * side + 3);
    let middle = side + 2;
    let drafts: Vec<Draft> = (first..=last)
        .map(|number| {
            let mut message = part(number, 1, 0);
            let later = Duration::from_millis(number / 2);
            message.inserted_at = message.inserted_at.plus(later);
            draft(message)
        })
        .collect();
    s.accept(drafts).await;
    let ids = |parts: Vec<Message>| parts.iter().map(|part| part.id.get()).collect::<Vec<_>>();
    let found = |number| s.store.parts(id(number));
    let expect: Vec<u64> = (first + 1..last).collect();
    assert_eq!(ids(found(middle).await.unwrap()), expect);
    let expect: Vec<u64> = (first..=first + side).collect();
    assert_eq!(ids(found(first).await.unwrap()), expect);
    let expect: Vec<u64> = (last - side..=last).collect();
    assert_eq!(ids(found(last).await.unwrap()), expect);
}
