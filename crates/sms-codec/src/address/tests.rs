//! Golden addresses of 3GPP TS 23.040 9.1.2.5 and of the air.

use bytes::Bytes;

use super::*;

fn read(octets: &'static [u8]) -> Result<Address, Error> {
    let octets = Bytes::from_static(octets);
    let mut cursor = Cursor::new(&octets);
    let address = Address::read(&mut cursor, "TP-DA")?;
    cursor.finish()?;
    let mut again = Vec::new();
    address.write(&mut again);
    assert_eq!(again, octets);
    Ok(address)
}

#[test]
fn digits_are_swapped_and_an_odd_one_is_filled() {
    let address = Address::new(
        TypeOfNumber::International,
        NumberingPlan::Telephone,
        "34616585119",
    )
    .unwrap();
    let octets = [0x0B, 0x91, 0x43, 0x16, 0x56, 0x58, 0x11, 0xF9];
    let mut out = Vec::new();
    address.write(&mut out);
    assert_eq!(out, octets);
    assert_eq!(address.value(), "34616585119");
}

#[test]
fn names_take_as_many_semi_octets_as_their_septets_need() {
    let address = Address::alphanumeric("FONIC").unwrap();
    let mut out = Vec::new();
    address.write(&mut out);
    assert_eq!(out, [0x09, 0xD0, 0xC6, 0xA7, 0x33, 0x39, 0x04]);
    assert_eq!(
        read(&[0x0D, 0xD0, 0xF3, 0x34, 0xFC, 0x1C, 0xA6, 0x97, 0x01])
            .unwrap()
            .value(),
        "sipgate"
    );
    assert_eq!(
        Address::alphanumeric("12345678901").unwrap().semi_octets(),
        20
    );
    let refused = Error::TooLong {
        field: "alphanumeric address",
        length: 12,
        limit: 11,
    };
    assert_eq!(Address::alphanumeric("123456789012"), Err(refused));
    assert_eq!(Address::alphanumeric("Øre@").unwrap().value(), "Øre@");
}

#[test]
fn every_digit_type_and_plan_reads_back() {
    for code in 0..=127_u8 {
        let (ton, npi) = (
            TypeOfNumber::from_code(code >> 4),
            NumberingPlan::from_code(code),
        );
        assert_eq!(ton.code() << 4 | npi.code(), code);
        if ton != TypeOfNumber::Alphanumeric {
            let address = Address::new(ton, npi, "0*#abc9").unwrap();
            assert_eq!((address.ton(), address.npi()), (ton, npi));
            assert_eq!(address.value(), "0*#abc9");
        }
    }
    assert_eq!(read(&[5, 0x81, 0xA0, 0xCB, 0xFD]).unwrap().value(), "0*#ab");
}

#[test]
fn a_length_beyond_twenty_digits_is_refused() {
    let refused = Error::Length {
        field: "TP-DA",
        offset: 0,
        length: 21,
    };
    assert_eq!(
        read(&[21, 0x91, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        Err(refused)
    );
    let digits = "123456789012345678901";
    assert!(Address::new(TypeOfNumber::Unknown, NumberingPlan::Unknown, digits).is_err());
    assert!(Address::new(TypeOfNumber::Unknown, NumberingPlan::Unknown, "+1").is_err());
}

#[test]
fn a_filler_among_the_digits_is_refused() {
    let refused = Error::Value {
        field: "TP-DA",
        offset: 3,
        value: 0xF3,
    };
    assert_eq!(read(&[6, 0x91, 0x21, 0xF3, 0x65]), Err(refused));
    // At the end of an even number of digits it says that there is one digit less.
    assert_eq!(read(&[4, 0x91, 0x21, 0xF3]).unwrap().value(), "123");
}

#[test]
fn the_relay_layer_counts_octets_and_may_have_none() {
    for octets in [
        &[0_u8][..],
        &[1, 0x91],
        &[3, 0x81, 0x21, 0xF3],
        &[3, 0x81, 0x21, 0x43],
    ] {
        let octets = Bytes::copy_from_slice(octets);
        let address = Address::read_rp(&mut Cursor::new(&octets), "RP-OA").unwrap();
        let mut out = Vec::new();
        Address::write_rp(address.as_ref(), &mut out);
        assert_eq!(out, octets);
    }
    let octets = Bytes::from_static(&[3, 0x81, 0x21, 0xF3]);
    let address = Address::read_rp(&mut Cursor::new(&octets), "RP-OA")
        .unwrap()
        .unwrap();
    assert_eq!(
        (address.value().as_str(), address.semi_octets()),
        ("123", 3)
    );
    let octets = Bytes::from_static(&[12; 13]);
    let refused = Error::Length {
        field: "RP-OA",
        offset: 0,
        length: 12,
    };
    assert_eq!(
        Address::read_rp(&mut Cursor::new(&octets), "RP-OA"),
        Err(refused)
    );
}
