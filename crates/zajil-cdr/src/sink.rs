//! What sinks share: how one fails, how bad rows are found, and the sink that keeps nothing.

use std::future::{Future, ready};
use std::pin::Pin;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{BadRow, CdrSink, Unwritten, Written};

/// Takes every row and keeps none (`cdr_enabled = false`), so that the outbox stays empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullSink;

impl CdrSink for NullSink {
    fn write<'a>(&'a self, _rows: &'a [Cdr], _now: Timestamp) -> Written<'a> {
        Box::pin(ready(Ok(())))
    }
}

/// Why a statement did not work. The texts hold no values of rows (S10.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The database is away, or wants an operator.
    Down(String),
    /// It refuses what a row holds; nothing was written.
    Data(String),
}

impl Fault {
    /// Where it does not matter whose fault it is.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Down(why) | Self::Data(why) => why,
        }
    }
}

/// An answer in a box.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// A table that takes rows, all of them or none.
pub(crate) trait Table: Sync {
    fn insert<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Answer<'a, ()>;

    /// Whether the table itself is as it must be, so that a refusal is about the row.
    fn check(&self) -> Answer<'_, ()>;
}

/// Writes the rows together; when the database refuses their data, halves them until the bad ones
/// stand alone.
pub(crate) async fn write<T: Table + ?Sized>(
    table: &T,
    rows: &[Cdr],
    now: Timestamp,
) -> Result<(), Unwritten> {
    let mut bad = Vec::new();
    let mut open = vec![rows];
    let mut checked = false;
    while let Some(part) = open.pop() {
        match table.insert(part, now).await {
            Ok(()) => {}
            Err(Fault::Down(why)) => return Err(Unwritten::Down(why)),
            Err(Fault::Data(why)) => {
                if !checked {
                    let check = table.check().await;
                    check.map_err(|fault| Unwritten::Down(fault.text()))?;
                    checked = true;
                }
                match part {
                    [] => {}
                    [row] => bad.push(BadRow {
                        message_id: row.message_id,
                        why,
                    }),
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        open.extend([second, first]);
                    }
                }
            }
        }
    }
    match bad.is_empty() {
        true => Ok(()),
        false => Err(Unwritten::BadRows(bad)),
    }
}

/// As many characters as fit; the rest is cut off.
pub(crate) fn fit(text: &str, characters: usize) -> &str {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_characters_not_octets() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "abc");
        assert_eq!(fit("é😀ü", 2), "é😀");
        assert_eq!(fit("", 0), "");
    }
}
