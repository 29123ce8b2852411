//! Every coding group of 3GPP TS 23.038 4.

use super::*;

#[test]
fn every_octet_survives_its_meaning_except_reserved_bits() {
    for octet in 0..=255 {
        let again = Dcs::from_meaning(Dcs(octet).meaning());
        let reserved = match octet {
            0x00..=0x7F if octet & 0x10 == 0 => 0x03,
            0xC0..=0xEF => 0x04,
            0xF0..=0xFF => 0x08,
            _ => 0,
        };
        assert_eq!(again.0, octet & !reserved, "{octet:#04x}");
    }
}

#[test]
fn groups_name_alphabet_class_and_compression() {
    let cases = [
        (0x00, Alphabet::Gsm7, None, false),
        (0x04, Alphabet::EightBit, None, false),
        (0x08, Alphabet::Ucs2, None, false),
        (0x0C, Alphabet::Gsm7, None, false),
        (0x10, Alphabet::Gsm7, Some(Class::Immediate), false),
        (0x19, Alphabet::Ucs2, Some(Class::Equipment), false),
        (0x20, Alphabet::Gsm7, None, true),
        (0x56, Alphabet::EightBit, Some(Class::Sim), false),
        (0x80, Alphabet::Gsm7, None, false),
        (0xC8, Alphabet::Gsm7, None, false),
        (0xE0, Alphabet::Ucs2, None, false),
        (0xF1, Alphabet::Gsm7, Some(Class::Equipment), false),
        (0xF7, Alphabet::EightBit, Some(Class::Terminal), false),
    ];
    for (octet, alphabet, class, compressed) in cases {
        let dcs = Dcs(octet);
        assert_eq!(
            (dcs.alphabet(), dcs.class(), dcs.is_compressed()),
            (alphabet, class, compressed),
            "{octet:#04x}"
        );
    }
}

#[test]
fn waiting_groups_name_storage_sense_and_kind() {
    let waiting = |store, active, kind| {
        Some(Waiting {
            store,
            active,
            kind,
        })
    };
    assert_eq!(
        Dcs(0xC8).waiting(),
        waiting(false, true, WaitingKind::Voicemail)
    );
    assert_eq!(Dcs(0xD1).waiting(), waiting(true, false, WaitingKind::Fax));
    assert_eq!(Dcs(0xEA).waiting(), waiting(true, true, WaitingKind::Email));
    assert_eq!(
        Dcs(0xC3).waiting(),
        waiting(false, false, WaitingKind::Other)
    );
    assert_eq!(Dcs(0xF0).waiting(), None);
}

#[test]
fn compressed_text_is_counted_in_octets() {
    assert!(Dcs(0x00).counts_septets());
    assert!(Dcs(0x8F).counts_septets());
    assert!(!Dcs(0x20).counts_septets());
    assert!(!Dcs(0x08).counts_septets());
}
