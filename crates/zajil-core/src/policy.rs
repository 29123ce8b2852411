//! What an operator has decided about a frontend: paused, and its own retry schedules (D10).

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::retry::schedule::{ErrorClass, Schedule};

/// A frontend that gets nothing for now; its messages keep their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Until when; until it is resumed without.
    pub until: Option<Timestamp>,
    /// Why, for whoever asks.
    pub reason: String,
}

/// What was decided about one frontend, registered or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The frontend.
    pub frontend: FrontendName,
    /// Whether it is paused.
    pub pause: Option<Pause>,
    /// Its own waits; those of its classes without stay.
    pub retry: BTreeMap<ErrorClass, Schedule>,
}

impl Policy {
    /// Nothing decided.
    #[must_use]
    pub fn new(frontend: FrontendName) -> Self {
        Self {
            frontend,
            pause: None,
            retry: BTreeMap::new(),
        }
    }

    /// Whether nothing is decided: then there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pause.is_none() && self.retry.is_empty()
    }

    /// The pause that holds now.
    #[must_use]
    pub fn paused(&self, now: Timestamp) -> Option<&Pause> {
        let pause = self.pause.as_ref()?;
        pause.until.is_none_or(|until| until > now).then_some(pause)
    }
}
