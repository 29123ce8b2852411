//! Periods of 3GPP TS 23.040 9.2.3.12.

use super::*;

#[test]
fn relative_periods_follow_the_table() {
    let cases = [
        (0, 300),
        (143, 43_200),
        (144, 45_000),
        (167, 86_400),
        (168, 172_800),
        (170, 345_600),
        (196, 2_592_000),
        (197, 3_024_000),
        (255, 38_102_400),
    ];
    for (octet, seconds) in cases {
        assert_eq!(relative_seconds(octet), seconds, "{octet}");
    }
    assert!((1..=255).all(|octet| relative_seconds(octet - 1) < relative_seconds(octet)));
}

#[test]
fn a_period_is_rounded_down() {
    assert_eq!(Validity::relative_within(299), None);
    assert_eq!(Validity::relative_within(300), Some(Validity::Relative(0)));
    assert_eq!(
        Validity::relative_within(86_399),
        Some(Validity::Relative(166))
    );
    assert_eq!(
        Validity::relative_within(u64::MAX),
        Some(Validity::Relative(255))
    );
}

#[test]
fn enhanced_periods_have_three_formats_and_a_single_shot() {
    let enhanced = |octets| Validity::Enhanced(octets);
    assert_eq!(enhanced([0x01, 167, 0, 0, 0, 0, 0]).seconds(), Some(86_400));
    assert_eq!(enhanced([0x02, 60, 0, 0, 0, 0, 0]).seconds(), Some(60));
    assert_eq!(enhanced([0x02, 0, 0, 0, 0, 0, 0]).seconds(), None);
    assert_eq!(
        enhanced([0x03, 0x21, 0x43, 0x55, 0, 0, 0]).seconds(),
        Some(45_295)
    );
    assert_eq!(enhanced([0x03, 0xA1, 0x43, 0x55, 0, 0, 0]).seconds(), None);
    assert_eq!(enhanced([0x40, 0, 0, 0, 0, 0, 0]).seconds(), None);
    assert!(enhanced([0x40, 0, 0, 0, 0, 0, 0]).is_single_shot());
    assert!(!enhanced([0x02, 60, 0, 0, 0, 0, 0]).is_single_shot());
    assert!(Validity::enhanced_seconds(0).is_err());
}
