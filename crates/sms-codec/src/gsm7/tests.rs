//! Golden septets of 3GPP TS 23.038 and what a receiver shows.

use super::*;

fn packed(text: &str, fill: FillBits) -> Vec<u8> {
    let mut octets = Vec::new();
    pack(&encode(text, Shift::DEFAULT).unwrap(), fill, &mut octets);
    octets
}

#[test]
fn packs_the_least_significant_bits_first() {
    // "hellohello" is the worked example that every description of the packing repeats.
    let octets = [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37];
    assert_eq!(packed("hellohello", FillBits::NONE), octets);
    assert_eq!(packed("hola", FillBits::NONE), [0xE8, 0x37, 0x3B, 0x0C]);
}

#[test]
fn starts_the_text_on_a_septet_boundary_after_a_header() {
    assert_eq!(FillBits::after_header(6), FillBits::new(1).unwrap());
    assert_eq!(FillBits::after_header(7), FillBits::NONE);
    for header in 1..140 {
        let bits = header * 8 + usize::from(FillBits::after_header(header).bits());
        assert_eq!(bits % 7, 0, "header of {header} octets");
    }
    // The user data of a styled text seen on the air, header 05 0A 03 00 04 10.
    let bold = hex("84 6f 36 19 f4 76 b3 f3");
    assert_eq!(packed("Bold only", FillBits::after_header(6)), bold);
}

#[test]
fn an_at_sign_at_the_end_is_counted_not_padded() {
    let octets = packed("1234567@", FillBits::NONE);
    assert_eq!(octets.len(), 7);
    assert_eq!(
        decode(&unpack(&octets, FillBits::NONE, 8).unwrap(), Shift::DEFAULT),
        "1234567@"
    );
}

#[test]
fn writes_extension_characters_as_escape_pairs() {
    let septets = encode("[€]\x0C", Shift::DEFAULT).unwrap();
    assert_eq!(septets, [0x1B, 0x3C, 0x1B, 0x65, 0x1B, 0x3E, 0x1B, 0x0A]);
    assert_eq!(decode(&septets, Shift::DEFAULT), "[€]\x0C");
}

#[test]
fn refuses_a_character_without_a_code() {
    let refused = Error::Character {
        index: 2,
        character: '`',
    };
    assert_eq!(encode("ab`", Shift::DEFAULT), Err(refused));
    for missing in ['`', '\t', '\0', 'ç', 'Á', 'Α', 'я', '\u{1F600}'] {
        assert_eq!(code(missing, Shift::DEFAULT), None, "{missing:?}");
    }
}

#[test]
fn shows_the_plain_character_for_an_undefined_escape() {
    assert_eq!(decode(&[0x1B, 0x41, 0x42], Shift::DEFAULT), "AB");
    assert_eq!(decode(&[0x1B, 0x1B, 0x42], Shift::DEFAULT), " B");
    assert_eq!(decode(&[0x42, 0x1B], Shift::DEFAULT), "B ");
    assert_eq!(decode_each(&[0x1B, 0x41, 0x42], Shift::DEFAULT), " AB");
}

#[test]
fn every_code_of_the_default_tables_reads_back() {
    for septet in (0..128).filter(|septet| *septet != ESCAPE) {
        let text = decode(&[septet], Shift::DEFAULT);
        assert_eq!(encode(&text, Shift::DEFAULT), Ok(vec![septet]));
    }
    assert_eq!(
        "\x0C^{}\\[~]|€"
            .chars()
            .filter_map(|c| code(c, Shift::DEFAULT))
            .count(),
        10
    );
}

#[test]
fn septets_that_do_not_fit_are_refused() {
    let missing = Error::Truncated {
        field: "septets",
        offset: 0,
        missing: 1,
    };
    assert_eq!(unpack(&[0; 7], FillBits::new(1).unwrap(), 8), Err(missing));
    assert_eq!(unpack(&[0; 7], FillBits::NONE, 8), Ok(vec![0; 8]));
}

/// Single characters of 3GPP TS 23.038 A.2 and A.3, looked up in the standard's code points.
#[test]
fn national_tables_hold_what_the_annex_says() {
    let cases = [
        (Language::Turkish, 0x07, 'ı', 0x14, '^'),
        (Language::Portuguese, 0x7B, 'ã', 0x12, 'Φ'),
        (Language::Bengali, 0x00, '\u{0981}', 0x19, '\u{09E6}'),
        (Language::Gujarati, 0x03, '\u{0A85}', 0x1C, '\u{0AE6}'),
        (Language::Hindi, 0x00, '\u{0901}', 0x1C, '\u{0966}'),
        (Language::Kannada, 0x03, '\u{0C85}', 0x1C, '\u{0CE6}'),
        (Language::Malayalam, 0x03, '\u{0D05}', 0x1C, '\u{0D66}'),
        (Language::Oriya, 0x03, '\u{0B05}', 0x1C, '\u{0B66}'),
        (Language::Punjabi, 0x03, '\u{0A05}', 0x1C, '\u{0A66}'),
        (Language::Tamil, 0x03, '\u{0B85}', 0x1C, '\u{0BE6}'),
        (Language::Telugu, 0x03, '\u{0C05}', 0x1C, '\u{0C66}'),
        (Language::Urdu, 0x5D, '\u{0650}', 0x1C, '\u{06F0}'),
    ];
    for (language, plain, character, escaped, shifted) in cases {
        let shift = Shift {
            locking: language,
            single: language,
        };
        assert_eq!(
            code(character, shift),
            Some(Code::Plain(plain)),
            "{language:?}"
        );
        assert_eq!(
            code(shifted, shift),
            Some(Code::Escaped(escaped)),
            "{language:?}"
        );
        assert_eq!(
            decode(&[plain, ESCAPE, escaped], shift),
            format!("{character}{shifted}")
        );
    }
}

#[test]
fn every_code_of_every_national_table_reads_back() {
    for language in Language::NATIONAL {
        let shift = Shift {
            locking: language,
            single: language,
        };
        let locking = national::locking(language).unwrap_or(&tables::DEFAULT);
        let single = national::single(language).unwrap();
        for septet in 0..128 {
            if let Some(character) = tables::character(locking, septet) {
                assert_eq!(
                    code(character, shift),
                    Some(Code::Plain(septet)),
                    "{language:?}"
                );
            }
            if let Some(character) = tables::character(single, septet) {
                let text = decode(&encode(&character.to_string(), shift).unwrap(), shift);
                assert_eq!(text, character.to_string(), "{language:?}");
            }
        }
        // What every table keeps: line feed, carriage return, space, digits, the escape.
        for kept in ['\n', '\r', ' ', '0', '9', 'a', 'z'] {
            assert_eq!(
                code(kept, shift),
                code(kept, Shift::DEFAULT),
                "{language:?} {kept:?}"
            );
        }
        assert_eq!(tables::character(locking, ESCAPE), None);
        assert!(code('€', shift).is_some());
    }
    assert!(!Language::Spanish.has_locking_table());
    assert_eq!(Language::from_id(14), Language::Other(14));
}

fn hex(digits: &str) -> Vec<u8> {
    digits
        .split(' ')
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
