//! What state a message is in, in the words of S2.

use std::fmt;

/// The status of a message as clients and reports see it (S2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Waiting for its frontend, or for its time.
    Pending,
    /// Ended in one of the final ways.
    Final(FinalStatus),
}

/// How a message ended. Written once, never changed (D11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinalStatus {
    /// A frontend reported delivery, or an auto-reply answered it.
    Delivered,
    /// Its life was over before anybody delivered it.
    Expired,
    /// A frontend reported that it can never be delivered, or an operator ended it.
    Failed,
    /// Refused after acceptance by charging.
    Rejected,
    /// A drop route took it.
    Dropped,
}

impl FinalStatus {
    /// Every final status.
    pub const ALL: [Self; 5] = [
        Self::Delivered,
        Self::Expired,
        Self::Failed,
        Self::Rejected,
        Self::Dropped,
    ];

    /// The word in JSON, in the `status` column of the CDR and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Dropped => "dropped",
        }
    }
}

impl Status {
    /// Every status, in the order operators list them.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Final(FinalStatus::Delivered),
        Self::Final(FinalStatus::Expired),
        Self::Final(FinalStatus::Failed),
        Self::Final(FinalStatus::Rejected),
        Self::Final(FinalStatus::Dropped),
    ];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Final(status) => status.as_str(),
        }
    }

    /// The status that `word` names, if any.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for FinalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
