//! What must hold for any octets at all; shared by the properties, the corpus and the fuzzers.

use bytes::Bytes;
use sms_codec::gsm7::{self, FillBits, Language, Shift};
use sms_codec::segment::{self, Envelope, Languages, Options};
use sms_codec::tpdu::{Direction, ReportKind, Tpdu};
use sms_codec::udh::{Header, Reference};
use sms_codec::{describe, join, rp, ucs2};

/// Runs the check of the decoder called `name`; `None` if there is none.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn by_name(name: &str) -> Option<fn(&[u8])> {
    Some(match name {
        "tpdu" => tpdu,
        "rp" => relay,
        "udh" => header,
        "gsm7" => septets,
        "ucs2" => units,
        "text" => text,
        _ => return None,
    })
}

/// The first octet chooses how to read the others. What is read is written as it was.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn tpdu(input: &[u8]) {
    let Some((choice, octets)) = input.split_first() else {
        return;
    };
    let octets = Bytes::copy_from_slice(octets);
    let direction = if choice & 1 == 0 {
        Direction::MsToSc
    } else {
        Direction::ScToMs
    };
    let kind = if choice & 2 == 0 {
        ReportKind::Acknowledgement
    } else {
        ReportKind::Error
    };
    let tpdu = match choice >> 2 & 3 {
        0 | 1 => Tpdu::decode(direction, &octets),
        2 => Tpdu::decode_report(direction, kind, &octets),
        _ => {
            if let Ok((centre, tpdu)) = Tpdu::decode_with_service_centre(direction, &octets) {
                assert_eq!(tpdu.encode_with_service_centre(centre.as_ref()), octets);
            }
            return;
        }
    };
    assert!(Tpdu::decode_either(direction, &octets).is_ok() || tpdu.is_err() || choice & 8 != 0);
    match tpdu {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(tpdu) => {
            assert_eq!(tpdu.encode(), octets);
            assert_eq!(tpdu.direction(), direction);
            assert!(!describe::tpdu(&tpdu).to_string().is_empty());
        }
    }
}

#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn relay(input: &[u8]) {
    let octets = Bytes::copy_from_slice(input);
    if let Ok(message) = rp::Message::decode(&octets) {
        assert_eq!(message.encode(), octets);
        assert!(!describe::rp(&message).to_string().is_empty());
    }
}

#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn header(input: &[u8]) {
    let Ok(header) = Header::decode(Bytes::copy_from_slice(input)) else {
        return;
    };
    let elements: Vec<_> = header.elements().collect();
    assert_eq!(Header::new(&elements).as_ref(), Ok(&header));
    if let Some(parts) = header.concatenation() {
        assert!(parts.sequence >= 1 && parts.sequence <= parts.total);
    }
    assert!(header.waiting().count() <= elements.len());
    assert!(header.ports().is_none() || !elements.is_empty());
}

/// The first three octets choose fill bits and tables, the others are packed septets.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn septets(input: &[u8]) {
    let [fill, locking, single, octets @ ..] = input else {
        return;
    };
    let fill = FillBits::new(fill % 7).unwrap();
    let shift = Shift {
        locking: Language::from_id(locking % 16),
        single: Language::from_id(single % 16),
    };
    let Some(bits) = (octets.len() * 8).checked_sub(usize::from(fill.bits())) else {
        return;
    };
    let septets = gsm7::unpack(octets, fill, bits / 7).unwrap();
    assert!(gsm7::unpack(octets, fill, bits / 7 + 1).is_err());
    let mut packed = Vec::new();
    gsm7::pack(&septets, fill, &mut packed);
    assert_eq!(
        gsm7::unpack(&packed, fill, septets.len()).as_ref(),
        Ok(&septets)
    );
    // Whatever is shown can be written again, and then shows the same.
    let shown = gsm7::decode(&septets, shift);
    assert!(shown.chars().count() <= septets.len());
    if let Ok(written) = gsm7::encode(&shown, shift) {
        assert_eq!(gsm7::decode(&written, shift), shown);
        assert_eq!(gsm7::count(&shown, shift), Some(written.len()));
    }
}

#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn units(input: &[u8]) {
    let lossy = ucs2::decode_lossy(input);
    if let Ok(text) = ucs2::decode(input) {
        assert_eq!(text, lossy);
        let mut octets = Vec::new();
        ucs2::encode(&text, &mut octets);
        assert_eq!(octets, input);
    }
}

/// The first two octets choose how to split, the others are text. Its parts join to it again.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn text(input: &[u8]) {
    let [choice, languages, text @ ..] = input else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let reference = match choice & 1 {
        0 => Reference::Bits8(*choice),
        _ => Reference::Bits16(u16::from(*choice) * 257),
    };
    let languages = match languages % 15 {
        0 => Languages::NONE,
        14 => Languages::ALL,
        id => Languages::NONE.with(Language::from_id(id)),
    };
    let size = match reference {
        Reference::Bits8(_) => segment::ReferenceSize::Bits8,
        Reference::Bits16(_) => segment::ReferenceSize::Bits16,
    };
    let options = Options {
        languages,
        reference: size,
        ..Options::PLAIN
    };
    let plan = segment::count(&text, &options);
    let envelope = Envelope {
        reference,
        class: None,
        elements: &[],
    };
    let Ok(parts) = segment::split(&text, &options, &envelope) else {
        assert!(plan.parts.get() > 255);
        return;
    };
    assert_eq!(parts.len(), plan.parts.get() as usize);
    assert_eq!(join::text(&parts).as_deref(), Some(&*text));
    let each: Option<String> = parts.iter().map(|part| part.text()).collect();
    assert_eq!(each.as_deref(), Some(&*text), "a pair was cut");
    let plain = segment::count(
        &text,
        &Options {
            languages: Languages::NONE,
            ..options
        },
    );
    assert!(plan.parts <= plain.parts);
}
