//! Routes: which frontend gets a message, or what happens instead (S4).

use std::fmt;
use std::time::Duration;

use crate::frontend::FrontendName;

pub mod choose;
mod compiled;
mod index;
mod key;
mod places;
pub mod table;

/// The id of a route, given by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u64);

/// `source_type`: how the message came in (S4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceType {
    /// From an IMS subscriber.
    Ims,
    /// From a circuit-switched subscriber.
    CircuitSwitched,
    /// From an SMPP client.
    Smpp,
}

impl SourceType {
    /// Every source type, in the order of S4.1.
    pub const ALL: [Self; 3] = [Self::Ims, Self::CircuitSwitched, Self::Smpp];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ims => "IMS",
            Self::CircuitSwitched => "circuit_switched",
            Self::Smpp => "SMPP",
        }
    }

    /// The source type that `word` names, in either case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }
}

/// `charged`: whether a message on this route is charged (S7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charged {
    /// Always.
    Yes,
    /// Never.
    No,
    /// As `default_charging_enabled` says.
    AsConfigured,
}

impl Charged {
    /// Every value, in the order of S4.1.
    pub const ALL: [Self; 3] = [Self::Yes, Self::No, Self::AsConfigured];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::AsConfigured => "default",
        }
    }

    /// The value that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|charged| charged.as_str() == word)
    }
}

/// `priority` of a route or rule: 1–255, the lowest wins; 100 when none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

/// `weight`: 1–100, the share among equals; 100 when none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weight(u8);

/// A number out of its range. The sentence completes "`field` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an integer from 1 to {0}")]
pub struct OutOfRange(u8);

impl Priority {
    /// # Errors
    /// [`OutOfRange`] outside 1–255.
    pub fn new(value: i64) -> Result<Self, OutOfRange> {
        u8::try_from(value)
            .ok()
            .filter(|v| *v > 0)
            .map(Self)
            .ok_or(OutOfRange(255))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(100)
    }
}

impl Weight {
    /// # Errors
    /// [`OutOfRange`] outside 1–100.
    pub fn new(value: i64) -> Result<Self, OutOfRange> {
        let fits = u8::try_from(value).ok().filter(|v| (1..=100).contains(v));
        fits.map(Self).ok_or(OutOfRange(100))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(100)
    }
}

/// What a route does with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Hand it to this frontend.
    Deliver(FrontendName),
    /// Answer it with this text; with a frontend, deliver it as well (S4.3).
    AutoReply {
        /// `auto_reply_message`.
        text: String,
        /// `dest_smsc`, if the message is also delivered.
        deliver: Option<FrontendName>,
    },
    /// End it (S4.3).
    Drop,
}

impl Action {
    /// `dest_smsc`.
    #[must_use]
    pub fn dest_smsc(&self) -> Option<&FrontendName> {
        match self {
            Self::Deliver(name) => Some(name),
            Self::AutoReply { deliver, .. } => deliver.as_ref(),
            Self::Drop => None,
        }
    }
}

/// Who follows when the frontend of a route does not take a message (D12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followers {
    /// `fallback`: frontends in the order in which they have their turn; at most
    /// [`Followers::MOST`].
    pub to: Vec<FrontendName>,
    /// `fallback_after`: how long each has to take the message.
    pub after: Duration,
}

impl Followers {
    /// At most this many.
    pub const MOST: usize = 8;
    /// `fallback_after` in seconds: a shorter one would take messages away from a frontend that
    /// lists them without holding them, while it delivers.
    pub const AFTER: std::ops::RangeInclusive<u64> = 5..=86_400;
}

impl Default for Followers {
    /// Nobody; 60 s.
    fn default() -> Self {
        Self {
            to: Vec::new(),
            after: Duration::from_secs(60),
        }
    }
}

/// A route without its id, as an operator writes it (S4.1). `None` in a condition means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// `calling_prefix`.
    pub calling_prefix: Option<String>,
    /// `called_prefix`.
    pub called_prefix: Option<String>,
    /// `source_smsc`.
    pub source_smsc: Option<FrontendName>,
    /// `source_type`.
    pub source_type: Option<SourceType>,
    /// `enum_domain`: the result domain that an ENUM lookup must have given.
    pub enum_domain: Option<String>,
    /// `dest_smsc`, `auto_reply`, `auto_reply_message` and `drop` in one.
    pub action: Action,
    /// `fallback` and `fallback_after`; nobody where the action delivers to nobody.
    pub followers: Followers,
    /// `charged`.
    pub charged: Charged,
    /// `weight`.
    pub weight: Weight,
    /// `priority`.
    pub priority: Priority,
    /// `description`.
    pub description: Option<String>,
    /// `enabled`.
    pub enabled: bool,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `id`.
    pub id: RouteId,
    /// The rest.
    pub terms: Terms,
}

/// What the chooser needs to know of a message.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The sender, after translation.
    pub calling: &'a str,
    /// The destination, after translation.
    pub called: &'a str,
    /// `source_smsc`.
    pub source_smsc: Option<&'a str>,
    /// `source_type`.
    pub source_type: Option<SourceType>,
    /// The domain an ENUM lookup gave.
    pub enum_domain: Option<&'a str>,
    /// Whether auto-reply routes count: not for a message that is itself an auto-reply (S4.3).
    pub auto_reply_allowed: bool,
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
