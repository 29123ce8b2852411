//! Receipts: from what a carrier says to what is reported of a message (D19).

use std::sync::Arc;
use std::time::Duration;

use smpp_codec::state::MessageState;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_core::smpp::carrier::{Carrier, Handling, WithoutReceipt};
use zajil_core::status::FinalStatus;
use zajil_store::awaited::AwaitedPart;

use super::ledger::Found;
use super::said::Said;
use super::{Parts, Upstream};

/// A message is held so much longer than its receipt is waited for: who looks for those that are
/// late must come before it is offered again.
pub(super) const MARGIN: Duration = Duration::from_secs(3_600);

/// What became of a receipt.
#[derive(Debug)]
pub(super) enum Told {
    Done(Result<(), Again>),
    /// The store must be asked what it is about; not about this message any more, if there is one.
    Unsettled(Option<MessageId>),
}

/// What a look-up of a receipt came to.
enum Looked {
    Settled,
    /// Its end was told before, by this carrier.
    Ended(Arc<Carrier>),
    Nothing,
}

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
    /// Receipts have come at the same time; says of each when it is on stable storage what became
    /// of it. What this node has written down itself, and is delivered, ends in one transaction:
    /// most receipts are such.
    pub(super) async fn receipts(&self, all: &[Said]) -> Vec<Told> {
        let whose = (&*self.carrier, &*self.sisters());
        let near = self.ledger.near(whose, all).await;
        let now = self.parts.clock.now();
        let ending = near.iter().flatten().map(|part| {
            let by = Some(self.carrier.name.clone());
            let report = Report::Delivered { by, at: Some(now) };
            (part.message, heard(part, report))
        });
        let ending: Vec<(MessageId, Report)> = ending.collect();
        let told = match ending.is_empty() {
            true => Vec::new(),
            false => told(&self.parts, ending).await,
        };
        let mut told = told.into_iter();
        let each = near.into_iter().map(|part| {
            let Some(part) = part else {
                return Told::Unsettled(None);
            };
            match told.next() {
                Some(Ok(Effect::Told)) => {
                    self.counts.delivered.inc();
                    self.ledger.close(&part);
                    Told::Done(Ok(()))
                }
                Some(Ok(Effect::Over)) => Told::Unsettled(Some(part.message)),
                // It is with somebody else, or was freed: the store says what the id means now.
                Some(Ok(Effect::NotNow)) => Told::Unsettled(None),
                Some(Err(Again)) | None => Told::Done(Err(Again)),
            }
        });
        each.collect()
    }

    /// A receipt has come that tells nothing new of the message `over`. Answered after this is on
    /// stable storage, so it may come twice.
    pub(super) async fn receipt(&self, said: &Said, over: Option<MessageId>) -> Result<(), Again> {
        let (ledger, carrier) = (&self.ledger, &*self.carrier);
        let now = self.parts.clock.now();
        match self.look_up(said, over).await? {
            Looked::Settled => return Ok(()),
            Looked::Ended(whose) => {
                ledger.remember_ended(&whose, said, now);
                return Ok(());
            }
            Looked::Nothing => {}
        }
        if !self.is_told_by_receipts() {
            // Nothing waits for it, and nobody will look for it.
            self.counts.unmatched.inc();
            return Ok(());
        }
        let is_new = ledger.park(carrier, said, now).await?;
        // The response may have come between the look and the parking.
        if let Looked::Settled | Looked::Ended(_) = self.look_up(said, None).await? {
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
    pub(super) async fn again(&self, record: u64, said: &Said) -> Result<(), Again> {
        match self.look_up(said, None).await? {
            // It came twice, and was used the other time.
            Looked::Settled | Looked::Ended(_) => {}
            Looked::Nothing => return Ok(()),
        }
        let now = self.parts.clock.now();
        self.ledger.used(&self.carrier, said, now).await?;
        Ok(self.ledger.forget_unmatched(record, now).await?)
    }

    /// Settles what a receipt is about, of this carrier or of one whose receipts may come here. It
    /// tells nothing new of the message `over`.
    async fn look_up(&self, said: &Said, over: Option<MessageId>) -> Result<Looked, Again> {
        let own = self.ledger.find(&self.carrier, said).await?;
        match &own {
            Found::Part(part) if Some(part.message) == over => {
                self.counts.delivered.inc();
                self.ledger.close(part);
                return Ok(Looked::Settled);
            }
            Found::Part(part) => {
                self.settle(part, said).await?;
                return Ok(Looked::Settled);
            }
            Found::Ended { agrees: true } => return Ok(Looked::Ended(Arc::clone(&self.carrier))),
            Found::Ended { agrees: false } | Found::Nothing => {}
        }
        // An id that has ended here may be one that a sister was given since, for another number.
        let has_ended = matches!(own, Found::Ended { .. });
        let sister = self.sister(said).await?;
        let sister = sister.filter(|(_, found)| !has_ended || found.agrees(said));
        Ok(match sister {
            Some((sister, Found::Part(part))) => {
                sister.settle(&part, said).await?;
                Looked::Settled
            }
            Some((sister, Found::Ended { .. })) => Looked::Ended(sister.carrier),
            Some((_, Found::Nothing)) | None if has_ended => {
                Looked::Ended(Arc::clone(&self.carrier))
            }
            Some((_, Found::Nothing)) | None => Looked::Nothing,
        })
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
        let report = match error.and_then(|error| self.carrier.on_receipt(error)) {
            Some(Handling::Again(class)) => again(by, reason, class),
            None if said.state == Some(MessageState::Expired) => Report::Ended {
                how: FinalStatus::Expired,
                reason,
            },
            Some(Handling::Never) | None => Report::Refused { by, reason },
        };
        report.because(said.network)
    }
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
    let told = told(parts, vec![(part.message, report)]).await;
    told.into_iter().try_for_each(|told| told.map(drop))
}

/// What a report did.
enum Effect {
    Told,
    /// Its message has ended, or is gone.
    Over,
    /// Its message is with somebody else.
    NotNow,
}

/// Reports; answers what each did.
async fn told(parts: &Parts, reports: Vec<(MessageId, Report)>) -> Vec<Result<Effect, Again>> {
    let ids: Vec<MessageId> = reports.iter().map(|(id, _)| *id).collect();
    match parts.desk.report_many(reports).await {
        Ok(each) => {
            let each = ids.iter().zip(each);
            each.map(|(id, told)| took_effect(*id, told)).collect()
        }
        Err(refusal) => {
            let count = ids.len();
            tracing::warn!(count, %refusal, "receipts could not be reported");
            (0..count).map(|_| Err(Again)).collect()
        }
    }
}

fn took_effect(id: MessageId, told: Result<Message, Refusal>) -> Result<Effect, Again> {
    let Err(refusal) = told else {
        return Ok(Effect::Told);
    };
    match refusal.reason {
        Reason::AlreadyFinal | Reason::NotFound => Ok(Effect::Over),
        Reason::Conflict => Ok(Effect::NotNow),
        _ => {
            tracing::warn!(%id, %refusal, "a receipt could not be reported");
            Err(Again)
        }
    }
}

/// Ends the wait for the receipts of the parts of one turn, once: on whichever node is first.
pub(super) async fn give_up(
    desk: &Parts,
    rule: WithoutReceipt,
    parts: &[AwaitedPart],
) -> Result<(), Again> {
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
