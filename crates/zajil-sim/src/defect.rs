//! Stores and charging systems that are broken on purpose: what the checker must find.

use clap::ValueEnum;

/// One way to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Defect {
    /// Says "stored" of some messages and forgets them.
    LosesAccepted,
    /// Forgets the keys of submits.
    ForgetsKeys,
    /// Gives a message that is held to whoever asks.
    LeasesTwice,
    /// Gives messages before their time.
    OffersEarly,
    /// Gives messages after their end.
    OffersLate,
    /// Lets a message end again.
    EndsTwice,
    /// Says that a report was taken, and drops it.
    DropsReports,
    /// Forgets how often delivery has failed.
    ForgetsAttempts,
    /// Has a second outbox entry for some messages.
    DoublesOutbox,
    /// Takes more out of the outbox than it was told to.
    LosesOutbox,
    /// Never finds what is over.
    NeverSweeps,
    /// Lets two begin the same refund.
    RefundsTwice,
    /// Takes the price again for some messages.
    DebitsTwice,
    /// Forgets the first line of some logs.
    LosesLines,
}

#[cfg(test)]
impl Defect {
    /// Every defect, with the invariant that it breaks.
    pub(crate) const ALL: [(Self, &'static str); 14] = [
        (Self::LosesAccepted, "vanished"),
        (Self::ForgetsKeys, "key stored twice"),
        (Self::LeasesTwice, "held twice"),
        (Self::OffersEarly, "offered early"),
        (Self::OffersLate, "offered late"),
        (Self::EndsTwice, "final twice"),
        (Self::DropsReports, "told otherwise"),
        (Self::ForgetsAttempts, "attempts fell"),
        (Self::DoublesOutbox, "outbox twice"),
        (Self::LosesOutbox, "vanished"),
        (Self::NeverSweeps, "not drained"),
        (Self::RefundsTwice, "refunded twice"),
        (Self::DebitsTwice, "debited twice"),
        (Self::LosesLines, "log"),
    ];
}
