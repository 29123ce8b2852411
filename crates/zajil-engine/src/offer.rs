//! The way out: messages for a frontend, leased if asked, waited for if asked (D7).

use std::time::Duration;

use tokio::time::Instant;
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::outcome::Refusal;
use zajil_core::port::Ask;
use zajil_store::contract::{Error, OfferAsk};
use zajil_telemetry::{Fact, Stopwatch};

use crate::refuse;
use crate::shared::Shared;

/// At most this many in one answer.
const MOST: u32 = 1_000;
/// A hint may be lost between nodes; a scan is never further away than this.
const SAFETY: Duration = Duration::from_secs(1);
/// `next_due` may be early: then do not scan faster than this.
const SHORTEST_NAP: Duration = Duration::from_millis(20);

impl Shared {
    /// Answers with what is due, or waits for the first to fall due; empty after the wait.
    pub(crate) async fn offer(&self, ask: Ask) -> Result<Vec<Message>, Refusal> {
        let found = match ask.wait {
            None => self.scan(&ask).await,
            Some(wait) => self.wait(&ask, wait).await,
        };
        found.map_err(|error| refuse::failed(error, "frontend"))
    }

    async fn wait(&self, ask: &Ask, wait: Duration) -> Result<Vec<Message>, Error> {
        let Asker {
            name,
            include_unrouted,
        } = &ask.asker;
        let deadline = Instant::now() + wait;
        let seat = self.hints.sit(name);
        loop {
            // Subscribed before the scan: a message stored during it leaves a hint behind.
            let hint = seat.notify.notified();
            let unrouted = self.hints.unrouted().notified();
            let found = self.scan(ask).await?;
            if !found.is_empty() || self.stopping.is_cancelled() || Instant::now() >= deadline {
                return Ok(found);
            }
            let nap = self.nap(&ask.asker).await?;
            tokio::select! {
                // All lead to the same; in order, so that a simulated run repeats.
                biased;
                () = hint => {}
                () = unrouted, if *include_unrouted => {}
                () = self.stopping.cancelled() => {}
                () = tokio::time::sleep_until(deadline.min(Instant::now() + nap)) => {}
            }
        }
    }

    /// How long nothing can fall due, as far as the store knows now.
    async fn nap(&self, asker: &Asker) -> Result<Duration, Error> {
        let now = self.parts.clock.now();
        let due = self.parts.store.next_due(asker.clone(), now).await?;
        Ok(due.map_or(SAFETY, |due| due.since(now).clamp(SHORTEST_NAP, SAFETY)))
    }

    async fn scan(&self, ask: &Ask) -> Result<Vec<Message>, Error> {
        let now = self.parts.clock.now();
        if self.pause(&ask.asker.name, now).is_some() {
            return Ok(Vec::new());
        }
        let limit = ask.limit.clamp(1, MOST);
        let offer = OfferAsk {
            asker: ask.asker.clone(),
            limit,
            now,
        };
        let watch = Stopwatch::start();
        let found = match ask.lease {
            Some(lease) => {
                // Another node may be ahead of us: nobody gets it while its holder counts on it.
                let until = now.plus(lease).plus(self.options.lease_margin);
                self.parts.store.lease(offer, until).await
            }
            None => self.parts.store.offer(offer).await,
        }?;
        let took = watch.elapsed();
        for message in &found {
            self.record(&Fact::Offered {
                id: message.id,
                took,
            });
        }
        Ok(found)
    }
}
