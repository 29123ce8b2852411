//! Telephone numbers and sender names: what is accepted, and how two are compared (D8).

use std::fmt;

pub mod prefix;

/// How strictly a destination is checked after translation (D8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Any text of 1 to [`LONGEST`] printable characters.
    Off,
    /// Digits with an optional leading `+`, 3 to 20 digits.
    Digits,
    /// `+`, then 7 to 15 digits, the first of them not 0 (ITU-T E.164).
    E164,
}

/// The most characters a number may have before translation has tidied it up.
pub const LONGEST: usize = 64;
/// The most characters of an alphanumeric sender (3GPP TS 23.040 9.1.2.5: 11 septet characters).
pub const LONGEST_NAME: usize = 11;

/// Why a text is neither number nor sender name. The sentence completes "`field` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`LONGEST`].
    #[error("must have at most 64 characters")]
    TooLong,
    /// Control characters and the like.
    #[error("must hold printable characters only")]
    Unprintable,
    /// Fails [`Strictness::Digits`].
    #[error("must be 3 to 20 digits with an optional leading '+'")]
    NotDigits,
    /// Fails [`Strictness::E164`].
    #[error("must be in E.164 form: '+', then 7 to 15 digits, the first not 0")]
    NotE164,
    /// A sender that is neither a number nor a name.
    #[error(
        "must be a number of up to 20 digits, or a sender name of up to 11 characters of the \
         GSM 7-bit alphabet"
    )]
    NotASender,
}

/// A number or name as a client gave it: printable, not empty, of bounded length.
///
/// Translation rules work on this form, so it may still hold separators.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Given(Box<str>);

/// A destination that passed the check, as it is stored and shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Msisdn(Box<str>);

/// A sender that passed the check: a number, a short code or a name. Empty when none was given.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Sender(Box<str>);

