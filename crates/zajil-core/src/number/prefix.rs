//! What a `calling_prefix` or a `called_prefix` may be (S4.1, S5.1).

use super::{LONGEST_NAME, is_gsm7_basic};

/// The most digits of a prefix.
pub const LONGEST_PREFIX: usize = 20;

/// Why a text is no prefix. The sentence completes "`field` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPrefix {
    /// Nothing there: any number is meant by leaving the field out.
    #[error("must not be empty; leave it out for any number")]
    Empty,
    /// Not a `called_prefix`.
    #[error("must be 1 to 20 of the characters 0-9, '*' and '#', with an optional leading '+'")]
    Called,
    /// Not a `calling_prefix`.
    #[error(
        "must be 1 to 20 of the characters 0-9, '*' and '#', with an optional leading '+', or \
         the beginning of a sender name, up to 11 characters of the GSM 7-bit alphabet"
    )]
    Calling,
}

/// Checks a `called_prefix`: 1 to 20 digits, `*` and `#`, with an optional `+` before them.
///
/// # Errors
/// [`NotAPrefix::Empty`] or [`NotAPrefix::Called`].
pub fn check_called(text: &str) -> Result<(), NotAPrefix> {
    match text {
        "" => Err(NotAPrefix::Empty),
        _ if begins_numbers(text) => Ok(()),
        _ => Err(NotAPrefix::Called),
    }
}

/// Checks a `calling_prefix`: as [`check_called`], or the beginning of an alphanumeric sender. A
/// lone `+` is neither: every number begins with it.
///
/// # Errors
/// [`NotAPrefix::Empty`] or [`NotAPrefix::Calling`].
pub fn check_calling(text: &str) -> Result<(), NotAPrefix> {
    let begins_names = text != "+"
        && !text.starts_with(' ')
        && text.chars().count() <= LONGEST_NAME
        && text.chars().all(is_gsm7_basic);
    match text {
        "" => Err(NotAPrefix::Empty),
        _ if begins_numbers(text) || begins_names => Ok(()),
        _ => Err(NotAPrefix::Calling),
    }
}

fn begins_numbers(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (1..=LONGEST_PREFIX).contains(&digits.len())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_1_prefixes_are_digits_with_an_optional_plus() {
        for good in [
            "4",
            "+44",
            "00",
            "*100#",
            "12345678901234567890",
            "+1234567890123456789*",
        ] {
            assert_eq!(check_called(good), Ok(()), "{good}");
            assert_eq!(check_calling(good), Ok(()), "{good}");
        }
        for bad in [
            "+",
            "++44",
            "4+4",
            "44 7",
            "44-7",
            "^44",
            "Bank",
            "١٢",
            "123456789012345678901",
        ] {
            assert_eq!(check_called(bad), Err(NotAPrefix::Called), "{bad}");
        }
        assert_eq!(check_called(""), Err(NotAPrefix::Empty));
        assert_eq!(check_calling(""), Err(NotAPrefix::Empty));
    }

    #[test]
    fn s4_1_calling_prefixes_may_begin_a_sender_name() {
        for good in ["Bank", "My ", "Ärzte&Co", "B", "ElevenChars"] {
            assert_eq!(check_calling(good), Ok(()), "{good}");
        }
        for bad in ["TwelveLetter", "Bank[1]", "بنك", " Bank", "+", "a\n"] {
            assert_eq!(check_calling(bad), Err(NotAPrefix::Calling), "{bad}");
        }
        assert_eq!(
            check_called("Bank").unwrap_err().to_string(),
            "must be 1 to 20 of the characters 0-9, '*' and '#', with an optional leading '+'"
        );
    }
}
