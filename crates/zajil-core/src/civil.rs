//! Instants as people and RFC 3339 write them: UTC, with milliseconds, by hand because every
//! message on the wire carries up to eight of them.

use crate::clock::Timestamp;

/// The length of a written time.
pub const LENGTH: usize = 24;

/// Writes `at` as `2026-01-31T12:00:00.000Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> [u8; LENGTH] {
    let millis = at.millis();
    let (day, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, date) = civil(day);
    let mut out = *b"0000-00-00T00:00:00.000Z";
    put(&mut out, 0, 4, year);
    put(&mut out, 5, 2, month);
    put(&mut out, 8, 2, date);
    put(&mut out, 11, 2, rest / 3_600_000);
    put(&mut out, 14, 2, rest / 60_000 % 60);
    put(&mut out, 17, 2, rest / 1_000 % 60);
    put(&mut out, 20, 3, rest % 1_000);
    out
}

/// The same to the second, for sentences: `2026-01-31T12:00:00Z`.
#[must_use]
pub fn to_the_second(at: Timestamp) -> String {
    let written = rfc3339(at);
    let kept = written.iter().take("2026-01-31T12:00:00".len());
    let mut text: String = kept.map(|byte| char::from(*byte)).collect();
    text.push('Z');
    text
}

/// Year, month and day of a day since 1970-01-01 (the days of 400 years repeat; years start in
/// March so that the leap day is the last).
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year + i64::from(month <= 2), month, date)
}

fn put(out: &mut [u8; LENGTH], at: usize, digits: usize, mut value: i64) {
    for slot in out.iter_mut().skip(at).take(digits).rev() {
        *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}
