//! What became of every submit of a run: its response, and its receipt where one was asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use anyhow::Result;
use smpp_codec::Status;
use smpp_codec::receipt::Parsed;
use smpp_codec::state::MessageState;

use crate::report::Tally;

/// After the last receipt that is owed, one too many is waited for as long as this.
const LINGER: Duration = Duration::from_millis(300);

/// One message, by its id.
#[derive(Debug, Default)]
struct Life {
    /// When its submit was due, once its response has come.
    submitted: Option<Instant>,
    /// When its first receipt came.
    receipted: Option<Instant>,
    receipts: u32,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) submits: Tally,
    receipts: Tally,
    wants_receipts: bool,
    lives: HashMap<Box<[u8]>, Life>,
    /// Answered, and without a receipt.
    owed: u64,
    accepted: u64,
    /// Messages that came to the sinks.
    pub(super) delivered: u64,
    last_news: Instant,
}

impl Book {
    pub(super) fn new(wants_receipts: bool, now: Instant) -> Result<Self> {
        Ok(Self {
            submits: Tally::new()?,
            receipts: Tally::new()?,
            wants_receipts,
            lives: HashMap::new(),
            owed: 0,
            accepted: 0,
            delivered: 0,
            last_news: now,
        })
    }

    /// A submit was taken as `id`.
    pub(super) fn accepted(&mut self, id: &[u8], since: Instant, now: Instant) {
        self.submits.succeeded(since, now);
        self.last_news = now;
        self.accepted += 1;
        if !self.wants_receipts {
            return;
        }
        match self.lives.entry(id.into()) {
            Entry::Vacant(entry) => {
                entry.insert(Life {
                    submitted: Some(since),
                    ..Life::default()
                });
                self.owed += 1;
            }
            Entry::Occupied(mut entry) => {
                let life = entry.get_mut();
                if life.submitted.is_some() {
                    return self.submits.failed("an id was given twice".to_owned());
                }
                life.submitted = Some(since);
                if let Some(receipted) = life.receipted {
                    self.receipts.succeeded(since, receipted);
                }
            }
        }
    }

    pub(super) fn refused(&mut self, status: Status, now: Instant) {
        self.submits.failed(status.to_string());
        self.last_news = now;
    }

    /// A final receipt has come.
    pub(super) fn receipted(&mut self, receipt: &Parsed, now: Instant) {
        self.last_news = now;
        let id = receipt.id.as_deref().unwrap_or_default().as_bytes();
        if let Some(state) = receipt.state.filter(|it| *it != MessageState::Delivered) {
            self.receipts.failed(state.word().to_owned());
        }
        if !self.lives.contains_key(id) {
            self.lives.insert(id.into(), Life::default());
        }
        let Some(life) = self.lives.get_mut(id) else {
            return;
        };
        life.receipts += 1;
        if life.receipts > 1 {
            return;
        }
        life.receipted = Some(now);
        if let Some(since) = life.submitted {
            self.receipts.succeeded(since, now);
            self.owed -= 1;
        }
    }

    /// A receipt that cannot be read.
    pub(super) fn unreadable(&mut self) {
        self.receipts.failed("not a receipt".to_owned());
    }

    pub(super) fn delivered(&mut self, now: Instant) {
        self.delivered += 1;
        self.last_news = now;
    }

    /// Whether nothing more is to be expected: all has come, or nothing has for too long.
    pub(super) fn is_settled(&self, sinks: Sinks, patience: Duration, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.last_news);
        let undelivered = sinks == Sinks::Some && self.delivered < self.accepted;
        let expects = self.owed > 0 || undelivered;
        let enough = match (expects, self.wants_receipts) {
            (true, _) => patience,
            (false, true) => LINGER,
            (false, false) => Duration::ZERO,
        };
        quiet >= enough
    }

    /// Receipts that never came, came twice, or are of messages that nobody submitted.
    pub(super) fn close(mut self) -> (Tally, Option<Tally>) {
        if !self.wants_receipts {
            return (self.submits, None);
        }
        for life in self.lives.values() {
            let kind = match (life.submitted, life.receipts) {
                (None, _) => "unknown id",
                (Some(_), 0) => "missing",
                (Some(_), 1) => continue,
                (Some(_), _) => "doubled",
            };
            self.receipts.failed(kind.to_owned());
        }
        (self.submits, Some(self.receipts))
    }
}

/// Whether messages come back to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sinks {
    None,
    Some,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn receipt(id: &str, state: MessageState) -> Parsed {
        Parsed {
            id: Some(id.to_owned()),
            state: Some(state),
            ..Parsed::default()
        }
    }

    #[test]
    fn receipts_are_matched_in_either_order_and_faults_are_told_apart() {
        let start = clock::now();
        let mut book = Book::new(true, start).unwrap();
        let delivered = |id| receipt(id, MessageState::Delivered);
        let at = |ms| start + Duration::from_millis(ms);
        for id in [b"1", b"2", b"3", b"4"] {
            book.accepted(id, start, at(1));
        }
        book.receipted(&delivered("1"), at(5));
        book.receipted(&delivered("2"), at(5));
        book.receipted(&delivered("2"), at(6));
        book.receipted(&receipt("4", MessageState::Expired), at(6));
        // Before its response, and one that is never answered.
        book.receipted(&delivered("5"), at(6));
        book.accepted(b"5", start, at(7));
        book.receipted(&delivered("stray"), at(7));
        let patience = Duration::from_secs(10);
        assert!(!book.is_settled(Sinks::None, patience, at(1_000)));
        assert!(book.is_settled(Sinks::None, patience, at(10_007)));
        let (submits, receipts) = book.close();
        assert_eq!(submits.operation(start).ok, 5);
        let receipts = receipts.unwrap().operation(start);
        assert_eq!(receipts.ok, 4);
        let faults: Vec<(&str, u64)> = receipts
            .errors
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect();
        let expected = [
            ("EXPIRED", 1),
            ("doubled", 1),
            ("missing", 1),
            ("unknown id", 1),
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_run_is_over_when_all_has_come_and_nothing_more_does() {
        let start = clock::now();
        let patience = Duration::from_secs(10);
        let mut book = Book::new(true, start).unwrap();
        book.accepted(b"1", start, start);
        book.receipted(&receipt("1", MessageState::Delivered), start);
        assert!(!book.is_settled(Sinks::None, patience, start));
        assert!(book.is_settled(Sinks::None, patience, start + LINGER));
        assert!(!book.is_settled(Sinks::Some, patience, start + LINGER));
        book.delivered(start);
        assert!(book.is_settled(Sinks::Some, patience, start + LINGER));
    }
}
