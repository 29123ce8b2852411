//! Time and chance as arguments: the instant type, and the two sources the shell passes in.

use std::fmt;
use std::time::Duration;

/// An instant in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Milliseconds are what the store, the API and the CDRs keep; finer parts do not exist here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant the system handles: 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The latest instant the system handles: 9999-12-31T23:59:59.999Z, the end of RFC 3339.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// From milliseconds since the epoch, clamped to the range RFC 3339 can print.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, Self::MAX.0))
    }

    /// From seconds since the epoch, clamped likewise.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This instant moved on by `by`; stops at [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// This instant moved back by `by`; stops at [`Timestamp::EPOCH`].
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(millis))
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t+{}.{:03}", self.secs(), self.0.rem_euclid(1_000))
    }
}

/// Where the shell takes the current instant from.
///
/// It may step back (an operator sets the clock): nothing may rely on two calls being ordered.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// Where the shell takes chance from.
pub trait Dice: Send + Sync + fmt::Debug {
    /// A number drawn evenly from all of `u64`.
    fn roll(&self) -> u64;
}
