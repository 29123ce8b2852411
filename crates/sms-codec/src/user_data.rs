//! TP-User-Data: an optional header and a text or data (3GPP TS 23.040 9.2.3.16, 9.2.3.24).

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::Error;
use crate::cursor::Cursor;
use crate::dcs::{Alphabet, Dcs};
use crate::gsm7::{self, FillBits, Shift};
use crate::segment::USER_DATA_OCTETS;
use crate::ucs2;
use crate::udh::{self, Concatenation, Elements, Header};

/// The septets that one message holds.
const MAX_SEPTETS: usize = USER_DATA_OCTETS * 8 / 7;

/// User data as it was written, with the coding scheme that says how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserData {
    dcs: Dcs,
    /// TP-User-Data-Length, in septets or octets.
    length: u8,
    /// Octets of the header with its length octet; 0 if there is none.
    header: u8,
    octets: Bytes,
}

/// What follows the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'c> {
    /// Septets, one in each octet.
    Septets(&'c [u8]),
    /// Octets: 8-bit data, UCS-2, or anything compressed.
    Octets(&'c [u8]),
}

impl UserData {
    /// User data of `content` after an optional header.
    ///
    /// # Errors
    /// [`Error::TooLong`] if it does not fit into one message; [`Error::Range`] if `dcs` counts
    /// in the other unit.
    pub fn new(dcs: Dcs, header: Option<&Header>, content: Content<'_>) -> Result<Self, Error> {
        let mut octets = Vec::with_capacity(USER_DATA_OCTETS);
        if let Some(header) = header {
            let elements = header.octets();
            octets.push(octet_len(elements.len())?);
            octets.extend_from_slice(elements);
        }
        let header_len = octets.len();
        let length = match (content, dcs.counts_septets()) {
            (Content::Septets(septets), true) => {
                gsm7::pack(septets, FillBits::after_header(header_len), &mut octets);
                header_septets(header_len) + septets.len()
            }
            (Content::Octets(data), false) => {
                octets.extend_from_slice(data);
                octets.len()
            }
            _ => {
                return Err(Error::Range {
                    field: "TP-DCS",
                    value: i64::from(dcs.0),
                });
            }
        };
        if octets.len() > USER_DATA_OCTETS {
            let (limit, unit) = (USER_DATA_OCTETS, octets.len());
            return Err(Error::TooLong {
                field: "TP-UD",
                length: unit,
                limit,
            });
        }
        Ok(Self {
            dcs,
            length: octet_len(length)?,
            header: octet_len(header_len)?,
            octets: octets.into(),
        })
    }

    /// User data of a text that fits into one message, in the alphabet that `dcs` names.
    ///
    /// The header decides about national tables.
    ///
    /// # Errors
    /// [`Error::Character`] if the alphabet does not have it, [`Error::TooLong`] for too much
    /// text, [`Error::Range`] if `dcs` names 8-bit data or compression.
    pub fn from_text(dcs: Dcs, header: Option<&Header>, text: &str) -> Result<Self, Error> {
        match dcs.alphabet() {
            Alphabet::Gsm7 | Alphabet::Reserved => {
                let shift = header.map_or(Shift::DEFAULT, Header::shift);
                Self::new(dcs, header, Content::Septets(&gsm7::encode(text, shift)?))
            }
            Alphabet::Ucs2 if !dcs.is_compressed() => {
                let mut octets = Vec::new();
                ucs2::encode(text, &mut octets);
                Self::new(dcs, header, Content::Octets(&octets))
            }
            _ => Err(Error::Range {
                field: "TP-DCS",
                value: i64::from(dcs.0),
            }),
        }
    }

    /// Reads TP-User-Data-Length and what it counts.
    pub(crate) fn read(
        cursor: &mut Cursor<'_>,
        dcs: Dcs,
        header: HeaderIndicator,
    ) -> Result<Self, Error> {
        let offset = cursor.offset();
        let length = cursor.octet("TP-UDL")?;
        let units = usize::from(length);
        let septets = dcs.counts_septets();
        let (len, limit) = match septets {
            true => (gsm7::packed_len(units, FillBits::NONE), MAX_SEPTETS),
            false => (units, USER_DATA_OCTETS),
        };
        if units > limit {
            return Err(Error::Length {
                field: "TP-UDL",
                offset,
                length: units,
            });
        }
        let octets = cursor.bytes("TP-UD", len)?;
        let header = match header {
            HeaderIndicator::Absent => 0,
            HeaderIndicator::Present => {
                let len = check_header(&octets, offset + 1)?;
                if septets && header_septets(usize::from(len)) > units {
                    return Err(Error::Length {
                        field: "TP-UDL",
                        offset,
                        length: units,
                    });
                }
                len
            }
        };
        Ok(Self {
            dcs,
            length,
            header,
            octets,
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.length);
        out.extend_from_slice(&self.octets);
    }

    /// The coding scheme that the user data is read with.
    #[must_use]
    pub const fn dcs(&self) -> Dcs {
        self.dcs
    }

    /// TP-User-Data-Length: septets of GSM 7-bit text with its header, else octets.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether there is a header: TP-User-Data-Header-Indicator.
    #[must_use]
    pub const fn has_header(&self) -> bool {
        self.header != 0
    }

    /// Header and body as they were written.
    #[must_use]
    pub const fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        let len = usize::from(self.header);
        (len != 0).then(|| Header::from_checked(self.octets.slice(1..len)))
    }

    /// Which part of which text this is.
    #[must_use]
    pub fn concatenation(&self) -> Option<Concatenation> {
        udh::concatenation(self.elements())
    }

    /// The national tables that the text is read with.
    #[must_use]
    pub fn shift(&self) -> Shift {
        udh::shift(self.elements())
    }

    /// What follows the header, as octets; septets start after the fill bits.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.octets
            .get(usize::from(self.header)..)
            .unwrap_or_default()
    }

    /// The septets of the text, one in each octet; `None` unless it is GSM 7-bit text.
    #[must_use]
    pub fn septets(&self) -> Option<Vec<u8>> {
        let mut septets = [0; MAX_SEPTETS];
        self.fill_septets(&mut septets).map(<[u8]>::to_vec)
    }

    /// The text as a receiver shows it; `None` for 8-bit data and for compressed text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        if self.dcs.counts_septets() {
            let mut septets = [0; MAX_SEPTETS];
            let septets = self.fill_septets(&mut septets)?;
            return Some(gsm7::decode(septets, self.shift()));
        }
        match self.dcs.alphabet() {
            Alphabet::Ucs2 if !self.dcs.is_compressed() => Some(ucs2::decode_lossy(self.body())),
            _ => None,
        }
    }

    fn fill_septets<'s>(&self, septets: &'s mut [u8; MAX_SEPTETS]) -> Option<&'s [u8]> {
        if !self.dcs.counts_septets() {
            return None;
        }
        let header = usize::from(self.header);
        let count = usize::from(self.length).saturating_sub(header_septets(header));
        let septets = septets.get_mut(..count)?;
        gsm7::unpack_into(self.body(), FillBits::after_header(header), septets).ok()?;
        Some(septets)
    }

    fn elements(&self) -> Elements<'_> {
        Elements::of(
            self.octets
                .get(1..usize::from(self.header))
                .unwrap_or_default(),
        )
    }
}

