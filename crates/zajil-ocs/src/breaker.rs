//! When to stop asking a charging system that does not answer, and when to ask again.
//!
//! Open, no call is sent. When the pause is over, one call probes first; what it learns is for all.
//! A probe that works closes the breaker on trial: one more failure opens it for twice as long,
//! since a system may answer probes and still not charge. An answer to a call ends the trial.

use std::time::Duration;

use tokio::time::Instant;

use crate::options;

#[derive(Debug)]
pub(crate) struct Breaker {
    options: options::Breaker,
    state: State,
    /// How long it stays open the next time.
    pause: Duration,
}

#[derive(Debug)]
enum State {
    /// Calls pass; so many failed in a row.
    Closed { failures: u32 },
    /// No call passes before this; why it opened.
    Open { until: Instant, why: String },
    /// A probe is under way; were it forgotten, another may be sent after this.
    Probing { until: Instant, why: String },
}

/// What a call may do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Pass,
    /// Pass, if a probe works.
    Probe,
    /// Not now, because of this.
    Refuse(String),
}

/// Whether what was learnt changes what others may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    Usable,
    Unusable,
}

impl Breaker {
    pub(crate) fn new(options: options::Breaker) -> Self {
        Self {
            options,
            state: State::Closed { failures: 0 },
            pause: options.shortest,
        }
    }

    /// Asks for a call; a probe must have told its end within `patience`.
    pub(crate) fn admit(&mut self, now: Instant, patience: Duration) -> Admission {
        match &self.state {
            State::Closed { .. } => Admission::Pass,
            State::Open { until, why } | State::Probing { until, why } if now < *until => {
                Admission::Refuse(why.clone())
            }
            State::Open { why, .. } | State::Probing { why, .. } => {
                let why = why.clone();
                let until = now + patience;
                self.state = State::Probing { until, why };
                Admission::Probe
            }
        }
    }

    /// Why a call would be refused now, if it would.
    pub(crate) fn refuses(&self, now: Instant) -> Option<&str> {
        match &self.state {
            State::Open { until, why } | State::Probing { until, why } if now < *until => Some(why),
            State::Open { .. } | State::Probing { .. } | State::Closed { .. } => None,
        }
    }

    /// A probe worked.
    pub(crate) fn probed(&mut self) -> Option<Turned> {
        let trial = self.options.failures.saturating_sub(1);
        match self.state {
            State::Closed { .. } => None,
            State::Open { .. } | State::Probing { .. } => {
                self.state = State::Closed { failures: trial };
                Some(Turned::Usable)
            }
        }
    }

    /// The caller of a probe gave up before its end: the next call probes.
    pub(crate) fn abandoned(&mut self, now: Instant) {
        if let State::Probing { why, .. } = &mut self.state {
            let why = std::mem::take(why);
            self.state = State::Open { until: now, why };
        }
    }

    /// A call was answered.
    pub(crate) fn worked(&mut self) -> Option<Turned> {
        self.pause = self.options.shortest;
        let before = std::mem::replace(&mut self.state, State::Closed { failures: 0 });
        match before {
            State::Closed { .. } => None,
            State::Open { .. } | State::Probing { .. } => Some(Turned::Usable),
        }
    }

    /// A call or a probe was not answered.
    pub(crate) fn failed(&mut self, now: Instant, why: &str) -> Option<Turned> {
        match &mut self.state {
            State::Closed { failures } => {
                *failures = failures.saturating_add(1);
                if *failures < self.options.failures {
                    return None;
                }
                self.open(now, why);
                Some(Turned::Unusable)
            }
            // A call of before that ended late says nothing new, but it may come between a probe
            // and its end; then the probe's own end sets it right.
            State::Open { .. } => None,
            State::Probing { .. } => {
                self.open(now, why);
                None
            }
        }
    }

    fn open(&mut self, now: Instant, why: &str) {
        let until = now + self.pause;
        let why = why.to_owned();
        self.state = State::Open { until, why };
        self.pause = self.pause.saturating_mul(2).min(self.options.longest);
    }
}

#[cfg(test)]
mod tests;
