//! Septets packed into octets, from any bit offset (3GPP TS 23.038 6.1.2.1, TS 23.040 9.2.3.24).

use crate::Error;

/// How many zero bits stand before the first septet, so that it starts on a septet boundary
/// counted from the start of the user data (3GPP TS 23.040 9.2.3.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FillBits(u8);

impl FillBits {
    /// No fill bits: there is no header.
    pub const NONE: Self = Self(0);

    /// The fill bits after a header of `octets` octets, its length octet included.
    #[must_use]
    pub const fn after_header(octets: usize) -> Self {
        // 8 = 1 modulo 7, so each octet of header asks for one bit less.
        match octets % 7 {
            0 => Self(0),
            1 => Self(6),
            2 => Self(5),
            3 => Self(4),
            4 => Self(3),
            5 => Self(2),
            _ => Self(1),
        }
    }

    /// A number of fill bits from 0 to 6.
    ///
    /// # Errors
    /// [`Error::Range`] for more than 6 bits.
    pub const fn new(bits: u8) -> Result<Self, Error> {
        if bits < 7 {
            Ok(Self(bits))
        } else {
            Err(Error::Range {
                field: "fill bits",
                value: bits as i64,
            })
        }
    }

    /// The number of bits, 0 to 6.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// How many octets `septets` septets take after the fill bits.
#[must_use]
pub const fn packed_len(septets: usize, fill: FillBits) -> usize {
    (septets * 7 + fill.0 as usize).div_ceil(8)
}

/// Appends `septets`, one in each octet, packed and after `fill` zero bits, to `out`.
///
/// Bits left over in the last octet are zero (3GPP TS 23.038 6.1.2.1).
pub fn pack(septets: &[u8], fill: FillBits, out: &mut Vec<u8>) {
    out.reserve(packed_len(septets.len(), fill));
    let mut pending = 0_u64;
    let mut groups = septets.chunks_exact(8);
    for group in &mut groups {
        let bits = group
            .iter()
            .rev()
            .fold(0, |bits, septet| bits << 7 | u64::from(septet & 0x7F));
        let bits = bits << fill.0 | pending;
        let [low @ .., high] = bits.to_le_bytes();
        out.extend_from_slice(&low);
        pending = u64::from(high);
    }
    let mut width = fill.0;
    for septet in groups.remainder() {
        pending |= u64::from(septet & 0x7F) << width;
        width += 7;
    }
    let octets = usize::from(width.div_ceil(8));
    out.extend(pending.to_le_bytes().iter().take(octets));
}

/// Reads `count` septets, one into each octet, from `octets` after `fill` bits.
///
/// # Errors
/// [`Error::Truncated`] if `octets` hold fewer septets.
pub fn unpack(octets: &[u8], fill: FillBits, count: usize) -> Result<Vec<u8>, Error> {
    check(octets, fill, count)?;
    let mut septets = vec![0; count];
    unpack_into(octets, fill, &mut septets)?;
    Ok(septets)
}

/// Fills `septets` from `octets` after `fill` bits, without allocating.
///
/// # Errors
/// [`Error::Truncated`] if `octets` hold fewer septets.
pub fn unpack_into(octets: &[u8], fill: FillBits, septets: &mut [u8]) -> Result<(), Error> {
    check(octets, fill, septets.len())?;
    // Eight septets are seven octets, so each group starts at the same bit of its octet.
    for (group, out) in septets.chunks_mut(8).enumerate() {
        let rest = octets.get(group * 7..).unwrap_or_default();
        let bits = match rest.first_chunk::<8>() {
            Some(window) => u64::from_le_bytes(*window),
            None => rest
                .iter()
                .rev()
                .fold(0, |bits, octet| bits << 8 | u64::from(*octet)),
        };
        let mut bits = bits >> fill.0;
        for septet in out {
            let [low, ..] = bits.to_le_bytes();
            *septet = low & 0x7F;
            bits >>= 7;
        }
    }
    Ok(())
}

fn check(octets: &[u8], fill: FillBits, count: usize) -> Result<(), Error> {
    let needed = packed_len(count, fill);
    match needed.checked_sub(octets.len()) {
        None | Some(0) => Ok(()),
        Some(missing) => Err(Error::Truncated {
            field: "septets",
            offset: 0,
            missing,
        }),
    }
}
