//! Waits by the class of an error, with an operator's own for single frontends (D10).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{Attempt, backoff};
use crate::frontend::FrontendName;
use crate::id::MessageId;

/// Why an attempt failed, as far as it bears on when to try again. Permanent reasons are no class:
/// they end the message or give it to the next frontend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The subscriber cannot be reached: switched off, out of coverage.
    Absent,
    /// The handset has no room.
    MemoryFull,
    /// The subscriber is busy.
    Busy,
    /// Something on the way failed.
    Temporary,
    /// The frontend or what is behind it is overloaded: no attempt on the message itself.
    Congestion,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 5] = [
        Self::Absent,
        Self::MemoryFull,
        Self::Busy,
        Self::Temporary,
        Self::Congestion,
    ];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::MemoryFull => "memory_full",
            Self::Busy => "busy",
            Self::Temporary => "temporary",
            Self::Congestion => "congestion",
        }
    }

    /// The class that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }

    /// The waits after the first, second, … failed attempt, in seconds; the last one repeats.
    fn waits(self) -> &'static [u64] {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        match self {
            Self::Absent => &[
                5 * MINUTE,
                15 * MINUTE,
                30 * MINUTE,
                HOUR,
                2 * HOUR,
                4 * HOUR,
                6 * HOUR,
            ],
            Self::MemoryFull => &[10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR],
            Self::Busy => &[
                30,
                MINUTE,
                2 * MINUTE,
                5 * MINUTE,
                8 * MINUTE,
                16 * MINUTE,
                32 * MINUTE,
                HOUR,
            ],
            Self::Temporary => &[
                MINUTE,
                2 * MINUTE,
                4 * MINUTE,
                8 * MINUTE,
                16 * MINUTE,
                32 * MINUTE,
                HOUR,
            ],
            Self::Congestion => &[5],
        }
    }
}

/// An operator's own waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

/// Waits that make no schedule. The sentence completes "`field` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 32 waits in seconds, each from 1 to 604800")]
pub struct NotASchedule;

impl Schedule {
    /// The most waits.
    pub const MOST: usize = 32;
    /// The longest wait, in seconds.
    pub const LONGEST: u64 = 7 * 86_400;

    /// Waits in seconds; the last one repeats.
    ///
    /// # Errors
    /// [`NotASchedule`].
    pub fn new(seconds: &[u64]) -> Result<Self, NotASchedule> {
        let range = 1..=Self::LONGEST;
        let count = (1..=Self::MOST).contains(&seconds.len());
        if !count || seconds.iter().any(|wait| !range.contains(wait)) {
            return Err(NotASchedule);
        }
        Ok(Self(
            seconds.iter().copied().map(Duration::from_secs).collect(),
        ))
    }

    /// The waits.
    pub fn seconds(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(Duration::as_secs)
    }
}

/// The own waits of frontends, by class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedules(HashMap<FrontendName, BTreeMap<ErrorClass, Schedule>>);

impl Schedules {
    /// Those of these frontends.
    #[must_use]
    pub fn new(own: HashMap<FrontendName, BTreeMap<ErrorClass, Schedule>>) -> Self {
        Self(own)
    }

    /// The wait after a failed attempt of this class; without a class that of S3.2. The waits of
    /// [`ErrorClass::Temporary`] differ by up to a fifth between messages, so that many that failed
    /// together do not come back together.
    #[must_use]
    pub fn wait(
        &self,
        frontend: Option<&FrontendName>,
        class: Option<ErrorClass>,
        (failed, id): (Attempt, MessageId),
    ) -> Duration {
        let Some(class) = class else {
            return backoff(failed);
        };
        let nth = usize::try_from(failed.get().saturating_sub(1)).unwrap_or(usize::MAX);
        let own = frontend.and_then(|name| self.0.get(name)?.get(&class));
        if let Some(Schedule(waits)) = own {
            let wait = waits.get(nth).or(waits.last());
            return wait.copied().unwrap_or_else(|| backoff(failed));
        }
        let waits = class.waits();
        let seconds = waits.get(nth).or(waits.last()).copied().unwrap_or(60);
        let wait = Duration::from_secs(seconds);
        if class != ErrorClass::Temporary {
            return wait;
        }
        // A multiplicative hash: neighbouring ids are spread evenly.
        let spread = (id.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 401;
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis / 1_000 * (800 + spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> MessageId {
        MessageId::new(number).unwrap()
    }

    fn minutes(schedules: &Schedules, class: ErrorClass, frontend: &FrontendName) -> Vec<u64> {
        let wait = |n| {
            let wait = schedules.wait(Some(frontend), Some(class), (Attempt::new(n), id(7)));
            wait.as_secs() / 60
        };
        (1..=8).map(wait).collect()
    }

    #[test]
    fn d10_each_class_has_its_waits_and_a_frontend_may_have_its_own() {
        let (gw, other) = ["gw", "other"]
            .map(|name| FrontendName::parse(name).unwrap())
            .into();
        let own = Schedule::new(&[60, 600]).unwrap();
        let own = [(gw.clone(), [(ErrorClass::Absent, own)].into())].into();
        let schedules = Schedules::new(own);
        let absent = [5, 15, 30, 60, 120, 240, 360, 360];
        assert_eq!(minutes(&schedules, ErrorClass::Absent, &other), absent);
        let own = [1, 10, 10, 10, 10, 10, 10, 10];
        assert_eq!(minutes(&schedules, ErrorClass::Absent, &gw), own);
        let full = [10, 30, 60, 120, 360, 360, 360, 360];
        assert_eq!(minutes(&schedules, ErrorClass::MemoryFull, &gw), full);
        let busy = [0, 1, 2, 5, 8, 16, 32, 60];
        assert_eq!(minutes(&schedules, ErrorClass::Busy, &gw), busy);
        let third = (Attempt::new(3), id(1));
        let unclassed = schedules.wait(Some(&gw), None, third);
        assert_eq!(unclassed, backoff(Attempt::new(3)), "S3.2");
    }

    #[test]
    fn d10_messages_that_failed_together_do_not_come_back_together() {
        let schedules = Schedules::default();
        let wait = |number| {
            let failed = (Attempt::new(1), id(number));
            schedules.wait(None, Some(ErrorClass::Temporary), failed)
        };
        let waits: Vec<Duration> = (1..=1_000).map(wait).collect();
        let (low, high) = (Duration::from_secs(48), Duration::from_secs(72));
        assert!(waits.iter().all(|wait| (low..=high).contains(wait)));
        let early = waits.iter().filter(|wait| **wait < Duration::from_secs(60));
        assert!((400..600).contains(&early.count()));
    }

    #[test]
    fn schedules_are_checked() {
        assert_eq!(Schedule::new(&[]), Err(NotASchedule));
        assert_eq!(Schedule::new(&[0]), Err(NotASchedule));
        assert_eq!(Schedule::new(&[604_801]), Err(NotASchedule));
        assert_eq!(Schedule::new(&[1; 33]), Err(NotASchedule));
        assert!(Schedule::new(&[1; 32]).is_ok());
    }
}
