//! A submit that is encoded once; numbers are patched into copies of it.

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use smpp_codec::address::{Address, NPI_E164, TON_INTERNATIONAL};
use smpp_codec::flags::{EsmClass, RegisteredDelivery};
use smpp_codec::pdu::Sm;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::tlv::{Tag, Tlv, Tlvs};
use smpp_codec::{Pdu, Status};

use super::Form;
use crate::wire::NUMBER;

const DIGITS: usize = 7;
/// Where `sequence_number` stands in every PDU.
const SEQUENCE_AT: usize = 12;
const TEXT: &[u8; 70] = b"A message of seventy characters, which is what people write, roughly..";
/// In front of a part: five octets of which the reference is the first, the number of parts the
/// second and this part's number the third (3GPP 23.040, 9.2.3.24.1).
const HEADER: [u8; 6] = [5, 0, 3, 0, 2, 1];

/// Octets of a `submit_sm`, and where what changes stands in them.
#[derive(Debug)]
pub(super) struct Template {
    octets: Vec<u8>,
    digits_at: usize,
    reference_at: Option<usize>,
}

/// Who submits to whom, and what is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addressed<'a> {
    pub(super) from: &'a str,
    /// With [`NUMBER`] in it.
    pub(super) to: &'a str,
    pub(super) receipts: bool,
}

/// The submits of one message of this form, in order.
pub(super) fn of(form: Form, addressed: Addressed<'_>) -> Result<Vec<Template>> {
    let bodies: Vec<Body> = match form {
        Form::Short => vec![Body::short(TEXT.to_vec())],
        Form::Ucs2 => vec![Body {
            data_coding: 8,
            ..Body::short([0x04, 0x16].repeat(TEXT.len()))
        }],
        Form::Payload => vec![Body {
            payload: Some(TEXT.repeat(5)),
            ..Body::short(Vec::new())
        }],
        Form::Parts => [1, 2].map(Body::part).into(),
    };
    bodies
        .into_iter()
        .map(|body| Template::new(body, addressed))
        .collect()
}

struct Body {
    esm_class: u8,
    data_coding: u8,
    text: Vec<u8>,
    payload: Option<Vec<u8>>,
}

impl Body {
    const fn short(text: Vec<u8>) -> Self {
        Self {
            esm_class: 0,
            data_coding: 0,
            text,
            payload: None,
        }
    }

    /// One of two parts.
    fn part(number: u8) -> Self {
        let [length, id, rest, reference, count, _] = HEADER;
        let mut text = vec![length, id, rest, reference, count, number];
        text.extend(TEXT.iter().chain(TEXT));
        Self {
            esm_class: EsmClass::UDHI,
            ..Self::short(text)
        }
    }
}

impl Template {
    fn new(body: Body, addressed: Addressed<'_>) -> Result<Self> {
        let zeros = "0".repeat(DIGITS);
        let (before, after) = addressed
            .to
            .split_once(NUMBER)
            .with_context(|| format!("the destination needs {NUMBER} in it"))?;
        let to = format!("{before}{zeros}{after}");
        let international = |digits: &str| {
            let value = Text::new(digits.to_owned()).filter(|text| text.octets().len() <= 20);
            Ok::<_, anyhow::Error>(Address {
                ton: TON_INTERNATIONAL,
                npi: NPI_E164,
                value: value.with_context(|| format!("'{digits}' is no address"))?,
            })
        };
        let mut tlvs = Tlvs::NONE;
        if let Some(payload) = body.payload {
            let tlv = Tlv::new(Tag::MESSAGE_PAYLOAD, payload);
            tlvs.push(tlv.context("the payload is too long")?);
        }
        let has_reference = body.esm_class == EsmClass::UDHI;
        let pdu = Pdu::SubmitSm(Sm {
            source_addr: international(addressed.from)?,
            destination_addr: international(&to)?,
            esm_class: EsmClass(body.esm_class),
            registered_delivery: RegisteredDelivery(u8::from(addressed.receipts)),
            data_coding: body.data_coding,
            short_message: ShortMessage::new(body.text).context("the text is too long")?,
            tlvs,
            ..Sm::default()
        });
        let mut octets = BytesMut::new();
        pdu.encode(Status::ROK, 0, &mut octets);
        let position = |what: &[u8]| {
            let mut windows = octets.windows(what.len());
            windows.position(|window| window == what)
        };
        let to_at = position(to.as_bytes()).context("the destination is not in its PDU")?;
        let reference_at = position(&HEADER[..3]).map(|at| at + 3);
        ensure!(reference_at.is_some() || !has_reference, "no header");
        Ok(Self {
            digits_at: to_at + before.len(),
            reference_at: reference_at.filter(|_| has_reference),
            octets: octets.to_vec(),
        })
    }

    /// Appends the submit of the `number`th message.
    pub(super) fn write(&self, number: u64, sequence: u32, out: &mut BytesMut) {
        let start = out.len();
        out.extend_from_slice(&self.octets);
        let Some(pdu) = out.get_mut(start..) else {
            return;
        };
        for (to, from) in pdu.iter_mut().skip(SEQUENCE_AT).zip(sequence.to_be_bytes()) {
            *to = from;
        }
        let mut rest = number;
        for digit in pdu.iter_mut().skip(self.digits_at).take(DIGITS).rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if let Some(reference) = self.reference_at.and_then(|at| pdu.get_mut(at)) {
            *reference = number.to_be_bytes()[7];
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use smpp_codec::pdu::Tolerance;

    use super::*;

    fn written(form: Form, number: u64) -> Vec<(u32, Sm)> {
        let addressed = Addressed {
            from: "15550001111",
            to: "1555%07d",
            receipts: true,
        };
        let read = |template: Template| {
            let mut out = BytesMut::from(&b"what is there before"[..]);
            let start = out.len();
            template.write(number, 77, &mut out);
            let octets = Bytes::from(out).slice(start..);
            let (header, pdu) = Pdu::decode(&octets, Tolerance::Strict).unwrap();
            let Pdu::SubmitSm(sm) = pdu else {
                panic!("{pdu:?}");
            };
            (header.sequence, sm)
        };
        of(form, addressed).unwrap().into_iter().map(read).collect()
    }

    #[test]
    fn numbers_are_patched_into_what_the_codec_wrote() {
        let all = written(Form::Short, 12_345);
        let [(77, sm)] = &all[..] else {
            panic!("{all:?}");
        };
        assert_eq!(sm.destination_addr.value.to_str(), "15550012345");
        assert_eq!(sm.registered_delivery.0, 1);
        assert_eq!(sm.short_message.octets()[..], TEXT[..]);
    }

    #[test]
    fn both_parts_of_a_message_carry_its_reference_and_their_numbers() {
        let parts = written(Form::Parts, 259);
        let headers: Vec<&[u8]> = parts
            .iter()
            .map(|(_, sm)| &sm.short_message.octets()[..6])
            .collect();
        assert_eq!(headers, [[5, 0, 3, 3, 2, 1], [5, 0, 3, 3, 2, 2]]);
    }

    #[test]
    fn a_long_text_is_a_payload_and_a_wide_one_ucs_2() {
        let payload = written(Form::Payload, 1).remove(0).1;
        assert_eq!(payload.tlvs.get(Tag::MESSAGE_PAYLOAD).unwrap().len(), 350);
        let wide = written(Form::Ucs2, 1).remove(0).1;
        assert_eq!(
            (wide.data_coding, wide.short_message.octets().len()),
            (8, 140)
        );
    }
}
