//! What nodes that share a store have in common: a clock, hints, and a list of who is there.
//!
//! A store that belongs to one node has none of it.

use std::fmt;
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::NodeNumber;

use crate::contract::Reply;

/// A place counts as free when its holder has not been heard of for so long, by the store's clock.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a node should make itself heard.
pub const HEARTBEAT: Duration = Duration::from_secs(3);
/// A node that was not heard of for so long is shown as absent.
pub const ABSENT: Duration = Duration::from_secs(10);

/// What another node has told. It may be lost and may come twice: the records decide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// A queue may have something due; none = what is unrouted.
    Queue(Option<FrontendName>),
    /// Routing, policies or records may have changed.
    Tables,
    /// Anything may have changed.
    Everything,
}

/// A node, as it presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// `NODE_NAME`.
    pub name: String,
    /// Where its API is reached.
    pub address: String,
    /// Of the program.
    pub version: String,
    /// The number it would like; any that is free without.
    pub number: Option<NodeNumber>,
}

/// A node, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number: that part of the ids it hands out (D21).
    pub number: u8,
    /// `NODE_NAME`.
    pub name: String,
    /// Where its API is reached.
    pub address: String,
    /// Of the program.
    pub version: String,
    /// Since when it has been there.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Whether it is to take no more work.
    pub draining: bool,
}

impl Member {
    /// Whether it has been heard of lately.
    #[must_use]
    pub fn is_present(&self, now: Timestamp) -> bool {
        now.since(self.seen_at) < ABSENT
    }
}

/// A store that several nodes share.
pub trait Cluster: Send + Sync + fmt::Debug {
    /// The store's clock.
    fn time(&self) -> Reply<'_, Timestamp>;

    /// The next that another node tells; waits for it as long as it takes.
    fn hint(&self) -> Reply<'_, Hint>;

    /// Takes a number that nobody holds. A node that comes back soon under its name gets the one
    /// that it had, if nobody else has it.
    ///
    /// [`crate::Error::Conflict`] when a present node has this name already, or all numbers are
    /// taken.
    fn join(&self, who: Introduction) -> Reply<'_, NodeNumber>;

    /// Says that this node is still there, and hears whether it should drain.
    ///
    /// [`crate::Error::NotFound`] when its number has been given away: it must not hand out ids
    /// any more.
    fn beat(&self) -> Reply<'_, bool>;

    /// Gives the number back.
    fn leave(&self) -> Reply<'_, ()>;

    /// Who is there, by number.
    fn members(&self) -> Reply<'_, Vec<Member>>;

    /// Tells a node to take no more work, or to take some again. `false` when there is none of this
    /// name.
    fn drain(&self, name: String, draining: bool) -> Reply<'_, bool>;
}
