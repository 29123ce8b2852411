//! The wire: JSON in the names of S2 and S3 to values of the domain, and back.
//!
//! Requests are read into [`field::Field`]s, which take any JSON value; turning a field into a
//! value of the domain names the field and the rule that it breaks.

pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod cdr;
pub(crate) mod edit;
pub(crate) mod event;
pub(crate) mod field;
pub(crate) mod frontend;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod location;
pub(crate) mod message;
pub(crate) mod mms;
pub(crate) mod policy;
pub(crate) mod raw;
pub(crate) mod report;
pub(crate) mod route;
pub(crate) mod rule;
pub(crate) mod simulation;
pub(crate) mod smpp_account;
pub(crate) mod smpp_carrier;
pub(crate) mod ss7;
pub(crate) mod submit;
pub(crate) mod webhook;

use serde::{Serialize, Serializer};
use zajil_core::clock::Timestamp;

/// An instant as it is written.
#[derive(Debug)]
pub(crate) struct At(pub(crate) Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = crate::time::write(self.0);
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}
