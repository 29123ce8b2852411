//! Instants as the date and time that databases keep, in UTC.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use zajil_core::clock::Timestamp;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The date and time of an instant.
pub(crate) fn civil(at: Timestamp) -> DateTime {
    // `Timestamp` ends with the year 9999, and so does jiff.
    EPOCH
        .checked_add(SignedDuration::from_millis(at.millis()))
        .unwrap_or(DateTime::MAX)
}

/// The instant of a date and time.
pub(crate) fn instant(at: DateTime) -> Timestamp {
    let millis = at.duration_since(EPOCH).as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instant_comes_back() {
        for millis in [0, 1, 1_709_210_096_007, Timestamp::MAX.millis()] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(instant(civil(at)), at);
        }
        assert_eq!(civil(Timestamp::MAX).to_string(), "9999-12-31T23:59:59.999");
    }
}
