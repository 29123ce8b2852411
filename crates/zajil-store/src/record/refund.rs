//! A refund as a JSON object: what was debited, and how its message ended.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use zajil_core::charge::Call;
use zajil_core::id::MessageId;
use zajil_core::status::Status;

use super::{Form, VERSION, damaged, decode, encode, instant};
use crate::contract::{Error, Refund};

/// Version 1.
#[derive(Serialize, Deserialize)]
struct RefundForm {
    v: u32,
    message_id: u64,
    calling: String,
    called: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_smsc: Option<String>,
    parts: NonZeroU32,
    at: i64,
    how: String,
}

impl Form for RefundForm {
    const WHAT: &'static str = "refund";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a refund, without when it was begun.
#[must_use]
pub fn encode_refund(refund: &Refund) -> String {
    let call = &refund.call;
    encode(&RefundForm {
        v: VERSION,
        message_id: call.message.get(),
        calling: call.calling.clone(),
        called: call.called.clone(),
        source_smsc: call.source_smsc.clone(),
        parts: call.parts,
        at: call.at.millis(),
        how: refund.how.as_str().to_owned(),
    })
}

/// Reads a refund that nobody has begun.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a refund of a known version.
pub fn decode_refund(text: &str) -> Result<Refund, Error> {
    let form: RefundForm = decode(text)?;
    let bad = |why: &str| damaged(RefundForm::WHAT, why);
    let Some(Status::Final(how)) = Status::parse(&form.how) else {
        return Err(bad("an unknown final status"));
    };
    Ok(Refund {
        call: Call {
            message: MessageId::new(form.message_id).map_err(|_| bad("not a message id"))?,
            calling: form.calling,
            called: form.called,
            source_smsc: form.source_smsc,
            parts: form.parts,
            at: instant(RefundForm::WHAT, form.at)?,
        },
        how,
        begun: None,
    })
}
