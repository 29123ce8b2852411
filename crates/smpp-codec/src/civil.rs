//! Days and dates of the Gregorian calendar, in UTC.

pub(crate) const DAY_MS: i64 = 86_400_000;

/// Days from 1970-01-01 to a date; months 1 to 12, days of the month from 1.
pub(crate) fn days(year: i64, month: u8, day: u8) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = (i64::from(month) + 9).rem_euclid(12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date (year, month, day of the month) so many days after 1970-01-01.
pub(crate) fn date(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, small(month), small(day))
}

pub(crate) fn is_date(year: i64, month: u8, day: u8) -> bool {
    (1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day)
}

/// How many days a month has, 28 to 31.
pub(crate) fn month_length(year: i64, month: u8) -> u8 {
    let (next_year, next) = if month >= 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    small(days(next_year, next, 1) - days(year, month, 1))
}

/// What is known to be 0 to 99.
pub(crate) fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_four_centuries_are_counted_one_by_one() {
        let mut expected = (1900, 1, 1);
        for number in days(1900, 1, 1)..days(2300, 1, 1) {
            assert_eq!(date(number), expected);
            let (year, month, day) = expected;
            assert_eq!(days(year, month, day), number);
            expected = match (month, day == month_length(year, month)) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                (_, false) => (year, month, day + 1),
            };
        }
        assert_eq!(days(2000, 3, 1), 11_017);
    }
}
