//! Times against a library that knows the calendar.

use super::*;

fn written(millis: i64) -> String {
    String::from_utf8(write(Timestamp::from_millis(millis)).to_vec()).unwrap()
}

#[test]
fn s2_times_are_written_as_the_library_writes_them() {
    let mut millis = 0;
    let mut step = 1;
    while millis <= Timestamp::MAX.millis() {
        let expected = jiff::Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(written(millis), format!("{expected:.3}"));
        // An odd stride that meets all times of day; some 20,000 steps.
        step = (step * 7 + 13) % 25_000_000_123;
        millis += step;
    }
    assert_eq!(written(Timestamp::MAX.millis()), "9999-12-31T23:59:59.999Z");
    assert_eq!(written(1_709_164_800_000), "2024-02-29T00:00:00.000Z");
}

#[test]
fn s2_times_are_read_leniently() {
    let at = |text: &str| read(text).map(Timestamp::millis);
    assert_eq!(at("2026-01-31T12:00:00Z"), Ok(1_769_860_800_000));
    assert_eq!(at("2026-01-31T14:00:00+02:00"), Ok(1_769_860_800_000));
    assert_eq!(at("2026-01-31 12:00:00.123456Z"), Ok(1_769_860_800_123));
    assert_eq!(
        at("2026-01-31T12:00:00"),
        Ok(1_769_860_800_000),
        "no offset is UTC"
    );
    for text in [
        "",
        "soon",
        "2026-01-31",
        "2026-02-30T00:00:00Z",
        "1769860800",
        "12:00:00Z",
    ] {
        assert_eq!(at(text), Err(NotATime::Unreadable), "{text}");
    }
    for text in [
        "1969-12-31T23:59:59Z",
        "+10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-02:00",
    ] {
        assert_eq!(at(text), Err(NotATime::OutOfRange), "{text}");
    }
}
