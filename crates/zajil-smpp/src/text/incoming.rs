//! What an application submits, as a text or as the user data of one short message.

use bytes::Bytes;
use smpp_codec::Status;
use smpp_codec::flags::EsmClass;
use smpp_codec::text::ShortMessage;
use smpp_codec::tlv::{Tag, Tlvs};
use sms_codec::dcs::{Alphabet, Class, Dcs, Meaning};
use sms_codec::gsm7::{self, Shift};
use sms_codec::udh::{Element, Header};
use sms_codec::user_data::{Content, UserData};
use sms_codec::{latin1, ucs2};
use zajil_core::smpp::DefaultAlphabet;

/// The text of a PDU, and how it is written.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'p> {
    /// `esm_class`.
    pub esm_class: EsmClass,
    /// `data_coding`.
    pub data_coding: u8,
    /// `short_message`; none in a `data_sm`.
    pub short_message: Option<&'p ShortMessage>,
    /// Optional parameters.
    pub tlvs: &'p Tlvs,
}

/// What a submit carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// A text, however long, and the class that it is to be shown with.
    Text(String, Option<Class>),
    /// One short message that has a header or is no text.
    UserData(UserData),
}

/// Why the text of a PDU cannot be used: what the answer says, and a sentence for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unusable {
    /// `command_status`.
    pub status: Status,
    /// What is wrong.
    pub why: &'static str,
}

const fn unusable(status: Status, why: &'static str) -> Unusable {
    Unusable { status, why }
}

/// How the octets of a text are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gsm7,
    /// IA5, or what applications take for it.
    Ia5,
    Latin1,
    Utf8,
    Ucs2,
    Binary,
}

impl Coding {
    /// A library that many use, npm's smpp, writes GSM septets and says IA5: `@` is an octet 0
    /// there, `$` is 2, `_` is 0x11. No text in IA5 has such controls.
    fn as_meant(self, octets: &[u8]) -> Self {
        if self != Self::Ia5 {
            return self;
        }
        let is_control = |octet: &u8| octet.is_ascii_control() && !b"\t\n\r\x7f".contains(octet);
        if octets.is_ascii() && octets.iter().any(is_control) {
            Self::Gsm7
        } else {
            // IA5 is a part of UTF-8, which clients send as well.
            Self::Utf8
        }
    }
}

/// Reads the text of a PDU.
///
/// # Errors
/// [`Unusable`].
pub fn read(pdu: Incoming<'_>, default: DefaultAlphabet) -> Result<Carried, Unusable> {
    let octets = octets(pdu)?;
    let (coding, class) = coding(pdu, default)?;
    let (header, octets) = split(pdu, octets)?;
    let coding = coding.as_meant(&octets);
    let text = || decode(coding, &octets);
    match header {
        None if coding != Coding::Binary => Ok(Carried::Text(text()?, class)),
        header => user_data(coding, class, header.as_ref(), &octets).map(Carried::UserData),
    }
}

/// `short_message` or `message_payload`, never both (3.4, 5.3.2.32).
fn octets(pdu: Incoming<'_>) -> Result<Bytes, Unusable> {
    let short = pdu.short_message.map(ShortMessage::octets);
    match (short, pdu.tlvs.get(Tag::MESSAGE_PAYLOAD)) {
        (Some(short), Some(_)) if !short.is_empty() => {
            let why = "short_message and message_payload are both there";
            Err(unusable(Status::RINVMSGLEN, why))
        }
        (_, Some(payload)) => Ok(payload.clone()),
        (Some(short), None) => Ok(short.clone()),
        (None, None) => Ok(Bytes::new()),
    }
}

/// SMPP 5.0, 4.7.7; the groups from 0xC0 on are those of 3GPP TS 23.038.
fn coding(
    pdu: Incoming<'_>,
    default: DefaultAlphabet,
) -> Result<(Coding, Option<Class>), Unusable> {
    let default = match default {
        DefaultAlphabet::Gsm7 => Coding::Gsm7,
        DefaultAlphabet::Latin1 => Coding::Latin1,
        DefaultAlphabet::Utf8 | DefaultAlphabet::Ascii => Coding::Utf8,
    };
    // dest_addr_subunit 1: to the display (5.0, 4.8.4.23).
    let display = pdu.tlvs.u8(Tag::DEST_ADDR_SUBUNIT) == Some(1);
    let asked = display.then_some(Class::Immediate);
    let coding = match pdu.data_coding {
        0x00 => default,
        0x01 => Coding::Ia5,
        0x02 | 0x04 => Coding::Binary,
        0x03 => Coding::Latin1,
        0x08 => Coding::Ucs2,
        // Many applications mean the DCS of GSM: text with a class, in one of three alphabets.
        dcs @ (0x10..=0x1F | 0xF0..=0xFF) => {
            let dcs = Dcs(dcs);
            let coding = match dcs.alphabet() {
                Alphabet::Gsm7 | Alphabet::Reserved => Coding::Gsm7,
                Alphabet::EightBit => Coding::Binary,
                Alphabet::Ucs2 => Coding::Ucs2,
            };
            return Ok((coding, dcs.class().or(asked)));
        }
        _ => return Err(unusable(Status::RINVDCS, "data_coding is not known here")),
    };
    Ok((coding, asked))
}

