//! Octets from public sources and what they mean, in both directions (`tests/vectors.json`).

use bytes::Bytes;
use serde_json::Value;
use sms_codec::gsm7::{self, FillBits, Language, Shift};
use sms_codec::tpdu::{Direction, Tpdu};
use sms_codec::{address::Address, describe, rp};

fn vectors(layer: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    all.into_iter()
        .filter(|vector| vector["layer"] == layer)
        .collect()
}

fn octets(value: &Value) -> Bytes {
    let digits = value.as_str().unwrap();
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(digits.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

fn direction(vector: &Value) -> Direction {
    if vector["dir"] == "MS->SC" {
        Direction::MsToSc
    } else {
        Direction::ScToMs
    }
}

fn json(tree: &describe::Tree) -> Value {
    serde_json::from_str(&tree.to_string()).unwrap()
}

#[test]
fn tpdus_mean_what_the_vectors_say_and_are_written_octet_for_octet() {
    let vectors = vectors("tpdu");
    assert_eq!(vectors.len(), 29);
    for vector in vectors {
        let id = vector["id"].as_str().unwrap();
        let hex = octets(&vector["hex"]);
        let tpdu = Tpdu::decode(direction(&vector), &hex).unwrap();
        assert_eq!(json(&describe::tpdu(&tpdu)), vector["expect"], "{id}");
        assert_eq!(tpdu.encode(), hex, "{id}");
    }
}

#[test]
fn service_centre_addresses_before_tpdus_are_read_and_written() {
    for vector in vectors("tpdu")
        .iter()
        .filter(|vector| vector["hex_with_sca"].is_string())
    {
        let id = vector["id"].as_str().unwrap();
        let hex = octets(&vector["hex_with_sca"]);
        let (centre, tpdu) = Tpdu::decode_with_service_centre(direction(vector), &hex).unwrap();
        let value = centre.as_ref().map(Address::value);
        assert_eq!(value.as_deref(), vector["sca"]["value"].as_str(), "{id}");
        assert_eq!(
            tpdu.encode_with_service_centre(centre.as_ref()),
            hex,
            "{id}"
        );
    }
}

#[test]
fn a_service_centre_address_is_noticed() {
    for vector in vectors("tpdu") {
        let (id, direction) = (&vector["id"], direction(&vector));
        let bare = octets(&vector["hex"]);
        let tpdu = Tpdu::decode(direction, &bare).unwrap();
        assert_eq!(
            Tpdu::decode_either(direction, &bare),
            Ok((None, tpdu.clone())),
            "{id}"
        );
        if vector["hex_with_sca"].is_string() {
            let addressed = octets(&vector["hex_with_sca"]);
            let (centre, same) = Tpdu::decode_either(direction, &addressed).unwrap();
            assert_eq!(
                (same, centre.is_some()),
                (tpdu, vector["sca"].is_object()),
                "{id}"
            );
        }
    }
}

/// Texts of the vectors are packed to the same octets again, whatever the header.
#[test]
fn texts_of_the_vectors_are_packed_to_the_same_octets() {
    use sms_codec::user_data::UserData;
    let mut count = 0;
    for vector in vectors("tpdu") {
        let hex = octets(&vector["hex"]);
        let tpdu = Tpdu::decode(direction(&vector), &hex).unwrap();
        let user_data = match tpdu {
            Tpdu::Submit(pdu) => pdu.user_data,
            Tpdu::Deliver(pdu) => pdu.user_data,
            _ => continue,
        };
        let Some(text) = user_data.text() else {
            continue;
        };
        let again = UserData::from_text(user_data.dcs(), user_data.header().as_ref(), &text);
        assert_eq!(again.as_ref(), Ok(&user_data), "{}", vector["id"]);
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn septets_read_as_the_tables_say() {
    let vectors = vectors("gsm7");
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let expect = &vector["expect"];
        let table = |name: &str| {
            let language = expect[name].as_str().unwrap();
            Language::NATIONAL
                .into_iter()
                .find(|known| language.starts_with(known.name()))
                .unwrap_or(Language::Default)
        };
        let shift = Shift {
            locking: table("locking"),
            single: table("single"),
        };
        let count = usize::try_from(vector["septets"].as_u64().unwrap()).unwrap();
        let packed = octets(&vector["hex"]);
        let septets = gsm7::unpack(&packed, FillBits::NONE, count).unwrap();
        assert_eq!(
            &json(&describe::septets(&septets, shift)),
            expect,
            "{}",
            vector["id"]
        );
        let mut again = Vec::new();
        gsm7::pack(&septets, FillBits::NONE, &mut again);
        assert_eq!(again, packed);
    }
}

#[test]
fn relay_messages_mean_what_the_vectors_say_and_are_written_octet_for_octet() {
    let vectors = vectors("rp");
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let hex = octets(&vector["hex"]);
        let message = rp::Message::decode(&hex).unwrap();
        let described = json(&describe::rp(&message));
        for (name, value) in vector["expect"].as_object().unwrap() {
            assert_eq!(&described[name], value, "{} {name}", vector["id"]);
        }
        assert_eq!(message.encode(), hex);
    }
}
