//! Why a message is where it is, in sentences (S14.4): facts in, findings out.
//!
//! The first finding is the answer; what follows is what else an operator needs to know. Sentences
//! hold no text of a message and no number of a person.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::Event;
use crate::frontend::{FrontendName, Presence};
use crate::id::MessageId;
use crate::location::Location;
use crate::message::{Life, Message};
use crate::policy::Pause;
use crate::port::Outcome;

mod code;
mod ended;
mod gone;
mod log;
mod pending;
mod words;

pub use code::Code;

/// One thing that is so, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable word for it.
    pub code: Code,
    /// What is so.
    pub sentence: String,
    /// What an operator can do, where something can be done.
    pub remedy: Option<String>,
}

impl Finding {
    fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
            remedy: None,
        }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.sentence)?;
        match &self.remedy {
            Some(remedy) => write!(f, " -> {remedy}"),
            None => Ok(()),
        }
    }
}

/// How long this node keeps what it would answer from (S8, S9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// `message_retention_hours`.
    pub messages: Duration,
    /// `event_ttl_days`.
    pub events: Duration,
    /// `cdr_enabled`.
    pub cdrs: bool,
}

/// What is offered to the frontend of a message before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Nothing: it is the next one.
    First,
    /// Another one, due since then.
    Behind(Timestamp),
    /// Nobody has looked.
    Unknown,
}

/// Where the CDR of an ended message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CdrState {
    /// In the outbox, with so many others.
    Waits(u64),
    /// Out of the outbox.
    Written,
    /// Nobody has looked.
    Unknown,
}

/// All that is known of a message that is here.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Now.
    pub now: Timestamp,
    /// The message.
    pub message: &'a Message,
    /// Its log; empty once its time is over.
    pub events: &'a [Event],
    /// The location of its destination.
    pub location: Option<&'a Location>,
    /// The latest stretch of frontends, those that it names among them.
    pub frontends: &'a [Presence],
    /// Why the frontend that has it gets nothing now, if so.
    pub pause: Option<&'a Pause>,
    /// What its frontend gets first.
    pub line: Line,
    /// What the routes of today would make of it; none when that says nothing about it.
    pub routes_today: Option<&'a [Outcome]>,
    /// Where its CDR is.
    pub cdr: CdrState,
    /// How long things are kept.
    pub kept: Kept,
}

impl Facts<'_> {
    /// The frontend that a live location names.
    fn serving(&self) -> Option<&FrontendName> {
        self.location
            .and_then(|location| location.serving(self.now))
    }
}

/// All that is known of a message that is not here.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'a> {
    /// Now.
    pub now: Timestamp,
    /// The id that was asked for.
    pub id: MessageId,
    /// What its log still says.
    pub events: &'a [Event],
    /// How long things are kept.
    pub kept: Kept,
}

/// Why the message is where it is. Never empty.
#[must_use]
pub fn explain(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = match &facts.message.life {
        Life::Charging { until, on_failure } => pending::charging(facts, *until, *on_failure),
        Life::Pending { leased_until } => pending::pending(facts, *leased_until),
        Life::Ended(ending) => ended::ended(facts, ending),
    };
    findings.extend(log::remarks(facts));
    findings
}

/// Why there is no such message. Never empty.
#[must_use]
pub fn explain_missing(missing: &Missing<'_>) -> Vec<Finding> {
    gone::missing(missing)
}

#[cfg(test)]
mod tests;
