//! ISO 8859-1, which other doors name by a data coding of their own.

use crate::Error;

/// Writes `text` with one octet for each character.
///
/// # Errors
/// [`Error::Character`] for the first character beyond U+00FF.
pub fn encode(text: &str) -> Result<Vec<u8>, Error> {
    text.char_indices()
        .map(|(index, character)| {
            u8::try_from(character).map_err(|_| Error::Character { index, character })
        })
        .collect()
}

/// Reads each octet as the character of the same number.
#[must_use]
pub fn decode(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_the_character_of_its_number() {
        let octets: Vec<u8> = (0..=255).collect();
        assert_eq!(encode(&decode(&octets)), Ok(octets));
        assert_eq!(
            encode("é€"),
            Err(Error::Character {
                index: 2,
                character: '€'
            })
        );
    }
}
