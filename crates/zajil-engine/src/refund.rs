//! Giving back what was debited for messages that ended undelivered, where the operator wants it
//! (D14). A refund is begun once: when its outcome is unknown it is left to a human, and said so.

use std::time::Duration;

use zajil_core::charge::Money;
use zajil_core::event::EventName;
use zajil_core::port::Charger;
use zajil_store::contract::{Error, Refund};
use zajil_telemetry::{ChargeFact, Fact};

use crate::shared::Shared;

/// How many refunds one turn handles.
const LIMIT: u32 = 100;
/// A refund that was begun longer ago than this, by whichever node, has no known outcome.
const LOST_AFTER: Duration = Duration::from_secs(10 * 60);

impl Shared {
    /// Gives back what waits; nothing while the charging system does not answer.
    pub(crate) async fn give_back(&self) -> Result<(), Error> {
        let Some(charger) = self.parts.charger.as_deref() else {
            return Ok(());
        };
        loop {
            let waiting = self.parts.store.refunds(LIMIT).await?;
            let now = self.parts.clock.now();
            let mut moved = false;
            for refund in &waiting {
                moved |= match refund.begun {
                    Some(begun) if now.since(begun) < LOST_AFTER => false,
                    Some(_) => self.give_up(refund, "no answer was recorded").await?,
                    None => self.settle_refund(charger, refund).await?,
                };
            }
            if !moved || self.stopping.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// `true` when the refund no longer waits.
    async fn settle_refund(&self, charger: &dyn Charger, refund: &Refund) -> Result<bool, Error> {
        let store = &self.parts.store;
        let id = refund.call.message;
        if !self.options.charging.refund_on.contains(&refund.how) {
            store.refund_done(id, None).await?;
            return Ok(true);
        }
        if charger.health().await.is_err()
            || !store.begin_refund(id, self.parts.clock.now()).await?
        {
            return Ok(false);
        }
        match charger.refund(&refund.call).await {
            Ok(()) => {
                let told = format!("{} refunded", refund.call.parts);
                let line = self.scene().event(EventName::ChargingAttempted, told);
                store.refund_done(id, Some(line)).await?;
                self.record(&Fact::Charge(ChargeFact::Refunded { id }));
                Ok(true)
            }
            Err(failed) if failed.money == Money::Untouched => {
                tracing::warn!(%id, %failed, "a refund did not happen; it will be tried again");
                store.postpone_refund(id).await?;
                Ok(false)
            }
            Err(failed) => self.give_up(refund, &failed.why).await,
        }
    }

    /// Whether the money went back is not known: to do it again might pay twice.
    async fn give_up(&self, refund: &Refund, why: &str) -> Result<bool, Error> {
        let id = refund.call.message;
        self.record(&Fact::Charge(ChargeFact::RefundLost { id, why }));
        let told = format!("refund of {} unknown: {why}", refund.call.parts);
        let line = self.scene().event(EventName::ChargingFailed, told);
        self.parts.store.refund_done(id, Some(line)).await?;
        Ok(true)
    }
}
