//! What stands outside the engine in tests: a charging system that keeps its books and answers as
//! told, and an ENUM that knows a few numbers.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use zajil_core::charge::{Call, Failed, Money, Refused, Verdict};
use zajil_core::enum_query::{Found, Lookup};
use zajil_core::port::{Charger, NumberLookup};

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Answers `Granted` unless told otherwise.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    /// What a late answer waits for.
    pub(crate) late: Notify,
}

#[derive(Debug, Default)]
struct Books {
    next: VecDeque<String>,
    /// Every call: what for, the message, the parts.
    calls: Vec<(&'static str, u64, u32)>,
}

impl Ledger {
    /// The next answers, one word each: `granted`, `refused`, `failed`, `unknown`, `stalls`,
    /// `late`; `open` refuses to be asked.
    pub(crate) fn expect(&self, words: &[&str]) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.next.extend(words.iter().map(ToString::to_string));
    }

    pub(crate) fn calls(&self) -> Vec<(&'static str, u64, u32)> {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.calls.clone()
    }

    fn answer(&self, what: &'static str, call: &Call) -> String {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = (what, call.message.get(), call.parts.get());
        books.calls.push(entry);
        books.next.pop_front().unwrap_or_else(|| "granted".into())
    }
}

fn failed(money: Money) -> Failed {
    let why = format!("no answer, money {money:?}").to_lowercase();
    Failed { money, why }
}

impl Charger for Ledger {
    fn charge<'a>(&'a self, call: &'a Call) -> Answer<'a, Verdict> {
        let word = self.answer("charge", call);
        Box::pin(async move {
            match word.as_str() {
                "granted" => Verdict::Granted,
                "refused" => Verdict::Refused(Refused::NoCredit),
                "failed" => Verdict::Failed(failed(Money::Untouched)),
                "unknown" => Verdict::Failed(failed(Money::Unknown)),
                "stalls" => std::future::pending().await,
                "late" => {
                    self.late.notified().await;
                    Verdict::Granted
                }
                other => panic!("no such answer: {other}"),
            }
        })
    }

    fn refund<'a>(&'a self, call: &'a Call) -> Answer<'a, Result<(), Failed>> {
        let word = self.answer("refund", call);
        Box::pin(std::future::ready(match word.as_str() {
            "granted" => Ok(()),
            "failed" => Err(failed(Money::Untouched)),
            "unknown" => Err(failed(Money::Unknown)),
            other => panic!("no such answer: {other}"),
        }))
    }

    fn unusable(&self) -> Option<Failed> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let open = books.next.front().is_some_and(|word| word == "open");
        open.then(|| {
            books.next.pop_front();
            failed(Money::Untouched)
        })
    }

    fn health(&self) -> Answer<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Knows the numbers it was told; `broken` ones fail.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<HashMap<String, String>>);

impl Book {
    pub(crate) fn learn(&self, number: &str, domain: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(number.to_owned(), domain.to_owned());
    }
}

impl NumberLookup for Book {
    fn lookup<'a>(&'a self, number: &'a str) -> Answer<'a, Lookup> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match known.get(number).map(String::as_str) {
            None => Lookup::Absent,
            Some("broken") => Lookup::Failed("time-out".into()),
            Some(domain) => Lookup::Found(Arc::new(Found {
                uri: format!("sip:{number}@{domain}"),
                domain: Some(domain.to_owned()),
                service: "E2U+sip".into(),
                zone: "e164.test".into(),
            })),
        };
        Box::pin(std::future::ready(answer))
    }
}