/// The header in front of the text, or the one that `sar_*` stand for.
fn split(pdu: Incoming<'_>, octets: Bytes) -> Result<(Option<Header>, Bytes), Unusable> {
    let broken = unusable(Status::RINVESMCLASS, "the user data header is broken");
    if pdu.esm_class.has_header() {
        let length = octets.first().map_or(0, |length| usize::from(*length) + 1);
        if length == 0 || length > octets.len() {
            return Err(broken);
        }
        let header = Header::decode(octets.slice(1..length)).map_err(|_| broken)?;
        return Ok((Some(header), octets.slice(length..)));
    }
    let tlvs = pdu.tlvs;
    let (Some(reference), Some(total), Some(sequence)) = (
        tlvs.u16(Tag::SAR_MSG_REF_NUM),
        tlvs.u8(Tag::SAR_TOTAL_SEGMENTS),
        tlvs.u8(Tag::SAR_SEGMENT_SEQNUM),
    ) else {
        return Ok((None, octets));
    };
    if sequence == 0 || sequence > total {
        let why = "sar_segment_seqnum is not one of sar_total_segments";
        return Err(unusable(Status::RINVTLVVAL, why));
    }
    if total == 1 {
        return Ok((None, octets));
    }
    // Applications cut a text where the shorter header leaves room: 153 characters. The longer one,
    // with all of the reference, would leave 152, and must be the same in every part.
    let [_, low] = reference.to_be_bytes();
    let header = Header::new(&[Element {
        id: 0x00,
        data: &[low, total, sequence],
    }]);
    Ok((Some(header.map_err(|_| broken)?), octets))
}

fn decode(coding: Coding, octets: &[u8]) -> Result<String, Unusable> {
    let not_text = unusable(Status::RSUBMITFAIL, "the text is not what data_coding says");
    match coding {
        Coding::Gsm7 => Ok(gsm7::decode(octets, Shift::DEFAULT)),
        Coding::Latin1 => Ok(latin1::decode(octets)),
        // Clients that say IA5 and mean Latin-1 are as common as those that mean UTF-8.
        Coding::Utf8 | Coding::Ia5 => {
            Ok(str::from_utf8(octets).map_or_else(|_| latin1::decode(octets), str::to_owned))
        }
        Coding::Ucs2 => ucs2::decode(octets).map_err(|_| not_text),
        Coding::Binary => Err(not_text),
    }
}

/// One short message. A part keeps its octets as they are, but is written in an alphabet of GSM.
fn user_data(
    coding: Coding,
    class: Option<Class>,
    header: Option<&Header>,
    octets: &[u8],
) -> Result<UserData, Unusable> {
    let dcs = |alphabet| {
        Dcs::from_meaning(Meaning::General {
            automatic_deletion: false,
            compressed: false,
            class,
            alphabet,
        })
    };
    let too_long = unusable(Status::RINVMSGLEN, "longer than one short message");
    match coding {
        Coding::Binary => UserData::new(dcs(Alphabet::EightBit), header, Content::Octets(octets)),
        Coding::Ucs2 => UserData::new(dcs(Alphabet::Ucs2), header, Content::Octets(octets)),
        // Septets as they are: a part may begin within an escape, and tables may be national.
        Coding::Gsm7 => {
            let septets: Vec<u8> = octets.iter().map(|octet| octet & 0x7F).collect();
            UserData::new(dcs(Alphabet::Gsm7), header, Content::Septets(&septets))
        }
        Coding::Latin1 | Coding::Utf8 | Coding::Ia5 => {
            let text = decode(coding, octets)?;
            UserData::from_text(dcs(Alphabet::Gsm7), header, &text)
                .or_else(|_| UserData::from_text(dcs(Alphabet::Ucs2), header, &text))
        }
    }
    .map_err(|_| too_long)
}
