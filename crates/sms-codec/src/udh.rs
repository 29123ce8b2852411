//! The user data header: information elements, unknown ones kept (3GPP TS 23.040 9.2.3.24).

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::Error;
use crate::gsm7::{Language, Shift};

/// The most octets of information elements that fit into one message.
const MAX_OCTETS: usize = crate::segment::USER_DATA_OCTETS - 1;

const FIELD: &str = "TP-UDH";

/// Information element identifiers that have a meaning here (3GPP TS 23.040 9.2.3.24).
pub mod id {
    /// Concatenated short messages, 8-bit reference number (9.2.3.24.1).
    pub const CONCATENATION_8: u8 = 0x00;
    /// Special SMS message indication (9.2.3.24.2).
    pub const WAITING: u8 = 0x01;
    /// Application port addressing, 8-bit address (9.2.3.24.3).
    pub const PORTS_8: u8 = 0x04;
    /// Application port addressing, 16-bit address (9.2.3.24.4).
    pub const PORTS_16: u8 = 0x05;
    /// Concatenated short messages, 16-bit reference number (9.2.3.24.8).
    pub const CONCATENATION_16: u8 = 0x08;
    /// Text formatting (9.2.3.24.10.1.1).
    pub const TEXT_FORMATTING: u8 = 0x0A;
    /// National language single shift (9.2.3.24.15).
    pub const SINGLE_SHIFT: u8 = 0x24;
    /// National language locking shift (9.2.3.24.16).
    pub const LOCKING_SHIFT: u8 = 0x25;
}

/// The information elements of a user data header, kept as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Header {
    octets: Bytes,
}

/// One information element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Element<'h> {
    /// The identifier.
    pub id: u8,
    /// The data.
    pub data: &'h [u8],
}

/// Which part of which text a message is (3GPP TS 23.040 9.2.3.24.1 and 9.2.3.24.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Concatenation {
    /// What ties the parts together.
    pub reference: Reference,
    /// How many parts there are, at least 1.
    pub total: u8,
    /// The number of this part, from 1 to `total`.
    pub sequence: u8,
}

/// The reference number of a concatenated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// Element 00.
    Bits8(u8),
    /// Element 08.
    Bits16(u16),
}

/// The ports of the applications at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ports {
    /// Element 04 (3GPP TS 23.040 9.2.3.24.3).
    Bits8 {
        /// The receiving port.
        destination: u8,
        /// The sending port.
        source: u8,
    },
    /// Element 05 (3GPP TS 23.040 9.2.3.24.4).
    Bits16 {
        /// The receiving port.
        destination: u16,
        /// The sending port.
        source: u16,
    },
}

/// A message waiting indication of the header (3GPP TS 23.040 9.2.3.24.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The first octet: storage, profile and type, unknown types kept.
    pub indication: u8,
    /// How many messages wait; 0 clears the indication.
    pub count: u8,
}

impl Waiting {
    /// Whether the short message itself is to be stored.
    #[must_use]
    pub const fn store(self) -> bool {
        self.indication & 0x80 != 0
    }

    /// The subscriber profile, 0 to 3.
    #[must_use]
    pub const fn profile(self) -> u8 {
        self.indication >> 5 & 3
    }

    /// What waits, in one lower-case word.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self.indication & 0x1F {
            0x00 => "voicemail",
            0x01 => "fax",
            0x02 => "email",
            0x03 => "other",
            0x07 => "video",
            _ => "reserved",
        }
    }
}

