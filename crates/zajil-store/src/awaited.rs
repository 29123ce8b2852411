//! The parts of messages that carriers took and have not told the end of, by the ids that carriers
//! gave them (D19).
//!
//! They are written by [`Store::report`](crate::Store::report), in the transaction of a
//! `Report::Taken` that takes effect. A carrier that gives an id again means the new part by it.
//! They stay when their message ends: who tells the end forgets them, many at a time, and what was
//! not forgotten is found once it is overdue.

use std::fmt;

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;

use crate::contract::Reply;

/// A part that a carrier took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedPart {
    /// The carrier.
    pub carrier: FrontendName,
    /// Its id there.
    pub id: String,
    /// Its message.
    pub message: MessageId,
    /// The end of its destination, as far as receipts are compared with it.
    pub tail: String,
    /// When the report that it was taken was stored.
    pub taken_at: Timestamp,
    /// No receipt is waited for after this.
    pub until: Timestamp,
    /// How many parts of its message were taken in the same turn, itself included.
    pub parts: u64,
    /// Whether a receipt said that it was delivered.
    pub delivered: bool,
}

/// Parts by carrier and id.
pub trait AwaitedParts: Send + Sync + fmt::Debug {
    /// The parts that a carrier knows by any of these ids, in the order of the ids' octets.
    fn awaited_parts(&self, carrier: FrontendName, ids: Vec<String>)
    -> Reply<'_, Vec<AwaitedPart>>;

    /// Writes down that a part was delivered; answers how many parts of its message, taken in the
    /// same turn, are not. None when it is not there. Of callers at the same time exactly the last
    /// sees 0.
    fn part_delivered(&self, carrier: FrontendName, id: String) -> Reply<'_, Option<u64>>;

    /// The parts that no receipt is waited for any more, the longest overdue first, then by carrier
    /// and id. Must not cost more when more are waited for.
    fn overdue_parts(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<AwaitedPart>>;

    /// Forgets the parts of these messages that were taken at or before the instant beside each,
    /// in one transaction; answers by which ids they were known, in no order.
    fn forget_parts(
        &self,
        of: Vec<(MessageId, Timestamp)>,
    ) -> Reply<'_, Vec<(FrontendName, String)>>;
}
