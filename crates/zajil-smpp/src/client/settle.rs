//! Receipts: from what a carrier says to what is reported of a message (D19).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use smpp_codec::state::MessageState;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::outcome::Reason;
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_core::smpp::Awaited;
use zajil_core::smpp::carrier::{DeliveredAt, Handling, WithoutReceipt};
use zajil_core::status::FinalStatus;
use zajil_store::awaited::AwaitedPart;
use zajil_store::record::decode_smpp_unmatched;
use zajil_store::shelf::Start;

use super::ledger::{Found, Turn};
use super::said::Said;
use super::{Carriers, Client, Parts, Upstream};

/// A message is held so much longer than its receipt is waited for: who looks for those that are
/// late must come before it is offered again.
const MARGIN: Duration = Duration::from_secs(3_600);
/// So long before the end of a message's life its receipt is not waited for any more.
const BEFORE_EXPIRY: Duration = Duration::from_secs(10);
/// How often late receipts are looked for, and what is over is forgotten.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many parts are looked through at a time, in so many pages.
const PAGE: u32 = 500;
const PAGES_AT_ONCE: usize = 20;
/// So many waits are ended at the same time: they share the commits of the store.
const ENDED_AT_ONCE: usize = 50;
/// Every so many looks those receipts are looked at again that belonged to nothing.
const UNMATCHED_EVERY: u64 = 5;
/// In so many pages, newest first, and in so many at the start.
const PAGES_AGAIN: usize = 5;
const PAGES_AT_START: usize = 100;
/// Every so many looks those are forgotten that are old.
const PURGE_EVERY: u64 = 60;
/// For so long: another node writes down what it has in much less.
const AGAIN_FOR: Duration = Duration::from_secs(600);
/// Receipts that belong to nothing are kept for so long.
const UNMATCHED_FOR: Duration = Duration::from_secs(7 * 86_400);

/// All carriers, as they change.
type Watched = watch::Receiver<Carriers>;

/// It could not be done now; the carrier must say it again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again;

impl From<zajil_store::Error> for Again {
    fn from(error: zajil_store::Error) -> Self {
        tracing::warn!(%error, "a receipt could not be looked up or kept");
        Self
    }
}

impl Upstream {
    /// A carrier has taken a message whole: it is held until the receipts come.
    pub(super) async fn taken(&self, message: &Message, ids: &[String]) {
        let now = self.parts.clock.now();
        let until = waits_until(now, self.carrier.receipt_timeout, message.expires);
        let destination = message.content.destination.as_str();
        let awaited = self
            .ledger
            .awaited(&self.carrier, (destination, ids), until);
        if self.release(message.id, &awaited).await.is_err() {
            tracing::warn!(id = %message.id, "the wait of what had its ids before did not end");
        }
        let report = Report::Taken {
            by: Some(self.carrier.name.clone()),
            until: until.plus(MARGIN),
            told: format!("'{}' took it as {}", self.carrier.name, ids.join(", ")),
            parts: Some(awaited.clone()),
        };
        if let Err(refusal) = self.parts.desk.report(message.id, report).await {
            // Unless it has ended, its lease does, and it is submitted again: at least once, here
            // twice.
            self.counts.unanswered.inc();
            tracing::error!(id = %message.id, %refusal, "what a carrier took was not kept");
            return;
        }
        for said in self.ledger.early(&awaited, now) {
            // Forgotten after it was used: until then it is looked at again.
            let used = match self.receipt(&said).await {
                Ok(()) => self.ledger.used(&self.carrier, &said, now).await,
                Err(Again) => continue,
            };
            if let Err(error) = used {
                tracing::warn!(id = %message.id, %error, "an early receipt was not forgotten");
            }
        }
    }

    /// A carrier that gives an id again means the new message by it: the former one hears nothing
    /// more, and its wait ends now, as if it were over.
    async fn release(&self, message: MessageId, awaited: &Awaited) -> Result<(), Again> {
        let parts = self.ledger.known(awaited).await?;
        for part in parts {
            // What was delivered of a message leaves the rest of it to its own receipts.
            if part.message == message || part.delivered {
                continue;
            }
            let turn = (part.message, part.taken_at);
            give_up(&self.parts, self.carrier.without_receipt, &[part]).await?;
            self.ledger.forget(vec![turn]).await?;
        }
        Ok(())
    }

