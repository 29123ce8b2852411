//! ENUM: the name a number is looked up under, and what its answer says (S6; RFC 6116).

use std::sync::Arc;

/// What ENUM knows of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The URI that the chosen record led to.
    pub uri: String,
    /// The host of the URI, in lower case without a final dot: what routes compare (S6.2). None
    /// for a URI without one, as `tel:`.
    pub domain: Option<String>,
    /// The service of the chosen record, as `E2U+sip`.
    pub service: String,
    /// The domain of `enum_domains` that answered.
    pub zone: String,
}

/// How a look-up ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The number is there.
    Found(Arc<Found>),
    /// It is not, and the name servers said so.
    Absent,
    /// Nobody knows: a time-out, a broken server, a record that cannot be read. Routing goes on
    /// without ENUM (S6.3). The sentence is for the operator.
    Failed(String),
}

impl Lookup {
    /// The domain that routes compare (S6.2).
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        match self {
            Self::Found(found) => found.domain.as_deref(),
            Self::Absent | Self::Failed(_) => None,
        }
    }
}
