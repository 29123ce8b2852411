//! Numbers between SMPP's addresses and ours.

use smpp_codec::address::{
    Address, NPI_E164, NPI_UNKNOWN, TON_ALPHANUMERIC, TON_INTERNATIONAL, TON_UNKNOWN,
};
use smpp_codec::text::Text;

/// An address as we write numbers: international ones with `+`.
#[must_use]
pub fn read(address: &Address) -> String {
    let value = address.value.to_str();
    let international = address.ton == TON_INTERNATIONAL
        && !value.starts_with('+')
        && value.bytes().all(|octet| octet.is_ascii_digit())
        && !value.is_empty();
    if international {
        format!("+{value}")
    } else {
        value.into_owned()
    }
}

/// A number or sender name as an address.
#[must_use]
pub fn write(number: &str) -> Address {
    let (ton, npi, value) = match number.strip_prefix('+') {
        Some(digits) => (TON_INTERNATIONAL, NPI_E164, digits),
        None if number.bytes().all(|octet| octet.is_ascii_digit()) => (
            TON_UNKNOWN,
            if number.is_empty() {
                NPI_UNKNOWN
            } else {
                NPI_E164
            },
            number,
        ),
        None => (TON_ALPHANUMERIC, NPI_UNKNOWN, number),
    };
    let value = Text::until_zero(value.as_bytes().to_vec());
    Address { ton, npi, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_survive_the_way_there_and_back() {
        for (number, ton, npi) in [
            ("+46701133111", 1, 1),
            ("40404", 0, 1),
            ("SHOP", 5, 0),
            ("", 0, 0),
        ] {
            let address = write(number);
            assert_eq!((address.ton, address.npi), (ton, npi), "{number}");
            assert_eq!(read(&address), number);
        }
    }
}
