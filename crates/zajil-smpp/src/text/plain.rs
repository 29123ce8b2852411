//! A short text for people, in the default alphabet of an application, whatever it lacks.

use sms_codec::gsm7::{self, Shift};
use sms_codec::latin1;
use zajil_core::smpp::DefaultAlphabet;

/// The octets of a text, as many whole characters as fit into `most`; one that the alphabet lacks
/// becomes `?`.
#[must_use]
pub fn plain(text: &str, alphabet: DefaultAlphabet, most: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(most);
    let mut buffer = [0; 4];
    for character in text.chars() {
        let one: &str = character.encode_utf8(&mut buffer);
        let written = match alphabet {
            DefaultAlphabet::Gsm7 => gsm7::encode(one, Shift::DEFAULT).ok(),
            DefaultAlphabet::Latin1 => latin1::encode(one).ok(),
            DefaultAlphabet::Ascii => one.is_ascii().then(|| one.as_bytes().to_vec()),
            DefaultAlphabet::Utf8 => Some(one.as_bytes().to_vec()),
        };
        let written = written.unwrap_or_else(|| b"?".to_vec());
        if octets.len() + written.len() > most {
            break;
        }
        octets.extend(written);
    }
    octets
}