    /// A receipt has come. Answered after this is on stable storage, so it may come twice.
    pub(super) async fn receipt(&self, said: &Said) -> Result<(), Again> {
        let (ledger, carrier) = (&self.ledger, &*self.carrier);
        match ledger.find(carrier, said).await? {
            Found::Part(part) => return self.settle(&part, said).await,
            Found::Ended => {
                ledger.remember_ended(carrier, said, self.parts.clock.now());
                return Ok(());
            }
            Found::Nothing => {}
        }
        let now = self.parts.clock.now();
        if carrier.delivered_at == DeliveredAt::Response {
            // Nothing waits for it, and nobody will look for it.
            self.counts.unmatched.inc();
            return Ok(());
        }
        let is_new = ledger.park(carrier, said, now).await?;
        // The response may have come between the look and the parking.
        if let Found::Part(part) = ledger.find(carrier, said).await? {
            self.settle(&part, said).await?;
            return Ok(ledger.used(carrier, said, now).await?);
        }
        if is_new {
            self.counts.unmatched.inc();
            let (carrier, state) = (&carrier.name, said.word());
            tracing::info!(%carrier, state, "a receipt of a carrier matches nothing");
        }
        Ok(())
    }

    /// Looks again at a receipt that belonged to nothing: another node may have had the response,
    /// and have written it down since.
    async fn again(&self, record: u64, said: &Said) -> Result<(), Again> {
        match self.ledger.find(&self.carrier, said).await? {
            Found::Part(part) => self.settle(&part, said).await?,
            // It came twice, and was used the other time.
            Found::Ended => {}
            Found::Nothing => return Ok(()),
        }
        let now = self.parts.clock.now();
        self.ledger.used(&self.carrier, said, now).await?;
        Ok(self.ledger.forget_unmatched(record, now).await?)
    }

    /// Reports what a receipt says of its message, and forgets what is over.
    async fn settle(&self, part: &AwaitedPart, said: &Said) -> Result<(), Again> {
        let now = self.parts.clock.now();
        let by = Some(self.carrier.name.clone());
        if !said.is_final() {
            let report = Report::Taken {
                by,
                until: part.until.plus(MARGIN),
                told: said.told(),
                parts: None,
            };
            return reported(&self.parts, part, heard(part, report)).await;
        }
        let is_delivered = said.state == Some(MessageState::Delivered);
        if is_delivered && !self.ledger.delivered(part).await? {
            self.counts.delivered.inc();
            return Ok(());
        }
        let report = if is_delivered {
            Report::Delivered { by, at: Some(now) }
        } else {
            heard(part, self.undelivered(said))
        };
        reported(&self.parts, part, report).await?;
        if is_delivered {
            self.counts.delivered.inc();
        } else {
            self.counts.undelivered.inc();
        }
        self.ledger.close(part);
        Ok(())
    }

    /// What is reported when a carrier gave a message up.
    fn undelivered(&self, said: &Said) -> Report {
        let by = Some(self.carrier.name.clone());
        let reason = Some(said.told());
        let error = said.error.as_deref();
        match error.and_then(|error| self.carrier.on_receipt(error)) {
            Some(Handling::Again(class)) => again(by, reason, class),
            None if said.state == Some(MessageState::Expired) => Report::Ended {
                how: FinalStatus::Expired,
                reason,
            },
            Some(Handling::Never) | None => Report::Refused { by, reason },
        }
    }
}

/// Until when a receipt is waited for. A message that ends by its age while nobody has looked for
/// its receipt would be expired whatever the carrier's rule for that is, so the look comes before.
fn waits_until(now: Timestamp, timeout: Duration, expires: Timestamp) -> Timestamp {
    let before = BEFORE_EXPIRY.min(expires.since(now) / 2);
    now.plus(timeout).min(expires.minus(before)).max(now)
}

/// What is said of the turn in which a part was taken, and of no later one.
fn heard(part: &AwaitedPart, says: Report) -> Report {
    Report::Heard {
        held_until: part.until.plus(MARGIN),
        says: Box::new(says),
    }
}

/// An attempt that failed and is repeated by the schedule of its class.
pub(super) fn again(by: Option<FrontendName>, reason: Option<String>, class: ErrorClass) -> Report {
    Report::AttemptFailed {
        reason,
        retry_after: None,
        by,
        class: Some(class),
        schedules: Arc::new(Schedules::default()),
    }
}

/// Reports; what has ended, or is with somebody else, is no concern of the carrier any more.
async fn reported(parts: &Parts, part: &AwaitedPart, report: Report) -> Result<(), Again> {
    match parts.desk.report(part.message, report).await {
        Ok(_) => Ok(()),
        Err(refusal) => match refusal.reason {
            Reason::AlreadyFinal | Reason::NotFound | Reason::Conflict => Ok(()),
            _ => {
                tracing::warn!(id = %part.message, %refusal, "a receipt could not be reported");
                Err(Again)
            }
        },
    }
}

