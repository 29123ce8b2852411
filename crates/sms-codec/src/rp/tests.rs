//! Golden messages of 3GPP TS 24.011 7.3 and what must be refused.

use super::*;

fn read(octets: &'static [u8]) -> Result<Message, Error> {
    let octets = Bytes::from_static(octets);
    let message = Message::decode(&octets)?;
    assert_eq!(message.encode(), octets);
    Ok(message)
}

#[test]
fn an_error_has_a_cause_and_perhaps_diagnostic_and_report() {
    let message = read(&[0x04, 0x22, 0x01, 0x16]).unwrap();
    assert_eq!(
        message,
        Message::error(Direction::MsToNetwork, 0x22, Cause(22), None)
    );
    assert_eq!(Cause(0x96).name(), "memory capacity exceeded");
    assert_eq!(Cause(0).name(), "unknown cause");
    let message = read(&[0x05, 1, 2, 0x15, 0x99, 0x41, 2, 1, 2, 0x55, 1, 7]).unwrap();
    let Body::Error {
        cause,
        diagnostic,
        optional,
    } = &message.body
    else {
        panic!("no error")
    };
    assert_eq!(
        (cause.value(), diagnostic.octets().as_ref()),
        (21, &[0x99][..])
    );
    assert_eq!(optional.unknown().as_ref(), [0x55, 1, 7]);
    assert_eq!(message.tpdu().unwrap().as_ref(), [1, 2]);
    let refused = Error::Length {
        field: "RP-Cause",
        offset: 2,
        length: 0,
    };
    assert_eq!(read(&[0x05, 1, 0]), Err(refused));
}

#[test]
fn memory_available_has_no_fields() {
    assert_eq!(read(&[0x06, 9]).unwrap().name(), "RP-SMMA MS->n");
    assert_eq!(
        read(&[0x06, 9, 1]),
        Err(Error::Trailing {
            offset: 2,
            count: 1
        })
    );
}

#[test]
fn spare_bits_are_kept_and_unknown_messages_refused() {
    assert_eq!(read(&[0xFB, 9]).unwrap().name(), "RP-ACK n->MS");
    let refused = Error::Value {
        field: "RP-MTI",
        offset: 0,
        value: 0x07,
    };
    assert_eq!(read(&[0x07, 9]), Err(refused));
}

#[test]
fn data_goes_either_way_with_the_address_of_the_centre() {
    use crate::address::{NumberingPlan, TypeOfNumber};
    let centre = Address::new(
        TypeOfNumber::International,
        NumberingPlan::Telephone,
        "33689004000",
    )
    .unwrap();
    let tpdu = UserData::new(Bytes::from_static(&[0xAA])).unwrap();
    let octets = |direction| Message::data(direction, 2, centre, tpdu.clone()).encode();
    let address = [7, 0x91, 0x33, 0x86, 0x09, 0x40, 0x00, 0xF0];
    let mobile = [&[0, 2, 0], &address[..], &[1, 0xAA]].concat();
    assert_eq!(octets(Direction::MsToNetwork), mobile);
    let network = [&[1, 2], &address[..], &[0, 1, 0xAA]].concat();
    assert_eq!(octets(Direction::NetworkToMs), network);
    let refused = Error::Truncated {
        field: "RP-User-Data",
        offset: 11,
        missing: 1,
    };
    assert_eq!(
        Message::decode(&Bytes::from(mobile).slice(..11)),
        Err(refused)
    );
}
