//! The figures of the CDR worker, under the names of S10.2.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use zajil_core::clock::Timestamp;

/// Counted by the worker, read by anybody.
#[derive(Debug, Default)]
pub struct Figures {
    total_enqueued: AtomicU64,
    total_flushed: AtomicU64,
    total_batches: AtomicU64,
    current_queue_size: AtomicU64,
    flush_errors: AtomicU64,
    total_put_aside: AtomicU64,
    last_flush_at: AtomicI64,
    last_flush_count: AtomicU64,
    last_flush_duration_ms: AtomicU64,
    streak: AtomicU32,
}

/// The figures of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Rows taken out of the outbox for writing since the start.
    pub total_enqueued: u64,
    /// Rows that the sink has taken.
    pub total_flushed: u64,
    /// Batches that the sink has taken.
    pub total_batches: u64,
    /// Rows that wait, as of the worker's last look.
    pub current_queue_size: u64,
    /// Failures to read or write a batch.
    pub flush_errors: u64,
    /// Rows that the sink refused for what they hold; they are among `total_flushed`.
    pub total_put_aside: u64,
    /// When a batch was written last.
    pub last_flush_at: Option<Timestamp>,
    /// How many rows it had.
    pub last_flush_count: u64,
    /// How long it took.
    pub last_flush_duration_ms: u64,
}

impl Figures {
    /// All of them. Each is exact; together they may be a batch apart.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let at = self.last_flush_at.load(Ordering::Relaxed);
        Snapshot {
            total_enqueued: self.total_enqueued.load(Ordering::Relaxed),
            total_flushed: self.total_flushed.load(Ordering::Relaxed),
            total_batches: self.total_batches.load(Ordering::Relaxed),
            current_queue_size: self.current_queue_size.load(Ordering::Relaxed),
            total_put_aside: self.total_put_aside.load(Ordering::Relaxed),
            flush_errors: self.flush_errors.load(Ordering::Relaxed),
            last_flush_at: (at > 0).then(|| Timestamp::from_millis(at)),
            last_flush_count: self.last_flush_count.load(Ordering::Relaxed),
            last_flush_duration_ms: self.last_flush_duration_ms.load(Ordering::Relaxed),
        }
    }

    pub(super) fn backlog(&self) -> u64 {
        self.current_queue_size.load(Ordering::Relaxed)
    }

    pub(super) fn set_backlog(&self, rows: u64) {
        self.current_queue_size.store(rows, Ordering::Relaxed);
    }

    pub(super) fn enqueued(&self, rows: usize) {
        self.total_enqueued
            .fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn put_aside(&self, rows: usize) {
        self.total_put_aside
            .fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// True when this success ends a streak of failures.
    pub(super) fn flushed(&self, rows: usize, at: Timestamp, took: Duration) -> bool {
        let rows = rows as u64;
        self.total_flushed.fetch_add(rows, Ordering::Relaxed);
        self.total_batches.fetch_add(1, Ordering::Relaxed);
        self.set_backlog(self.backlog().saturating_sub(rows));
        self.last_flush_at.store(at.millis(), Ordering::Relaxed);
        self.last_flush_count.store(rows, Ordering::Relaxed);
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.last_flush_duration_ms.store(took, Ordering::Relaxed);
        self.streak.swap(0, Ordering::Relaxed) > 0
    }

    /// How many failures there have been in a row, this one included.
    pub(super) fn failed(&self) -> u32 {
        self.flush_errors.fetch_add(1, Ordering::Relaxed);
        self.streak
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }
}
