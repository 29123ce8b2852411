//! Where each part of a text ends.

use std::num::NonZeroU32;
use std::ops::Range;

use super::{Alphabet, Plan};
use crate::gsm7;

/// The byte ranges of `text` that the parts of `plan` hold, in order.
///
/// `plan` must be the plan of the same text; there are as many ranges as it has parts.
#[must_use]
pub fn cut<'t>(text: &'t str, plan: &Plan) -> Cuts<'t> {
    Cuts {
        text,
        from: 0,
        alphabet: plan.alphabet,
        capacity: plan.capacity.max(2),
        done: false,
    }
}

/// The byte ranges of the parts of a text; see [`cut`].
#[derive(Debug, Clone)]
pub struct Cuts<'t> {
    text: &'t str,
    from: usize,
    alphabet: Alphabet,
    capacity: usize,
    done: bool,
}

impl Iterator for Cuts<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let from = self.from;
        let rest = self.text.get(from..).unwrap_or_default();
        let mut units = 0;
        for (index, character) in rest.char_indices() {
            units += width(character, self.alphabet);
            if units > self.capacity {
                self.from += index;
                return Some(from..self.from);
            }
        }
        self.done = true;
        Some(from..self.text.len())
    }
}

/// How many parts of `capacity` units `text` takes.
pub(super) fn count(text: &str, alphabet: Alphabet, capacity: usize) -> NonZeroU32 {
    let capacity = capacity.max(2);
    let mut parts = NonZeroU32::MIN;
    let mut units = 0;
    for character in text.chars() {
        let width = width(character, alphabet);
        if units + width > capacity {
            parts = parts.saturating_add(1);
            units = 0;
        }
        units += width;
    }
    parts
}

fn width(character: char, alphabet: Alphabet) -> usize {
    match alphabet {
        // The alphabet was chosen because it has every character.
        Alphabet::Gsm7(shift) => gsm7::code(character, shift).map_or(1, gsm7::Code::len),
        Alphabet::Ucs2 => character.len_utf16(),
    }
}
