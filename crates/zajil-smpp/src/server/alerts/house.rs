//! What is too old is forgotten, and promises are counted: beside the alerts, not before them.

use zajil_store::Error;
use zajil_store::shelf::Kind;

use super::{KEPT, Promised, Server};

/// Looks between two purges, and counts of what is promised.
const PURGE_EVERY: u64 = 600;
/// So many records are purged at a time.
const PAGE: u32 = 1_000;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    PurgeAndCount,
    Count,
}

/// When what was begun last, in looks.
#[derive(Debug, Default)]
pub(super) struct House {
    purged: Option<u64>,
    counted: Option<u64>,
    is_to_read_again: bool,
}

impl House {
    /// What is due at this look, which is begun with that.
    pub(super) fn due(&mut self, look: u64, promised: &Promised) -> Option<Work> {
        let since = |last: Option<u64>| last.map_or(u64::MAX, |last| look.saturating_sub(last));
        let work = if since(self.purged) >= PURGE_EVERY {
            self.purged = Some(look);
            Work::PurgeAndCount
        } else if promised.wants_count(since(self.counted)) {
            Work::Count
        } else {
            return None;
        };
        self.counted = Some(look);
        Some(work)
    }

    /// A work has ended.
    pub(super) fn has_done(&mut self, work: Work) {
        self.is_to_read_again |= work == Work::PurgeAndCount;
    }

    /// Whether there was a purge since this was asked.
    pub(super) fn is_to_read_again(&mut self) -> bool {
        std::mem::take(&mut self.is_to_read_again)
    }
}

impl Server {
    /// Does a work; the store tells of its own troubles.
    pub(super) async fn keep_house(&self, work: Work) -> Work {
        let done = async {
            if work == Work::PurgeAndCount {
                self.forget().await?;
            }
            let now = self.parts.clock.now();
            self.promised.count(&*self.parts.store, now).await
        };
        drop(done.await);
        work
    }

    async fn forget(&self) -> Result<(), Error> {
        let before = self.parts.clock.now().minus(KEPT);
        for kind in [Kind::SmppWatch, Kind::SmppAlert] {
            loop {
                let purged = self.parts.store.purge_shelf(kind, before, PAGE).await?;
                if kind == Kind::SmppAlert {
                    let metrics = &self.parts.telemetry.metrics;
                    metrics.smpp_alerted("forgotten", purged);
                }
                if purged < u64::from(PAGE) {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_counts_too_and_is_followed_by_reading_again() {
        let (mut house, promised) = (House::default(), Promised::default());
        assert_eq!(house.due(0, &promised), Some(Work::PurgeAndCount));
        house.has_done(Work::PurgeAndCount);
        assert!(house.is_to_read_again() && !house.is_to_read_again());
        assert_eq!(house.due(PURGE_EVERY - 1, &promised), None);
        // The look at which it was due may be over by the time that the work before has ended.
        let late = PURGE_EVERY + 1;
        assert_eq!(house.due(late, &promised), Some(Work::PurgeAndCount));
        house.has_done(Work::Count);
        assert!(!house.is_to_read_again());
    }
}
