//! When a link asks, waits no longer or gives up, as a function of time.

use std::time::Duration;

use tokio::time::Instant;

/// The timers of a session (SMPP 5.0, 2.7; 3.4, 2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the connection to the bind.
    pub session_init: Duration,
    /// The peer has been silent for so long: it is asked whether it is there.
    pub enquire_link: Duration,
    /// Nothing has come for so long, whatever was asked: the session is over. Never shorter than
    /// [`Self::enquire_link`] and [`Self::response`] together.
    pub inactivity: Duration,
    /// A request of ours waits for its response.
    pub response: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            session_init: Duration::from_secs(10),
            enquire_link: Duration::from_secs(30),
            inactivity: Duration::from_secs(90),
            response: Duration::from_secs(10),
        }
    }
}

/// What time has made necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing until then.
    Nothing(Instant),
    /// Ask whether the peer is there.
    Enquire,
    /// It did not bind.
    NotBound,
    /// It is silent.
    Inactive,
}

/// What the timers are measured from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timers {
    limits: Limits,
    connected: Instant,
    heard: Instant,
    asked: Option<Instant>,
}

impl Timers {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            connected: now,
            heard: now,
            asked: None,
        }
    }

    /// Something has come.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
    }

    /// The peer was asked.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    pub(crate) fn due(&self, bound: Bound, now: Instant) -> Due {
        let Limits {
            session_init,
            enquire_link,
            inactivity,
            response,
        } = self.limits;
        if bound == Bound::NotYet {
            let until = self.connected + session_init;
            return if until <= now {
                Due::NotBound
            } else {
                Due::Nothing(until)
            };
        }
        let over = self.heard + inactivity.max(enquire_link + response);
        if over <= now {
            return Due::Inactive;
        }
        let ask = self.asked.unwrap_or(self.heard) + enquire_link;
        if ask <= now {
            Due::Enquire
        } else {
            Due::Nothing(ask.min(over))
        }
    }
}

/// Whether a session is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    NotYet,
    Yes,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 3.1 of the protocol's timers: 10 s to bind, 30 s of silence, 90 s and it is over.
    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_asked_and_then_left() {
        let start = Instant::now();
        let mut timers = Timers::new(Limits::default(), start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(timers.due(Bound::NotYet, at(9)), Due::Nothing(at(10)));
        assert_eq!(timers.due(Bound::NotYet, at(10)), Due::NotBound);
        timers.heard(at(5));
        assert_eq!(timers.due(Bound::Yes, at(34)), Due::Nothing(at(35)));
        assert_eq!(timers.due(Bound::Yes, at(35)), Due::Enquire);
        timers.asked(at(35));
        assert_eq!(timers.due(Bound::Yes, at(36)), Due::Nothing(at(65)));
        timers.asked(at(65));
        assert_eq!(timers.due(Bound::Yes, at(66)), Due::Nothing(at(95)));
        assert_eq!(timers.due(Bound::Yes, at(95)), Due::Inactive);
        timers.heard(at(66));
        assert_eq!(timers.due(Bound::Yes, at(95)), Due::Nothing(at(96)));
    }
}
