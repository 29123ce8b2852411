//! Receipts of carriers that belong to nothing known.

use serde::{Deserialize, Serialize};

use zajil_core::frontend::FrontendName;

use super::{Form, VERSION, decode, encode, name};
use crate::contract::Error;

/// A receipt that belongs to nothing that we know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmppUnmatched {
    /// Who sent it.
    pub carrier: FrontendName,
    /// The id that it names.
    pub id: String,
    /// The number that it is about.
    pub from: String,
    /// The word of its state.
    pub state: String,
    /// Its error code, as it came.
    pub error: Option<String>,
}

/// Version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnmatchedForm {
    v: u32,
    carrier: String,
    id: String,
    from: String,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Form for UnmatchedForm {
    const WHAT: &'static str = "unmatched receipt";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a receipt that belongs to nothing.
#[must_use]
pub fn encode_smpp_unmatched(receipt: &SmppUnmatched) -> String {
    encode(&UnmatchedForm {
        v: VERSION,
        carrier: receipt.carrier.to_string(),
        id: receipt.id.clone(),
        from: receipt.from.clone(),
        state: receipt.state.clone(),
        error: receipt.error.clone(),
    })
}

/// Reads a receipt that belongs to nothing.
///
/// # Errors
/// [`Error::Damaged`] when the text is none of a known version.
pub fn decode_smpp_unmatched(text: &str) -> Result<SmppUnmatched, Error> {
    let form: UnmatchedForm = decode(text)?;
    Ok(SmppUnmatched {
        carrier: name(UnmatchedForm::WHAT, &form.carrier)?,
        id: form.id,
        from: form.from,
        state: form.state,
        error: form.error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 has written them; a reader of later versions must still read them.
    #[test]
    fn version_1_is_read() {
        let text = concat!(
            r#"{"v":1,"carrier":"up","id":"00AB","from":"+46709771337","#,
            r#""state":"DELIVRD","error":"000"}"#
        );
        let receipt = decode_smpp_unmatched(text).unwrap();
        assert_eq!(receipt.id, "00AB");
        assert_eq!(encode_smpp_unmatched(&receipt), text);
    }
}
