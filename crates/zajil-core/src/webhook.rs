//! Subscriptions to events: what a receiver is told, where, and what became of it.

use std::fmt;

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::port::Answer;

/// What an operator says of a subscription; checked by whoever keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Where events are posted to: `https://…`, or `http://…` where that is allowed.
    pub url: String,
    /// The names of the events, of which there is at least one.
    pub events: Vec<String>,
    /// Only about this frontend, or messages from it or for it.
    pub frontend: Option<FrontendName>,
    /// Only about messages from this number or to it, in the form of [`crate::number::key`].
    pub number: Option<String>,
    /// Whether numbers are sent without their last four characters (S10.4).
    pub masked: bool,
    /// Whether events are sent at all; those of a time when they are not are never sent.
    pub enabled: bool,
    /// For people.
    pub description: Option<String>,
}

/// What changes of a subscription; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// [`Terms::url`].
    pub url: Option<String>,
    /// [`Terms::events`].
    pub events: Option<Vec<String>>,
    /// [`Terms::frontend`].
    pub frontend: Option<Option<FrontendName>>,
    /// [`Terms::number`].
    pub number: Option<Option<String>>,
    /// [`Terms::masked`].
    pub masked: Option<bool>,
    /// [`Terms::enabled`].
    pub enabled: Option<bool>,
    /// [`Terms::description`].
    pub description: Option<Option<String>>,
}

impl Terms {
    /// As they are after a change.
    #[must_use]
    pub fn after(self, change: Change) -> Self {
        Self {
            url: change.url.unwrap_or(self.url),
            events: change.events.unwrap_or(self.events),
            frontend: change.frontend.unwrap_or(self.frontend),
            number: change.number.unwrap_or(self.number),
            masked: change.masked.unwrap_or(self.masked),
            enabled: change.enabled.unwrap_or(self.enabled),
            description: change.description.unwrap_or(self.description),
        }
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: u64,
    /// What it is.
    pub terms: Terms,
    /// When it was made.
    pub inserted_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// How it goes, as far as this node knows.
    pub figures: Figures,
}

/// How a subscription goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Deliveries that wait to be tried again.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Failures in a row.
    pub failures: u32,
    /// Until when nothing is tried, after many failures in a row.
    pub resting_until: Option<Timestamp>,
    /// Why the last attempt failed, unless one has succeeded since.
    pub last_error: Option<String>,
}

/// What a receiver checks signatures with. Shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Its id.
    pub id: u64,
    /// The header `webhook-id` of all its attempts.
    pub webhook_id: String,
    /// The name of the event.
    pub event: String,
    /// The message that it is about.
    pub message_id: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it happened.
    pub born: Timestamp,
    /// Why the last attempt failed.
    pub last_error: String,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinged {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it counts as a failure, if it does.
    pub error: Option<String>,
    /// How long it took.
    pub took_ms: u64,
}

/// Keeps subscriptions and sends events to them.
pub trait Webhooks: Send + Sync + fmt::Debug {
    /// All subscriptions, by id.
    fn list(&self) -> Answer<'_, Vec<Webhook>>;

    /// One of them.
    ///
    /// # Errors
    /// `NotFound`.
    fn show(&self, id: u64) -> Answer<'_, Webhook>;

    /// Makes one: it is told what happens from now on.
    ///
    /// # Errors
    /// `Invalid` with the field and the rule; `Conflict` when there are as many as there may be.
    fn create(&self, terms: Terms) -> Answer<'_, (Webhook, Secret)>;

    /// Changes one.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`.
    fn change(&self, id: u64, change: Change) -> Answer<'_, Webhook>;

    /// Removes one, with all that waits for it.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove(&self, id: u64) -> Answer<'_, ()>;

    /// Makes a new secret. The former one signs too for a day.
    ///
    /// # Errors
    /// `NotFound`.
    fn rotate(&self, id: u64) -> Answer<'_, (Webhook, Secret)>;

    /// Sends a test event, once, and says what came of it.
    ///
    /// # Errors
    /// `NotFound`.
    fn ping(&self, id: u64) -> Answer<'_, Pinged>;

    /// The deliveries that were given up, newest first, from below the id `before` on.
    ///
    /// # Errors
    /// `NotFound`.
    fn dead(&self, id: u64, before: Option<u64>, limit: u32) -> Answer<'_, Vec<Dead>>;

    /// Tries deliveries that were given up anew: these, or all. Answers how many there were.
    ///
    /// # Errors
    /// `NotFound`.
    fn replay(&self, id: u64, deliveries: Option<Vec<u64>>) -> Answer<'_, u64>;
}
