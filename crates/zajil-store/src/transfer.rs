//! Moving everything that a store holds to another one, row by row (ADR: moving between stores).
//!
//! Both stores keep the same facts in tables of their own. What is carried is neither's: rows of a
//! [`Table`], in the order of their keys, with the same values whichever store they were read from.
//! So the rows of two stores can be compared, and a store that has been filled is the one that it
//! was filled from.
//!
//! Nothing works on either store meanwhile: a [`Port`] holds it, and a [`Mark`] keeps nodes from
//! starting on half of the data, or on data that have moved on.

use std::fmt;

use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::frontend::FrontendName;

use crate::contract::Reply;
use crate::record;

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number, an instant in milliseconds since 1970, or 0 and 1 for no and yes.
    Int(i64),
    /// A text.
    Text(String),
    /// Octets.
    Bytes(Vec<u8>),
}

/// A row: a value for each column, the key first.
pub type Row = Vec<Value>;

/// What columns hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// [`Value::Int`], or nothing.
    Int,
    /// [`Value::Text`], or nothing.
    Text,
    /// [`Value::Bytes`], or nothing.
    Bytes,
}

/// What is carried, in this order: what decides about messages before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// How far numbers have come, so that none is given twice: see [`Counter`].
    Counter,
    /// How far the ids and revisions of each kind on the shelf have come.
    ShelfKind,
    /// The shelf.
    Shelf,
    /// What operators have decided about frontends.
    Policy,
    /// Routes.
    Route,
    /// Translation rules.
    Rule,
    /// Where subscribers are. `serves_until` is there while the location decides;
    /// [`Timestamp::MAX`] when it has no end.
    Location,
    /// Stretches of frontends.
    Frontend,
    /// Messages in every state, with their logs and leases: see [`message_row`].
    Message,
    /// The messages that are parts of a text.
    Part,
    /// The logs of messages that have left.
    Log,
    /// Fingerprints and idempotency keys.
    Key,
    /// Prices to be given back.
    Refund,
    /// Receipts that applications are owed. One that is being sent is due when its time is over.
    Receipt,
    /// Parts that carriers took and have not told the end of.
    Awaited,
}

use Form::{Bytes, Int, Text};

impl Table {
    /// Every table, in the order in which they are carried.
    pub const ALL: [Self; 15] = [
        Self::Counter,
        Self::ShelfKind,
        Self::Shelf,
        Self::Policy,
        Self::Route,
        Self::Rule,
        Self::Location,
        Self::Frontend,
        Self::Message,
        Self::Part,
        Self::Log,
        Self::Key,
        Self::Refund,
        Self::Receipt,
        Self::Awaited,
    ];

