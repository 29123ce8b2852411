//! The rare fields of a message, one JSON object: of most messages it says how the text is coded
//! and no more.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use zajil_core::charge::FailureAction;
use zajil_core::clock::Timestamp;
use zajil_core::concatenation::{Concatenation, Reference};
use zajil_core::frontend::FrontendName;
use zajil_core::message::{
    Arranged, CharacterSet, Content, Fallback, Life, Message, TransferFields,
};

use super::receipt::OriginForm;
use super::{Form, VERSION, damaged, decode, encode, instant, is_false, name};
use crate::contract::Error;

/// What most messages lack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extra {
    /// `source_imsi`.
    pub source_imsi: Option<String>,
    /// `dest_imsi`.
    pub dest_imsi: Option<String>,
    /// `message_part_number`.
    pub part_number: Option<NonZeroU32>,
    /// The `tp_*` fields.
    pub tp: TransferFields,
    /// `send_time`.
    pub send_time: Option<Timestamp>,
    /// `raw_pdu`.
    pub raw_pdu: Option<Vec<u8>>,
    /// `raw_data_flag`.
    pub raw_data: bool,
    /// `raw_sip_flag`.
    pub raw_sip: bool,
    /// What was arranged.
    pub arranged: Arranged,
    /// Until when it waits for its charge, and what happens then.
    pub charging: Option<(Timestamp, FailureAction)>,
}

/// Version 1; the fields carry the names of S2, and those that say nothing are left out.
#[derive(Serialize, Deserialize)]
struct ExtraForm {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_imsi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_imsi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_part_number: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_data_coding_scheme: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_dcs_character_set: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_dcs_coding_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_dcs_compressed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_dcs_has_message_class: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_dcs_message_class: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_user_data_header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concatenation: Option<ConcatenationForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_pdu: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    raw_data_flag: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    raw_sip_flag: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<FallbackForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debited: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charging: Option<ChargingForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smpp: Option<OriginForm>,
}

#[derive(Serialize, Deserialize)]
struct ConcatenationForm {
    reference: u16,
    reference_bits: u8,
    total: u8,
    sequence: u8,
}

#[derive(Serialize, Deserialize)]
struct FallbackForm {
    to: Vec<String>,
    after_ms: u64,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct ChargingForm {
    until: i64,
    on_failure: String,
}

impl Form for ExtraForm {
    const WHAT: &'static str = "rare fields of a message";

    fn version(&self) -> u32 {
        self.v
    }
}

/// The rare fields of a message that has none but how its text is coded, which is nearly every one:
/// written and read as a whole, for as JSON they took a thirtieth of a submit and of a lease.
struct Common {
    text: &'static str,
    tp: TransferFields,
}

static COMMON: [Common; 2] = [
    Common {
        text: r#"{"v":1,"tp_data_coding_scheme":0,"tp_dcs_character_set":"gsm7"}"#,
        tp: coded(0, CharacterSet::Gsm7),
    },
    Common {
        text: r#"{"v":1,"tp_data_coding_scheme":8,"tp_dcs_character_set":"ucs2"}"#,
        tp: coded(8, CharacterSet::Ucs2),
    },
];

const fn coded(scheme: u8, set: CharacterSet) -> TransferFields {
    TransferFields {
        data_coding_scheme: Some(scheme),
        character_set: Some(set),
        coding_group: None,
        compressed: None,
        has_message_class: None,
        message_class: None,
        user_data_header: None,
        concatenation: None,
    }
}

/// Writes the rare fields; nothing, without allocating, when the message has none.
#[must_use]
pub fn encode_extra(message: &Message) -> Option<String> {
    let content = &message.content;
    let charging = match message.life {
        Life::Charging { until, on_failure } => Some(ChargingForm {
            until: until.millis(),
            on_failure: on_failure.as_str().to_owned(),
        }),
        Life::Pending { .. } | Life::Ended(_) => None,
    };
    if charging.is_none() && message.arranged == Arranged::default() && is_plain(content) {
        if content.tp == TransferFields::default() {
            return None;
        }
        if let Some(common) = COMMON.iter().find(|common| common.tp == content.tp) {
            return Some(common.text.to_owned());
        }
    }
    Some(encode(&form(message, charging)))
}

fn form(message: &Message, charging: Option<ChargingForm>) -> ExtraForm {
    let content = &message.content;
    let tp = &content.tp;
    ExtraForm {
        v: VERSION,
        source_imsi: content.source_imsi.clone(),
        dest_imsi: content.dest_imsi.clone(),
        message_part_number: content.part_number,
        tp_data_coding_scheme: tp.data_coding_scheme,
        tp_dcs_character_set: tp.character_set.map(|set| set.as_str().to_owned()),
        tp_dcs_coding_group: tp.coding_group.clone(),
        tp_dcs_compressed: tp.compressed,
        tp_dcs_has_message_class: tp.has_message_class,
        tp_dcs_message_class: tp.message_class,
        tp_user_data_header: tp.user_data_header.clone(),
        concatenation: tp.concatenation.map(ConcatenationForm::of),
        send_time: content.send_time.map(Timestamp::millis),
        raw_pdu: content.raw_pdu.as_deref().map(hex),
        raw_data_flag: content.raw_data,
        raw_sip_flag: content.raw_sip,
        fallback: message.arranged.fallback.as_ref().map(|next| FallbackForm {
            to: next.rest.iter().map(FrontendName::to_string).collect(),
            after_ms: u64::try_from(next.after.as_millis()).unwrap_or(u64::MAX),
            at: next.at.millis(),
        }),
        debited: message.arranged.debited,
        charging,
        smpp: message.arranged.origin.as_deref().map(OriginForm::of),
    }
}

/// Reads the rare fields; nothing, or an empty text, means that there are none.
///
/// # Errors
/// [`Error::Damaged`] when the text is not such an object of a known version.
pub fn decode_extra(text: Option<&str>) -> Result<Extra, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(Extra::default());
    };
    if let Some(common) = COMMON.iter().find(|common| common.text == text) {
        return Ok(Extra {
            tp: common.tp.clone(),
            ..Extra::default()
        });
    }
    let form: ExtraForm = decode(text)?;
    let bad = |why: &str| damaged(ExtraForm::WHAT, why);
    let character_set = form.tp_dcs_character_set.map(|word| {
        CharacterSet::parse(&word).ok_or_else(|| bad("an unknown tp_dcs_character_set"))
    });
    let raw_pdu = form
        .raw_pdu
        .map(|text| unhex(&text).ok_or_else(|| bad("raw_pdu is not hex")));
    Ok(Extra {
        source_imsi: form.source_imsi,
        dest_imsi: form.dest_imsi,
        part_number: form.message_part_number,
        tp: TransferFields {
            data_coding_scheme: form.tp_data_coding_scheme,
            character_set: character_set.transpose()?,
            coding_group: form.tp_dcs_coding_group,
            compressed: form.tp_dcs_compressed,
            has_message_class: form.tp_dcs_has_message_class,
            message_class: form.tp_dcs_message_class,
            user_data_header: form.tp_user_data_header,
            concatenation: form
                .concatenation
                .map(ConcatenationForm::read)
                .transpose()?,
        },
        send_time: form
            .send_time
            .map(|at| instant(ExtraForm::WHAT, at))
            .transpose()?,
        raw_pdu: raw_pdu.transpose()?,
        raw_data: form.raw_data_flag,
        raw_sip: form.raw_sip_flag,
        arranged: Arranged {
            fallback: form.fallback.map(FallbackForm::read).transpose()?,
            debited: form.debited,
            origin: form.smpp.map(OriginForm::read).transpose()?.map(Box::new),
        },
        charging: form.charging.map(ChargingForm::read).transpose()?,
    })
}

