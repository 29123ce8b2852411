//! Times: TP-Service-Centre-Time-Stamp and TP-Discharge-Time (3GPP TS 23.040 9.2.3.11).

#[cfg(test)]
mod tests;

use crate::Error;

/// A time as it was written: seven octets of swapped digits, the last one the time zone.
///
/// Nothing is refused: the standard asks receivers to live with digits that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp(pub [u8; 7]);

/// A date and time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// The full year; only 1990 to 2089 can be written.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// The difference between local time and GMT, with its sign as it was written: "-0" exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Quarters of an hour, 0 to 79.
    pub quarters: u8,
    /// Whether local time is behind GMT.
    pub negative: bool,
}

impl Zone {
    /// GMT itself.
    pub const GMT: Self = Self {
        quarters: 0,
        negative: false,
    };

    /// The zone of a signed number of quarters of an hour.
    ///
    /// # Errors
    /// [`Error::Range`] beyond 79 quarters either way.
    pub fn from_quarters(quarters: i8) -> Result<Self, Error> {
        match quarters.unsigned_abs() {
            absolute @ 0..=79 => Ok(Self {
                quarters: absolute,
                negative: quarters < 0,
            }),
            _ => Err(Error::Range {
                field: "time zone",
                value: i64::from(quarters),
            }),
        }
    }

    /// The signed number of quarters of an hour.
    #[must_use]
    pub fn signed_quarters(self) -> i16 {
        let quarters = i16::from(self.quarters);
        if self.negative { -quarters } else { quarters }
    }
}

impl Timestamp {
    /// Writes a local time and its zone.
    ///
    /// # Errors
    /// [`Error::Range`] for a field that has no such value or a year that cannot be written.
    pub fn new(local: Civil, zone: Zone) -> Result<Self, Error> {
        if !(1990..=2089).contains(&local.year) {
            return Err(Error::Range {
                field: "year",
                value: i64::from(local.year),
            });
        }
        for (field, value, allowed) in [
            ("month", local.month, 1..=12),
            ("day", local.day, 1..=days_in_month(local.year, local.month)),
            ("hour", local.hour, 0..=23),
            ("minute", local.minute, 0..=59),
            ("second", local.second, 0..=59),
            ("time zone", zone.quarters, 0..=79),
        ] {
            if !allowed.contains(&value) {
                return Err(Error::Range {
                    field,
                    value: i64::from(value),
                });
            }
        }
        let year = u8::try_from(local.year % 100).unwrap_or(0);
        let fields = [
            year,
            local.month,
            local.day,
            local.hour,
            local.minute,
            local.second,
        ];
        let sign = if zone.negative { 0x08 } else { 0 };
        let [year, month, day, hour, minute, second] = fields.map(swapped);
        Ok(Self([
            year,
            month,
            day,
            hour,
            minute,
            second,
            swapped(zone.quarters) | sign,
        ]))
    }

    /// Writes the time that is `seconds` after 1970-01-01 00:00:00 GMT, as it is in `zone`.
    ///
    /// # Errors
    /// [`Error::Range`] for a year that cannot be written.
    pub fn from_unix(seconds: i64, zone: Zone) -> Result<Self, Error> {
        let refused = Error::Range {
            field: "time",
            value: seconds,
        };
        let local = seconds
            .checked_add(i64::from(zone.signed_quarters()) * 900)
            .and_then(civil)
            .ok_or(refused)?;
        Self::new(local, zone)
    }

    /// The local time. Digits that are none count as 0, fields out of range stay as they are.
    #[must_use]
    pub fn local(&self) -> Civil {
        let [year, month, day, hour, minute, second, _] = self.0;
        let year = u16::from(number(year));
        Civil {
            year: if year < 90 { 2000 + year } else { 1900 + year },
            month: number(month),
            day: number(day),
            hour: number(hour),
            minute: number(minute),
            second: number(second),
        }
    }

    /// The time zone: bit 3 is the sign (3GPP TS 23.040 9.2.3.11).
    #[must_use]
    pub fn zone(&self) -> Zone {
        let [.., zone] = self.0;
        Zone {
            quarters: number(zone & 0xF7),
            negative: zone & 0x08 != 0,
        }
    }

    /// Seconds after 1970-01-01 00:00:00 GMT; `None` if there is no such date or time.
    #[must_use]
    pub fn unix_seconds(&self) -> Option<i64> {
        let local = self.local();
        let is_date = (1..=12).contains(&local.month)
            && (1..=days_in_month(local.year, local.month)).contains(&local.day);
        if !is_date || local.hour > 23 || local.minute > 59 || local.second > 59 {
            return None;
        }
        let clock = i64::from(local.hour) * 3600 + i64::from(local.minute) * 60;
        let zone = i64::from(self.zone().signed_quarters()) * 900;
        Some(days_before(local) * 86_400 + clock + i64::from(local.second) - zone)
    }
}

/// Two decimal digits, the tens in the low half of the octet.
const fn swapped(number: u8) -> u8 {
    ((number % 10) << 4) | (number / 10)
}

/// The number that two swapped digits write.
pub(crate) const fn number(octet: u8) -> u8 {
    let (tens, ones) = (octet & 0x0F, octet >> 4);
    let tens = if tens > 9 { 0 } else { tens };
    let ones = if ones > 9 { 0 } else { ones };
    tens * 10 + ones
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn is_leap_year(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from 1970-01-01 to `date` in the Gregorian calendar.
fn days_before(date: Civil) -> i64 {
    let years: i64 = (1970..date.year).map(days_in_year).sum();
    let months: i64 = (1..date.month)
        .map(|month| i64::from(days_in_month(date.year, month)))
        .sum();
    years + months + i64::from(date.day) - 1
}

fn days_in_year(year: u16) -> i64 {
    337 + i64::from(days_in_month(year, 2))
}

fn civil(seconds: i64) -> Option<Civil> {
    let mut days = seconds.div_euclid(86_400);
    let clock = seconds.rem_euclid(86_400);
    if !(0..=366 * 130).contains(&days) {
        return None;
    }
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= i64::from(days_in_month(year, month)) {
        days -= i64::from(days_in_month(year, month));
        month += 1;
    }
    let small = |number: i64| u8::try_from(number).ok();
    Some(Civil {
        year,
        month,
        day: small(days + 1)?,
        hour: small(clock / 3600)?,
        minute: small(clock / 60 % 60)?,
        second: small(clock % 60)?,
    })
}
