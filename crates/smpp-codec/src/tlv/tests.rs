//! Optional parameters, good and broken.

use super::*;
use crate::reader::Tolerance;

fn read(octets: &'static [u8]) -> Result<Tlvs, Fault> {
    Tlvs::read(&mut Reader::new(
        &Bytes::from_static(octets),
        Tolerance::Strict,
    ))
}

#[test]
fn unknown_parameters_are_kept_in_their_order() {
    let octets = b"\x14\x00\0\x02ab\x04\x27\0\x01\x02\x14\x01\0\0";
    let tlvs = read(octets).unwrap();
    assert_eq!(tlvs.u8(Tag::MESSAGE_STATE), Some(2));
    assert_eq!(tlvs.get(Tag(0x1400)).unwrap(), &b"ab"[..]);
    let mut out = BytesMut::new();
    tlvs.write(&mut out);
    assert_eq!(&out[..], octets);
}

#[test]
fn of_a_repeated_parameter_the_last_counts() {
    let tlvs = read(b"\x02\x04\0\x02\0\x01\x02\x04\0\x02\0\x07").unwrap();
    assert_eq!(tlvs.u16(Tag::USER_MESSAGE_REFERENCE), Some(7));
    assert_eq!(tlvs.repeated(), Some(Tag::USER_MESSAGE_REFERENCE));
}

#[test]
fn a_wrong_length_is_named() {
    let fault = read(b"\x04\x27\0\x02\0\0").unwrap_err();
    assert_eq!(fault.status, Status::RINVTLVLEN);
    assert_eq!(
        fault.to_string(),
        "message_state at octet 6 has the impossible length 2"
    );
}

#[test]
fn octets_that_are_no_parameters_are_refused() {
    for octets in [
        &b"\x04"[..],
        b"\x04\x27\0",
        b"\x04\x27\0\x01",
        b"\x04\x24\xff\xffabc",
    ] {
        assert_eq!(
            read(octets).unwrap_err().status,
            Status::RINVTLVSTREAM,
            "{octets:?}"
        );
    }
}

#[test]
fn a_string_may_lack_its_zero_octet() {
    for octets in [&b"\0\x1e\0\x0338\0"[..], b"\0\x1e\0\x0238"] {
        let text = read(octets)
            .unwrap()
            .text(Tag::RECEIPTED_MESSAGE_ID)
            .unwrap();
        assert_eq!(text.to_str(), "38");
    }
}

#[test]
fn the_tags_are_in_order_and_have_their_names() {
    assert!(Tag::DEFINED.is_sorted());
    assert_eq!(Tag::SET_DPF.name(), Some("set_dpf"));
    assert_eq!(Tag(0x1400).name(), None);
}
