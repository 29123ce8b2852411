//! Times as SMPP writes them: `YYMMDDhhmmsstnnp` (SMPP 5.0, 4.7.23; 3.4, 7.1.1).

use std::fmt;

use crate::civil::{self, DAY_MS};
use crate::text::Text;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const QUARTER_MS: i64 = 15 * MINUTE_MS;

/// A time of a `schedule_delivery_time`, `validity_period` or `final_date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Time {
    /// A point in time.
    Absolute(Absolute),
    /// So long after the message has come.
    Relative(Relative),
}

/// Local date and time with its distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Absolute {
    /// 0 to 99, of this century.
    year: u8,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    tenth: u8,
    /// Quarters of an hour before (negative: behind) UTC, at most 48 either way.
    quarters: i8,
}

/// Years, months, days, hours, minutes and seconds, each 0 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Relative {
    years: u8,
    months: u8,
    days: u8,
    hours: u8,
    minutes: u8,
    seconds: u8,
}

/// The octets are no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the form YYMMDDhhmmsstnnp")]
pub struct BadTime;

impl Time {
    /// Reads a field; nothing when it is empty. Some peers leave the end out (`YYMMDDhhmm` or with
    /// `ss`): that is UTC.
    ///
    /// # Errors
    /// [`BadTime`].
    pub fn parse(text: &Text) -> Result<Option<Self>, BadTime> {
        let octets: &[u8] = text.octets();
        if octets.is_empty() {
            return Ok(None);
        }
        let (digits, sign) = match octets {
            [digits @ .., sign @ (b'+' | b'-' | b'R')] if digits.len() == 15 => (digits, *sign),
            digits if matches!(digits.len(), 10 | 12) => (digits, b'+'),
            _ => return Err(BadTime),
        };
        let pair = |at: usize| -> Result<u8, BadTime> {
            match digits.get(at..at + 2) {
                Some(&[tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
                    Ok((tens - b'0') * 10 + (ones - b'0'))
                }
                Some(_) => Err(BadTime),
                None => Ok(0),
            }
        };
        let tenth = match digits.get(12) {
            Some(digit @ b'0'..=b'9') => digit - b'0',
            Some(_) => return Err(BadTime),
            None => 0,
        };
        let first: [u8; 6] = [pair(0)?, pair(2)?, pair(4)?, pair(6)?, pair(8)?, pair(10)?];
        let quarters = pair(13)?;
        match sign {
            b'R' => Ok(Some(Self::Relative(Relative::of(first)))),
            sign => Absolute::of(first, tenth, (sign, quarters))
                .map(|absolute| Some(Self::Absolute(absolute)))
                .ok_or(BadTime),
        }
    }

    /// When it is, in milliseconds since 1970 UTC, for a message that came at `now_ms`.
    #[must_use]
    pub fn resolve(&self, now_ms: i64) -> i64 {
        match self {
            Self::Absolute(absolute) => absolute.unix_ms(),
            Self::Relative(relative) => relative.after(now_ms),
        }
    }

    /// The point in time, in UTC, tenths of a second kept. Years outside 2000 to 2099 are cut.
    #[must_use]
    pub fn at(unix_ms: i64) -> Self {
        let unix_ms = unix_ms.clamp(
            civil::days(2000, 1, 1) * DAY_MS,
            civil::days(2100, 1, 1) * DAY_MS - 1,
        );
        let (year, month, day) = civil::date(unix_ms.div_euclid(DAY_MS));
        let rest = unix_ms.rem_euclid(DAY_MS);
        Self::Absolute(Absolute {
            year: civil::small(year - 2000),
            month,
            day,
            hour: civil::small(rest / HOUR_MS),
            minute: civil::small(rest / MINUTE_MS % 60),
            second: civil::small(rest / SECOND_MS % 60),
            tenth: civil::small(rest / 100 % 10),
            quarters: 0,
        })
    }

    /// As a field of a PDU.
    #[must_use]
    pub fn to_text(&self) -> Text {
        Text::checked(self.to_string().into())
    }
}

impl Absolute {
    fn of(first: [u8; 6], tenth: u8, (sign, quarters): (u8, u8)) -> Option<Self> {
        let [year, month, day, hour, minute, second] = first;
        let good = civil::is_date(2000 + i64::from(year), month, day)
            && hour < 24
            && minute < 60
            && second < 60
            && quarters <= 48;
        let quarters = i8::try_from(quarters).ok()?;
        good.then_some(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            tenth,
            quarters: if sign == b'-' { -quarters } else { quarters },
        })
    }

    fn unix_ms(&self) -> i64 {
        let days = civil::days(2000 + i64::from(self.year), self.month, self.day);
        days * DAY_MS
            + i64::from(self.hour) * HOUR_MS
            + i64::from(self.minute) * MINUTE_MS
            + i64::from(self.second) * SECOND_MS
            + i64::from(self.tenth) * 100
            - i64::from(self.quarters) * QUARTER_MS
    }
}

impl Relative {
    const fn of([years, months, days, hours, minutes, seconds]: [u8; 6]) -> Self {
        Self {
            years,
            months,
            days,
            hours,
            minutes,
            seconds,
        }
    }

    /// So long after a point in time: years and months by the calendar, a day that the month does
    /// not have becomes its last.
    fn after(&self, now_ms: i64) -> i64 {
        let (year, month, day) = civil::date(now_ms.div_euclid(DAY_MS));
        let months = i64::from(month) - 1 + i64::from(self.months);
        let year = year + i64::from(self.years) + months / 12;
        let month = civil::small(months % 12 + 1);
        let day = day.min(civil::month_length(year, month));
        (civil::days(year, month, day) + i64::from(self.days)) * DAY_MS
            + now_ms.rem_euclid(DAY_MS)
            + i64::from(self.hours) * HOUR_MS
            + i64::from(self.minutes) * MINUTE_MS
            + i64::from(self.seconds) * SECOND_MS
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(at) => {
                let sign = if at.quarters < 0 { '-' } else { '+' };
                write!(
                    out,
                    "{:02}{:02}{:02}{:02}{:02}{:02}{}{:02}{sign}",
                    at.year,
                    at.month,
                    at.day,
                    at.hour,
                    at.minute,
                    at.second,
                    at.tenth,
                    at.quarters.unsigned_abs()
                )
            }
            Self::Relative(after) => write!(
                out,
                "{:02}{:02}{:02}{:02}{:02}{:02}000R",
                after.years, after.months, after.days, after.hours, after.minutes, after.seconds
            ),
        }
    }
}

#[cfg(test)]
mod tests;
