//! Octets from public sources and what they mean, in both directions (`tests/vectors.json`).

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use smpp_codec::pdu::Tolerance;
use smpp_codec::visit::Value as Field;
use smpp_codec::{Pdu, receipt};

use crate::describe;

pub(crate) fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("../vectors.json")).unwrap()
}

pub(crate) fn octets(hex: &Value) -> Bytes {
    let digits = hex.as_str().unwrap().as_bytes();
    let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

#[test]
fn pdus_mean_what_the_vectors_say_and_are_written_octet_for_octet() {
    let mut good = 0;
    for vector in vectors() {
        let id = &vector["id"];
        let hex = octets(&vector["hex"]);
        let read = Pdu::decode(&hex, Tolerance::Strict);
        let expect = vector["expect"].as_object().unwrap();
        if let Some(error) = expect.get("error") {
            let refused = read.unwrap_err();
            let told = format!("{refused} {}", refused.status());
            let says = |words: &[&str]| words.iter().all(|word| told.contains(word));
            assert!(
                says(&["message_id", "terminated", "ESME_RINVMSGLEN"])
                    || says(&["unknown command_id", "ESME_RINVCMDID"]),
                "{id}: {error} {told}"
            );
            continue;
        }
        let (header, pdu) = read.unwrap();
        let described = describe::pdu(header, &pdu);
        for (name, value) in expect {
            match name.as_str() {
                "receipt" => assert_eq!(&receipt_of(&pdu), value, "{id}"),
                "text" => assert_eq!(&ucs2(&described["short_message"]), value, "{id}"),
                "note" | "policy" => {}
                name => assert_eq!(&described[name], value, "{id} {name}"),
            }
        }
        let mut out = BytesMut::new();
        pdu.encode(header.status, header.sequence, &mut out);
        assert_eq!(out, hex, "{id}");
        good += 1;
    }
    assert_eq!(good, 18);
}

fn short_message(pdu: &Pdu) -> Vec<u8> {
    let mut found = Vec::new();
    pdu.visit(&mut |name, value| {
        if let ("short_message", Field::Octets(octets)) = (name, value) {
            found = octets.to_vec();
        }
    });
    found
}

/// The receipt as the vectors write it.
fn receipt_of(pdu: &Pdu) -> Value {
    let parsed = receipt::parse(&short_message(pdu)).unwrap();
    let date = |unix_ms: Option<i64>| {
        smpp_codec::time::Time::at(unix_ms.unwrap())
            .to_string()
            .chars()
            .take(10)
            .collect::<String>()
    };
    serde_json::json!({
        "id": parsed.id,
        "sub": format!("{:03}", parsed.submitted.unwrap()),
        "dlvrd": format!("{:03}", parsed.delivered.unwrap()),
        "submit_date": date(parsed.submit_ms),
        "done_date": date(parsed.done_ms),
        "stat": parsed.state.unwrap().word(),
        "err": parsed.error,
    })
}

fn ucs2(hex: &Value) -> Value {
    let octets = octets(hex);
    let units: Vec<u16> = octets
        .chunks(2)
        .map(|pair| u16::from_be_bytes(pair.try_into().unwrap()))
        .collect();
    String::from_utf16(&units).unwrap().into()
}

/// The receipt's id in decimal and `receipted_message_id` in hexadecimal are one number.
#[test]
fn d19_the_vectors_receipt_names_its_message_twice() {
    let vectors = vectors();
    let vector = vectors
        .iter()
        .find(|vector| vector["id"] == "deliver_sm-dlr");
    let (_, pdu) = Pdu::decode(&octets(&vector.unwrap()["hex"]), Tolerance::Strict).unwrap();
    let id = receipt::parse(&short_message(&pdu)).unwrap().id.unwrap();
    let Pdu::DeliverSm(body) = pdu else {
        panic!("{pdu:?}");
    };
    let tag = smpp_codec::tlv::Tag::RECEIPTED_MESSAGE_ID;
    let hex = body.tlvs.text(tag).unwrap();
    assert_eq!(
        id.parse::<u64>().unwrap(),
        u64::from_str_radix(&hex.to_str(), 16).unwrap()
    );
}

/// Real peers have passwords of 14 characters; they bind where lengths are not insisted on.
#[test]
fn a_long_password_is_a_matter_of_tolerance() {
    let bind = b"\0\0\0\x29\0\0\0\x02\0\0\0\0\0\0\0\x01abcd\0fourteen chars\0\0\x34\0\0\0";
    let bind = Bytes::from_static(bind);
    let refused = Pdu::decode(&bind, Tolerance::Strict).unwrap_err();
    assert_eq!(refused.status().name(), Some("ESME_RINVPASWD"));
    assert_eq!(
        refused.to_string(),
        "password at octet 5 is longer than 9 octets"
    );
    assert!(Pdu::decode(&bind, Tolerance::Lenient).is_ok());
}
