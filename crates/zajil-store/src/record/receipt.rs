//! A receipt, and what an application said of a message, as JSON objects.

use serde::{Deserialize, Serialize};

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::receipt::{NetworkError, On, Receipt, State};
use zajil_core::smpp::{Named, Origin};

use super::{Form, VERSION, damaged, decode, encode, instant, is_false, name};
use crate::contract::Error;

/// An address: type of number, numbering plan, and what is dialled.
pub(super) type NamedForm = (u8, u8, String);

pub(super) fn named(named: &Named) -> NamedForm {
    (named.ton, named.npi, named.value.clone())
}

pub(super) fn read_named((ton, npi, value): NamedForm) -> Named {
    Named { ton, npi, value }
}

/// Whose code, and the code.
pub(super) type ErrorForm = (u8, u16);

pub(super) fn error(error: Option<NetworkError>) -> Option<ErrorForm> {
    error.map(|error| (error.network, error.code))
}

pub(super) fn read_error(error: Option<ErrorForm>) -> Option<NetworkError> {
    error.map(|(network, code)| NetworkError { network, code })
}

/// Version 1 of the rare fields has it whole.
#[derive(Serialize, Deserialize)]
pub(super) struct OriginForm {
    receipt: String,
    #[serde(default, skip_serializing_if = "is_false")]
    intermediate: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    acks: u8,
    #[serde(default, skip_serializing_if = "is_zero")]
    kind: u8,
    source: NamedForm,
    destination: NamedForm,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<u16>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    service_type: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    coding: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_as: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    findable: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    alert: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorForm>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
const fn is_zero(octet: &u8) -> bool {
    *octet == 0
}

impl OriginForm {
    const WHAT: &'static str = "what an application said of a message";

    pub(super) fn of(origin: &Origin) -> Self {
        Self {
            receipt: origin.receipt.as_str().to_owned(),
            intermediate: origin.intermediate,
            acks: origin.acks,
            kind: origin.kind,
            source: named(&origin.source),
            destination: named(&origin.destination),
            reference: origin.reference,
            service_type: origin.service_type.clone(),
            coding: origin.coding,
            known_as: origin.known_as.map(MessageId::get),
            findable: origin.findable,
            alert: origin.alert,
            error: error(origin.error),
        }
    }

    pub(super) fn read(self) -> Result<Origin, Error> {
        let receipt =
            On::parse(&self.receipt).ok_or_else(|| damaged(Self::WHAT, "an unknown receipt"))?;
        Ok(Origin {
            receipt,
            intermediate: self.intermediate,
            acks: self.acks,
            kind: self.kind,
            source: read_named(self.source),
            destination: read_named(self.destination),
            reference: self.reference,
            service_type: self.service_type,
            coding: self.coding,
            known_as: self.known_as.map(|of| id(Self::WHAT, of)).transpose()?,
            findable: self.findable,
            alert: self.alert,
            error: read_error(self.error),
        })
    }
}

fn id(what: &str, number: u64) -> Result<MessageId, Error> {
    MessageId::new(number).map_err(|_| damaged(what, "not a message id"))
}

/// Version 1.
#[derive(Serialize, Deserialize)]
struct ReceiptForm {
    v: u32,
    message_id: u64,
    account: String,
    known_as: u64,
    from: NamedForm,
    to: NamedForm,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<u16>,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorForm>,
    submitted_at: i64,
    done_at: i64,
    text: String,
}

impl Form for ReceiptForm {
    const WHAT: &'static str = "receipt";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a receipt.
#[must_use]
pub fn encode_receipt(receipt: &Receipt) -> String {
    encode(&ReceiptForm {
        v: VERSION,
        message_id: receipt.message.get(),
        account: receipt.account.to_string(),
        known_as: receipt.known_as.get(),
        from: named(&receipt.from),
        to: named(&receipt.to),
        reference: receipt.reference,
        state: receipt.state.as_str().to_owned(),
        error: error(receipt.error),
        submitted_at: receipt.submitted_at.millis(),
        done_at: receipt.done_at.millis(),
        text: receipt.text.clone(),
    })
}

/// Reads a receipt.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a receipt of a known version.
pub fn decode_receipt(text: &str) -> Result<Receipt, Error> {
    const WHAT: &str = ReceiptForm::WHAT;
    let form: ReceiptForm = decode(text)?;
    let at = |millis: i64| -> Result<Timestamp, Error> { instant(WHAT, millis) };
    Ok(Receipt {
        message: id(WHAT, form.message_id)?,
        account: name(WHAT, &form.account)?,
        known_as: id(WHAT, form.known_as)?,
        from: read_named(form.from),
        to: read_named(form.to),
        reference: form.reference,
        state: State::parse(&form.state).ok_or_else(|| damaged(WHAT, "an unknown state"))?,
        error: read_error(form.error),
        submitted_at: at(form.submitted_at)?,
        done_at: at(form.done_at)?,
        text: form.text,
    })
}
