//! The GSM 7-bit alphabets: text to septets and back (3GPP TS 23.038 6.2.1).

mod national;
mod septets;
mod tables;
#[cfg(test)]
mod tests;

use crate::Error;

pub use national::Language;
pub use septets::{FillBits, pack, packed_len, unpack, unpack_into};

/// The code that takes the next one from the single shift table (3GPP TS 23.038 6.2.1.1).
pub const ESCAPE: u8 = 0x1B;

/// Which tables septets are read with (3GPP TS 23.038 6.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shift {
    /// The table of plain codes: the default alphabet or a national locking shift table.
    pub locking: Language,
    /// The table of escaped codes: the extension table or a national single shift table.
    pub single: Language,
}

impl Shift {
    /// The default alphabet and its extension table, without any national table.
    pub const DEFAULT: Self = Self {
        locking: Language::Default,
        single: Language::Default,
    };
}

/// How one character is written in septets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// One septet.
    Plain(u8),
    /// The escape code and this septet.
    Escaped(u8),
}

impl Code {
    /// How many septets the character takes.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Plain(_) => 1,
            Self::Escaped(_) => 2,
        }
    }

    /// Never: every character takes at least one septet.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// The code of `character`, if the tables of `shift` hold it (3GPP TS 23.038 6.2.1, annex A).
#[must_use]
pub fn code(character: char, shift: Shift) -> Option<Code> {
    if shift == Shift::DEFAULT {
        return tables::default_code(character);
    }
    let plain = match national::locking(shift.locking) {
        None => match tables::default_code(character) {
            Some(Code::Plain(septet)) => Some(septet),
            _ => None,
        },
        Some(table) => tables::position(table, character),
    };
    if let Some(septet) = plain {
        return Some(Code::Plain(septet));
    }
    match national::single(shift.single) {
        None => match tables::default_code(character) {
            Some(Code::Escaped(septet)) => Some(Code::Escaped(septet)),
            _ => None,
        },
        Some(table) => tables::position(table, character).map(Code::Escaped),
    }
}

/// The number of septets `text` takes, or `None` if a character has no code.
#[must_use]
pub fn count(text: &str, shift: Shift) -> Option<usize> {
    let mut septets = 0;
    for character in text.chars() {
        septets += code(character, shift)?.len();
    }
    Some(septets)
}

/// [`count`] for the default tables, made for texts that are all ASCII, as most are.
pub(crate) fn count_default(text: &str) -> Option<usize> {
    let mut septets = 0;
    for byte in text.bytes() {
        match tables::ASCII_SEPTETS[usize::from(byte)] {
            0 if byte < 0x80 => return None,
            0 => return count(text, Shift::DEFAULT),
            width => septets += usize::from(width),
        }
    }
    Some(septets)
}

/// Writes `text` as septets, one in each octet (3GPP TS 23.038 6.2.1).
///
/// # Errors
/// [`Error::Character`] for the first character that has no code.
pub fn encode(text: &str, shift: Shift) -> Result<Vec<u8>, Error> {
    let mut septets = Vec::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        match code(character, shift) {
            Some(Code::Plain(septet)) => septets.push(septet),
            Some(Code::Escaped(septet)) => septets.extend([ESCAPE, septet]),
            None => return Err(Error::Character { index, character }),
        }
    }
    Ok(septets)
}

/// Reads septets, one in each octet, as a receiving entity shows them.
///
/// An escaped code without a character shows the character of the plain table; an escape that
/// introduces a further extension table, or nothing, shows a space (3GPP TS 23.038 6.2.1.1).
#[must_use]
pub fn decode(septets: &[u8], shift: Shift) -> String {
    read(septets, shift, Undefined::Base)
}

/// Reads septets like [`decode`], but an escape before an undefined code shows as a space, too.
///
/// This is what a receiver shows that does not know the escape (note 1 of 3GPP TS 23.038 6.2.1),
/// and how a whole table is printed.
#[must_use]
pub fn decode_each(septets: &[u8], shift: Shift) -> String {
    read(septets, shift, Undefined::SpaceAndBase)
}

#[derive(Clone, Copy)]
enum Undefined {
    Base,
    SpaceAndBase,
}

fn read(septets: &[u8], shift: Shift, undefined: Undefined) -> String {
    let plain = national::locking(shift.locking).unwrap_or(&tables::DEFAULT);
    let escaped = national::single(shift.single).unwrap_or(&tables::EXTENSION);
    let mut text = String::with_capacity(septets.len() + septets.len() / 8);
    let mut rest = septets.iter();
    while let Some(&septet) = rest.next() {
        let septet = septet & 0x7F;
        if septet != ESCAPE {
            text.push(tables::character(plain, septet).unwrap_or(' '));
            continue;
        }
        let Some(&next) = rest.next() else {
            text.push(' ');
            break;
        };
        let next = next & 0x7F;
        match tables::character(escaped, next) {
            Some(character) => text.push(character),
            None if next == ESCAPE => text.push(' '),
            None => {
                if matches!(undefined, Undefined::SpaceAndBase) {
                    text.push(' ');
                }
                text.push(tables::character(plain, next).unwrap_or(' '));
            }
        }
    }
    text
}