/// Looks for receipts that do not come, and forgets what is over, until `stop`. May run on every
/// node.
pub(super) async fn look(client: Arc<Client>, carriers: Watched, stop: CancellationToken) {
    let mut rounds = 0_u64;
    loop {
        let stopped = timeout(LOOK_EVERY, stop.cancelled()).await.is_ok();
        if let Err(error) = client.ledger.forget_closed().await {
            tracing::warn!(%error, "parts of messages that have ended were not forgotten");
        }
        if stopped {
            return;
        }
        for _ in 0..PAGES_AT_ONCE {
            if !matches!(late(&client, &carriers).await, Ok(true)) {
                break;
            }
        }
        // At first at all of them: what was early may have been kept by a process that is gone.
        let back = match rounds {
            0 => (UNMATCHED_FOR, PAGES_AT_START),
            _ => (AGAIN_FOR, PAGES_AGAIN),
        };
        if rounds.is_multiple_of(UNMATCHED_EVERY) {
            look_again(&client, &carriers, back).await;
        }
        if rounds.is_multiple_of(PURGE_EVERY) {
            let before = client.parts.clock.now().minus(UNMATCHED_FOR);
            if let Err(error) = client.ledger.purge(before).await {
                tracing::warn!(%error, "old receipts that matched nothing were not forgotten");
            }
        }
        rounds = rounds.wrapping_add(1);
    }
}

/// Looks again at the receipts that belonged to nothing, so far back and in so many pages. One that
/// cannot be read or reported does not keep the others from it.
async fn look_again(client: &Arc<Client>, carriers: &Watched, (back, pages): (Duration, usize)) {
    let since = client.parts.clock.now().minus(back);
    let known = carriers.borrow().clone();
    let mut from = Start::Newest;
    for _ in 0..pages {
        let records = match client.ledger.unmatched(since, from).await {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "receipts that matched nothing were not looked at again");
                return;
            }
        };
        let Some(last) = records.last() else {
            return;
        };
        from = Start::Before(last.id);
        for record in records {
            let kept = match decode_smpp_unmatched(&record.body) {
                Ok(kept) => kept,
                Err(error) => {
                    tracing::debug!(id = record.id, %error, "a kept receipt cannot be read");
                    continue;
                }
            };
            let carrier = known.iter().find(|carrier| carrier.name == kept.carrier);
            if let Some(carrier) = carrier {
                let upstream = client.upstream(carrier);
                if upstream.again(record.id, &Said::kept(&kept)).await.is_err() {
                    tracing::warn!(id = record.id, "a kept receipt was not used");
                }
            }
        }
    }
}

/// One page of what is overdue; answers whether there may be more.
async fn late(client: &Client, carriers: &Watched) -> Result<bool, Again> {
    let now = client.parts.clock.now();
    let parts = client.ledger.overdue(now, PAGE).await?;
    let full = parts.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
    let mut turns: BTreeMap<Turn, Vec<AwaitedPart>> = BTreeMap::new();
    for part in parts {
        let turn = turns.entry((part.message, part.taken_at));
        turn.or_default().push(part);
    }
    let known = carriers.borrow().clone();
    let ending = turns.into_iter().map(|(turn, parts)| {
        let carrier = parts.first().map(|part| &part.carrier);
        let carrier = known.iter().find(|known| Some(&known.name) == carrier);
        let rule = carrier.map_or(WithoutReceipt::Fail, |carrier| carrier.without_receipt);
        async move { (turn, give_up(&client.parts, rule, &parts).await) }
    });
    let mut ending = stream::iter(ending).buffer_unordered(ENDED_AT_ONCE);
    // What could not be reported keeps the others from nothing, and is found again.
    let (mut over, mut all) = (Vec::new(), true);
    while let Some((turn, ended)) = ending.next().await {
        match ended {
            Ok(()) => over.push(turn),
            Err(Again) => all = false,
        }
    }
    if !over.is_empty() {
        client.ledger.forget(over).await?;
    }
    Ok(full && all)
}

/// Ends the wait for the receipts of the parts of one turn, once: on whichever node is first.
async fn give_up(desk: &Parts, rule: WithoutReceipt, parts: &[AwaitedPart]) -> Result<(), Again> {
    let Some(part) = parts.first() else {
        return Ok(());
    };
    let rule = if are_delivered(parts) {
        // All receipts came, and the report that they were the last was lost.
        WithoutReceipt::Deliver
    } else {
        rule
    };
    let by = Some(part.carrier.clone());
    let at = Some(desk.clock.now());
    let reason = Some("no receipt came in time".to_owned());
    let report = match rule {
        WithoutReceipt::Fail => Report::Refused { by, reason },
        WithoutReceipt::Deliver => Report::Delivered { by, at },
        WithoutReceipt::Again => again(by, reason, ErrorClass::Temporary),
    };
    reported(desk, part, heard(part, report)).await
}

/// Whether these are all parts of a turn, and each was delivered.
fn are_delivered(parts: &[AwaitedPart]) -> bool {
    let told = parts.iter().filter(|part| part.delivered).count();
    let of = parts.first().map_or(0, |part| part.parts);
    told > 0 && u64::try_from(told).is_ok_and(|told| told >= of)
}

#[cfg(test)]
mod tests;
