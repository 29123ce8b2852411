//! One field of a request: any JSON value, judged when it is asked for as a value of the domain.
//!
//! As lenient as the reference's casts: integers also as decimal text, truth also as "true",
//! "false", "1" and "0", empty text counts as null. Text must be text.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::num::NonZeroU32;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::number::Given;
use zajil_core::number::prefix::NotAPrefix;
use zajil_core::outcome::Refusal;

use crate::time;

/// The most characters of a short text: an IMSI, a host name, a prefix.
pub(crate) const SHORT: usize = 255;
/// The most characters of a description or a reason.
pub(crate) const SENTENCE: usize = 1_000;

/// The longest array that any field takes.
pub(crate) const MOST_ITEMS: usize = 64;

/// A field as it came.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Field<'a> {
    /// It was not there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A string.
    Text(Cow<'a, str>),
    /// An integer that fits.
    Integer(i64),
    /// Any other number.
    Number,
    /// A truth value.
    Boolean(bool),
    /// An object.
    Object(Box<Map<String, Value>>),
    /// An array; of its items no more than one above [`MOST_ITEMS`].
    Array(Vec<Field<'a>>),
}

/// An optional value, or the refusal that names the field.
pub(crate) type Read<T> = Result<Option<T>, Refusal>;

impl<'a> Field<'a> {
    /// Whether the field was there, be it as null.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// This field if it was there, the one with the older spelling otherwise.
    pub(crate) fn or(self, older: Self) -> Self {
        if self.is_given() { self } else { older }
    }

    /// A change to an optional value: none when absent, the inner none for null.
    pub(crate) fn change<T>(self, read: impl FnOnce(Self) -> Read<T>) -> Read<Option<T>> {
        if self.is_given() {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The value of a field that was there, null included; `old` otherwise.
    pub(crate) fn or_keep<T>(self, old: Option<T>, read: impl FnOnce(Self) -> Read<T>) -> Read<T> {
        if self.is_given() { read(self) } else { Ok(old) }
    }

    /// A prefix of a number, as an operator's table holds it.
    pub(crate) fn or_prefix(
        self,
        name: &str,
        old: Option<String>,
        check: fn(&str) -> Result<(), NotAPrefix>,
    ) -> Read<String> {
        self.or_keep(old, |field| {
            let given = field.number(name)?.map(|given| given.as_str().to_owned());
            match given.as_deref().map(check) {
                Some(Err(rule)) => Err(Refusal::field(name, rule)),
                Some(Ok(())) | None => Ok(given),
            }
        })
    }

    /// Text as it came, empty text included.
    pub(crate) fn string(self, name: &str) -> Read<Cow<'a, str>> {
        let text = match self {
            Self::Absent | Self::Null => return Ok(None),
            Self::Text(text) => text,
            _ => return Err(Refusal::field(name, "must be a string")),
        };
        // No database of ours and none of the operators' can hold it.
        if text.as_bytes().contains(&0) {
            return Err(Refusal::field(name, "must not hold the character U+0000"));
        }
        Ok(Some(text))
    }

    /// Text of at most `most` characters.
    pub(crate) fn text(self, name: &str, most: usize) -> Read<String> {
        let Some(text) = self.string(name)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if text.len() > most && text.chars().count() > most {
            let rule = format!("must have at most {most} characters");
            return Err(Refusal::field(name, rule));
        }
        Ok(Some(text.into_owned()))
    }

    /// Text that `parse` understands.
    pub(crate) fn parsed<T, E: Display>(
        self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Read<T> {
        match self.string(name)?.filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => parse(&text)
                .map(Some)
                .map_err(|rule| Refusal::field(name, rule)),
        }
    }

    /// The name of a frontend.
    pub(crate) fn frontend(self, name: &str) -> Read<FrontendName> {
        self.parsed(name, FrontendName::parse)
    }

    /// The items of an array of at most `most`; what they are is said as `what`.
    pub(crate) fn items(self, name: &str, most: usize, what: &str) -> Read<Vec<Self>> {
        match self {
            Self::Absent | Self::Null => Ok(None),
            Self::Array(items) if items.len() <= most => Ok(Some(items)),
            _ => {
                let rule = format!("must be an array of at most {most} {what}");
                Err(Refusal::field(name, rule))
            }
        }
    }

    /// The names of frontends, at most `most`, none twice.
    pub(crate) fn frontends(self, name: &str, most: usize) -> Read<Vec<FrontendName>> {
        let Some(items) = self.items(name, most, "frontend names")? else {
            return Ok(None);
        };
        let mut names = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            let item = item.frontend(&format!("{name}[{at}]"))?;
            let item = item.ok_or_else(|| Refusal::field(name, "must not hold an empty name"))?;
            if names.contains(&item) {
                return Err(Refusal::field(name, "must not hold a name twice"));
            }
            names.push(item);
        }
        Ok(Some(names))
    }

    /// A telephone number, prefix or sender name, not yet judged by the numbering rules.
    pub(crate) fn number(self, name: &str) -> Read<Given> {
        self.parsed(name, Given::parse)
    }

    /// An international mobile subscriber identity.
    pub(crate) fn imsi(self, name: &str) -> Read<String> {
        self.parsed(name, |text| {
            let digits = text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
            digits
                .then(|| text.to_owned())
                .ok_or("must be a string of 1 to 15 digits")
        })
    }

    /// One word of a list.
    pub(crate) fn word<T>(
        self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        words: &[&str],
    ) -> Read<T> {
        let rule = || format!("must be one of {}", words.join(", "));
        self.parsed(name, |text| parse(text).ok_or_else(rule))
    }

    /// An integer within bounds.
    pub(crate) fn integer(self, name: &str, least: i64, most: i64) -> Read<i64> {
        let number = match self {
            Self::Absent | Self::Null => return Ok(None),
            Self::Integer(number) => Some(number),
            Self::Text(text) if text.is_empty() => return Ok(None),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            Some(_) | None => {
                let rule = format!("must be an integer from {least} to {most}");
                Err(Refusal::field(name, rule))
            }
        }
    }

    /// A count of parts, 1 to 255.
    pub(crate) fn part(self, name: &str) -> Read<NonZeroU32> {
        let number = self.integer(name, 1, 255)?;
        Ok(number
            .and_then(|n| u32::try_from(n).ok())
            .and_then(NonZeroU32::new))
    }

    /// A truth value.
    pub(crate) fn boolean(self, name: &str) -> Read<bool> {
        match &self {
            Self::Absent | Self::Null => return Ok(None),
            Self::Boolean(value) => return Ok(Some(*value)),
            Self::Integer(0) => return Ok(Some(false)),
            Self::Integer(1) => return Ok(Some(true)),
            Self::Text(text) => match text.as_ref() {
                "" => return Ok(None),
                "true" | "1" => return Ok(Some(true)),
                "false" | "0" => return Ok(Some(false)),
                _ => {}
            },
            _ => {}
        }
        Err(Refusal::field(name, "must be true or false"))
    }

    /// An instant.
    pub(crate) fn time(self, name: &str) -> Read<Timestamp> {
        match self {
            Self::Absent | Self::Null => Ok(None),
            Self::Text(text) if text.is_empty() => Ok(None),
            Self::Text(text) => time::read(&text)
                .map(Some)
                .map_err(|why| Refusal::field(name, why.rule())),
            _ => Err(Refusal::field(name, time::NotATime::Unreadable.rule())),
        }
    }

    /// An object, or a string that holds one, as JSON text of at most `most` octets.
    pub(crate) fn object(self, name: &str, most: usize) -> Read<String> {
        let object = match self {
            Self::Absent | Self::Null => return Ok(None),
            Self::Object(object) => Some(*object),
            Self::Text(text) if text.is_empty() => return Ok(None),
            Self::Text(text) => serde_json::from_str(&text).ok(),
            _ => None,
        };
        let text = object.and_then(|object| serde_json::to_string(&object).ok());
        let text = text.ok_or_else(|| Refusal::field(name, "must be a JSON object"))?;
        if text.len() > most {
            let rule = format!("must have at most {most} octets of JSON");
            return Err(Refusal::field(name, rule));
        }
        Ok(Some(text))
    }

    /// Octets in hexadecimal, of at most `most` digits.
    pub(crate) fn hex(self, name: &str, most: usize) -> Read<Vec<u8>> {
        self.parsed(name, |text| {
            if text.len() > most {
                return Err(format!("must have at most {most} hexadecimal digits"));
            }
            octets(text).ok_or_else(|| "must be pairs of hexadecimal digits".to_owned())
        })
    }
}

fn octets(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

pub(super) fn digit(letter: u8) -> Option<u8> {
    char::from(letter)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(std::marker::PhantomData))
    }
}

struct AnyValue<'a>(std::marker::PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for AnyValue<'a> {
    type Value = Field<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Field<'a>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Field<'a>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Field<'a>, E> {
        Ok(Field::Text(Cow::Owned(text)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Field<'a>, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Field<'a>, E> {
        Ok(Field::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Field<'a>, E> {
        Ok(Field::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Field<'a>, E> {
        Ok(i64::try_from(number).map_or(Field::Number, Field::Integer))
    }

    /// 2.0 is an integer (JSON Schema 2020-12, 4.2.3), as far as a float holds integers.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Field<'a>, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = number.fract() == 0.0 && number.abs() <= EXACT;
        let integer = whole.then(|| format!("{number:.0}").parse().ok()).flatten();
        Ok(integer.map_or(Field::Number, Field::Integer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field<'a>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() <= MOST_ITEMS {
            match items.next_element()? {
                Some(item) => kept.push(item),
                None => return Ok(Field::Array(kept)),
            }
        }
        // Too many for any field: read on for the syntax, and keep no more.
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Field<'a>, A::Error> {
        let object = Map::deserialize(de::value::MapAccessDeserializer::new(entries))?;
        Ok(Field::Object(Box::new(object)))
    }
}

#[cfg(test)]
mod tests;
