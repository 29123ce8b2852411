//! Which messages are one text, and what it says (D9).

use sms_codec::address::{Address, NumberingPlan, TypeOfNumber};
use sms_codec::dcs::Dcs;
use sms_codec::segment::{Envelope, Options, split};
use sms_codec::tpdu::Submit;
use sms_codec::udh::{Element, Header, id};
use sms_codec::user_data::Content as Data;

use super::*;
use crate::message::sample::{at, name, pending};
use crate::number::{Msisdn, Sender};

/// Message `id`: part `sequence` of three with the reference 7, inserted in second `secs`.
fn part(id: u64, sequence: u8, secs: i64) -> Message {
    let mut message = pending();
    message.id = MessageId::new(id).unwrap();
    message.inserted_at = at(100_000 + secs);
    message.content.body = format!("<{id}>");
    message.content.tp.concatenation = Some(Concatenation {
        reference: Reference::Bits8(7),
        total: 3,
        sequence,
    });
    message
}

fn ids(joined: &Joined) -> Vec<(u8, u64)> {
    let parts = joined.parts.iter();
    parts.map(|part| (part.number, part.id.get())).collect()
}

/// `message` as it came in this user data.
fn as_pdu(mut message: Message, data: UserData) -> Message {
    let number = TypeOfNumber::International;
    let to = Address::new(number, NumberingPlan::Telephone, "15551234567").unwrap();
    message.content.body = storable(&data.text().unwrap());
    message.content.tp.concatenation = data.concatenation();
    let octets = Tpdu::Submit(Submit::new(to, data)).encode();
    message.content.raw_pdu = Some(octets.to_vec());
    message
}

#[test]
fn d9_parts_are_joined_in_order_and_missing_ones_are_named() {
    let (first, second, third) = (part(3, 1, 20), part(1, 2, 10), part(2, 3, 0));
    let all = [third.clone(), second.clone(), first.clone()];
    for message in &all {
        let joined = joined(message, &all).unwrap();
        assert_eq!(ids(&joined), [(1, 3), (2, 1), (3, 2)]);
        assert_eq!(joined.body, "<3><1><2>");
        assert!(joined.is_complete());
    }
    let alone = |message: &Message| joined(message, &[]).unwrap();
    assert_eq!(alone(&first).body, "<3>[parts 2-3 missing]");
    assert_eq!(alone(&second).body, "[part 1 missing]<1>[part 3 missing]");
    assert_eq!(alone(&third).body, "[parts 1-2 missing]<2>");
    let outer = joined(&third, &[first]).unwrap();
    assert_eq!(outer.body, "<3>[part 2 missing]<2>");
    assert!(!outer.is_complete());
    assert_eq!((outer.total, ids(&outer)), (3, vec![(1, 3), (3, 2)]));
}

#[test]
fn d9_a_message_that_is_whole_is_joined_with_nothing() {
    assert_eq!(joined(&pending(), &[part(1, 1, 0)]), None);
    let mut only = part(1, 1, 0);
    only.content.tp.concatenation = Some(Concatenation {
        reference: Reference::Bits8(7),
        total: 1,
        sequence: 1,
    });
    assert_eq!(joined(&only, &[]), None);
    assert_eq!(
        joined(&part(2, 1, 0), &[pending(), only])
            .unwrap()
            .parts
            .len(),
        1
    );
}

