//! The queue in figures: whose the pending messages are, and how many are in which state (S12).

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::message::{Life, Message};

/// Whose a pending message is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Home {
    /// Nobody's yet: no route decided, and no live location does.
    Unrouted,
    /// Nobody's yet: the charging system has not answered.
    Charging,
    /// This frontend's.
    Frontend(FrontendName),
}

/// What a pending message waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// For a frontend: it may be offered now.
    Due,
    /// For its time: scheduled, between two attempts, or not charged yet.
    Waiting,
    /// For the report of who holds it.
    Leased,
}

impl Standing {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Due, Self::Waiting, Self::Leased];

    /// As a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Waiting => "waiting",
            Self::Leased => "leased",
        }
    }

    /// From when it is due and until when it is held.
    #[must_use]
    pub fn at(now: Timestamp, due: Timestamp, leased_until: Option<Timestamp>) -> Self {
        if leased_until.is_some_and(|until| until > now) {
            Self::Leased
        } else if due > now {
            Self::Waiting
        } else {
            Self::Due
        }
    }

    /// That of a message; one that has ended has none.
    #[must_use]
    pub fn of(message: &Message, now: Timestamp) -> Option<Self> {
        match message.life {
            Life::Ended(_) => None,
            Life::Charging { .. } => Some(Self::Waiting),
            Life::Pending { leased_until } => Some(Self::at(now, message.due(), leased_until)),
        }
    }
}

/// How many messages are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    due: u64,
    waiting: u64,
    leased: u64,
}

impl Depth {
    /// How many stand so.
    #[must_use]
    pub fn get(self, standing: Standing) -> u64 {
        match standing {
            Standing::Due => self.due,
            Standing::Waiting => self.waiting,
            Standing::Leased => self.leased,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.due + self.waiting + self.leased
    }

    /// So many more stand so.
    pub fn add(&mut self, standing: Standing, count: u64) {
        match standing {
            Standing::Due => self.due += count,
            Standing::Waiting => self.waiting += count,
            Standing::Leased => self.leased += count,
        }
    }

    /// Those of another queue, or of another part of this one, too.
    pub fn merge(&mut self, other: Self) {
        for standing in Standing::ALL {
            self.add(standing, other.get(standing));
        }
    }
}
