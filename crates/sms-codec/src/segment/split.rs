//! Text into the user data of its parts.

use super::{Alphabet, Options, ReferenceSize, count, cut};
use crate::Error;
use crate::dcs::{self, Class, Dcs};
use crate::gsm7::Language;
use crate::udh::{Element, Header, Reference, id};
use crate::user_data::UserData;

/// What the parts of a text have in common.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'e> {
    /// What ties several parts together; unused if there is only one.
    pub reference: Reference,
    /// The message class.
    pub class: Option<Class>,
    /// Further elements, in every part.
    pub elements: &'e [Element<'e>],
}

/// Splits `text` into as many messages as [`count`] says, each with its header.
///
/// The reference and the elements of `envelope` override those of `options`.
///
/// # Errors
/// [`Error::TooLong`] for more than 255 parts, or if the elements leave no room for text.
pub fn split(
    text: &str,
    options: &Options,
    envelope: &Envelope<'_>,
) -> Result<Vec<UserData>, Error> {
    let limit = usize::from(u8::MAX);
    let other: usize = envelope
        .elements
        .iter()
        .map(|element| element.data.len() + 2)
        .sum();
    let too_long = Error::TooLong {
        field: "TP-UDH",
        length: other,
        limit,
    };
    let options = Options {
        reference: match envelope.reference {
            Reference::Bits8(_) => ReferenceSize::Bits8,
            Reference::Bits16(_) => ReferenceSize::Bits16,
        },
        other_elements: u8::try_from(other).map_err(|_| too_long)?,
        ..*options
    };
    let plan = count(text, &options);
    let length = usize::try_from(plan.parts.get()).unwrap_or(usize::MAX);
    let too_many = Error::TooLong {
        field: "concatenated parts",
        length,
        limit,
    };
    let total = u8::try_from(length).map_err(|_| too_many)?;
    let dcs = dcs(plan.alphabet, envelope.class);
    let mut parts = Vec::with_capacity(length);
    for (range, sequence) in cut(text, &plan).zip(1..=total) {
        let header = header(plan.alphabet, envelope, (total, sequence))?;
        let piece = text.get(range).unwrap_or_default();
        parts.push(UserData::from_text(dcs, header.as_ref(), piece)?);
    }
    Ok(parts)
}

fn dcs(alphabet: Alphabet, class: Option<Class>) -> Dcs {
    let alphabet = match alphabet {
        Alphabet::Gsm7(_) => dcs::Alphabet::Gsm7,
        Alphabet::Ucs2 => dcs::Alphabet::Ucs2,
    };
    Dcs::from_meaning(dcs::Meaning::General {
        automatic_deletion: false,
        compressed: false,
        alphabet,
        class,
    })
}

fn header(
    alphabet: Alphabet,
    envelope: &Envelope<'_>,
    (total, sequence): (u8, u8),
) -> Result<Option<Header>, Error> {
    let mut elements = Vec::with_capacity(envelope.elements.len() + 3);
    let concatenation = match envelope.reference {
        Reference::Bits8(reference) => vec![reference, total, sequence],
        Reference::Bits16(reference) => {
            let [high, low] = reference.to_be_bytes();
            vec![high, low, total, sequence]
        }
    };
    if total > 1 {
        let id = match envelope.reference {
            Reference::Bits8(_) => id::CONCATENATION_8,
            Reference::Bits16(_) => id::CONCATENATION_16,
        };
        elements.push(Element {
            id,
            data: &concatenation,
        });
    }
    elements.extend_from_slice(envelope.elements);
    let languages = match alphabet {
        Alphabet::Gsm7(shift) => [[shift.single.id()], [shift.locking.id()]],
        Alphabet::Ucs2 => [[Language::Default.id()]; 2],
    };
    for (id, language) in [id::SINGLE_SHIFT, id::LOCKING_SHIFT]
        .into_iter()
        .zip(&languages)
    {
        if *language != [Language::Default.id()] {
            elements.push(Element { id, data: language });
        }
    }
    if elements.is_empty() {
        Ok(None)
    } else {
        Header::new(&elements).map(Some)
    }
}
