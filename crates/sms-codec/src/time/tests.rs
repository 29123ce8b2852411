//! Time stamps of 3GPP TS 23.040 9.2.3.11 and of the air.

use super::*;

const SEEN: Timestamp = Timestamp([0x20, 0x80, 0x62, 0x91, 0x73, 0x14, 0x08]);

#[test]
fn a_minus_sign_before_zero_is_kept() {
    let local = Civil {
        year: 2002,
        month: 8,
        day: 26,
        hour: 19,
        minute: 37,
        second: 41,
    };
    let zone = Zone {
        quarters: 0,
        negative: true,
    };
    assert_eq!((SEEN.local(), SEEN.zone()), (local, zone));
    assert_eq!(Timestamp::new(local, zone), Ok(SEEN));
    // date -u -d '2002-08-26 19:37:41' +%s
    assert_eq!(SEEN.unix_seconds(), Some(1_030_390_661));
}

#[test]
fn zones_count_quarters_either_way() {
    let zone = |octet| {
        Timestamp([0x42, 0x11, 0x32, 0x21, 0, 0, octet])
            .zone()
            .signed_quarters()
    };
    assert_eq!(zone(0x40), 4);
    assert_eq!(zone(0x23), 32);
    assert_eq!(zone(0x4A), -24);
    assert_eq!(zone(0x69), -16);
    assert_eq!(zone(0x04), 40);
    let gmt = Timestamp::from_unix(0x6000_0000, Zone::GMT).unwrap();
    let newfoundland = Zone::from_quarters(-14).unwrap();
    let local = Timestamp::from_unix(0x6000_0000, newfoundland).unwrap();
    assert_eq!(gmt.unix_seconds(), Some(0x6000_0000));
    assert_eq!(local.unix_seconds(), Some(0x6000_0000));
    assert_ne!(gmt, local);
    assert!(Zone::from_quarters(80).is_err());
}

#[test]
fn every_day_that_can_be_written_reads_back() {
    // 1990-01-01 and 2089-12-31, both at 23:59:59 GMT.
    let (first, last) = (631_238_399, 3_786_911_999);
    for seconds in (first..=last).step_by(86_400) {
        let timestamp = Timestamp::from_unix(seconds, Zone::GMT).unwrap();
        assert_eq!(timestamp.unix_seconds(), Some(seconds));
    }
    assert!(Timestamp::from_unix(last + 1, Zone::GMT).is_err());
    assert!(Timestamp::from_unix(-1, Zone::GMT).is_err());
    assert!(Timestamp::from_unix(i64::MAX, Zone::GMT).is_err());
}

#[test]
fn what_is_no_date_is_kept_but_has_no_moment() {
    let odd = Timestamp([0xFF, 0x31, 0x99, 0xAA, 0x73, 0x14, 0xFF]);
    assert_eq!(odd.unix_seconds(), None);
    assert_eq!(odd.local().month, 13);
    assert_eq!(odd.local().hour, 0);
    let february = Civil {
        year: 2023,
        month: 2,
        day: 29,
        hour: 0,
        minute: 0,
        second: 0,
    };
    assert!(Timestamp::new(february, Zone::GMT).is_err());
    assert!(
        Timestamp::new(
            Civil {
                year: 2024,
                ..february
            },
            Zone::GMT
        )
        .is_ok()
    );
}
