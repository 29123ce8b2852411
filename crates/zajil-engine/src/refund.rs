//! Giving back what was debited for messages that ended undelivered, where the operator wants it
//! (D14). A refund is begun once: when its outcome is unknown it is left to a human, and said so.

use std::sync::Arc;
use std::time::Duration;

use zajil_core::charge::Money;
use zajil_core::event::EventName;
use zajil_store::contract::{Error, Refund};
use zajil_telemetry::{ChargeFact, Fact};

use crate::shared::Shared;

/// How many refunds one turn handles.
const LIMIT: u32 = 100;
/// A refund that was begun longer ago than this, by whichever node, has no known outcome.
const LOST_AFTER: Duration = Duration::from_secs(10 * 60);

/// A refund that did not happen is tried again after as long as it has waited, within these.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// For so long; then it is left to a human.
const TRIED_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

impl Shared {
    /// Gives back what waits; nothing while the charging system does not answer.
    pub(crate) async fn give_back(self: &Arc<Self>) -> Result<(), Error> {
        if self.parts.charger.is_none() {
            return Ok(());
        }
        loop {
            let now = self.parts.clock.now();
            let waiting = self.parts.store.refunds(now, LIMIT).await?;
            let mut moved = false;
            for refund in waiting {
                if self.stopping.is_cancelled() {
                    return Ok(());
                }
                // To its end, once it is begun: half-way its outcome would be unknown.
                let shared = Arc::clone(self);
                let errand = self
                    .errands
                    .run(async move { shared.settle_refund(&refund).await });
                match errand.await {
                    Some(Ok(Settled::NotNow)) | None => return Ok(()),
                    Some(settled) => moved |= settled? == Settled::Gone,
                }
            }
            if !moved {
                return Ok(());
            }
        }
    }

    async fn settle_refund(&self, refund: &Refund) -> Result<Settled, Error> {
        let (store, now) = (&self.parts.store, self.parts.clock.now());
        let id = refund.call.message;
        if let Some(begun) = refund.begun {
            if now.since(begun) < LOST_AFTER {
                return Ok(Settled::Waits);
            }
            return self.give_up(refund, "no answer was recorded").await;
        }
        if !self.options.charging.refund_on.contains(&refund.how) {
            store.refund_done(id, None).await?;
            return Ok(Settled::Gone);
        }
        let Some(charger) = self.parts.charger.as_deref() else {
            return Ok(Settled::NotNow);
        };
        if charger.unusable().is_some() {
            return Ok(Settled::NotNow);
        }
        if !store.begin_refund(id, now).await? {
            return Ok(Settled::Waits);
        }
        match charger.refund(&refund.call).await {
            Ok(()) => {
                let told = format!("{} refunded", refund.call.parts);
                let line = self.scene().event(EventName::ChargingAttempted, told);
                store.refund_done(id, Some(line)).await?;
                self.record(&Fact::Charge(ChargeFact::Refunded { id }));
                Ok(Settled::Gone)
            }
            Err(failed) if failed.money == Money::Untouched => {
                let waited = now.since(refund.call.at);
                if waited > TRIED_FOR {
                    return self.give_up(refund, &failed.why).await;
                }
                let wait = waited.clamp(SHORTEST_WAIT, LONGEST_WAIT);
                tracing::warn!(%id, %failed, ?wait, "a refund did not happen; again later");
                store.postpone_refund(id, now.plus(wait)).await?;
                Ok(Settled::Gone)
            }
            Err(failed) => self.give_up(refund, &failed.why).await,
        }
    }

    /// Whether the money went back is not known, or it will not: to do it again might pay twice.
    async fn give_up(&self, refund: &Refund, why: &str) -> Result<Settled, Error> {
        let id = refund.call.message;
        self.record(&Fact::Charge(ChargeFact::RefundLost { id, why }));
        let told = format!("refund of {} unknown: {why}", refund.call.parts);
        let line = self.scene().event(EventName::ChargingFailed, told);
        self.parts.store.refund_done(id, Some(line)).await?;
        Ok(Settled::Gone)
    }
}

/// What became of a refund in this turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// Done with, or put off.
    Gone,
    /// Somebody else is at it.
    Waits,
    /// Nobody can be asked.
    NotNow,
}
