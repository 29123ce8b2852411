//! The true time of a run, and the clocks of nodes, which are wrong by as much as the run says.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::time::Instant;
use zajil_core::clock::{Clock, Timestamp};
use zajil_testkit::clock::FakeClock;

/// The paused clock of the runtime, as an instant of the year. The store's own clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrueTime(Instant);

impl TrueTime {
    /// The run begins now. Needs a running tokio runtime.
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_secs(FakeClock::START).plus(self.0.elapsed())
    }
}

/// The clock of a node.
#[derive(Debug)]
pub(crate) struct NodeClock {
    time: TrueTime,
    ahead_ms: AtomicI64,
}

impl NodeClock {
    pub(crate) fn new(time: TrueTime) -> Self {
        let ahead_ms = AtomicI64::new(0);
        Self { time, ahead_ms }
    }

    /// How far it is ahead of the true time from now on, in milliseconds; behind when negative.
    pub(crate) fn set_ahead(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        Timestamp::from_millis(self.time.now().millis().saturating_add(ahead))
    }
}
