//! Receipts on their way to the applications that are owed them (D19).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::message::Message;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Handed, ReceiptAnswer, ReceiptAsk};
use zajil_core::receipt;
use zajil_store::contract::Error;
use zajil_store::receipts::{Owed, ReceiptSeq, Told};

use crate::refuse::failed;
use crate::shared::Shared;

/// At most this many in one answer.
const MOST: u32 = 1_000;
/// A hint may be lost between nodes, and nothing tells of one that is due again: a look is never
/// further away than this.
const SAFETY: Duration = Duration::from_secs(5);
/// The wait after the first try that failed; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// How many one turn of the sweep gives up in one transaction.
const GIVEN_UP_AT_ONCE: u32 = 500;

/// How long to wait after so many tries that failed.
fn wait_after(tries: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << tries.min(16));
    doubled.min(LONGEST_WAIT)
}

impl Shared {
    /// Wakes whoever sends receipts to the application of a message that has just changed.
    pub(crate) fn wake_for_receipt(&self, message: &Message, events: &[Event]) {
        if let Some(receipt) = receipt::owed(message, events) {
            self.receipt_hints.wake(Some(&receipt.account));
        }
    }

    pub(crate) async fn receipts(&self, ask: ReceiptAsk) -> Result<Vec<Handed>, Refusal> {
        let ReceiptAsk {
            account,
            limit,
            lease,
            wait,
        } = ask;
        let deadline = Instant::now() + wait;
        let seat = self.receipt_hints.sit(&account);
        let limit = limit.clamp(1, MOST);
        loop {
            // Subscribed before the look: a receipt made during it leaves a hint behind.
            let hint = seat.notify.notified();
            let now = self.parts.clock.now();
            let owed = (self.parts.store)
                .lease_receipts(account.clone(), limit, now, now.plus(lease))
                .await;
            let owed = owed.map_err(|error| failed(error, "receipt"))?;
            let over = self.stopping.is_cancelled() || Instant::now() >= deadline;
            if !owed.is_empty() || over {
                return Ok(owed.into_iter().map(handed).collect());
            }
            tokio::select! {
                biased;
                () = hint => {}
                () = self.stopping.cancelled() => {}
                () = tokio::time::sleep_until(deadline.min(Instant::now() + SAFETY)) => {}
            }
        }
    }

    pub(crate) async fn answer_receipts(
        &self,
        answers: Vec<(Handed, ReceiptAnswer)>,
    ) -> Result<(), Refusal> {
        let scene = self.scene();
        let mut told = Vec::with_capacity(answers.len());
        let mut counts = BTreeMap::new();
        let mut unsent = None;
        for (handed, answer) in answers {
            *counts.entry(word(&answer)).or_default() += 1;
            let place = ReceiptSeq(handed.place);
            told.push((place, told_of(&handed, &answer, &scene)));
            if answer == ReceiptAnswer::Unsent {
                unsent = Some(handed.receipt.account);
            }
        }
        let told = self.parts.store.tell_receipts(told).await;
        told.map_err(|error| failed(error, "receipt"))?;
        for (outcome, count) in counts {
            self.count_receipts(outcome, count);
        }
        if let Some(account) = unsent {
            // Another session of the account may send it at once.
            self.receipt_hints.wake(Some(&account));
        }
        Ok(())
    }

    fn count_receipts(&self, outcome: &str, count: usize) {
        let counter = &self.telemetry().metrics.receipts;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        counter.with_label_values(&[outcome]).inc_by(count);
    }

    /// Gives up receipts that nobody took in time.
    pub(crate) async fn give_up_receipts(&self) -> Result<(), Error> {
        loop {
            let scene = self.scene();
            let before = scene.now.minus(self.options.receipt_retention);
            let store = &self.parts.store;
            let stale = store.stale_receipts(before, GIVEN_UP_AT_ONCE).await?;
            let count = stale.len();
            let told = stale.into_iter().map(|owed| {
                let receipt = &owed.receipt;
                let (account, state) = (&receipt.account, receipt.state.as_str());
                let line = format!("{state} was not taken by '{account}' in time");
                let event = scene.event(EventName::ReceiptFailed, line);
                (owed.seq, Told::Done(event))
            });
            store.tell_receipts(told.collect()).await?;
            self.count_receipts("given_up", count);
            if count > 0 {
                tracing::warn!(count, "receipts were given up: nobody took them in time");
            }
            if count < GIVEN_UP_AT_ONCE as usize || self.stopping.is_cancelled() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

/// What the store is told of a receipt.
fn told_of(handed: &Handed, answer: &ReceiptAnswer, scene: &Scene) -> Told {
    let receipt = &handed.receipt;
    let (account, state) = (&receipt.account, receipt.state.as_str());
    match answer {
        ReceiptAnswer::Taken => {
            let line = format!("{state} to '{account}'");
            Told::Done(scene.event(EventName::ReceiptSent, line))
        }
        ReceiptAnswer::Refused(why) => {
            let line = format!("{state} refused by '{account}': {why}");
            Told::Done(scene.event(EventName::ReceiptFailed, line))
        }
        ReceiptAnswer::Later => Told::Again(scene.now.plus(wait_after(handed.tries))),
        ReceiptAnswer::Unsent => Told::Unsent(scene.now),
    }
}

const fn word(answer: &ReceiptAnswer) -> &'static str {
    match answer {
        ReceiptAnswer::Taken => "taken",
        ReceiptAnswer::Refused(_) => "refused",
        ReceiptAnswer::Later => "later",
        ReceiptAnswer::Unsent => "unsent",
    }
}

fn handed(owed: Owed) -> Handed {
    Handed {
        place: owed.seq.0,
        tries: owed.tries,
        receipt: owed.receipt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d19_the_wait_between_tries_doubles_up_to_its_bound() {
        let waits: Vec<u64> = (0..10).map(|tries| wait_after(tries).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }
}
