//! Text into parts: the alphabet that needs the fewest, and where each part ends
//! (3GPP TS 23.038 4, TS 23.040 9.2.3.24.1).

mod cut;
mod split;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use crate::gsm7::{self, Language, Shift};
use crate::ucs2;

pub use cut::{Cuts, cut};
pub use split::{Envelope, split};

/// The octets of user data in one message (3GPP TS 23.040 9.2.3.16).
pub const USER_DATA_OCTETS: usize = 140;

/// The size of the reference that ties parts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceSize {
    /// Information element 00, the usual one (3GPP TS 23.040 9.2.3.24.1).
    Bits8,
    /// Information element 08 (3GPP TS 23.040 9.2.3.24.8).
    Bits16,
}

/// A set of languages whose national tables may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Languages(u16);

impl Languages {
    /// No national tables.
    pub const NONE: Self = Self(0);

    /// Every language that has tables.
    pub const ALL: Self = Self(0x1FFF);

    /// This set and `language`; languages without tables add nothing.
    #[must_use]
    pub const fn with(self, language: Language) -> Self {
        match language.id() {
            id @ 1..=13 => Self(self.0 | 1 << (id - 1)),
            _ => self,
        }
    }

    /// Whether `language` is in the set.
    #[must_use]
    pub const fn contains(self, language: Language) -> bool {
        match language.id() {
            id @ 1..=13 => self.0 & 1 << (id - 1) != 0,
            _ => false,
        }
    }

    /// Whether no language is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// How text may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// The reference that each part of several carries.
    pub reference: ReferenceSize,
    /// Languages whose tables may be used instead of UCS-2; handsets must know them.
    pub languages: Languages,
    /// Octets of further information elements in every part, for example 6 for 16-bit ports.
    pub other_elements: u8,
    /// Which alphabets to choose from.
    pub choice: Choice,
}

impl Options {
    /// 8-bit reference, no national tables, no further elements, the best alphabet.
    pub const PLAIN: Self = Self {
        reference: ReferenceSize::Bits8,
        languages: Languages::NONE,
        other_elements: 0,
        choice: Choice::Best,
    };
}

/// Which alphabets to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// GSM 7-bit if every character has a code, else UCS-2.
    Best,
    /// GSM 7-bit with these tables, needed or not, if every character has a code, else UCS-2.
    Gsm7(Shift),
    /// UCS-2 in any case.
    Ucs2,
}

/// The alphabet text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 7-bit with these tables; a unit is a septet.
    Gsm7(Shift),
    /// UTF-16; a unit is 16 bits.
    Ucs2,
}

/// How a text will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The alphabet of every part.
    pub alphabet: Alphabet,
    /// Septets or 16-bit units of the whole text.
    pub units: usize,
    /// How many units fit into each part.
    pub capacity: usize,
    /// How many messages it takes. A reference can tie at most 255 of them.
    pub parts: NonZeroU32,
}

/// Chooses the alphabet of `text` and counts its parts.
///
/// The fewest parts win; on a tie GSM 7-bit is preferred with no national table, then with a
/// single shift, a locking shift, both. A part never ends inside an escape or surrogate pair.
#[must_use]
pub fn count(text: &str, options: &Options) -> Plan {
    let ucs2 = || measure(text, Alphabet::Ucs2, ucs2::count(text), options);
    let gsm7 = |shift, units| measure(text, Alphabet::Gsm7(shift), units, options);
    match options.choice {
        Choice::Best => {}
        Choice::Gsm7(shift) => {
            let units = gsm7::count(text, shift);
            return units.map_or_else(ucs2, |units| gsm7(shift, units));
        }
        Choice::Ucs2 => return ucs2(),
    }
    let plain = gsm7::count_default(text).map(|units| gsm7(Shift::DEFAULT, units));
    match plain {
        Some(plan) if options.languages.is_empty() || plan.parts == NonZeroU32::MIN => plan,
        plain => national(text, plain, options).unwrap_or_else(ucs2),
    }
}

/// The best plan among `plain` and those with allowed national tables.
fn national(text: &str, plain: Option<Plan>, options: &Options) -> Option<Plan> {
    let mut best = plain;
    if options.languages.is_empty() {
        return best;
    }
    let shifts: [fn(Language) -> Shift; 3] = [
        |single| Shift {
            locking: Language::Default,
            single,
        },
        |locking| Shift {
            locking,
            single: Language::Default,
        },
        |both| Shift {
            locking: both,
            single: both,
        },
    ];
    for shift in shifts {
        for language in Language::NATIONAL {
            let shift = shift(language);
            let lacks_table = shift.locking == language && !language.has_locking_table();
            if lacks_table || !options.languages.contains(language) {
                continue;
            }
            let Some(units) = gsm7::count(text, shift) else {
                continue;
            };
            let plan = measure(text, Alphabet::Gsm7(shift), units, options);
            if best.is_none_or(|best| plan.parts < best.parts) {
                best = Some(plan);
            }
        }
    }
    best
}

fn measure(text: &str, alphabet: Alphabet, units: usize, options: &Options) -> Plan {
    let single = capacity(alphabet, elements(alphabet, options));
    if units <= single {
        return Plan {
            alphabet,
            units,
            capacity: single,
            parts: NonZeroU32::MIN,
        };
    }
    let capacity = capacity(
        alphabet,
        elements(alphabet, options) + concatenation(options),
    );
    let parts = cut::count(text, alphabet, capacity);
    Plan {
        alphabet,
        units,
        capacity,
        parts,
    }
}

/// The units that fit beside `elements` octets of information elements.
///
/// 3GPP TS 23.040 9.2.3.16 and 9.2.3.24: 160, 153, 152 septets, 70, 67, 66 units.
#[must_use]
pub const fn capacity(alphabet: Alphabet, elements: usize) -> usize {
    let header = if elements == 0 { 0 } else { elements + 1 };
    let octets = USER_DATA_OCTETS.saturating_sub(header);
    match alphabet {
        Alphabet::Gsm7(_) => octets * 8 / 7,
        Alphabet::Ucs2 => octets / 2,
    }
}

fn elements(alphabet: Alphabet, options: &Options) -> usize {
    let national = match alphabet {
        Alphabet::Gsm7(shift) => {
            usize::from(shift.locking != Language::Default)
                + usize::from(shift.single != Language::Default)
        }
        Alphabet::Ucs2 => 0,
    };
    national * 3 + usize::from(options.other_elements)
}

const fn concatenation(options: &Options) -> usize {
    match options.reference {
        ReferenceSize::Bits8 => 5,
        ReferenceSize::Bits16 => 6,
    }
}