/// TP-User-Data-Header-Indicator (3GPP TS 23.040 9.2.3.23).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderIndicator {
    Absent,
    Present,
}

impl HeaderIndicator {
    /// The indicator in bit 6 of the first octet of a TPDU.
    pub(crate) const fn of(first: u8) -> Self {
        if first & 0x40 == 0 {
            Self::Absent
        } else {
            Self::Present
        }
    }
}

/// The septets that a header of `octets` octets and its fill bits take.
const fn header_septets(octets: usize) -> usize {
    (octets * 8).div_ceil(7)
}

/// The length of the header at the start of `octets`, its length octet included.
fn check_header(octets: &[u8], offset: usize) -> Result<u8, Error> {
    let field = "TP-UDHL";
    let Some((len, rest)) = octets.split_first() else {
        return Err(Error::Truncated {
            field,
            offset,
            missing: 1,
        });
    };
    let Some(elements) = rest.get(..usize::from(*len)) else {
        return Err(Error::Length {
            field,
            offset,
            length: usize::from(*len),
        });
    };
    Header::check(elements, offset + 1)?;
    Ok(len.saturating_add(1))
}

fn octet_len(length: usize) -> Result<u8, Error> {
    let too_long = Error::TooLong {
        field: "TP-UD",
        length,
        limit: USER_DATA_OCTETS,
    };
    u8::try_from(length).map_err(|_| too_long)
}
