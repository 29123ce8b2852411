//! The receipts that applications are owed (D19): made with the change of their message, held while
//! they are on their way, and forgotten once they were taken.
//!
//! [`Store::report`](crate::Store::report), `edit`, `remove`, `sweep` and `accept` write what
//! `zajil_core::receipt::owed` says, in the transaction of the change. A message has one receipt at
//! a time: one of a state on the way gives place to the next, and whoever is just sending the
//! former says so of that one only.

use std::fmt;

use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::frontend::FrontendName;
use zajil_core::receipt::Receipt;

use crate::contract::Reply;

/// The place of a receipt among all; rises, and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptSeq(pub u64);

/// A receipt that its application has not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Which it is.
    pub seq: ReceiptSeq,
    /// How often it was put off.
    pub tries: u32,
    /// What it says.
    pub receipt: Receipt,
}

/// What became of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is done with: forgotten, and its message's log gets this line, where there is one still.
    Done(Event),
    /// It was not taken: again from this instant on. Counts as a try.
    Again(Timestamp),
    /// It was not sent: due at once, and no try is counted.
    Unsent(Timestamp),
}

/// Receipts, by account.
pub trait Receipts: Send + Sync + fmt::Debug {
    /// The receipts of an account that are due, in the order of (due, place), each held until
    /// `until`: no two calls get the same in that time. Must not cost more when others are owed
    /// more, and next to nothing when there is none.
    fn lease_receipts(
        &self,
        account: FrontendName,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Reply<'_, Vec<Owed>>;

    /// Whether [`Self::lease_receipts`] would give an account any now. Takes none, changes nothing,
    /// and costs next to nothing however many are owed.
    fn receipts_due(&self, account: FrontendName, now: Timestamp) -> Reply<'_, bool>;

    /// Says what became of receipts, in one transaction. One that is not there any more is passed
    /// over.
    fn tell_receipts(&self, told: Vec<(ReceiptSeq, Told)>) -> Reply<'_, ()>;

    /// The oldest receipts that were made before an instant, whosever they are.
    fn stale_receipts(&self, before: Timestamp, limit: u32) -> Reply<'_, Vec<Owed>>;

    /// How many receipts are owed.
    fn receipts_owed(&self) -> Reply<'_, u64>;
}
