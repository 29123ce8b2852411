//! Addresses: digits as semi-octets, names as septets (3GPP TS 23.040 9.1.2.5, TS 24.011 8.2.5).

#[cfg(test)]
mod tests;

use std::fmt;

use crate::Error;
use crate::cursor::Cursor;
use crate::gsm7::{self, FillBits, Shift};

/// The most octets of digits that an address holds.
const MAX_OCTETS: usize = 10;

/// The type of number (3GPP TS 23.040 9.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TypeOfNumber {
    /// 0.
    Unknown,
    /// 1.
    International,
    /// 2.
    National,
    /// 3.
    NetworkSpecific,
    /// 4.
    Subscriber,
    /// 5: the address is a name in the GSM 7-bit default alphabet.
    Alphanumeric,
    /// 6.
    Abbreviated,
    /// 7: reserved for extension.
    Reserved,
}

impl TypeOfNumber {
    /// The type in the three least significant bits of `code`.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 7 {
            0 => Self::Unknown,
            1 => Self::International,
            2 => Self::National,
            3 => Self::NetworkSpecific,
            4 => Self::Subscriber,
            5 => Self::Alphanumeric,
            6 => Self::Abbreviated,
            _ => Self::Reserved,
        }
    }

    /// The three bits of the type.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::International => 1,
            Self::National => 2,
            Self::NetworkSpecific => 3,
            Self::Subscriber => 4,
            Self::Alphanumeric => 5,
            Self::Abbreviated => 6,
            Self::Reserved => 7,
        }
    }
}

/// The numbering plan (3GPP TS 23.040 9.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberingPlan {
    /// 0.
    Unknown,
    /// 1: E.164.
    Telephone,
    /// 3: X.121.
    Data,
    /// 4.
    Telex,
    /// 5: specific to the service centre.
    ServiceCentreA,
    /// 6: specific to the service centre.
    ServiceCentreB,
    /// 8.
    National,
    /// 9.
    Private,
    /// 10: ETSI DE/PS 3 01-3.
    Ermes,
    /// Reserved.
    Other(u8),
}

impl NumberingPlan {
    /// The plan in the four least significant bits of `code`.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 15 {
            0 => Self::Unknown,
            1 => Self::Telephone,
            3 => Self::Data,
            4 => Self::Telex,
            5 => Self::ServiceCentreA,
            6 => Self::ServiceCentreB,
            8 => Self::National,
            9 => Self::Private,
            10 => Self::Ermes,
            other => Self::Other(other),
        }
    }

    /// The four bits of the plan.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Telephone => 1,
            Self::Data => 3,
            Self::Telex => 4,
            Self::ServiceCentreA => 5,
            Self::ServiceCentreB => 6,
            Self::National => 8,
            Self::Private => 9,
            Self::Ermes => 10,
            Self::Other(code) => code & 15,
        }
    }
}

/// An originating, destination, recipient or service centre address, kept as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    type_of_address: u8,
    /// Useful semi-octets, at most twice `MAX_OCTETS`.
    semi_octets: u8,
    octets: [u8; MAX_OCTETS],
}

impl Address {
    /// An address of digits, of which there may be 20: `0` to `9`, `*`, `#`, `a`, `b`, `c`.
    ///
    /// # Errors
    /// [`Error::Character`] for anything else, [`Error::TooLong`] for more than 20.
    pub fn new(ton: TypeOfNumber, npi: NumberingPlan, digits: &str) -> Result<Self, Error> {
        let limit = 2 * MAX_OCTETS;
        let length = digits.chars().count();
        let semi_octets = u8::try_from(length).ok().filter(|_| length <= limit);
        let semi_octets = semi_octets.ok_or(Error::TooLong {
            field: "address",
            length,
            limit,
        })?;
        let mut octets = [0xFF; MAX_OCTETS];
        for (index, character) in digits.char_indices() {
            let nibble = nibble(character).ok_or(Error::Character { index, character })?;
            if let Some(octet) = octets.get_mut(index / 2) {
                *octet = if index % 2 == 0 {
                    0xF0 | nibble
                } else {
                    nibble << 4 | *octet & 0x0F
                };
            }
        }
        Ok(Self {
            type_of_address: type_of_address(ton, npi),
            semi_octets,
            octets,
        }
        .normal())
    }

    /// A name of at most 11 septets in the GSM 7-bit default alphabet.
    ///
    /// # Errors
    /// [`Error::Character`] for a character without a code, [`Error::TooLong`] for too many.
    pub fn alphanumeric(name: &str) -> Result<Self, Error> {
        let septets = gsm7::encode(name, Shift::DEFAULT)?;
        let limit = MAX_OCTETS * 8 / 7;
        let length = septets.len();
        let too_long = Error::TooLong {
            field: "alphanumeric address",
            length,
            limit,
        };
        if length > limit {
            return Err(too_long);
        }
        let mut packed = Vec::new();
        gsm7::pack(&septets, FillBits::NONE, &mut packed);
        let mut octets = [0; MAX_OCTETS];
        octets
            .iter_mut()
            .zip(packed)
            .for_each(|(octet, packed)| *octet = packed);
        let semi_octets = u8::try_from((length * 7).div_ceil(4)).map_err(|_| too_long)?;
        let type_of_address = type_of_address(TypeOfNumber::Alphanumeric, NumberingPlan::Unknown);
        Ok(Self {
            type_of_address,
            semi_octets,
            octets,
        })
    }

    /// The whole type-of-address octet (3GPP TS 23.040 9.1.2.5).
    #[must_use]
    pub const fn type_of_address(&self) -> u8 {
        self.type_of_address
    }

    /// The type of number.
    #[must_use]
    pub const fn ton(&self) -> TypeOfNumber {
        TypeOfNumber::from_code(self.type_of_address >> 4)
    }

