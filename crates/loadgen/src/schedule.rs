//! When the next request is due, and from which moment its latency counts.
//!
//! With a rate the load is open: request n is due at `start + n / rate` whether or not the server
//! has kept up, and a late request's latency counts from the moment it was due. A slow server is
//! therefore not spared the requests it held up (no coordinated omission).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock;

/// The runtime's timer wakes up to this late by its own granularity; that is not the server's.
const TIMER_SLACK: Duration = Duration::from_millis(2);
/// Requests that were due in time are still sent so long after it; those later are given up.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How fast requests come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Each connection sends as soon as it has its answer.
    Max,
    /// So many in a second over all connections.
    PerSecond(f64),
}

/// When the load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Count(u64),
    Duration(Duration),
}

/// Hands out the requests of one run to all its connections.
#[derive(Debug)]
pub(crate) struct Schedule {
    start: Instant,
    rate: Rate,
    limit: Limit,
    issued: AtomicU64,
}

/// A request that will be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) number: u64,
    pub(crate) due: Instant,
}

/// The permission to send one request now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) number: u64,
    /// Latency counts from here.
    pub(crate) since: Instant,
    /// When it was really sent.
    pub(crate) sent: Instant,
}

impl Schedule {
    pub(crate) fn new(start: Instant, rate: Rate, limit: Limit) -> Self {
        Self {
            start,
            rate,
            limit,
            issued: AtomicU64::new(0),
        }
    }

    /// Waits until the next request is due; `None` when there is none left.
    pub(crate) async fn next(&self) -> Option<Ticket> {
        let claim = self.claim()?;
        if claim.due > clock::now() {
            tokio::time::sleep_until(claim.due.into()).await;
        }
        self.admit(claim.number, claim.due, clock::now())
    }

    /// Takes the next request, due at once or later; `None` when there is none left.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let due = self.due(number)?;
        Some(Claim { number, due })
    }

    /// When request `number` is due; `None` when it lies past the limit.
    fn due(&self, number: u64) -> Option<Instant> {
        let offset = match self.rate {
            Rate::Max => Duration::ZERO,
            Rate::PerSecond(rate) => Duration::from_secs_f64(precise(number) / rate),
        };
        let within = match self.limit {
            Limit::Count(count) => number < count,
            Limit::Duration(duration) => offset < duration,
        };
        within.then(|| self.start + offset)
    }

    /// The ticket for a request that is due, unless the time is up by `now`.
    pub(crate) fn admit(&self, number: u64, due: Instant, now: Instant) -> Option<Ticket> {
        let is_open = self.rate != Rate::Max;
        if let Limit::Duration(duration) = self.limit {
            let catch_up = if is_open { CATCH_UP } else { Duration::ZERO };
            if now >= self.start + duration + catch_up {
                return None;
            }
        }
        let held_up = is_open && now > due + TIMER_SLACK;
        Some(Ticket {
            number,
            since: if held_up { due } else { now },
            sent: now,
        })
    }

    /// Requests that the rate asks for within the limit; `None` when that depends on the server.
    pub(crate) fn planned(&self) -> Option<u64> {
        match (self.limit, self.rate) {
            (Limit::Count(count), _) => Some(count),
            (Limit::Duration(_), Rate::Max) => None,
            (Limit::Duration(duration), Rate::PerSecond(rate)) => {
                Some(whole(duration.as_secs_f64() * rate))
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "request numbers stay far below 2^53"
)]
fn precise(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive count far below 2^53; `as` saturates"
)]
fn whole(count: f64) -> u64 {
    count.ceil() as u64
}

#[cfg(test)]
mod tests;
