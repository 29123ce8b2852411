//! The last events, and where a listener goes on (no clock, no locks: the hub has them).

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::Event;

/// The last events in the order of their ids, which may leave some out.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    capacity: usize,
    /// The id of the last event that was here; one below the first possible id before that.
    last: u64,
}

/// What comes after an event.
#[derive(Debug)]
pub(super) enum Read<'a> {
    /// Nothing yet.
    Nothing,
    /// The ring has gone over events that come next.
    Overtaken {
        /// The oldest that is kept, or the next that will be.
        next: u64,
    },
    /// Events that come next were never here, or the id is none of this ring.
    Missing {
        /// The next that is kept, or will be.
        next: u64,
    },
    /// These, without one left out.
    Events(Vec<&'a Arc<Event>>),
}

impl Ring {
    /// An empty ring whose first event will have this id or a higher one.
    pub(super) fn new(capacity: usize, first: u64) -> Self {
        Self {
            events: VecDeque::new(),
            capacity: capacity.max(1),
            last: first - 1,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The id of the last event.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Takes events; answers with those that made room.
    pub(super) fn push(&mut self, events: VecDeque<Event>) -> Vec<Arc<Event>> {
        for event in events {
            // What was told before the ring began anew comes too late.
            if event.id > self.last {
                self.last = event.id;
                self.events.push_back(Arc::new(event));
            }
        }
        let over = self.events.len().saturating_sub(self.capacity);
        self.events.drain(..over).collect()
    }

    /// Forgets all events, and gives back their room.
    pub(super) fn clear(&mut self) {
        self.events = VecDeque::new();
    }

    /// Begins anew: what was before `next` is missing.
    pub(super) fn restart(&mut self, next: u64) {
        self.clear();
        self.last = next - 1;
    }

    /// What comes after the event of this id, at most `most`.
    pub(super) fn after(&self, cursor: u64, most: usize) -> Read<'_> {
        let oldest = self.events.front().map_or(self.last + 1, |event| event.id);
        if cursor > self.last {
            return Read::Missing {
                next: self.last + 1,
            };
        }
        if cursor + 1 < oldest {
            return Read::Overtaken { next: oldest };
        }
        let from = self.events.partition_point(|event| event.id <= cursor);
        let mut expected = cursor;
        let unbroken = |event: &&Arc<Event>| {
            expected += 1;
            event.id == expected
        };
        let rest = self.events.range(from..).take(most);
        let events: Vec<_> = rest.take_while(unbroken).collect();
        match (events.is_empty(), self.events.get(from)) {
            (false, _) => Read::Events(events),
            (true, Some(event)) => Read::Missing { next: event.id },
            (true, None) => Read::Nothing,
        }
    }
}
