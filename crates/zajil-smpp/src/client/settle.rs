//! Receipts: from what a carrier says to what is reported of a message (D19).

use std::sync::Arc;
use std::time::Duration;

use smpp_codec::state::MessageState;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::outcome::Reason;
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_core::smpp::carrier::{Handling, WithoutReceipt};
use zajil_core::status::FinalStatus;
use zajil_store::record::{SmppSubmitted, decode_smpp_submitted};

use super::ledger::{Found, Kept, Ledger};
use super::said::Said;
use super::{Carriers, Parts, Upstream};

/// A message is held so much longer than its receipt is waited for: who looks for those that are
/// late must come before it is offered again.
const MARGIN: Duration = Duration::from_secs(3_600);
/// How often late receipts are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So many pages are looked through at a time.
const PAGES_AT_ONCE: usize = 40;
/// Receipts that belong to nothing are kept for so long.
const UNMATCHED_FOR: Duration = Duration::from_secs(7 * 86_400);

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
        let until = now.plus(self.carrier.receipt_timeout);
        let of = (&self.carrier.name, message, ids);
        let early = match self.ledger.keep(of, until, now).await {
            Ok(early) => early,
            Err(error) => {
                // Its lease ends, and it is submitted again: at least once, here twice.
                self.counts.unanswered.inc();
                tracing::error!(id = %message.id, %error, "ids of a carrier were not kept");
                return;
            }
        };
        let report = Report::Taken {
            by: Some(self.carrier.name.clone()),
            until: until.plus(MARGIN),
            told: format!("'{}' took it as {}", self.carrier.name, ids.join(", ")),
        };
        if let Err(refusal) = self.parts.desk.report(message.id, report).await {
            tracing::warn!(id = %message.id, %refusal, "a submit could not be reported");
        }
        for said in early {
            if self.receipt(&said).await.is_err() {
                tracing::warn!(id = %message.id, "an early receipt was not used");
            }
        }
    }

    /// A receipt has come. Answered after this is on stable storage, so it may come twice.
    pub(super) async fn receipt(&self, said: &Said) -> Result<(), Again> {
        let (ledger, carrier) = (&self.ledger, &self.carrier.name);
        match ledger.find(carrier, said).await? {
            Found::Part(kept) => return self.settle(*kept, said).await,
            Found::Ended => return Ok(()),
            Found::Nothing => {}
        }
        let now = self.parts.clock.now();
        ledger.park(carrier, said, now).await?;
        // The response may have come between the look and the parking.
        if let Found::Part(kept) = ledger.find(carrier, said).await? {
            ledger.unpark(carrier, said, now).await?;
            return self.settle(*kept, said).await;
        }
        self.counts.unmatched.inc();
        tracing::info!(%carrier, state = %said.state, "a receipt of a carrier matches nothing");
        Ok(())
    }

    /// Reports what a receipt says of its message, and forgets what is over.
    async fn settle(&self, kept: Kept, said: &Said) -> Result<(), Again> {
        let now = self.parts.clock.now();
        let by = Some(self.carrier.name.clone());
        if !said.is_final() {
            let until = kept.part.until.plus(MARGIN);
            let told = said.told();
            let report = Report::Taken { by, until, told };
            return reported(&self.parts, &kept.part, report).await;
        }
        let report = if said.state == MessageState::Delivered {
            self.counts.delivered.inc();
            if !self.ledger.delivered(&kept, now).await? {
                return Ok(());
            }
            Report::Delivered { by, at: Some(now) }
        } else {
            self.counts.undelivered.inc();
            self.undelivered(said)
        };
        reported(&self.parts, &kept.part, report).await?;
        Ok(self.ledger.close(&kept.part, now).await?)
    }

    /// What is reported when a carrier gave a message up.
    fn undelivered(&self, said: &Said) -> Report {
        let by = Some(self.carrier.name.clone());
        let reason = Some(said.told());
        let error = said.error.as_deref();
        match error.and_then(|error| self.carrier.on_receipt(error)) {
            Some(Handling::Again(class)) => again(by, reason, class),
            None if said.state == MessageState::Expired => Report::Ended {
                how: FinalStatus::Expired,
                reason,
            },
            Some(Handling::Never) | None => Report::Refused { by, reason },
        }
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
async fn reported(parts: &Parts, part: &SmppSubmitted, report: Report) -> Result<(), Again> {
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

/// Looks for receipts that do not come, until `stop`. May run on every node.
pub(super) async fn look(
    (parts, ledger): (Parts, Arc<Ledger>),
    carriers: watch::Receiver<Carriers>,
    stop: CancellationToken,
) {
    let mut last = 0;
    while timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
        let now = parts.clock.now();
        let mut read = Ok(0);
        for _ in 0..PAGES_AT_ONCE {
            read = late((&parts, &ledger), &carriers, last).await;
            match read {
                Ok(next) if next > last => last = next,
                Ok(_) | Err(Again) => break,
            }
        }
        if matches!(read, Ok(0)) {
            last = 0;
            let before = now.minus(UNMATCHED_FOR);
            if let Err(error) = ledger.purge(before).await {
                tracing::warn!(%error, "old receipts that matched nothing were not forgotten");
            }
        }
    }
}

/// One page; answers with its last record, 0 at the end.
async fn late(
    (parts, ledger): (&Parts, &Ledger),
    carriers: &watch::Receiver<Carriers>,
    last: u64,
) -> Result<u64, Again> {
    let records = ledger.page(last).await?;
    let now = parts.clock.now();
    for record in &records {
        let part = decode_smpp_submitted(&record.body)?;
        if part.until > now {
            continue;
        }
        let known = carriers.borrow().clone();
        let carrier = known.iter().find(|carrier| carrier.name == part.carrier);
        let rule = carrier.map_or(WithoutReceipt::Fail, |carrier| carrier.without_receipt);
        let by = Some(part.carrier.clone());
        let reason = Some("no receipt came in time".to_owned());
        let report = match rule {
            WithoutReceipt::Fail => Report::Refused { by, reason },
            WithoutReceipt::Deliver => Report::Delivered { by, at: Some(now) },
            WithoutReceipt::Again => again(by, reason, ErrorClass::Temporary),
        };
        reported(parts, &part, report).await?;
        ledger.close(&part, now).await?;
    }
    Ok(records.last().map_or(0, |record| record.id))
}
