//! Texts in every form that applications send, there and back.

use smpp_codec::Status;
use smpp_codec::flags::EsmClass;
use smpp_codec::text::ShortMessage;
use smpp_codec::tlv::{Tag, Tlv, Tlvs};
use zajil_core::smpp::DefaultAlphabet;

use super::*;

fn read_in(
    default: DefaultAlphabet,
    (esm_class, data_coding, octets): (u8, u8, &'static [u8]),
    tlvs: &Tlvs,
) -> Result<Carried, Unusable> {
    let incoming = Incoming {
        esm_class: EsmClass(esm_class),
        data_coding,
        short_message: Some(&ShortMessage::new(octets).unwrap()),
        tlvs,
    };
    read(incoming, default)
}

fn shown(carried: Result<Carried, Unusable>) -> String {
    match carried {
        Ok(Carried::Text(text, class)) => format!("{text} {class:?}"),
        Ok(Carried::UserData(data)) => format!(
            "{:#04x} {:?} {:?}",
            data.dcs().0,
            data.concatenation().map(|part| (part.total, part.sequence)),
            data.text()
        ),
        Err(error) => format!("{} {error}", error.status),
    }
}

/// D9, protocols 3.1: data_coding by data_coding.
#[test]
fn d9_texts_are_read_as_data_coding_says() {
    let gsm = DefaultAlphabet::Gsm7;
    for (default, pdu, expected) in [
        (gsm, (0, 0x00, &b"\0 \x1b\x65"[..]), "@ € None"),
        (DefaultAlphabet::Latin1, (0, 0x00, b"\xe9"), "é None"),
        (DefaultAlphabet::Utf8, (0, 0x00, b"\xc3\xa9"), "é None"),
        (gsm, (0, 0x01, b"@"), "@ None"),
        // What npm's smpp makes of "å@_€": GSM, in the name of IA5.
        (gsm, (0, 0x01, b"\x0f\0\x11\x1b\x65"), "å@_€ None"),
        (gsm, (0, 0x01, b"{\r\n\xc3\xa5}"), "{\r\nå} None"),
        (gsm, (0, 0x03, b"\xe9@"), "é@ None"),
        (gsm, (0, 0x08, b"\x04\x10"), "А None"),
        (gsm, (0, 0x10, b"hi"), "hi Some(Immediate)"),
        (gsm, (0, 0xF0, b"hi"), "hi Some(Immediate)"),
        (gsm, (0, 0x18, b"\x04\x10"), "А Some(Immediate)"),
        (gsm, (0, 0x04, b"\x01\x02"), "0x04 None None"),
        (
            gsm,
            (0x40, 0x00, b"\x05\0\x03\x07\x02\x01hi"),
            "0x00 Some((2, 1)) Some(\"hi\")",
        ),
        (
            gsm,
            (0x40, 0x08, b"\x05\0\x03\x07\x02\x01\x04\x10"),
            "0x08 Some((2, 1)) Some(\"А\")",
        ),
        (
            gsm,
            (0x40, 0x03, b"\x05\0\x03\x07\x02\x01\xe9"),
            "0x00 Some((2, 1)) Some(\"é\")",
        ),
        (
            gsm,
            (0, 0x08, b"\x04"),
            "ESME_RSUBMITFAIL the text is not what data_coding says",
        ),
        (
            gsm,
            (0, 0x0F, b""),
            "ESME_RINVDCS data_coding is not known here",
        ),
        (
            gsm,
            (0x40, 0, b"\x09\0"),
            "ESME_RINVESMCLASS the user data header is broken",
        ),
    ] {
        assert_eq!(
            shown(read_in(default, pdu, &Tlvs::NONE)),
            expected,
            "{pdu:?}"
        );
    }
}

#[test]
fn sar_parameters_mean_the_same_as_a_header() {
    let mut tlvs = Tlvs::NONE;
    tlvs.push_u16(Tag::SAR_MSG_REF_NUM, 0x1234);
    tlvs.push_u8(Tag::SAR_TOTAL_SEGMENTS, 3);
    tlvs.push_u8(Tag::SAR_SEGMENT_SEQNUM, 2);
    let read = read_in(DefaultAlphabet::Gsm7, (0, 0, b"hi"), &tlvs);
    assert_eq!(shown(read), "0x00 Some((3, 2)) Some(\"hi\")");
    tlvs.push_u8(Tag::SAR_SEGMENT_SEQNUM, 4);
    let read = read_in(DefaultAlphabet::Gsm7, (0, 0, b"hi"), &tlvs);
    assert_eq!(read.unwrap_err().status, Status::RINVTLVVAL);
}

/// Applications cut texts of 153 characters, whatever reference they give them.
#[test]
fn a_part_with_a_long_reference_has_room_for_as_much_as_one_with_a_short() {
    let mut tlvs = Tlvs::NONE;
    tlvs.push_u16(Tag::SAR_MSG_REF_NUM, 0x1234);
    tlvs.push_u8(Tag::SAR_TOTAL_SEGMENTS, 2);
    tlvs.push_u8(Tag::SAR_SEGMENT_SEQNUM, 1);
    let read = |octets| read_in(DefaultAlphabet::Gsm7, (0, 0, octets), &tlvs);
    assert!(read(&[b'a'; 153]).is_ok());
    assert_eq!(read(&[b'a'; 154]).unwrap_err().status, Status::RINVMSGLEN);
}

#[test]
fn a_text_is_in_one_place_only() {
    let payload = || Tlv::new(Tag::MESSAGE_PAYLOAD, &b"long"[..]);
    let tlvs: Tlvs = payload().into_iter().collect();
    let gsm = DefaultAlphabet::Gsm7;
    assert_eq!(shown(read_in(gsm, (0, 0, b""), &tlvs)), "long None");
    let both = read_in(gsm, (0, 0, b"hi"), &tlvs).unwrap_err();
    assert_eq!(both.status, Status::RINVMSGLEN);
}