impl ConcatenationForm {
    fn of(part: Concatenation) -> Self {
        let (reference, reference_bits) = match part.reference {
            Reference::Bits8(reference) => (reference.into(), 8),
            Reference::Bits16(reference) => (reference, 16),
        };
        Self {
            reference,
            reference_bits,
            total: part.total,
            sequence: part.sequence,
        }
    }

    fn read(self) -> Result<Concatenation, Error> {
        let reference = match self.reference_bits {
            8 => u8::try_from(self.reference).ok().map(Reference::Bits8),
            16 => Some(Reference::Bits16(self.reference)),
            _ => None,
        };
        let reference = reference.filter(|_| (1..=self.total).contains(&self.sequence));
        Ok(Concatenation {
            reference: reference.ok_or_else(|| damaged(ExtraForm::WHAT, "no such part"))?,
            total: self.total,
            sequence: self.sequence,
        })
    }
}

impl FallbackForm {
    fn read(self) -> Result<Fallback, Error> {
        let names = self.to.iter().map(|text| name(ExtraForm::WHAT, text));
        Ok(Fallback {
            rest: names.collect::<Result<_, _>>()?,
            after: Duration::from_millis(self.after_ms),
            at: instant(ExtraForm::WHAT, self.at)?,
        })
    }
}

impl ChargingForm {
    fn read(self) -> Result<(Timestamp, FailureAction), Error> {
        let on_failure = FailureAction::parse(&self.on_failure)
            .ok_or_else(|| damaged(ExtraForm::WHAT, "an unknown on_failure"))?;
        Ok((instant(ExtraForm::WHAT, self.until)?, on_failure))
    }
}

/// Whether it has no rare field but how its text is coded.
fn is_plain(content: &Content) -> bool {
    // Taken apart without `..`, so that a new field shows this place.
    let Content {
        source: _,
        destination: _,
        body: _,
        source_smsc: _,
        parts: _,
        source_imsi,
        dest_imsi,
        part_number,
        tp: _,
        send_time,
        raw_pdu,
        raw_data,
        raw_sip,
    } = content;
    source_imsi.is_none()
        && dest_imsi.is_none()
        && part_number.is_none()
        && send_time.is_none()
        && raw_pdu.is_none()
        && !raw_data
        && !raw_sip
}

fn hex(octets: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    octets
        .iter()
        .flat_map(|octet| {
            [
                DIGITS[usize::from(octet >> 4)],
                DIGITS[usize::from(octet & 0xf)],
            ]
        })
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |c: &u8| {
        char::from(*c)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;

    #[test]
    fn what_is_common_is_written_as_everything_else_is() {
        for common in &COMMON {
            let mut message = plain();
            message.content.tp = common.tp.clone();
            assert_eq!(encode(&form(&message, None)), common.text);
            assert_eq!(encode_extra(&message).as_deref(), Some(common.text));
            let extra = Extra {
                tp: common.tp.clone(),
                ..Extra::default()
            };
            assert_eq!(decode_extra(Some(common.text)), Ok(extra));
            message.content.raw_data = true;
            let text = encode_extra(&message).unwrap();
            assert!(text.contains("raw_data_flag"), "{text}");
        }
    }
}
