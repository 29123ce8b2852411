//! The text of a delivery receipt (SMPP 3.4, appendix B): written in full, read whatever comes.

use crate::civil::{self, DAY_MS};
use crate::state::MessageState;

/// A receipt to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The message's id, as the response to its submit gave it.
    pub id: &'a str,
    /// How many messages were submitted: one.
    pub submitted: u16,
    /// How many of them were delivered.
    pub delivered: u16,
    /// When it was submitted, in milliseconds since 1970 UTC.
    pub submit_ms: i64,
    /// When it ended, or came to this state.
    pub done_ms: i64,
    /// How.
    pub state: MessageState,
    /// Why not, 0 to 999.
    pub error: u16,
    /// The first 20 octets of the message.
    pub text: &'a [u8],
}

/// What was read of a receipt: what is missing or makes no sense is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// `id`.
    pub id: Option<String>,
    /// `sub`.
    pub submitted: Option<u32>,
    /// `dlvrd`.
    pub delivered: Option<u32>,
    /// `submit date`, in milliseconds since 1970 as if it were UTC: peers write local time.
    pub submit_ms: Option<i64>,
    /// `done date`.
    pub done_ms: Option<i64>,
    /// `stat`.
    pub state: Option<MessageState>,
    /// `err`, which need not be a number.
    pub error: Option<String>,
    /// `text`.
    pub text: Option<Vec<u8>>,
}

/// The most octets of the message that a receipt repeats.
pub const TEXT_OCTETS: usize = 20;

impl Receipt<'_> {
    /// The whole text, all fields in their order.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = format!(
            "id:{} sub:{:03} dlvrd:{:03} submit date:{} done date:{} stat:{} err:{:03} text:",
            self.id,
            self.submitted.min(999),
            self.delivered.min(999),
            date(self.submit_ms),
            date(self.done_ms),
            self.state.word(),
            self.error.min(999),
        )
        .into_bytes();
        out.extend(self.text.iter().take(TEXT_OCTETS));
        out
    }
}

/// `YYMMDDhhmm` in UTC.
fn date(unix_ms: i64) -> String {
    let (year, month, day) = civil::date(unix_ms.div_euclid(DAY_MS));
    let minutes = unix_ms.rem_euclid(DAY_MS) / 60_000;
    format!(
        "{:02}{month:02}{day:02}{:02}{:02}",
        year.rem_euclid(100),
        minutes / 60,
        minutes % 60
    )
}

/// The keys, the longer before those that are their ends.
const KEYS: [&str; 8] = [
    "submit date:",
    "done date:",
    "dlvrd:",
    "stat:",
    "text:",
    "sub:",
    "err:",
    "id:",
];

/// Reads a receipt: keys in any case and order, dates of 10, 12 or 14 digits, fields missing.
/// `None` when it is no receipt, that is without `id` or without `stat`; a `stat` of no known word
/// is one all the same, with no state.
#[must_use]
pub fn parse(octets: &[u8]) -> Option<Parsed> {
    let mut parsed = Parsed::default();
    let mut stated = false;
    let mut at = find_key(octets, 0);
    while let Some((key, start)) = at {
        let next = (key != "text:").then(|| find_key(octets, start)).flatten();
        let end = next.map_or(octets.len(), |(key, start)| start - key.len());
        let value = octets.get(start..end).unwrap_or_default();
        set(&mut parsed, key, value);
        stated |= key == "stat:";
        at = next;
    }
    (parsed.id.is_some() && stated).then_some(parsed)
}

/// The next key that begins a word, and where its value begins.
fn find_key(octets: &[u8], from: usize) -> Option<(&'static str, usize)> {
    let begins_word = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| octets.get(before));
        before.is_none_or(|octet| !octet.is_ascii_alphanumeric())
    };
    (from..octets.len())
        .filter(|at| begins_word(*at))
        .find_map(|at| {
            let here = octets.get(at..)?;
            let is_here = |key: &&str| {
                let start = here.get(..key.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(key.as_bytes()))
            };
            let key = KEYS.into_iter().find(is_here)?;
            Some((key, at + key.len()))
        })
}

fn set(parsed: &mut Parsed, key: &str, value: &[u8]) {
    if key == "text:" {
        parsed.text.get_or_insert_with(|| value.to_vec());
        return;
    }
    let value = String::from_utf8_lossy(value).trim().to_owned();
    if value.is_empty() {
        return;
    }
    match key {
        "id:" => parsed.id = parsed.id.take().or(Some(value)),
        "sub:" => parsed.submitted = value.parse().ok(),
        "dlvrd:" => parsed.delivered = value.parse().ok(),
        "submit date:" => parsed.submit_ms = parse_date(&value),
        "done date:" => parsed.done_ms = parse_date(&value),
        "stat:" => parsed.state = MessageState::from_word(&value),
        "err:" => parsed.error = Some(value),
        _ => {}
    }
}

/// `YYMMDDhhmm`, `YYMMDDhhmmss` or `YYYYMMDDhhmmss`.
fn parse_date(text: &str) -> Option<i64> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|octet| octet.is_ascii_digit().then(|| octet - b'0'))
        .collect::<Option<_>>()?;
    let pairs: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |sum, digit| sum * 10 + digit))
        .collect();
    let (year, rest) = match (digits.len(), pairs.as_slice()) {
        (10 | 12, [year, rest @ ..]) => (2000 + i64::from(*year), rest),
        (14, [century, year, rest @ ..]) => (i64::from(*century) * 100 + i64::from(*year), rest),
        _ => return None,
    };
    let (&[month, day, hour, minute], second) = rest.split_first_chunk::<4>()?;
    let second = second.first().copied().unwrap_or(0);
    let good = civil::is_date(year, month, day) && hour < 24 && minute < 60 && second < 60;
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    good.then(|| civil::days(year, month, day) * DAY_MS + seconds * 1_000)
}

#[cfg(test)]
mod tests;
