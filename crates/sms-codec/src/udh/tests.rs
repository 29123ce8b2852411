//! Information elements of 3GPP TS 23.040 9.2.3.24.

use super::*;
use crate::gsm7::Language;

fn header(octets: &'static [u8]) -> Header {
    Header::decode(Bytes::from_static(octets)).unwrap()
}

#[test]
fn elements_are_kept_known_or_not() {
    let header = header(&[
        0x00, 3, 0x88, 3, 2, 0xC5, 0, 0x05, 4, 0x0B, 0x84, 0x23, 0xF0,
    ]);
    let ids: Vec<u8> = header.elements().map(|element| element.id).collect();
    assert_eq!(ids, [0x00, 0xC5, 0x05]);
    let reference = Reference::Bits8(0x88);
    assert_eq!(
        header.concatenation(),
        Some(Concatenation {
            reference,
            total: 3,
            sequence: 2
        })
    );
    assert_eq!(
        header.ports(),
        Some(Ports::Bits16 {
            destination: 2948,
            source: 9200
        })
    );
    let elements: Vec<_> = header.elements().collect();
    assert_eq!(Header::new(&elements), Ok(header.clone()));
}

#[test]
fn an_impossible_part_number_is_ignored_and_the_last_element_counts() {
    assert_eq!(header(&[0, 3, 1, 2, 0]).concatenation(), None);
    assert_eq!(header(&[0, 3, 1, 2, 3]).concatenation(), None);
    assert_eq!(header(&[0, 3, 1, 0, 0]).concatenation(), None);
    let both = header(&[0, 3, 1, 2, 1, 8, 4, 0x12, 0x34, 2, 2]);
    let reference = Reference::Bits16(0x1234);
    assert_eq!(
        both.concatenation(),
        Some(Concatenation {
            reference,
            total: 2,
            sequence: 2
        })
    );
}

#[test]
fn waiting_and_languages_are_understood() {
    let header = header(&[1, 2, 0x80, 5, 1, 2, 0x01, 0, 0x24, 1, 3, 0x25, 1, 1]);
    let waiting: Vec<_> = header.waiting().collect();
    assert!(waiting[0].store() && !waiting[1].store());
    assert_eq!((waiting[0].kind(), waiting[0].count), ("voicemail", 5));
    assert_eq!((waiting[1].kind(), waiting[1].count), ("fax", 0));
    let shift = Shift {
        locking: Language::Turkish,
        single: Language::Portuguese,
    };
    assert_eq!(header.shift(), shift);
}

#[test]
fn half_an_element_is_refused_with_its_offset() {
    let half = |octets: &'static [u8]| Header::decode(Bytes::from_static(octets));
    let field = "TP-UDH element";
    assert_eq!(
        half(&[0]),
        Err(Error::Truncated {
            field,
            offset: 0,
            missing: 1
        })
    );
    assert_eq!(
        half(&[9, 0, 0, 3, 1, 2]),
        Err(Error::Truncated {
            field,
            offset: 2,
            missing: 1
        })
    );
}

#[test]
fn elements_beyond_one_message_are_refused() {
    let data = [0; 137];
    assert!(
        Header::new(&[Element {
            id: 0xC0,
            data: &data
        }])
        .is_ok()
    );
    let data = [0; 138];
    assert!(
        Header::new(&[Element {
            id: 0xC0,
            data: &data
        }])
        .is_err()
    );
}
