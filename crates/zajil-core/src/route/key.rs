//! Prefixes and numbers as integers, so that comparing them takes one instruction and no memory.

use std::borrow::Cow;

use crate::number;

/// Prefixes are told apart by their first this many bytes: no number is longer.
pub(super) const LONGEST: usize = 63;

/// So many digits fit, four bits each. The highest four bits tell a [`Key`] that is a hash.
const PACKED: usize = 15;
const HASHED: u64 = 0xf << 60;

/// A prefix in the form in which numbers are compared: its digits, four bits each from the lowest
/// on, or a hash when it is longer or no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u64);

/// A number whose prefixes are asked for.
#[derive(Debug)]
pub(super) struct Number<'q> {
    text: Cow<'q, str>,
    packed: u64,
    packed_length: usize,
}

impl Key {
    /// The key of a prefix that is in the form in which numbers are compared.
    pub(super) fn of(prefix: &str) -> Self {
        let (packed, length) = pack(prefix);
        if length == prefix.len() {
            Self(packed)
        } else {
            Self::hash(prefix.bytes().take(LONGEST))
        }
    }

    /// FNV-1a.
    fn hash(bytes: impl Iterator<Item = u8>) -> Self {
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | HASHED)
    }

    /// An integer whose every bit depends on every digit, and on all of `seed`.
    pub(super) fn mixed(self, seed: u64) -> u64 {
        let mixed = (self.0 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

impl<'q> Number<'q> {
    pub(super) fn new(text: &'q str) -> Self {
        let text = number::key(text);
        let (packed, packed_length) = pack(&text);
        Self {
            text,
            packed,
            packed_length,
        }
    }

    /// The length of the longest prefix that is told apart.
    pub(super) fn length(&self) -> usize {
        self.text.len().min(LONGEST)
    }

    /// The key of the prefix of this length.
    pub(super) fn key(&self, length: usize) -> Key {
        if length <= self.packed_length {
            Key(self.packed & ((1 << (4 * length)) - 1))
        } else {
            Key::hash(self.text.bytes().take(length))
        }
    }

    /// Whether the number begins with the prefix; `text` is only asked for when the key is a hash.
    pub(super) fn begins_with(&self, prefix: Key, text: impl FnOnce() -> Cow<'q, str>) -> bool {
        if prefix.0 >= HASHED {
            return self.text.starts_with(&*text());
        }
        let bits = (u64::BITS - prefix.0.leading_zeros()).next_multiple_of(4);
        self.packed & ((1 << bits) - 1) == prefix.0
    }
}

/// The digits at the beginning, at most [`PACKED`], and how many they are. No digit is 0, so that
/// "1" and "10" differ.
fn pack(text: &str) -> (u64, usize) {
    let mut packed = 0;
    let mut length = 0;
    for byte in text.bytes().take(PACKED) {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0' + 1,
            b'*' => 11,
            b'#' => 12,
            _ => break,
        };
        packed |= u64::from(digit) << (4 * length);
        length += 1;
    }
    (packed, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_begins_with_what_its_text_begins_with() {
        let texts = [
            "",
            "0",
            "00",
            "1",
            "10",
            "1*",
            "1#",
            "*",
            "12a",
            "12ab",
            "Bank",
            "Ban",
            "١٢",
            "١",
            "123456789012345",
            "1234567890123456",
            "12345678901234567",
            "1234567890123457",
        ];
        for (number, prefix) in texts.iter().flat_map(|n| texts.map(|p| (*n, p))) {
            let expected = number.starts_with(prefix);
            let key = Key::of(prefix);
            let subject = Number::new(number);
            let begins = subject.begins_with(key, || prefix.into());
            assert_eq!(begins, expected, "{number} begins with {prefix}");
            if prefix.len() <= number.len() {
                let same = subject.key(prefix.len()) == key;
                assert_eq!(same, expected, "the key of {prefix} in {number}");
            }
        }
    }

    #[test]
    fn beyond_the_longest_prefix_the_text_decides() {
        let (long, other) = ("9".repeat(70), "9".repeat(69) + "8");
        assert_eq!(Key::of(&long), Key::of(&other));
        assert_eq!(Number::new(&long).key(LONGEST), Key::of(&other));
        let number = Number::new(&long);
        assert!(!number.begins_with(Key::of(&other), || (&*other).into()));
    }
}
