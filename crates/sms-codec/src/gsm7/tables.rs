//! The default alphabet and its extension, in both directions (3GPP TS 23.038 6.2.1, 6.2.1.1).

use super::Code;

/// 128 characters by septet, all of them in the basic plane; 0 where there is none.
pub(super) type Table = [u16; 128];

/// The GSM 7-bit default alphabet. The escape code has no character.
pub(super) static DEFAULT: Table = table(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\0ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
     ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);

/// The GSM 7-bit default alphabet extension table.
pub(super) static EXTENSION: Table = sparse(&[
    (0x0A, '\x0C'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
]);

/// Codes of the characters below U+0100: the septet, 0x80 set if escaped, 0xFF if there is none.
static CODES: [u8; 256] = codes();

/// How many septets each byte of ASCII text takes; 0 if it has no code or is not ASCII.
pub(crate) static ASCII_SEPTETS: [u8; 256] = ascii_septets();

/// The character of `septet` in `table`.
pub(super) fn character(table: &Table, septet: u8) -> Option<char> {
    match table.get(usize::from(septet)) {
        None | Some(0) => None,
        Some(&unit) => char::from_u32(u32::from(unit)),
    }
}

/// The septet that writes `character` in `table`.
pub(super) fn position(table: &Table, character: char) -> Option<u8> {
    let unit = u16::try_from(u32::from(character))
        .ok()
        .filter(|unit| *unit != 0)?;
    let position = table.iter().position(|entry| *entry == unit)?;
    u8::try_from(position).ok()
}

/// The code of `character` in the default alphabet and its extension table.
pub(super) fn default_code(character: char) -> Option<Code> {
    let point = u32::from(character);
    let Some(entry) = usize::try_from(point)
        .ok()
        .and_then(|point| CODES.get(point))
    else {
        return beyond_latin1(character);
    };
    match *entry {
        0xFF => None,
        escaped if escaped & 0x80 != 0 => Some(Code::Escaped(escaped & 0x7F)),
        septet => Some(Code::Plain(septet)),
    }
}

fn beyond_latin1(character: char) -> Option<Code> {
    match character {
        '€' => Some(Code::Escaped(0x65)),
        'Γ'..='Ω' => position(&DEFAULT, character).map(Code::Plain),
        _ => None,
    }
}

const fn codes() -> [u8; 256] {
    let mut codes = [0xFF; 256];
    let mut septet = 0;
    while septet < 0x80 {
        let (plain, escaped) = (DEFAULT[septet as usize], EXTENSION[septet as usize]);
        if plain != 0 && plain < 256 {
            codes[plain as usize] = septet;
        }
        if escaped != 0 && escaped < 256 {
            codes[escaped as usize] = septet | 0x80;
        }
        septet += 1;
    }
    codes
}

const fn ascii_septets() -> [u8; 256] {
    let mut septets = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        septets[byte] = match CODES[byte] {
            0xFF => 0,
            code if code & 0x80 != 0 => 2,
            _ => 1,
        };
        byte += 1;
    }
    septets
}

/// A table from its 128 characters in order.
const fn table(characters: &str) -> Table {
    let bytes = characters.as_bytes();
    let mut table = [0; 128];
    let (mut at, mut septet) = (0, 0);
    while at < bytes.len() {
        let first = bytes[at] as u16;
        table[septet] = if first < 0x80 {
            first
        } else {
            // Nothing in these tables needs more than two bytes of UTF-8.
            assert!(first & 0xE0 == 0xC0);
            at += 1;
            (first & 0x1F) << 6 | bytes[at] as u16 & 0x3F
        };
        at += 1;
        septet += 1;
    }
    assert!(septet == 128);
    table
}

/// A table from the codes that have a character.
pub(super) const fn sparse(entries: &[(u8, char)]) -> Table {
    let mut table = [0; 128];
    let mut index = 0;
    while index < entries.len() {
        let (septet, character) = entries[index];
        let point = character as u32;
        assert!(septet < 128 && point <= 0xFFFF);
        let [.., high, low] = point.to_be_bytes();
        table[septet as usize] = u16::from_be_bytes([high, low]);
        index += 1;
    }
    table
}