impl Given {
    /// # Errors
    /// [`NotANumber`] when empty, too long or not printable.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        // Blanks count: a bound that a client can see is one of what it sent.
        if text.chars().count() > LONGEST {
            return Err(NotANumber::TooLong);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(NotANumber::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(NotANumber::Unprintable);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Msisdn {
    /// Checks a destination.
    ///
    /// # Errors
    /// [`NotANumber`], by the rule of `strictness` that failed.
    pub fn parse(given: &Given, strictness: Strictness) -> Result<Self, NotANumber> {
        let text = given.as_str();
        match strictness {
            Strictness::Off => {}
            Strictness::Digits => {
                let digits = text.strip_prefix('+').unwrap_or(text);
                if !is_digits(digits, 3, 20) {
                    return Err(NotANumber::NotDigits);
                }
            }
            Strictness::E164 => {
                let digits = text.strip_prefix('+').ok_or(NotANumber::NotE164)?;
                if !is_digits(digits, 7, 15) || digits.starts_with('0') {
                    return Err(NotANumber::NotE164);
                }
            }
        }
        Ok(Self(text.into()))
    }

    /// Takes a stored destination back, unchecked: it was checked when it was stored, and a
    /// stricter setting since then must not make it unreadable.
    #[must_use]
    pub fn restore(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Sender {
    /// Checks a sender: up to 20 digits (with `+` and separators), or a name.
    ///
    /// # Errors
    /// [`NotANumber::NotASender`].
    pub fn parse(given: &Given) -> Result<Self, NotANumber> {
        let text = given.as_str();
        let digits = key(text);
        let numeric = is_digits(&digits, 1, 20);
        let named = text.chars().count() <= LONGEST_NAME && text.chars().all(is_gsm7_basic);
        if numeric || named {
            Ok(Self(text.into()))
        } else {
            Err(NotANumber::NotASender)
        }
    }

    /// Takes a stored sender back, unchecked, as [`Msisdn::restore`] does.
    #[must_use]
    pub fn restore(text: &str) -> Self {
        Self(text.into())
    }

    /// The text; empty when the submit named no sender.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The form in which numbers are compared: without `+` and separators; names stay as they are (D8).
#[must_use]
pub fn key(text: &str) -> std::borrow::Cow<'_, str> {
    let bare = text.strip_prefix('+').unwrap_or(text);
    if bare.bytes().all(|b| b.is_ascii_digit()) {
        return bare.into();
    }
    let digits: String = bare.chars().filter(|c| !is_separator(*c)).collect();
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.into()
    } else {
        text.into()
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')
}

fn is_digits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether the GSM 7-bit default alphabet has the character without its extension table
/// (3GPP TS 23.038 6.2.1): what a sender name may be made of.
fn is_gsm7_basic(c: char) -> bool {
    const BEYOND_ASCII: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
    match c {
        ' '..='~' => !matches!(c, '[' | '\\' | ']' | '^' | '`' | '{' | '|' | '}' | '~'),
        _ => BEYOND_ASCII.contains(c),
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

/// A number as logs may show it: its last four characters, at most half, the rest hidden (S10.4).
#[must_use]
pub fn masked(text: &str) -> String {
    let length = text.chars().count();
    let shown = (length / 2).min(4);
    text.chars()
        .enumerate()
        .map(|(i, c)| if i + shown < length { '*' } else { c })
        .collect()
}

/// A number as answers show it that must not say whose it is: without its last four characters
/// (S10.3, S10.4).
#[must_use]
pub fn end_hidden(text: &str) -> String {
    let length = text.chars().count();
    let letters = text.chars().enumerate();
    letters
        .map(|(at, letter)| if at + 4 >= length { 'X' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_the_end_of_a_number_is_hidden() {
        assert_eq!(end_hidden("+15551234567"), "+1555123XXXX");
        assert_eq!(end_hidden("77é6"), "XXXX");
        assert_eq!(end_hidden(""), "");
    }

    fn destination(text: &str, strictness: Strictness) -> Result<String, NotANumber> {
        Msisdn::parse(&Given::parse(text)?, strictness).map(|n| n.as_str().to_owned())
    }

    #[test]
    fn d8_destinations_are_digits_with_an_optional_plus() {
        for good in [
            "+15551234567",
            "123",
            "00447700900123",
            "+12345678901234567890",
        ] {
            assert_eq!(destination(good, Strictness::Digits).as_deref(), Ok(good));
        }
        for bad in [
            "12",
            "+1-555",
            "BANK",
            "++123",
            "1+23",
            "123456789012345678901",
            "١٢٣٤",
        ] {
            assert_eq!(
                destination(bad, Strictness::Digits),
                Err(NotANumber::NotDigits),
                "{bad}"
            );
        }
        assert_eq!(destination("  ", Strictness::Off), Err(NotANumber::Empty));
        assert_eq!(
            destination("1\u{7}2", Strictness::Off),
            Err(NotANumber::Unprintable)
        );
        assert_eq!(
            destination(&"1".repeat(65), Strictness::Off),
            Err(NotANumber::TooLong)
        );
    }

    #[test]
    fn d8_strictness_is_a_choice() {
        assert!(destination("sip:bob", Strictness::Off).is_ok());
        assert!(destination("+15551234567", Strictness::E164).is_ok());
        for bad in [
            "15551234567",
            "+05551234567",
            "+123456",
            "+1234567890123456",
        ] {
            assert_eq!(
                destination(bad, Strictness::E164),
                Err(NotANumber::NotE164),
                "{bad}"
            );
        }
    }

    #[test]
    fn d8_senders_are_numbers_short_codes_or_names() {
        let sender = |text: &str| Sender::parse(&Given::parse(text).unwrap()).is_ok();
        for good in [
            "+15551234567",
            "+1 (555) 123-4567",
            "7726",
            "9",
            "My Bank",
            "Ärzte&Co",
        ] {
            assert!(sender(good), "{good}");
        }
        for bad in ["TwelveLetter", "Bank[1]", "بنك", "123456789012345678901"] {
            assert!(!sender(bad), "{bad}");
        }
    }

    #[test]
    fn d8_comparison_ignores_plus_and_separators() {
        assert_eq!(key("+1 (555) 123-4567"), "15551234567");
        assert_eq!(key("15551234567"), key("+15551234567"));
        assert_eq!(key("My-Bank"), "My-Bank");
        assert_eq!(key("--"), "--");
    }

    #[test]
    fn s10_4_numbers_are_masked_in_debug_output() {
        let number = Msisdn::restore("+15551234567");
        assert_eq!(format!("{number:?}"), "********4567");
        assert_eq!(masked("77"), "*7");
    }
}
