//! UCS-2 as it is used: UTF-16 code units, most significant octet first (3GPP TS 23.038 6.2.3).

use crate::Error;

/// The number of 16-bit units `text` takes; characters beyond the basic plane take two.
#[must_use]
pub fn count(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Appends `text` as big-endian units to `out`.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() * 2);
    for unit in text.encode_utf16() {
        out.extend_from_slice(&unit.to_be_bytes());
    }
}

/// Reads big-endian units.
///
/// # Errors
/// [`Error::Truncated`] for half a unit at the end, [`Error::Value`] for half a surrogate pair.
pub fn decode(octets: &[u8]) -> Result<String, Error> {
    let (units, half) = octets.as_chunks::<2>();
    if !half.is_empty() {
        let offset = octets.len() - 1;
        return Err(Error::Truncated {
            field: "UCS2 unit",
            offset,
            missing: 1,
        });
    }
    let mut text = String::with_capacity(octets.len());
    let mut offset = 0;
    for character in char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))) {
        match character {
            Ok(character) => {
                text.push(character);
                offset += 2 * character.len_utf16();
            }
            Err(unpaired) => {
                let [value, _] = unpaired.unpaired_surrogate().to_be_bytes();
                return Err(Error::Value {
                    field: "UCS2 surrogate",
                    offset,
                    value,
                });
            }
        }
    }
    Ok(text)
}

/// Reads big-endian units as far as they make sense: half a surrogate pair becomes U+FFFD and
/// half a unit at the end is left out.
#[must_use]
pub fn decode_lossy(octets: &[u8]) -> String {
    let (units, _) = octets.as_chunks::<2>();
    let mut text = String::with_capacity(octets.len());
    let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
    text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_surrogate_pair_of_a_character_beyond_the_basic_plane() {
        let mut octets = Vec::new();
        encode("a€\u{1F600}", &mut octets);
        assert_eq!(octets, [0x00, 0x61, 0x20, 0xAC, 0xD8, 0x3D, 0xDE, 0x00]);
        assert_eq!(decode(&octets).as_deref(), Ok("a€\u{1F600}"));
        assert_eq!(count("a€\u{1F600}"), 4);
    }

    #[test]
    fn names_the_offset_of_half_a_unit_and_of_half_a_pair() {
        let half_unit = Error::Truncated {
            field: "UCS2 unit",
            offset: 2,
            missing: 1,
        };
        assert_eq!(decode(&[0, 0x61, 0]), Err(half_unit));
        let half_pair = Error::Value {
            field: "UCS2 surrogate",
            offset: 2,
            value: 0xD8,
        };
        assert_eq!(decode(&[0, 0x61, 0xD8, 0x3D, 0, 0x62]), Err(half_pair));
        assert_eq!(
            decode_lossy(&[0, 0x61, 0xD8, 0x3D, 0, 0x62, 0]),
            "a\u{FFFD}b"
        );
    }
}
