//! Parts into text: out of order, with duplicates (3GPP TS 23.040 9.2.3.24.1).

#[cfg(test)]
mod tests;

use crate::dcs::Alphabet;
use crate::gsm7::{self, Shift};
use crate::ucs2;
use crate::udh::{Concatenation, Reference};
use crate::user_data::UserData;

/// The parts of one text that have arrived so far.
///
/// The caller keeps texts of different originators apart; a reference alone does not.
#[derive(Debug, Clone)]
pub struct Assembly {
    reference: Reference,
    total: u8,
    /// By sequence number, each at most once.
    parts: Vec<(u8, UserData)>,
}

/// What became of a part that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insert {
    /// It was missing.
    Added,
    /// The same part is already there.
    Duplicate,
    /// Another part with the same number is already there, and stays.
    Conflict,
    /// It belongs to another text or to none.
    Foreign,
}

impl Assembly {
    /// The text of which `part` is one; `None` if it is not one of several.
    #[must_use]
    pub fn new(part: UserData) -> Option<Self> {
        let Concatenation {
            reference,
            total,
            sequence,
        } = part.concatenation()?;
        Some(Self {
            reference,
            total,
            parts: vec![(sequence, part)],
        })
    }

    /// Takes a part in any order.
    pub fn insert(&mut self, part: UserData) -> Insert {
        let Some(concatenation) = part.concatenation() else {
            return Insert::Foreign;
        };
        if concatenation.reference != self.reference || concatenation.total != self.total {
            return Insert::Foreign;
        }
        let sequence = concatenation.sequence;
        match self
            .parts
            .binary_search_by_key(&sequence, |(known, _)| *known)
        {
            Err(place) => {
                self.parts.insert(place, (sequence, part));
                Insert::Added
            }
            Ok(place) => match self.parts.get(place) {
                Some((_, known)) if *known == part => Insert::Duplicate,
                _ => Insert::Conflict,
            },
        }
    }

    /// What ties the parts together.
    #[must_use]
    pub const fn reference(&self) -> Reference {
        self.reference
    }

    /// How many parts there will be.
    #[must_use]
    pub const fn total(&self) -> u8 {
        self.total
    }

    /// Whether every part is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parts.len() == usize::from(self.total)
    }

    /// The numbers of the parts that are not there.
    pub fn missing(&self) -> impl Iterator<Item = u8> {
        let absent = |number: &u8| self.parts.iter().all(|(known, _)| known != number);
        (1..=self.total).filter(absent)
    }

    /// The parts that are there, in order.
    pub fn parts(&self) -> impl Iterator<Item = &UserData> {
        self.parts.iter().map(|(_, part)| part)
    }

    /// The text of the parts that are there; `None` if any of them is data, not text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        text(self.parts())
    }

    /// The data of the parts that are there, headers left out.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        self.parts()
            .flat_map(|part| part.body().iter().copied())
            .collect()
    }
}

/// The text of `parts` in this order; `None` if any of them is data, not text.
///
/// Escape and surrogate pairs that a sender has cut between two parts are made whole.
#[must_use]
pub fn text<'p>(parts: impl IntoIterator<Item = &'p UserData>) -> Option<String> {
    let mut text = String::new();
    let mut run = Run::None;
    for part in parts {
        run = match (run, part.septets(), part.dcs().alphabet()) {
            (Run::Septets(shift, mut pending), Some(septets), _) if shift == part.shift() => {
                pending.extend(septets);
                Run::Septets(shift, pending)
            }
            (run, Some(septets), _) => {
                run.finish(&mut text);
                Run::Septets(part.shift(), septets)
            }
            (Run::Units(mut pending), None, Alphabet::Ucs2) if !part.dcs().is_compressed() => {
                pending.extend_from_slice(part.body());
                Run::Units(pending)
            }
            (run, None, Alphabet::Ucs2) if !part.dcs().is_compressed() => {
                run.finish(&mut text);
                Run::Units(part.body().to_vec())
            }
            _ => return None,
        };
    }
    run.finish(&mut text);
    Some(text)
}

/// Neighbouring parts in the same alphabet.
enum Run {
    None,
    Septets(Shift, Vec<u8>),
    Units(Vec<u8>),
}

impl Run {
    fn finish(self, text: &mut String) {
        match self {
            Self::None => {}
            Self::Septets(shift, septets) => text.push_str(&gsm7::decode(&septets, shift)),
            Self::Units(octets) => text.push_str(&ucs2::decode_lossy(&octets)),
        }
    }
}