impl Header {
    /// A header of these elements, in order.
    ///
    /// # Errors
    /// [`Error::TooLong`] if they do not fit into one message.
    pub fn new(elements: &[Element<'_>]) -> Result<Self, Error> {
        let mut octets = Vec::new();
        for element in elements {
            let length = element.data.len();
            let limit = MAX_OCTETS - 2;
            let too_long = Error::TooLong {
                field: "information element",
                length,
                limit,
            };
            octets.push(element.id);
            octets.push(u8::try_from(length).map_err(|_| too_long)?);
            octets.extend_from_slice(element.data);
        }
        match octets.len() {
            0..=MAX_OCTETS => Ok(Self {
                octets: octets.into(),
            }),
            length => Err(Error::TooLong {
                field: FIELD,
                length,
                limit: MAX_OCTETS,
            }),
        }
    }

    /// Whether these octets, which follow the length octet, are whole elements.
    ///
    /// `offset` is where they begin, for the error.
    pub(crate) fn check(octets: &[u8], offset: usize) -> Result<(), Error> {
        let mut at = 0;
        while at < octets.len() {
            let truncated = |missing| Error::Truncated {
                field: "TP-UDH element",
                offset: offset + at,
                missing,
            };
            let length = *octets.get(at + 1).ok_or(truncated(1))?;
            let end = at + 2 + usize::from(length);
            if end > octets.len() {
                return Err(truncated(end - octets.len()));
            }
            at = end;
        }
        Ok(())
    }

    /// A header of octets that [`Header::check`] has accepted.
    pub(crate) const fn from_checked(octets: Bytes) -> Self {
        Self { octets }
    }

    /// Reads the octets that follow the length octet.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the last element is incomplete.
    pub fn decode(octets: Bytes) -> Result<Self, Error> {
        Self::check(&octets, 0)?;
        match octets.len() {
            0..=MAX_OCTETS => Ok(Self { octets }),
            length => Err(Error::Length {
                field: FIELD,
                offset: 0,
                length,
            }),
        }
    }

    /// The octets that follow the length octet.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The elements in order.
    #[must_use]
    pub fn elements(&self) -> Elements<'_> {
        Elements { rest: &self.octets }
    }

    /// Which part this is. Of several such elements the last valid one counts; one with an
    /// impossible part number is ignored (3GPP TS 23.040 9.2.3.24 and 9.2.3.24.1).
    #[must_use]
    pub fn concatenation(&self) -> Option<Concatenation> {
        concatenation(self.elements())
    }

    /// The application ports; the last such element counts.
    #[must_use]
    pub fn ports(&self) -> Option<Ports> {
        let ports = |element: Element<'_>| match (element.id, element.data) {
            (id::PORTS_8, [destination, source]) => Some(Ports::Bits8 {
                destination: *destination,
                source: *source,
            }),
            (id::PORTS_16, [to_high, to_low, from_high, from_low]) => Some(Ports::Bits16 {
                destination: u16::from_be_bytes([*to_high, *to_low]),
                source: u16::from_be_bytes([*from_high, *from_low]),
            }),
            _ => None,
        };
        self.elements().filter_map(ports).last()
    }

    /// The message waiting indications; there may be one for each kind.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.elements()
            .filter_map(|element| match (element.id, element.data) {
                (id::WAITING, [indication, count]) => Some(Waiting {
                    indication: *indication,
                    count: *count,
                }),
                _ => None,
            })
    }

    /// The national tables that the text is read with.
    #[must_use]
    pub fn shift(&self) -> Shift {
        shift(self.elements())
    }
}

pub(crate) fn concatenation(elements: Elements<'_>) -> Option<Concatenation> {
    let parts = |element: Element<'_>| {
        let (reference, total, sequence) = match (element.id, element.data) {
            (id::CONCATENATION_8, [reference, total, sequence]) => {
                (Reference::Bits8(*reference), *total, *sequence)
            }
            (id::CONCATENATION_16, [high, low, total, sequence]) => (
                Reference::Bits16(u16::from_be_bytes([*high, *low])),
                *total,
                *sequence,
            ),
            _ => return None,
        };
        let valid = sequence != 0 && sequence <= total;
        valid.then_some(Concatenation {
            reference,
            total,
            sequence,
        })
    };
    elements.filter_map(parts).last()
}

pub(crate) fn shift(elements: Elements<'_>) -> Shift {
    let mut shift = Shift::DEFAULT;
    for element in elements {
        match (element.id, element.data) {
            (id::SINGLE_SHIFT, [language]) => shift.single = Language::from_id(*language),
            (id::LOCKING_SHIFT, [language]) => shift.locking = Language::from_id(*language),
            _ => {}
        }
    }
    shift
}

/// The elements of a [`Header`], in order.
#[derive(Debug, Clone)]
pub struct Elements<'h> {
    rest: &'h [u8],
}

impl<'h> Elements<'h> {
    /// The elements of octets that [`Header::check`] has accepted.
    pub(crate) const fn of(octets: &'h [u8]) -> Self {
        Self { rest: octets }
    }
}

impl<'h> Iterator for Elements<'h> {
    type Item = Element<'h>;

    fn next(&mut self) -> Option<Self::Item> {
        let [id, length, rest @ ..] = self.rest else {
            return None;
        };
        let (data, rest) = rest.split_at_checked(usize::from(*length))?;
        self.rest = rest;
        Some(Element { id: *id, data })
    }
}
