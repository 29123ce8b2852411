//! Stops asking name servers that do not answer, and finds out when they do again.

use std::time::Duration;

use tokio::time::Instant;

/// After some failures in a row, nobody is let through for a pause; then one is, as a probe. When
/// that fails too, the pause doubles.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    most_failures: u32,
    first_pause: Duration,
    longest_pause: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    Probing { pause: Duration },
}

/// A look-up that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Free,
    Probe,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Went {
    Answered,
    Failed,
    /// Given up by its callers: says nothing of the servers.
    Abandoned,
}

/// What a report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Opened(Duration),
    Closed,
}

impl Breaker {
    pub(crate) fn new(most_failures: u32, first_pause: Duration, longest: Duration) -> Self {
        Self {
            state: State::Closed { failures: 0 },
            most_failures,
            first_pause,
            longest_pause: longest.max(first_pause),
        }
    }

    /// Whether to ask now; None while it is open.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<Pass> {
        match self.state {
            State::Closed { .. } => Some(Pass::Free),
            State::Open { until, pause } if now >= until => {
                self.state = State::Probing { pause };
                Some(Pass::Probe)
            }
            State::Open { .. } | State::Probing { .. } => None,
        }
    }

    /// Whether [`Breaker::admit`] would say no.
    pub(crate) fn refuses(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => false,
            State::Open { until, .. } => now < until,
            State::Probing { .. } => true,
        }
    }

    /// Takes the outcome of a look-up that was let through.
    pub(crate) fn report(&mut self, pass: Pass, went: Went, now: Instant) -> Option<Turn> {
        match (self.state, pass, went) {
            // Whoever is answered, even a straggler, knows that the servers are there.
            (state, _, Went::Answered) => {
                self.state = State::Closed { failures: 0 };
                (!matches!(state, State::Closed { .. })).then_some(Turn::Closed)
            }
            (State::Closed { failures }, _, Went::Failed) => {
                let failures = failures + 1;
                self.state = State::Closed { failures };
                (failures >= self.most_failures).then(|| self.open(self.first_pause, now))
            }
            (State::Probing { pause }, Pass::Probe, Went::Failed) => {
                Some(self.open((pause * 2).min(self.longest_pause), now))
            }
            // The next caller probes instead.
            (State::Probing { pause }, Pass::Probe, Went::Abandoned) => {
                self.state = State::Open { until: now, pause };
                None
            }
            // Stragglers from before it opened.
            (State::Open { .. } | State::Probing { .. }, _, Went::Failed)
            | (_, _, Went::Abandoned) => None,
        }
    }

    fn open(&mut self, pause: Duration, now: Instant) -> Turn {
        let until = now + pause;
        self.state = State::Open { until, pause };
        Turn::Opened(pause)
    }
}

#[cfg(test)]
mod tests;
