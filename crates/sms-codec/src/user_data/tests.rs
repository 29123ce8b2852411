//! Lengths and headers of 3GPP TS 23.040 9.2.3.16 and 9.2.3.24.

use super::*;
use crate::udh::Element;

fn read(dcs: Dcs, header: HeaderIndicator, octets: &'static [u8]) -> Result<UserData, Error> {
    let octets = Bytes::from_static(octets);
    let mut cursor = Cursor::new(&octets);
    let user_data = UserData::read(&mut cursor, dcs, header)?;
    let mut again = Vec::new();
    user_data.write(&mut again);
    assert_eq!(again, octets);
    Ok(user_data)
}

#[test]
fn the_text_starts_after_header_and_fill_bits() {
    let octets = &[
        16, 5, 0x0A, 3, 0, 4, 0x10, 0x84, 0x6F, 0x36, 0x19, 0xF4, 0x76, 0xB3, 0xF3,
    ];
    let user_data = read(Dcs::GSM7, HeaderIndicator::Present, octets).unwrap();
    assert_eq!(user_data.text().as_deref(), Some("Bold only"));
    assert_eq!(
        user_data.header().unwrap().elements().next().unwrap().data,
        [0, 4, 0x10]
    );
    let again = UserData::from_text(Dcs::GSM7, user_data.header().as_ref(), "Bold only");
    assert_eq!(again, Ok(user_data));
}

#[test]
fn a_header_longer_than_the_user_data_is_refused() {
    let refused = Error::Length {
        field: "TP-UDHL",
        offset: 1,
        length: 5,
    };
    let short = read(Dcs::EIGHT_BIT, HeaderIndicator::Present, &[3, 5, 0, 0]);
    assert_eq!(short, Err(refused));
    let refused = Error::Truncated {
        field: "TP-UDHL",
        offset: 1,
        missing: 1,
    };
    assert_eq!(
        read(Dcs::GSM7, HeaderIndicator::Present, &[0]),
        Err(refused)
    );
    // Three octets of header are four septets, but only three are counted.
    let refused = Error::Length {
        field: "TP-UDL",
        offset: 0,
        length: 3,
    };
    assert_eq!(
        read(Dcs::GSM7, HeaderIndicator::Present, &[3, 2, 0, 0]),
        Err(refused)
    );
}

#[test]
fn a_length_beyond_one_message_is_refused() {
    let refused = Error::Length {
        field: "TP-UDL",
        offset: 0,
        length: 161,
    };
    assert_eq!(
        read(Dcs::GSM7, HeaderIndicator::Absent, &[161]),
        Err(refused)
    );
    let refused = Error::Length {
        field: "TP-UDL",
        offset: 0,
        length: 141,
    };
    assert_eq!(
        read(Dcs::UCS2, HeaderIndicator::Absent, &[141]),
        Err(refused)
    );
    let refused = Error::Truncated {
        field: "TP-UD",
        offset: 1,
        missing: 1,
    };
    assert_eq!(
        read(Dcs::GSM7, HeaderIndicator::Absent, &[2, 0x41]),
        Err(refused)
    );
}

#[test]
fn the_content_must_be_what_the_coding_scheme_counts() {
    assert!(UserData::new(Dcs::UCS2, None, Content::Septets(&[1])).is_err());
    assert!(UserData::new(Dcs::GSM7, None, Content::Octets(&[1])).is_err());
    assert!(UserData::from_text(Dcs::EIGHT_BIT, None, "a").is_err());
    let full = [0x41; 160];
    assert_eq!(
        UserData::new(Dcs::GSM7, None, Content::Septets(&full))
            .unwrap()
            .length(),
        160
    );
    let header = Header::new(&[Element {
        id: 0,
        data: &[1, 2, 1],
    }])
    .unwrap();
    let refused = Error::TooLong {
        field: "TP-UD",
        length: 141,
        limit: 140,
    };
    let long = UserData::new(Dcs::GSM7, Some(&header), Content::Septets(&full[..154]));
    assert_eq!(long, Err(refused));
    let fits = UserData::new(Dcs::GSM7, Some(&header), Content::Septets(&full[..153])).unwrap();
    assert_eq!((fits.length(), fits.octets().len()), (160, 140));
}

#[test]
fn compressed_text_is_data() {
    let user_data = read(Dcs(0x20), HeaderIndicator::Absent, &[2, 0x12, 0x34]).unwrap();
    assert_eq!(
        (user_data.text(), user_data.body()),
        (None, &[0x12, 0x34][..])
    );
}
