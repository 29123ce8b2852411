//! Times on the wire: RFC 3339 in UTC with milliseconds, written by hand because every message
//! carries up to eight of them.

use zajil_core::clock::Timestamp;

/// The length of a written time.
pub(crate) const LENGTH: usize = 24;

/// A time that cannot be taken. The sentence completes "`field` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotATime {
    /// Not RFC 3339.
    Unreadable,
    /// Outside 1970 to 9999.
    OutOfRange,
}

impl NotATime {
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Unreadable => "must be an RFC 3339 time such as 2026-01-31T12:00:00Z",
            Self::OutOfRange => "must lie between the years 1970 and 9999",
        }
    }
}

/// Writes `at` as `2026-01-31T12:00:00.000Z`.
pub(crate) fn write(at: Timestamp) -> [u8; LENGTH] {
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

/// Reads an RFC 3339 time; one without an offset counts as UTC, as older clients mean it.
pub(crate) fn read(text: &str) -> Result<Timestamp, NotATime> {
    let millis = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.as_millisecond(),
        Err(_) => without_offset(text).ok_or_else(|| reason(text))?,
    };
    if !(0..=Timestamp::MAX.millis()).contains(&millis) {
        return Err(NotATime::OutOfRange);
    }
    Ok(Timestamp::from_millis(millis))
}

fn without_offset(text: &str) -> Option<i64> {
    // A date alone says no time of day.
    if text.len() < "2026-01-31T12:00".len() {
        return None;
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(at.timestamp().as_millisecond())
}

/// Years beyond four digits and times that an offset moves out of range read as such.
fn reason(text: &str) -> NotATime {
    let expanded = text.starts_with(['+', '-']) || text.starts_with("9999-12-31");
    if expanded {
        NotATime::OutOfRange
    } else {
        NotATime::Unreadable
    }
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

#[cfg(test)]
mod tests;
