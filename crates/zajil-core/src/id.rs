//! Message ids: 53 bits, roughly time-ordered, unique over nodes, never handed out twice (D4, D21).

use std::fmt;

use crate::clock::Timestamp;

/// The id of a message: a positive integer below 2^53, so that JavaScript reads it exactly.
///
/// Layout, high to low: 31 bits seconds since 2024-01-01T00:00:00Z, 5 bits node, 17 bits sequence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

const SEQUENCE_BITS: u32 = 17;
const NODE_BITS: u32 = 5;
const SECOND_SHIFT: u32 = SEQUENCE_BITS + NODE_BITS;
const SEQUENCES: u32 = 1 << SEQUENCE_BITS;
/// 2024-01-01T00:00:00Z in Unix seconds.
const EPOCH_2024: i64 = 1_704_067_200;

/// Why a number is not a message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message id is an integer from 1 to 9007199254740991")]
pub struct NotAnId;

impl MessageId {
    /// The largest id: 2^53 − 1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Takes any number in range; ids from other systems need not follow the layout.
    ///
    /// # Errors
    /// [`NotAnId`] for zero and for 2^53 or more.
    pub fn new(number: u64) -> Result<Self, NotAnId> {
        if number == 0 || number > Self::MAX.0 {
            Err(NotAnId)
        } else {
            Ok(Self(number))
        }
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// The number as the signed integer that databases store.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        // Below 2^53 by construction.
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The second in which the id was handed out.
    #[must_use]
    pub fn issued_at(self) -> Timestamp {
        let second = i64::try_from(self.0 >> SECOND_SHIFT).unwrap_or(i64::MAX);
        Timestamp::from_secs(second.saturating_add(EPOCH_2024))
    }

    /// The smallest id that any node can hand out in the second of `at`: a bound for scans by age.
    #[must_use]
    pub fn floor_of(at: Timestamp) -> Self {
        let second = u64::try_from(at.secs().saturating_sub(EPOCH_2024)).unwrap_or(0);
        Self((second << SECOND_SHIFT).clamp(1, Self::MAX.0))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The number of a node within its cluster, 0–31.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeNumber(u8);

impl NodeNumber {
    /// # Errors
    /// [`NotAnId`] above 31.
    pub fn new(number: u8) -> Result<Self, NotAnId> {
        if u32::from(number) < (1 << NODE_BITS) {
            Ok(Self(number))
        } else {
            Err(NotAnId)
        }
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// Hands out ids of one node, strictly rising even when the clock steps back.
///
/// When the 131,072 ids of a second are used up it borrows from the next one, so it never waits.
///
/// No id may be told twice, also not by a process that follows one which died a moment ago: what
/// that one told and could not store is known to nobody. It can have told ids of
/// - the second that it began with, which lies ahead of its clock and is reserved in the store;
/// - seconds that its clock had reached, which this one's clock has too;
/// - the second after the highest stored, where it borrowed: what is not stored yet is less than a
///   second's worth.
///
/// So a process begins two seconds after what the store knows and one after its clock.
#[derive(Debug)]
pub struct Generator {
    node: NodeNumber,
    second: u64,
    sequence: u32,
}

impl Generator {
    /// A generator whose ids lie above `floor` (the highest id that was stored or reserved) and
    /// above every id that a former process on this node can have told. To be used only once
    /// [`Generator::opening`] is reserved.
    #[must_use]
    pub fn new(node: NodeNumber, floor: Option<MessageId>, now: Timestamp) -> Self {
        let after_seen = floor.map_or(0, |id| (id.0 >> SECOND_SHIFT) + 2);
        Self {
            node,
            second: after_seen.max(second_of(now) + 1),
            sequence: 0,
        }
    }

    /// The first id to come: a process that begins after this one must begin in a later second.
    #[must_use]
    pub fn opening(&self) -> MessageId {
        self.upcoming()
    }

    /// The next id.
    pub fn next(&mut self, now: Timestamp) -> MessageId {
        let second = second_of(now);
        if second > self.second {
            self.second = second;
            self.sequence = 0;
        } else if self.sequence == SEQUENCES {
            self.second += 1;
            self.sequence = 0;
        }
        let id = self.upcoming();
        self.sequence += 1;
        id
    }

    fn upcoming(&self) -> MessageId {
        let number = (self.second << SECOND_SHIFT)
            | (u64::from(self.node.0) << SEQUENCE_BITS)
            | u64::from(self.sequence);
        MessageId(number.clamp(1, MessageId::MAX.0))
    }
}

fn second_of(now: Timestamp) -> u64 {
    u64::try_from(now.secs().saturating_sub(EPOCH_2024)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(EPOCH_2024 + secs)
    }

    #[test]
    fn d21_layout_is_second_node_sequence() {
        let node = NodeNumber::new(3).unwrap();
        let mut ids = Generator::new(node, None, at(99));
        assert_eq!(ids.next(at(100)).get(), (100 << 22) | (3 << 17));
        assert_eq!(ids.next(at(100)).get(), (100 << 22) | (3 << 17) | 1);
        assert_eq!(ids.next(at(100)).issued_at(), at(100));
    }

    #[test]
    fn d21_rises_when_the_clock_steps_back_and_when_a_second_is_used_up() {
        let mut ids = Generator::new(NodeNumber::new(0).unwrap(), None, at(1_000));
        let mut last = ids.next(at(1_000));
        for turn in 0..300_000_i64 {
            let next = ids.next(at(1_000 - turn % 50));
            assert!(next > last);
            last = next;
        }
        assert_eq!(
            last.issued_at(),
            at(1_003),
            "300,001 ids fill two seconds and part of a third"
        );
    }

    #[test]
    fn d4_a_restart_starts_above_what_the_store_knows_and_above_the_current_second() {
        let node = NodeNumber::new(0).unwrap();
        let floor = MessageId::floor_of(at(5_000));
        assert!(Generator::new(node, Some(floor), at(10)).next(at(10)) > floor);
        let mut ids = Generator::new(node, Some(floor), at(9_000));
        assert_eq!(ids.next(at(9_000)).issued_at(), at(9_001));
    }

    #[test]
    fn d4_a_restart_in_the_same_second_starts_above_the_second_that_was_reserved() {
        let node = NodeNumber::new(0).unwrap();
        let mut first = Generator::new(node, None, at(100));
        let reserved = first.opening();
        assert_eq!(first.next(at(100)), reserved);
        let told = (0..SEQUENCES).map(|_| first.next(at(100)));
        let last = told.last().unwrap();
        let second = Generator::new(node, Some(reserved), at(100)).opening();
        assert!(second > last, "{second:?} after {last:?}");
    }

    #[test]
    fn d4_range_is_javascript_safe() {
        assert!(MessageId::new(0).is_err());
        assert!(MessageId::new(1 << 53).is_err());
        assert_eq!(MessageId::new((1 << 53) - 1), Ok(MessageId::MAX));
        let far = Timestamp::from_secs(EPOCH_2024 + (1 << 31) - 3);
        let mut ids = Generator::new(NodeNumber::new(31).unwrap(), None, far);
        assert!(ids.next(far).get() < 1 << 53);
    }
}