    /// The name in reports and marks.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::ShelfKind => "shelf_kind",
            Self::Shelf => "shelf",
            Self::Policy => "policy",
            Self::Route => "route",
            Self::Rule => "rule",
            Self::Location => "location",
            Self::Frontend => "frontend",
            Self::Message => "message",
            Self::Part => "part",
            Self::Log => "log",
            Self::Key => "key",
            Self::Refund => "refund",
            Self::Receipt => "receipt",
            Self::Awaited => "awaited",
        }
    }

    /// The columns of its rows.
    #[must_use]
    pub const fn columns(self) -> &'static [(&'static str, Form)] {
        match self {
            Self::Counter => &[("name", Text), ("value", Int)],
            Self::ShelfKind => &[("kind", Text), ("last_id", Int), ("revision", Int)],
            Self::Shelf => &[
                ("kind", Text),
                ("id", Int),
                ("name", Text),
                ("revision", Int),
                ("added_at", Int),
                ("written_at", Int),
                ("body", Text),
            ],
            Self::Policy => &[("frontend", Text), ("record", Text)],
            Self::Route | Self::Rule => &[("id", Int), ("record", Text)],
            Self::Location => &[
                ("id", Int),
                ("imsi", Text),
                ("number", Text),
                ("updated_at", Int),
                ("serves_until", Int),
                ("record", Text),
            ],
            Self::Frontend => &[
                ("id", Int),
                ("name", Text),
                ("expires_at", Int),
                ("swept", Int),
                ("registrations", Int),
                ("record", Text),
            ],
            Self::Message => message::COLUMNS,
            Self::Part => &[("id", Int), ("key", Text), ("at", Int)],
            Self::Log => &[("id", Int), ("newest", Int), ("events", Text)],
            Self::Key => &[
                ("key", Bytes),
                ("body", Bytes),
                ("message_id", Int),
                ("until", Int),
            ],
            Self::Refund => &[
                ("id", Int),
                ("begun", Int),
                ("next_try", Int),
                ("record", Text),
            ],
            Self::Receipt => &[
                ("seq", Int),
                ("message_id", Int),
                ("account", Text),
                ("due", Int),
                ("made_at", Int),
                ("tries", Int),
                ("record", Text),
            ],
            Self::Awaited => &[
                ("carrier", Text),
                ("id", Text),
                ("message_id", Int),
                ("tail", Text),
                ("taken_at", Int),
                ("until", Int),
                ("parts", Int),
                ("delivered", Int),
            ],
        }
    }

    /// How many of its columns are the key.
    #[must_use]
    pub const fn key_columns(self) -> usize {
        match self {
            Self::Shelf | Self::Awaited => 2,
            _ => 1,
        }
    }

    /// The key of a row.
    #[must_use]
    pub fn key(self, row: &Row) -> Row {
        row.iter().take(self.key_columns()).cloned().collect()
    }

    /// Below every key.
    #[must_use]
    pub fn start(self) -> Row {
        let keys = self.columns().iter().take(self.key_columns());
        keys.map(|(_, form)| match form {
            Form::Int => Value::Int(i64::MIN),
            Form::Text => Value::Text(String::new()),
            Form::Bytes => Value::Bytes(Vec::new()),
        })
        .collect()
    }

    /// How many rows are read and written at once: they are held in memory.
    #[must_use]
    pub const fn at_once(self) -> u32 {
        match self {
            // A body has up to a MiB.
            Self::Shelf => 50,
            _ => 1_000,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The counters that there are; one that has not begun to count is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// The highest id that may have been told to a client.
    Highest,
    /// The place of the last ending.
    Outbox,
    /// The version of the routing tables.
    Routing,
    /// The last id of a location.
    Location,
    /// The last id of a stretch of a frontend.
    Frontend,
    /// The last id of a route.
    Route,
    /// The last id of a rule.
    Rule,
    /// The last place of a receipt.
    Receipt,
}

impl Counter {
    /// All, by name.
    pub const ALL: [Self; 8] = [
        Self::Frontend,
        Self::Highest,
        Self::Location,
        Self::Outbox,
        Self::Receipt,
        Self::Route,
        Self::Routing,
        Self::Rule,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Highest => "highest",
            Self::Outbox => "outbox",
            Self::Routing => "routing",
            Self::Location => "location",
            Self::Frontend => "frontend",
            Self::Route => "route",
            Self::Rule => "rule",
            Self::Receipt => "receipt",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counter| counter.name() == name)
    }
}

/// A store that is open for nothing but moving; no node has it, and none gets it meanwhile.
pub trait Port: Send + fmt::Debug {
    /// Where it is, without passwords.
    fn place(&self) -> String;

    /// The mark that it has.
    fn mark(&mut self) -> Reply<'_, Option<Mark>>;

    /// Gives it this mark, or none.
    fn set_mark(&mut self, mark: Option<Mark>) -> Reply<'_, ()>;

    /// The rows of a table behind a key, in the order of keys (octet by octet), at most `limit`. An
    /// empty answer is the end; a short one need not be.
    fn rows(&mut self, table: Table, after: Row, limit: u32) -> Reply<'_, Vec<Row>>;

    /// Adds rows, all or none, and sets the mark in the same transaction. The rows are new; what
    /// they need (names of queues, days) is made.
    fn put(&mut self, table: Table, rows: Vec<Row>, mark: Mark) -> Reply<'_, ()>;
}

pub mod carry;
mod mark;
mod message;

pub use mark::{Mark, Role};
pub use message::{Ended, MessageRow, message_row, read_message_row};

/// How a log is carried, and the instant of its latest line (0 without any).
#[must_use]
pub fn log_values(events: &[Event]) -> (Value, Value) {
    let newest = events.iter().map(|event| event.at.millis()).max();
    (
        Value::Int(newest.unwrap_or(0)),
        Value::Text(record::encode_events(events)),
    )
}

impl From<Option<&FrontendName>> for Value {
    fn from(name: Option<&FrontendName>) -> Self {
        name.map_or(Self::Null, |name| Self::Text(name.as_str().to_owned()))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Null, Self::from)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.millis())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Self {
        Self::Int(is_so.into())
    }
}