#[test]
fn d9_parts_of_one_text_have_numbers_client_reference_and_total_in_common() {
    fn concatenation(reference: Reference, total: u8) -> Option<Concatenation> {
        Some(Concatenation {
            reference,
            total,
            sequence: 2,
        })
    }
    type Change = fn(&mut Content);
    let changes: [(&str, bool, Change); 9] = [
        ("the same", true, |_| ()),
        ("another way to write the destination", true, |content| {
            content.destination = Msisdn::restore("1555 123-4567");
        }),
        ("another destination", false, |content| {
            content.destination = Msisdn::restore("+15551234568");
        }),
        ("another source", false, |content| {
            content.source = Sender::restore("7727");
        }),
        ("another client", false, |content| {
            content.source_smsc = Some(name("app"));
        }),
        ("another reference", false, |content| {
            content.tp.concatenation = concatenation(Reference::Bits8(8), 3);
        }),
        ("a wider reference", false, |content| {
            content.tp.concatenation = concatenation(Reference::Bits16(7), 3);
        }),
        ("another total", false, |content| {
            content.tp.concatenation = concatenation(Reference::Bits8(7), 4);
        }),
        ("another IMSI, when there is a number", true, |content| {
            content.source_imsi = Some("001010000000001".into());
        }),
    ];
    for (what, belongs, change) in changes {
        let mut other = part(2, 2, 0);
        change(&mut other.content);
        let joined = joined(&part(1, 1, 0), &[other]).unwrap();
        assert_eq!(joined.parts.len() == 2, belongs, "{what}");
    }
}

#[test]
fn d9_senders_without_a_number_are_told_apart_by_imsi() {
    let from = |id, sequence, imsi: &str| {
        let mut message = part(id, sequence, 0);
        message.content.source = Sender::restore("");
        message.content.source_imsi = Some(imsi.into());
        message
    };
    let all = [from(2, 2, "001"), from(3, 3, "002")];
    let joined = joined(&from(1, 1, "001"), &all).unwrap();
    assert_eq!(ids(&joined), [(1, 1), (2, 2)]);
}

#[test]
fn d9_a_reference_that_is_used_again_means_the_nearest_parts() {
    const HOUR: i64 = 3_600;
    let all = [
        part(1, 1, 0),
        part(2, 2, 1),
        part(3, 1, HOUR),
        part(4, 2, HOUR + 1),
        part(5, 2, HOUR + 1),
        part(6, 3, 25 * HOUR),
    ];
    let of = |index: usize| ids(&joined(&all[index], &all).unwrap());
    assert_eq!(
        of(0),
        [(1, 1), (2, 2)],
        "the third came more than a day later"
    );
    assert_eq!(of(1), [(1, 1), (2, 2)], "likewise");
    assert_eq!(of(2), [(1, 3), (2, 4), (3, 6)], "of equals the lower id");
    assert_eq!(of(4), [(1, 3), (2, 5), (3, 6)], "it is what was asked for");
}

#[test]
fn d9_a_character_that_its_sender_has_cut_is_whole_again() {
    let cut = |sequence: u8, octets: &[u8]| {
        let element = Element {
            id: id::CONCATENATION_8,
            data: &[7, 2, sequence],
        };
        let header = Header::new(&[element]).unwrap();
        UserData::new(Dcs(8), Some(&header), Data::Octets(octets)).unwrap()
    };
    // U+1F642 is D83D DE42.
    let first = as_pdu(part(1, 1, 0), cut(1, &[0, b'a', 0xD8, 0x3D]));
    let mut second = as_pdu(part(2, 2, 0), cut(2, &[0xDE, 0x42, 0, b'b']));
    assert_eq!(second.content.body, "\u{FFFD}b");
    let both = |second: &Message| joined(&first, std::slice::from_ref(second)).unwrap().body;
    assert_eq!(both(&second), "a🙂b");
    second.content.body = "edited".into();
    assert_eq!(both(&second), "a\u{FFFD}edited");
}

#[test]
fn d9_what_was_split_is_joined_again() {
    let text = "Überall steht ein € und {noch} eins. ".repeat(9);
    let envelope = Envelope {
        reference: Reference::Bits16(0x1234),
        class: None,
        elements: &[],
    };
    let data = split(&text, &Options::PLAIN, &envelope).unwrap();
    let parts: Vec<Message> = (1..)
        .zip(data)
        .map(|(id, data)| as_pdu(part(id, 1, 0), data))
        .collect();
    assert_eq!(parts.len(), 3);
    let joined = joined(&parts[1], &parts).unwrap();
    assert!(joined.is_complete());
    assert_eq!(joined.body, text);
}
