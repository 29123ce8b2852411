//! Receipts of carriers that belong to nothing known.

use serde::{Deserialize, Serialize};

use zajil_core::frontend::FrontendName;
use zajil_core::receipt::NetworkError;

use super::receipt::{self, ErrorForm};
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
    /// What it says of the network.
    pub network: Option<NetworkError>,
}

/// Version 1.
#[derive(Serialize, Deserialize)]
struct UnmatchedForm {
    v: u32,
    carrier: String,
    id: String,
    from: String,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<ErrorForm>,
}

impl Form for UnmatchedForm {
    const WHAT: &'static str = "unmatched receipt";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a receipt that belongs to nothing.
#[must_use]
pub fn encode_smpp_unmatched(unmatched: &SmppUnmatched) -> String {
    encode(&UnmatchedForm {
        v: VERSION,
        carrier: unmatched.carrier.to_string(),
        id: unmatched.id.clone(),
        from: unmatched.from.clone(),
        state: unmatched.state.clone(),
        error: unmatched.error.clone(),
        network: receipt::error(unmatched.network),
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
        network: receipt::read_error(form.network),
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
        let coded = text.replace(r#""000"}"#, r#""034","network":[3,27]}"#);
        let receipt = decode_smpp_unmatched(&coded).unwrap();
        let absent = NetworkError {
            network: NetworkError::GSM,
            code: 27,
        };
        assert_eq!(receipt.network, Some(absent));
        assert_eq!(encode_smpp_unmatched(&receipt), coded);
    }
}
