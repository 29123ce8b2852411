//! A message as it goes to an application: one PDU's text, or several.

use bytes::Bytes;
use smpp_codec::flags::EsmClass;
use smpp_codec::text::ShortMessage;
use smpp_codec::tlv::{Tag, Tlv, Tlvs};
use sms_codec::dcs::{Alphabet, Class};
use sms_codec::gsm7::{self, Shift};
use sms_codec::segment::{self, Options, Plan, ReferenceSize};
use sms_codec::tpdu::{Direction, Tpdu};
use sms_codec::udh::Reference;
use sms_codec::user_data::UserData;
use sms_codec::{latin1, ucs2};
use zajil_core::message::Message;
use zajil_core::smpp::{DefaultAlphabet, LongText};

/// The text of one `deliver_sm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// `esm_class`: whether there is a header.
    pub esm_class: EsmClass,
    /// `data_coding`.
    pub data_coding: u8,
    /// `short_message`; empty when the text is in `message_payload`.
    pub short_message: ShortMessage,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

/// Writes a message in the manner of an account, in the order of its parts.
#[must_use]
pub fn write(message: &Message, alphabet: DefaultAlphabet, long: LongText) -> Vec<Piece> {
    if let Some(data) = user_data(message) {
        return vec![one_part(&data, alphabet, long)];
    }
    let body = &message.content.body;
    let class = message.content.tp.message_class.map(Class::from_code);
    let options = Options {
        reference: ReferenceSize::Bits16,
        ..Options::PLAIN
    };
    let plan = segment::count(body, &options);
    let writing = Writing::of(body, &plan, alphabet, class);
    if plan.parts.get() == 1 {
        return vec![piece(writing.octets(body), writing.data_coding, Tlvs::NONE)];
    }
    if long == LongText::Payload {
        return vec![piece_in_payload(writing.octets(body), writing.data_coding)];
    }
    in_parts(message, &plan, &writing, long)
}

/// The user data of a message that came as one short message with a header, or as data.
fn user_data(message: &Message) -> Option<UserData> {
    let content = &message.content;
    let octets: Bytes = content.raw_pdu.clone()?.into();
    let whole = content.tp.concatenation.is_none() && !content.body.is_empty();
    let read = [Direction::MsToSc, Direction::ScToMs]
        .into_iter()
        .filter_map(|direction| Tpdu::decode_either(direction, &octets).ok());
    let data = read.filter_map(|(_, tpdu)| match tpdu {
        Tpdu::Submit(pdu) => Some(pdu.user_data),
        Tpdu::Deliver(pdu) => Some(pdu.user_data),
        Tpdu::Command(_)
        | Tpdu::DeliverReport(_)
        | Tpdu::StatusReport(_)
        | Tpdu::SubmitReport(_) => None,
    });
    // An edit may have changed the text since; a plain text is written from what it is now.
    data.into_iter()
        .find(|data| data.concatenation() == content.tp.concatenation)
        .filter(|data| !whole || data.has_header())
        .filter(|data| {
            let text = data.text().unwrap_or_default();
            zajil_core::message::storable(&text) == content.body
        })
}

/// How a text is written.
struct Writing {
    alphabet: DefaultAlphabet,
    unicode: bool,
    data_coding: u8,
}

impl Writing {
    fn of(body: &str, plan: &Plan, alphabet: DefaultAlphabet, class: Option<Class>) -> Self {
        let fits = match alphabet {
            DefaultAlphabet::Gsm7 => matches!(plan.alphabet, segment::Alphabet::Gsm7(_)),
            DefaultAlphabet::Latin1 => {
                matches!(plan.alphabet, segment::Alphabet::Gsm7(_)) && latin1::encode(body).is_ok()
            }
            DefaultAlphabet::Utf8 => true,
            DefaultAlphabet::Ascii => {
                matches!(plan.alphabet, segment::Alphabet::Gsm7(_)) && body.is_ascii()
            }
        };
        let class = class.map(Class::code);
        let data_coding = match (fits, class) {
            (true, None) => 0x00,
            (true, Some(class)) => 0x10 | class,
            (false, None) => 0x08,
            (false, Some(class)) => 0x18 | class,
        };
        Self {
            alphabet,
            unicode: !fits,
            data_coding,
        }
    }

    fn octets(&self, text: &str) -> Vec<u8> {
        let mut unicode = Vec::new();
        ucs2::encode(text, &mut unicode);
        if self.unicode {
            return unicode;
        }
        match self.alphabet {
            DefaultAlphabet::Gsm7 => gsm7::encode(text, Shift::DEFAULT).unwrap_or(unicode),
            DefaultAlphabet::Latin1 => latin1::encode(text).unwrap_or(unicode),
            DefaultAlphabet::Utf8 | DefaultAlphabet::Ascii => text.as_bytes().to_vec(),
        }
    }
}

