//! Times that peers write, and what they mean.

use super::*;

fn parse(text: &'static str) -> Result<Option<Time>, BadTime> {
    Time::parse(&Text::new(text).unwrap())
}

/// 2026-11-27T00:00:00Z.
const NOW: i64 = 1_795_737_600_000;

#[test]
fn absolute_times_are_points_in_time() {
    for (text, unix_ms) in [
        ("700101000000000+", 3_155_760_000_000),
        ("261127000000000+", NOW),
        ("261127013000006+", NOW),
        ("261126223000006-", NOW),
        ("261127000000700+", NOW + 700),
        ("2611270000", NOW),
        ("261127000059", NOW + 59_000),
        ("150203040506708+", 1_422_929_106_700),
    ] {
        let time = parse(text).unwrap().unwrap();
        assert_eq!(time.resolve(0), unix_ms, "{text}");
    }
}

#[test]
fn relative_times_follow_the_calendar() {
    let day = 86_400_000;
    for (text, after) in [
        ("000000000010000R", 10_000),
        ("000001000000000R", day),
        ("000100000000000R", 30 * day),
        ("000300000000000R", (30 + 31 + 31 + 28 - 28) * day),
        ("010000000000000R", 365 * day),
        ("000000010000000R", 3_600_000),
    ] {
        let time = parse(text).unwrap().unwrap();
        let expected = match text {
            // 27 November and three months is 27 February.
            "000300000000000R" => 92 * day,
            _ => after,
        };
        assert_eq!(time.resolve(NOW), NOW + expected, "{text}");
        assert_eq!(time.to_string(), text);
    }
    // 31 January and a month: February has no such day.
    let january = civil::days(2027, 1, 31) * day;
    let february = civil::days(2027, 2, 28) * day;
    let month = parse("000100000000000R").unwrap().unwrap();
    assert_eq!(month.resolve(january), february);
}

#[test]
fn what_is_no_time_is_refused() {
    assert_eq!(parse(""), Ok(None));
    for text in [
        "261327000000000+",
        "261132000000000+",
        "270229000000000+",
        "261127240000000+",
        "261127006000000+",
        "261127000060000+",
        "261127000000049+",
        "26112700000000++",
        "2611270000000 0+",
        "261127000000000Z",
        "261127",
        "tomorrow",
        "0000000000100000R",
    ] {
        assert_eq!(parse(text), Err(BadTime), "{text}");
    }
}

#[test]
fn points_in_time_are_written_in_utc() {
    assert_eq!(Time::at(NOW + 1_234).to_string(), "261127000001200+");
    assert_eq!(Time::at(i64::MIN).to_string(), "000101000000000+");
    assert_eq!(Time::at(i64::MAX).to_string(), "991231235959900+");
    for unix_ms in (0..500).map(|step| NOW + step * 77_777_700) {
        let text = Time::at(unix_ms).to_text();
        let again = Time::parse(&text).unwrap().unwrap();
        assert_eq!(again.resolve(0), unix_ms);
    }
}
