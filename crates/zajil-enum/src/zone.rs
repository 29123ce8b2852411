//! The domains, each with its own breaker: one that does not answer is passed over for a while, and
//! the others are asked as before.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::breaker::{Breaker, Pass, Turn, Went};
use crate::options::Options;

/// One of `enum_domains`.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    breaker: Mutex<Breaker>,
}

/// Leave to ask under a domain once; its breaker hears of it however it ends.
#[derive(Debug)]
pub(crate) struct Leave<'a> {
    zone: &'a Zone,
    pass: Pass,
    went: Went,
}

impl Zone {
    /// All of them, in the order in which they are asked.
    pub(crate) fn all(options: &Options) -> Vec<Self> {
        let breaker = || {
            Breaker::new(
                options.breaker_failures,
                options.breaker_pause,
                options.breaker_longest_pause,
            )
        };
        let one = |name: &String| Self {
            name: name.clone(),
            breaker: Mutex::new(breaker()),
        };
        options.domains.iter().map(one).collect()
    }

    /// Leave to ask now; None while nobody is to.
    pub(crate) fn admit(&self, now: Instant) -> Option<Leave<'_>> {
        let pass = self.breaker().admit(now)?;
        Some(Leave {
            zone: self,
            pass,
            went: Went::Abandoned,
        })
    }

    /// Whether [`Zone::admit`] would say no.
    pub(crate) fn refuses(&self, now: Instant) -> bool {
        self.breaker().refuses(now)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// Says how it ended; dropped without, it was given up.
    pub(crate) fn ended(mut self, went: Went) {
        self.went = went;
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let turn = self
            .zone
            .breaker()
            .report(self.pass, self.went, Instant::now());
        let domain = &self.zone.name;
        match turn {
            Some(Turn::Opened(pause)) => {
                tracing::warn!(
                    domain,
                    ?pause,
                    "ENUM name servers do not answer; routing without this domain"
                );
            }
            Some(Turn::Closed) => tracing::info!(domain, "ENUM name servers answer again"),
            None => {}
        }
    }
}
