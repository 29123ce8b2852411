//! Times on the wire: RFC 3339 in UTC with milliseconds.

use zajil_core::civil;
pub(crate) use zajil_core::civil::LENGTH;
use zajil_core::clock::Timestamp;

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
    civil::rfc3339(at)
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

#[cfg(test)]
mod tests;
