//! What is not kept for ever: endings that retention took unread, and what is long dead.

use super::*;

/// How often what was given up long ago is looked for.
const FORGET_EVERY: Duration = Duration::from_secs(60);

impl Deliverer {
    /// Retention does not wait for webhooks. What it took while nobody read, since the node was
    /// down or webhooks were off, is counted once; whom it was for nobody knows any more.
    ///
    /// In a shared store places are left out by transactions that were undone, so the count may be
    /// too high there, and distance alone proves nothing: something that was read before is to be
    /// gone too, since retention takes the oldest first, and something behind it to be there.
    ///
    /// # Errors
    /// [`Error::Busy`] when it cannot be said yet.
    pub(super) async fn count_forgotten(&self, first: Option<u64>) -> Result<(), Error> {
        let endings = self.desk.endings()?;
        let next = match first {
            Some(seq) => seq,
            None if endings.is_shared() => {
                // None behind the place: an answer is due only when that is certain.
                endings.finished_last().await?;
                return Ok(());
            }
            None => endings.finished_last().await?.0 + 1,
        };
        let kept = match endings.is_shared() {
            true => endings.finished(OutboxSeq(0), 1).await?,
            false => Vec::new(),
        };
        let oldest = kept.first().map_or(u64::MAX, |(seq, _)| seq.0);
        let wanting = self
            .couriers
            .iter()
            .filter(|(_, courier)| courier.wants_endings);
        for (id, courier) in wanting {
            let count = next.saturating_sub(courier.seen + 1);
            if count > 0 && oldest > courier.seen {
                let forgotten = WebhookFact::Forgotten {
                    webhook: *id,
                    count,
                };
                self.desk.parts.telemetry.record(&Fact::Webhook(forgotten));
            }
        }
        Ok(())
    }

    /// Sends again what somebody has said so of at another node: the shelf knows.
    pub(super) async fn notice_replays(&mut self) -> Result<(), Error> {
        let shared = self.desk.endings()?.is_shared();
        if !shared || !self.couriers.values().any(Courier::has_dead) {
            return Ok(());
        }
        let mut alive = Vec::new();
        let desk = Arc::clone(&self.desk);
        let each = desk.each(Kind::WebhookDelivery, |record| {
            if record.name.is_none()
                && let Ok(stored) = read::<StoredDelivery>(&record)
                && !stored.dead
            {
                alive.push((stored.webhook, record.id));
            }
        });
        each.await?;
        let now = self.desk.now();
        for (webhook, id) in alive {
            if let Some(courier) = self.couriers.get_mut(&webhook)
                && courier.is_dead(id)
            {
                courier.revive(id, now);
            }
        }
        Ok(())
    }

    /// Forgets what was given up so long ago that nobody will replay it.
    pub(super) fn forget_dead(&mut self) {
        let now = self.desk.now();
        if now.since(self.forgot_at) < FORGET_EVERY {
            return;
        }
        self.forgot_at = now;
        let before = now.minus(self.desk.options.keep_dead);
        for courier in self.couriers.values_mut() {
            let old = courier.forget_dead(before);
            self.writes.extend(old.into_iter().map(Write::remove));
        }
    }
}
