//! TP-Validity-Period in its three formats (3GPP TS 23.040 9.2.3.12).

#[cfg(test)]
mod tests;

use crate::Error;
use crate::cursor::Cursor;
use crate::time::Timestamp;

/// How long, or until when, the service centre shall try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Validity {
    /// TP-VPF 00: the service centre decides.
    Absent,
    /// TP-VPF 10: a period, coded in one octet (3GPP TS 23.040 9.2.3.12.1).
    Relative(u8),
    /// TP-VPF 01: functionality indicator and period (3GPP TS 23.040 9.2.3.12.3).
    Enhanced([u8; 7]),
    /// TP-VPF 11: a time (3GPP TS 23.040 9.2.3.12.2).
    Absolute(Timestamp),
}

const FIELD: &str = "TP-VP";

/// The bit of the functionality indicator that asks for one attempt only.
const SINGLE_SHOT: u8 = 0x40;

impl Validity {
    /// The longest relative period that does not outlive `seconds`; `None` below five minutes.
    #[must_use]
    pub fn relative_within(seconds: u64) -> Option<Self> {
        let octets = 0..=u8::MAX;
        let octet = octets
            .rev()
            .find(|octet| u64::from(relative_seconds(*octet)) <= seconds)?;
        Some(Self::Relative(octet))
    }

    /// The enhanced period of 1 to 255 seconds.
    ///
    /// # Errors
    /// [`Error::Range`] for 0 seconds, which is reserved.
    pub const fn enhanced_seconds(seconds: u8) -> Result<Self, Error> {
        match seconds {
            0 => Err(Error::Range {
                field: FIELD,
                value: 0,
            }),
            _ => Ok(Self::Enhanced([0x02, seconds, 0, 0, 0, 0, 0])),
        }
    }

    /// The two bits of TP-Validity-Period-Format (3GPP TS 23.040 9.2.3.3).
    #[must_use]
    pub const fn format(&self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Enhanced(_) => 1,
            Self::Relative(_) => 2,
            Self::Absolute(_) => 3,
        }
    }

    /// The period in seconds; `None` if there is none, it is reserved, or a time is given.
    #[must_use]
    pub fn seconds(&self) -> Option<u32> {
        match self {
            Self::Relative(octet) => Some(relative_seconds(*octet)),
            Self::Enhanced([indicator, first, second, third, ..]) => match indicator & 0x07 {
                1 => Some(relative_seconds(*first)),
                2 if *first != 0 => Some(u32::from(*first)),
                3 => clock_seconds([*first, *second, *third]),
                _ => None,
            },
            Self::Absent | Self::Absolute(_) => None,
        }
    }

    /// Whether only one attempt is to be made (3GPP TS 23.040 9.2.3.12.3).
    #[must_use]
    pub const fn is_single_shot(&self) -> bool {
        matches!(self, Self::Enhanced([indicator, ..]) if *indicator & SINGLE_SHOT != 0)
    }

    /// Reads the field that the two bits of `format` announce.
    pub(crate) fn read(cursor: &mut Cursor<'_>, format: u8) -> Result<Self, Error> {
        Ok(match format & 3 {
            0 => Self::Absent,
            1 => Self::Enhanced(cursor.array(FIELD)?),
            2 => Self::Relative(cursor.octet(FIELD)?),
            _ => Self::Absolute(Timestamp(cursor.array(FIELD)?)),
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Absent => {}
            Self::Relative(octet) => out.push(*octet),
            Self::Enhanced(octets) | Self::Absolute(Timestamp(octets)) => out.extend(octets),
        }
    }
}

/// The period of a relative validity octet (3GPP TS 23.040 9.2.3.12.1).
#[must_use]
pub const fn relative_seconds(octet: u8) -> u32 {
    const MINUTE: u32 = 60;
    const HOUR: u32 = 60 * MINUTE;
    const DAY: u32 = 24 * HOUR;
    let octet = octet as u32;
    match octet {
        0..=143 => (octet + 1) * 5 * MINUTE,
        144..=167 => 12 * HOUR + (octet - 143) * 30 * MINUTE,
        168..=196 => (octet - 166) * DAY,
        _ => (octet - 192) * 7 * DAY,
    }
}

/// Hours, minutes and seconds as swapped digits.
fn clock_seconds(octets: [u8; 3]) -> Option<u32> {
    if octets
        .iter()
        .any(|octet| octet >> 4 > 9 || octet & 0x0F > 9)
    {
        return None;
    }
    let [hours, minutes, seconds] = octets.map(|octet| u32::from(crate::time::number(octet)));
    Some(hours * 3600 + minutes * 60 + seconds)
}
