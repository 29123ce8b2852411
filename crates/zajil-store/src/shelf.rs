//! The shelf: small records that people and doors keep in the store, and that no rule of it reads.
//!
//! API keys, subscriptions, SMPP accounts, multimedia messages and the audit log have little in
//! common but this: a few to some millions, read by id or name or page by page, changed one by one,
//! their form owned by who writes them. One table serves them all. What a record says is the
//! writer's: text (JSON by custom) that carries its own version.
//!
//! What is asked per message is not read from here: readers keep a snapshot of a kind and ask
//! [`Shelf::shelf_revision`] every second whether it is still true.

use std::fmt;

use zajil_core::clock::Timestamp;

use crate::contract::Reply;

/// The longest name, in bytes.
pub const NAME_LIMIT: usize = 255;
/// The longest body, in bytes.
pub const BODY_LIMIT: usize = 1 << 20;
/// The most changes of one call.
pub const CHANGES_LIMIT: usize = 1_000;

/// What a record is. The stored spelling never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A key to the API, named by its public part.
    ApiKey,
    /// Who changed what (S3.8).
    Audit,
    /// A subscription to events.
    Webhook,
    /// A call of a subscription that waits or was given up.
    WebhookDelivery,
    /// What an ESME may do, named by its `system_id`.
    SmppAccount,
    /// An SMSC that we bind to.
    SmppCarrier,
    /// A receipt of a carrier that belongs to nothing known.
    SmppUnmatched,
    /// Applications that want to know when a subscriber can be reached, named by its number.
    SmppWatch,
    /// An alert that an application is owed.
    SmppAlert,
    /// A multimedia message (S3.5).
    Mms,
    /// Something that happened in the SS7 network (S3.6).
    Ss7Event,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::ApiKey,
        Self::Audit,
        Self::Webhook,
        Self::WebhookDelivery,
        Self::SmppAccount,
        Self::SmppCarrier,
        Self::SmppUnmatched,
        Self::SmppWatch,
        Self::SmppAlert,
        Self::Mms,
        Self::Ss7Event,
    ];

    /// The stored spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Audit => "audit",
            Self::Webhook => "webhook",
            Self::WebhookDelivery => "webhook_delivery",
            Self::SmppAccount => "smpp_account",
            Self::SmppCarrier => "smpp_carrier",
            Self::SmppUnmatched => "smpp_unmatched",
            Self::SmppWatch => "smpp_watch",
            Self::SmppAlert => "smpp_alert",
            Self::Mms => "mms",
            Self::Ss7Event => "ss7_event",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record as it lies on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: Kind,
    /// From 1 within its kind; never used again.
    pub id: u64,
    /// Its name, if it has one: no two records of a kind share one at a time.
    pub name: Option<String>,
    /// The revision of its kind that wrote it last; rises.
    pub revision: u64,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was written last.
    pub written_at: Timestamp,
    /// What it says.
    pub body: String,
}

/// One change. With a `base`, only to a record that has that revision still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a record.
    Add {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: Option<String>,
        /// What it says.
        body: String,
    },
    /// Replaces what a record says; its name stays.
    Set {
        /// What it is.
        kind: Kind,
        /// Which one.
        id: u64,
        /// The revision that the change was made from.
        base: Option<u64>,
        /// What it says now.
        body: String,
    },
    /// Removes a record.
    Remove {
        /// What it is.
        kind: Kind,
        /// Which one.
        id: u64,
        /// The revision that the decision was made from.
        base: Option<u64>,
    },
}

impl Change {
    /// What is changed.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Add { kind, .. } | Self::Set { kind, .. } | Self::Remove { kind, .. } => *kind,
        }
    }

    /// Whether the change keeps to the limits of this module.
    ///
    /// # Errors
    /// A sentence that names the field and the rule.
    pub fn check(&self) -> Result<(), String> {
        let (name, body) = match self {
            Self::Add { name, body, .. } => (name.as_deref(), body.as_str()),
            Self::Set { body, .. } => (None, body.as_str()),
            Self::Remove { .. } => (None, ""),
        };
        if name.is_some_and(|name| name.is_empty() || name.len() > NAME_LIMIT) {
            return Err(format!("a name has 1 to {NAME_LIMIT} bytes"));
        }
        // PostgreSQL has no text with this octet; no store takes what another cannot.
        if name.is_some_and(|name| name.contains('\0')) || body.contains('\0') {
            return Err("a record holds no NUL".into());
        }
        if body.len() > BODY_LIMIT {
            return Err(format!("a record has at most {BODY_LIMIT} bytes"));
        }
        Ok(())
    }
}

/// Checks a whole batch, as every store does before it begins.
///
/// # Errors
/// The sentence of the first change that breaks a limit.
pub fn check(changes: &[Change]) -> Result<(), String> {
    if changes.len() > CHANGES_LIMIT {
        return Err(format!("a call has at most {CHANGES_LIMIT} changes"));
    }
    changes.iter().try_for_each(Change::check)
}

/// Where a page begins, and its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The lowest id above this one first; 0 = from the beginning.
    After(u64),
    /// The highest id first.
    Newest,
    /// The highest id below this one first.
    Before(u64),
}

/// A page of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What is looked for.
    pub kind: Kind,
    /// Where it begins.
    pub from: Start,
    /// After skipping this many.
    pub offset: u32,
    /// At most this many.
    pub limit: u32,
}

/// The shelf of a store. It promises what the module of [`crate::contract::Store`] promises.
pub trait Shelf: Send + Sync + fmt::Debug {
    /// A page of records.
    fn shelf(&self, page: Page) -> Reply<'_, Vec<Record>>;

    /// One record by id.
    fn shelf_record(&self, kind: Kind, id: u64) -> Reply<'_, Option<Record>>;

    /// One record by name.
    fn shelf_named(&self, kind: Kind, name: String) -> Reply<'_, Option<Record>>;

    /// How many changes a kind has seen; asked every second.
    fn shelf_revision(&self, kind: Kind) -> Reply<'_, u64>;

    /// Applies changes in order, all or none, in one transaction. Answers each record as it is
    /// now; a removed one as it was. Every change raises the revision of its kind by one.
    ///
    /// [`crate::Error::NotFound`] for an unknown record; [`crate::Error::Conflict`] when a name is
    /// taken, a record has another revision than `base`, or a limit is broken.
    fn change_shelf(&self, changes: Vec<Change>, now: Timestamp) -> Reply<'_, Vec<Record>>;

    /// Removes the records of a kind that were written before `before`, lowest ids first, at most
    /// `limit`; answers how many. Raises the revision by one if any.
    fn purge_shelf(&self, kind: Kind, before: Timestamp, limit: u32) -> Reply<'_, u64>;
}
