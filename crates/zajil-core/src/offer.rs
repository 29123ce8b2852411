//! Who may be offered what (S3.1), as a rule over one message.
//!
//! Stores answer the same question with indexes; their conformance suite compares them with this.

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::message::{Life, Message};

/// A frontend that asks for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// `smsc: NAME`.
    pub name: FrontendName,
    /// `include-unrouted: true`: also messages that neither route nor location decides.
    pub include_unrouted: bool,
}

/// Whether `message` may be offered to `asker` at `now`; `serving` is the frontend that a live
/// location of its destination names, if any.
#[must_use]
pub fn may_offer(
    message: &Message,
    asker: &Asker,
    serving: Option<&FrontendName>,
    now: Timestamp,
) -> bool {
    let Life::Pending { .. } = message.life else {
        return false;
    };
    if message.due() > now || message.expires <= now {
        return false;
    }
    match message.dest_smsc.as_ref().or(serving) {
        Some(decided) => *decided == asker.name,
        None => asker.include_unrouted,
    }
}

/// Whether the instant makes sense as a lease of the asked length (D7): 1 s to 1 h.
#[must_use]
pub fn lease_seconds(asked: u64) -> Option<std::time::Duration> {
    (1..=3_600)
        .contains(&asked)
        .then(|| std::time::Duration::from_secs(asked))
}

#[cfg(test)]
mod tests;