    /// The numbering plan.
    #[must_use]
    pub const fn npi(&self) -> NumberingPlan {
        NumberingPlan::from_code(self.type_of_address)
    }

    /// How many semi-octets of the address are in use.
    #[must_use]
    pub const fn semi_octets(&self) -> u8 {
        self.semi_octets
    }

    /// The octets that hold the digits or the name.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.len()).unwrap_or(&self.octets)
    }

    /// The digits, or the name if the address is alphanumeric.
    #[must_use]
    pub fn value(&self) -> String {
        self.to_string()
    }

    fn len(&self) -> usize {
        usize::from(self.semi_octets).div_ceil(2)
    }

    /// Octets that are not in use are zero, so that equal addresses compare equal.
    fn normal(mut self) -> Self {
        let len = self.len();
        self.octets
            .iter_mut()
            .skip(len)
            .for_each(|octet| *octet = 0);
        self
    }

    /// Reads an address of a TPDU: semi-octets, type, digits (3GPP TS 23.040 9.1.2.5).
    pub(crate) fn read(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Error> {
        let offset = cursor.offset();
        let semi_octets = cursor.octet(field)?;
        let len = usize::from(semi_octets).div_ceil(2);
        if len > MAX_OCTETS {
            return Err(Error::Length {
                field,
                offset,
                length: usize::from(semi_octets),
            });
        }
        let type_of_address = cursor.octet(field)?;
        let digits = cursor.slice(field, len)?;
        Self::from_parts(type_of_address, digits, Some(semi_octets)).map_err(|(at, value)| {
            Error::Value {
                field,
                offset: offset + 2 + at,
                value,
            }
        })
    }

    /// Reads an address of the relay layer, which counts octets and may be absent
    /// (3GPP TS 24.011 8.2.5.1).
    pub(crate) fn read_rp(
        cursor: &mut Cursor<'_>,
        field: &'static str,
    ) -> Result<Option<Self>, Error> {
        let offset = cursor.offset();
        let length = usize::from(cursor.octet(field)?);
        if length == 0 {
            return Ok(None);
        }
        if length > MAX_OCTETS + 1 {
            return Err(Error::Length {
                field,
                offset,
                length,
            });
        }
        let type_of_address = cursor.octet(field)?;
        let digits = cursor.slice(field, length - 1)?;
        Self::from_parts(type_of_address, digits, None)
            .map(Some)
            .map_err(|(at, value)| Error::Value {
                field,
                offset: offset + 2 + at,
                value,
            })
    }

    /// The address, or the position and value of an octet with a filler among the digits.
    fn from_parts(
        type_of_address: u8,
        digits: &[u8],
        semi_octets: Option<u8>,
    ) -> Result<Self, (usize, u8)> {
        let mut octets = [0; MAX_OCTETS];
        octets
            .iter_mut()
            .zip(digits)
            .for_each(|(octet, digit)| *octet = *digit);
        let numeric = TypeOfNumber::from_code(type_of_address >> 4) != TypeOfNumber::Alphanumeric;
        let filled = numeric && digits.last().is_some_and(|last| last >> 4 == 0xF);
        let semi_octets = semi_octets.unwrap_or_else(|| {
            u8::try_from(digits.len() * 2 - usize::from(filled)).unwrap_or(u8::MAX)
        });
        if numeric {
            for (at, octet) in digits.iter().enumerate() {
                let last = at + 1 == digits.len();
                if octet & 0x0F == 0x0F || octet >> 4 == 0x0F && !last {
                    return Err((at, *octet));
                }
            }
        }
        Ok(Self {
            type_of_address,
            semi_octets,
            octets,
        })
    }

    /// Writes the address as a TPDU holds it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.semi_octets);
        out.push(self.type_of_address);
        out.extend_from_slice(self.octets());
    }

    /// Writes the address as the relay layer holds it.
    pub(crate) fn write_rp(address: Option<&Self>, out: &mut Vec<u8>) {
        match address {
            None => out.push(0),
            Some(address) => {
                let octets = address.octets();
                out.push(u8::try_from(octets.len() + 1).unwrap_or(u8::MAX));
                out.push(address.type_of_address);
                out.extend_from_slice(octets);
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ton() == TypeOfNumber::Alphanumeric {
            let mut septets = [0; MAX_OCTETS * 8 / 7];
            let count = usize::from(self.semi_octets) * 4 / 7;
            let septets = septets.get_mut(..count).unwrap_or_default();
            return match gsm7::unpack_into(&self.octets, FillBits::NONE, septets) {
                Ok(()) => out.write_str(&gsm7::decode(septets, Shift::DEFAULT)),
                Err(_) => Err(fmt::Error),
            };
        }
        for index in 0..usize::from(self.semi_octets) {
            let octet = self.octets.get(index / 2).copied().unwrap_or(0xFF);
            let nibble = if index % 2 == 0 {
                octet & 0x0F
            } else {
                octet >> 4
            };
            if let Some(digit) = digit(nibble) {
                fmt::Write::write_char(out, digit)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Address({:02x} {})", self.type_of_address, self)
    }
}

const fn type_of_address(ton: TypeOfNumber, npi: NumberingPlan) -> u8 {
    0x80 | ton.code() << 4 | npi.code()
}

/// The digits by semi-octet; 15 is the filler.
const DIGITS: &[u8; 15] = b"0123456789*#abc";

fn nibble(digit: char) -> Option<u8> {
    let position = DIGITS
        .iter()
        .position(|known| char::from(*known) == digit)?;
    u8::try_from(position).ok()
}

fn digit(nibble: u8) -> Option<char> {
    DIGITS.get(usize::from(nibble)).copied().map(char::from)
}
