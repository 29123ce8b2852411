//! What carriers took, by the ids that they gave, and receipts that belong to nothing known.

use serde::{Deserialize, Serialize};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;

use super::{Form, VERSION, damaged, decode, encode, instant, name};
use crate::contract::Error;

/// A part of a message that a carrier took and has not told the end of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmppSubmitted {
    /// The carrier.
    pub carrier: FrontendName,
    /// Our message.
    pub message: MessageId,
    /// Its destination, as far as receipts are compared with it.
    pub tail: String,
    /// The names of the records of all its parts, in order, this one included.
    pub parts: Vec<String>,
    /// Whether this part was delivered.
    pub delivered: bool,
    /// No receipt is waited for after this.
    pub until: Timestamp,
}

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
struct SubmittedForm {
    v: u32,
    carrier: String,
    message: i64,
    tail: String,
    parts: Vec<String>,
    #[serde(default, skip_serializing_if = "super::is_false")]
    delivered: bool,
    until: i64,
}

impl Form for SubmittedForm {
    const WHAT: &'static str = "submitted part";

    fn version(&self) -> u32 {
        self.v
    }
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

/// Writes a part that was taken.
#[must_use]
pub fn encode_smpp_submitted(part: &SmppSubmitted) -> String {
    encode(&SubmittedForm {
        v: VERSION,
        carrier: part.carrier.to_string(),
        message: part.message.as_i64(),
        tail: part.tail.clone(),
        parts: part.parts.clone(),
        delivered: part.delivered,
        until: part.until.millis(),
    })
}

/// Reads a part that was taken.
///
/// # Errors
/// [`Error::Damaged`] when the text is none of a known version.
pub fn decode_smpp_submitted(text: &str) -> Result<SmppSubmitted, Error> {
    let form: SubmittedForm = decode(text)?;
    let message = u64::try_from(form.message).ok();
    let message = message.and_then(|number| MessageId::new(number).ok());
    Ok(SmppSubmitted {
        carrier: name(SubmittedForm::WHAT, &form.carrier)?,
        message: message.ok_or_else(|| damaged(SubmittedForm::WHAT, "an id out of range"))?,
        tail: form.tail,
        parts: form.parts,
        delivered: form.delivered,
        until: instant(SubmittedForm::WHAT, form.until)?,
    })
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
            r#"{"v":1,"carrier":"up","message":7,"tail":"771337","#,
            r#""parts":["1f/up","20/up"],"until":1795737600000}"#
        );
        let part = decode_smpp_submitted(text).unwrap();
        assert_eq!((part.message.as_i64(), part.parts.len()), (7, 2));
        assert_eq!(encode_smpp_submitted(&part), text);
        let text = concat!(
            r#"{"v":1,"carrier":"up","id":"00AB","from":"+46709771337","#,
            r#""state":"DELIVRD","error":"000"}"#
        );
        let receipt = decode_smpp_unmatched(text).unwrap();
        assert_eq!(receipt.id, "00AB");
        assert_eq!(encode_smpp_unmatched(&receipt), text);
    }
}
