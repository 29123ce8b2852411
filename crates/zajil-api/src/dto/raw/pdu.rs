//! What an SMS-SUBMIT or SMS-DELIVER says, in the words of S2.

use std::num::NonZeroU32;
use std::time::Duration;

use sms_codec::Error;
use sms_codec::address::{Address, TypeOfNumber};
use sms_codec::tpdu::{Direction, Tpdu};
use sms_codec::user_data::UserData;
use sms_codec::validity::Validity;
use zajil_core::clock::Timestamp;
use zajil_core::message::{TransferFields, storable};
use zajil_core::number::Given;
use zajil_core::outcome::Refusal;

use super::super::field::digit;

/// A TPDU that carries a message from one user to another.
#[derive(Debug)]
pub(super) struct Pdu {
    address: Address,
    /// TP-MR of a SUBMIT. A DELIVER has none; TP-SCTS tells two of one sender apart.
    reference: Vec<u8>,
    pid: u8,
    user_data: UserData,
    validity: Validity,
    /// TP-SCTS, if it is a date.
    sent: Option<i64>,
    /// The `tp_*` fields.
    fields: TransferFields,
}

/// The octets of a hexadecimal text, or what is wrong at which of them.
pub(super) fn octets(text: &str) -> Result<Vec<u8>, String> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let octet = |(at, [high, low]): (usize, &[u8; 2])| match (digit(*high), digit(*low)) {
        (Some(high), Some(low)) => Ok(high << 4 | low),
        _ => Err(format!(
            "must be pairs of hexadecimal digits: octet {at} is none"
        )),
    };
    let octets = pairs.iter().enumerate().map(octet).collect();
    if rest.is_empty() {
        return octets;
    }
    octets.and(Err(format!(
        "must be pairs of hexadecimal digits: octet {} has only one",
        pairs.len()
    )))
}

impl Pdu {
    /// Reads a TPDU with or without service centre address.
    pub(super) fn decode(direction: Direction, octets: &bytes::Bytes) -> Result<Self, Refusal> {
        let undecodable = |error: Error| Refusal::field("pdu", format!("cannot be read: {error}"));
        let decoded = match Tpdu::decode_either(direction, octets) {
            Ok((_, tpdu @ (Tpdu::Submit(_) | Tpdu::Deliver(_)))) => Ok(tpdu),
            other => match behind_address(direction, octets) {
                Some(error) => Err(error),
                None => other.map(|(_, tpdu)| tpdu),
            },
        };
        let tpdu = decoded.map_err(undecodable)?;
        let fields = TransferFields::of(&tpdu);
        match tpdu {
            Tpdu::Submit(pdu) => Ok(Self {
                address: pdu.destination,
                reference: vec![pdu.reference],
                pid: pdu.pid.0,
                user_data: pdu.user_data,
                validity: pdu.validity,
                sent: None,
                fields,
            }),
            Tpdu::Deliver(pdu) => Ok(Self {
                address: pdu.originator,
                reference: pdu.timestamp.0.to_vec(),
                pid: pdu.pid.0,
                user_data: pdu.user_data,
                validity: Validity::Absent,
                sent: pdu.timestamp.unix_seconds(),
                fields,
            }),
            Tpdu::Command(_)
            | Tpdu::DeliverReport(_)
            | Tpdu::StatusReport(_)
            | Tpdu::SubmitReport(_) => {
                let wanted = match direction {
                    Direction::MsToSc => "SMS-SUBMIT",
                    Direction::ScToMs => "SMS-DELIVER",
                };
                let rule = format!("must be an {wanted}, but is an {}", tpdu.name());
                Err(Refusal::field("pdu", rule))
            }
        }
    }

    /// The user at the other end: international numbers with `+`. `field` is for the refusal.
    pub(super) fn number(&self, field: &str) -> Result<Option<Given>, Refusal> {
        let value = self.address.value();
        if value.trim().is_empty() {
            return Ok(None);
        }
        let text = match self.address.ton() {
            TypeOfNumber::International => format!("+{value}"),
            _ => value,
        };
        Given::parse(&text)
            .map(Some)
            .map_err(|rule| Refusal::field("pdu", format!("cannot be used: {field} {rule}")))
    }

    /// The text; empty for data.
    pub(super) fn body(&self) -> String {
        storable(&self.user_data.text().unwrap_or_default())
    }

    /// `message_parts` and `message_part_number`: a PDU is one part, whatever is in it.
    pub(super) fn place(&self) -> (NonZeroU32, Option<NonZeroU32>) {
        let parts = self.user_data.concatenation();
        let total = parts.and_then(|parts| NonZeroU32::new(parts.total.into()));
        let number = parts.and_then(|parts| NonZeroU32::new(parts.sequence.into()));
        (total.unwrap_or(NonZeroU32::MIN), number)
    }

    /// When the service centre that delivers it got it.
    pub(super) fn sent(&self) -> Option<Timestamp> {
        self.sent.map(Timestamp::from_secs)
    }

    /// The end of the validity period; none leaves it to the system.
    pub(super) fn expires(&self, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let expires = match &self.validity {
            Validity::Absent => None,
            Validity::Absolute(until) => until.unix_seconds().map(Timestamp::from_secs),
            period @ (Validity::Relative(_) | Validity::Enhanced(_)) => period
                .seconds()
                .map(|seconds| now.plus(Duration::from_secs(seconds.into()))),
        };
        if expires.is_some_and(|expires| expires <= now) {
            let rule = "is out of date: TP-VP must end in the future";
            return Err(Refusal::field("pdu", rule));
        }
        Ok(expires)
    }

    /// The `tp_*` fields.
    pub(super) fn transfer_fields(&self) -> TransferFields {
        self.fields.clone()
    }

    /// Hands out the octets that make this PDU the one it is, none of them ambiguous.
    pub(super) fn identity(&self, mut take: impl FnMut(&[u8])) {
        let data = &self.user_data;
        // The two lengths of the reference tell the directions apart.
        take(&[u8::try_from(self.reference.len()).unwrap_or(u8::MAX)]);
        take(&self.reference);
        take(&[self.pid, data.dcs().0, u8::from(data.has_header())]);
        take(&[data.length()]);
        take(data.octets());
    }
}

/// The error behind a service centre address, if the octets look as if there were one before a
/// message: it says more than that the address is no TPDU.
fn behind_address(direction: Direction, octets: &bytes::Bytes) -> Option<Error> {
    let kind = match direction {
        Direction::MsToSc => 1,
        Direction::ScToMs => 0,
    };
    let length = *octets.first()?;
    let bare = length & 3 == kind;
    let is_address = match length {
        0 => true,
        2..=11 => octets.get(1)? & 0x80 != 0,
        _ => false,
    };
    let first = octets.get(usize::from(length) + 1)?;
    if bare || !is_address || first & 3 != kind {
        return None;
    }
    Tpdu::decode_with_service_centre(direction, octets).err()
}
