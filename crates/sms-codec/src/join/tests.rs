//! Order, duplicates, strangers, and pairs that another sender has cut.

use super::*;
use crate::dcs::Dcs;
use crate::segment::{Envelope, Options, split};
use crate::udh::{Element, Header};
use crate::user_data::Content;

fn parts(text: &str, reference: u8) -> Vec<UserData> {
    let reference = Reference::Bits8(reference);
    let envelope = Envelope {
        reference,
        class: None,
        elements: &[],
    };
    split(text, &Options::PLAIN, &envelope).unwrap()
}

#[test]
fn parts_may_come_in_any_order_and_twice() {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(10);
    let parts = parts(&text, 7);
    let mut assembly = Assembly::new(parts[2].clone()).unwrap();
    assert_eq!(assembly.missing().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(assembly.insert(parts[2].clone()), Insert::Duplicate);
    assert!(!assembly.is_complete());
    assert_eq!(assembly.insert(parts[0].clone()), Insert::Added);
    assert_eq!(assembly.insert(parts[1].clone()), Insert::Added);
    assert!(assembly.is_complete());
    assert_eq!(assembly.text().as_deref(), Some(text.as_str()));
}

#[test]
fn a_part_of_another_text_is_not_taken() {
    let mut assembly = Assembly::new(parts(&"a".repeat(200), 1)[0].clone()).unwrap();
    assert_eq!(
        assembly.insert(parts(&"a".repeat(200), 2)[1].clone()),
        Insert::Foreign
    );
    assert_eq!(
        assembly.insert(parts(&"a".repeat(400), 1)[1].clone()),
        Insert::Foreign
    );
    assert_eq!(assembly.insert(parts("a", 1)[0].clone()), Insert::Foreign);
    assert_eq!(
        assembly.insert(parts(&"b".repeat(200), 1)[0].clone()),
        Insert::Conflict
    );
    assert!(Assembly::new(parts("a", 1)[0].clone()).is_none());
}

fn part(sequence: u8, dcs: Dcs, content: Content<'_>) -> UserData {
    let data = [9, 2, sequence];
    let header = Header::new(&[Element { id: 0, data: &data }]).unwrap();
    UserData::new(dcs, Some(&header), content).unwrap()
}

#[test]
fn pairs_cut_between_parts_are_made_whole() {
    let first = part(1, Dcs::GSM7, Content::Septets(&[0x41, 0x1B]));
    let second = part(2, Dcs::GSM7, Content::Septets(&[0x65, 0x42]));
    assert_eq!(text([&first, &second]).as_deref(), Some("A€B"));
    let first = part(1, Dcs::UCS2, Content::Octets(&[0, 0x41, 0xD8, 0x3D]));
    let second = part(2, Dcs::UCS2, Content::Octets(&[0xDE, 0x00]));
    assert_eq!(text([&first, &second]).as_deref(), Some("A\u{1F600}"));
    let data = part(2, Dcs::EIGHT_BIT, Content::Octets(&[1, 2]));
    assert_eq!(text([&first, &data]), None);
}