fn piece(octets: Vec<u8>, data_coding: u8, tlvs: Tlvs) -> Piece {
    match ShortMessage::new(octets.clone()) {
        Some(short_message) => Piece {
            esm_class: EsmClass::default(),
            data_coding,
            short_message,
            tlvs,
        },
        None => piece_in_payload(octets, data_coding),
    }
}

fn piece_in_payload(octets: Vec<u8>, data_coding: u8) -> Piece {
    Piece {
        esm_class: EsmClass::default(),
        data_coding,
        short_message: ShortMessage::default(),
        tlvs: Tlv::new(Tag::MESSAGE_PAYLOAD, octets).into_iter().collect(),
    }
}

/// The parts of a long text, each with its place among them.
fn in_parts(message: &Message, plan: &Plan, writing: &Writing, long: LongText) -> Vec<Piece> {
    let body = &message.content.body;
    // The same at every attempt, so that parts of two attempts fit together.
    let [.., high, low] = message.id.as_i64().to_be_bytes();
    let total = u8::try_from(plan.parts.get()).unwrap_or(u8::MAX);
    let parts = segment::cut(body, plan).zip(1_u8..);
    let part = |(range, sequence): (std::ops::Range<usize>, u8)| {
        let text = writing.octets(body.get(range).unwrap_or_default());
        if long == LongText::Sar {
            let tlvs = sar(u16::from_be_bytes([high, low]), total, sequence);
            return piece(text, writing.data_coding, tlvs);
        }
        let header = [6, 8, 4, high, low, total, sequence];
        let mut part = piece(
            [&header[..], &text].concat(),
            writing.data_coding,
            Tlvs::NONE,
        );
        part.esm_class = EsmClass(EsmClass::UDHI);
        part
    };
    parts.map(part).collect()
}

/// The place of a part among its siblings.
fn sar(reference: u16, total: u8, sequence: u8) -> Tlvs {
    let mut tlvs = Tlvs::NONE;
    tlvs.push_u16(Tag::SAR_MSG_REF_NUM, reference);
    tlvs.push_u8(Tag::SAR_TOTAL_SEGMENTS, total);
    tlvs.push_u8(Tag::SAR_SEGMENT_SEQNUM, sequence);
    tlvs
}

/// One short message as it came; who wants `sar_*` gets them for a header that says no more.
fn one_part(data: &UserData, alphabet: DefaultAlphabet, long: LongText) -> Piece {
    let dcs = data.dcs();
    let class = dcs.class().map(Class::code);
    let default = |text: &UserData| match alphabet {
        // Septets as they are: what an escape or a national table makes of them is not ours to say.
        DefaultAlphabet::Gsm7 => text.septets(),
        DefaultAlphabet::Latin1 => text.text().and_then(|text| latin1::encode(&text).ok()),
        DefaultAlphabet::Utf8 => text.text().map(String::into_bytes),
        DefaultAlphabet::Ascii => {
            let text = text.text().filter(|text| text.is_ascii());
            text.map(String::into_bytes)
        }
    };
    let (body, data_coding) = match dcs.alphabet() {
        Alphabet::EightBit => (data.body().to_vec(), 0x04),
        Alphabet::Ucs2 => (data.body().to_vec(), 0x08),
        Alphabet::Gsm7 | Alphabet::Reserved => match default(data) {
            Some(octets) => (octets, 0x00),
            None => {
                let mut octets = Vec::new();
                ucs2::encode(&data.text().unwrap_or_default(), &mut octets);
                (octets, 0x08)
            }
        },
    };
    let data_coding = class.map_or(data_coding, |class| 0x10 | data_coding | class);
    let Some(header) = data.header() else {
        return piece(body, data_coding, Tlvs::NONE);
    };
    if let (LongText::Sar, Some(part), 1) =
        (long, header.concatenation(), header.elements().count())
    {
        let reference = match part.reference {
            Reference::Bits8(number) => number.into(),
            Reference::Bits16(number) => number,
        };
        return piece(body, data_coding, sar(reference, part.total, part.sequence));
    }
    let elements = header.octets();
    let length = u8::try_from(elements.len()).unwrap_or(u8::MAX);
    let octets = [&[length][..], elements, &body].concat();
    let mut part = piece(octets, data_coding, Tlvs::NONE);
    part.esm_class = EsmClass(EsmClass::UDHI);
    part
}
