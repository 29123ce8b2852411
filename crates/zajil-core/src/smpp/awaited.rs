//! Parts of a message that a carrier took and has not told the end of (D19).

use crate::clock::Timestamp;
use crate::frontend::FrontendName;

/// What a carrier took of a message in one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The carrier.
    pub carrier: FrontendName,
    /// The ids that it gave, a part each, as they are compared.
    pub ids: Vec<String>,
    /// The end of the destination, as far as receipts are compared with it.
    pub tail: String,
    /// No receipt is waited for after this.
    pub until: Timestamp,
}
