//! What happens by itself: expiry, absence, retention, figures. Every turn may run twice (S9).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use zajil_core::event::{Event, EventName};
use zajil_store::contract::{Error, Purged, Reported, Retention};
use zajil_telemetry::{ChargeFact, Fact};

use crate::shared::Shared;
use crate::tasks::Tasks;

/// How much one transaction of a sweep handles.
const LIMIT: u32 = 500;
const SECOND: Duration = Duration::from_secs(1);
const FIVE_SECONDS: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
/// For what reads the whole queue.
const FIFTEEN_SECONDS: Duration = Duration::from_secs(15);

type Turn<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// A thing done again and again.
#[derive(Clone, Copy)]
struct Round {
    name: &'static str,
    period: Duration,
    turn: for<'a> fn(&'a Arc<Shared>) -> Turn<'a>,
}

pub(crate) fn start(tasks: &mut Tasks, shared: &Arc<Shared>) {
    let round = |name, period, turn| Round { name, period, turn };
    for round in [
        round("sweep messages", SECOND, |shared| {
            Box::pin(shared.overdue())
        }),
        round("expire locations", SECOND, |shared| {
            Box::pin(shared.expire_locations())
        }),
        round("watch frontends", FIVE_SECONDS, |shared| {
            Box::pin(shared.watch_frontends())
        }),
        round("refresh policies", SECOND, |shared| {
            Box::pin(shared.refresh_policies())
        }),
        round("refunds", FIVE_SECONDS, |shared| {
            Box::pin(shared.give_back())
        }),
        round("give up receipts", MINUTE, |shared| {
            Box::pin(shared.give_up_receipts())
        }),
        round("refresh routing", SECOND, |shared| {
            Box::pin(shared.refresh_routing())
        }),
        round("figures", FIVE_SECONDS, |shared| {
            Box::pin(shared.show_figures())
        }),
        round("queue depths", FIFTEEN_SECONDS, |shared| {
            Box::pin(shared.show_depths())
        }),
        round("purge", shared.options.retention_check_interval, |shared| {
            Box::pin(shared.purge())
        }),
    ] {
        let shared = Arc::clone(shared);
        tasks.spawn(round.name, move |token| {
            rounds(Arc::clone(&shared), round, token)
        });
    }
}

async fn rounds(shared: Arc<Shared>, round: Round, token: CancellationToken) {
    let mut ticks = tokio::time::interval(round.period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // Said once per failure, not once per turn.
        match (round.turn)(&shared).await {
            Ok(()) if failing => {
                failing = false;
                tracing::info!(task = round.name, "task works again");
            }
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(task = round.name, %error, "task failed; it will try again");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

impl Shared {
    /// Tells messages whose turn has come: lives that are over (S9.1), frontends that have had
    /// their turn (D12), charges that were never answered (D14).
    async fn overdue(&self) -> Result<(), Error> {
        loop {
            let swept = self.parts.store.sweep(self.scene(), LIMIT).await?;
            let count = swept.len();
            for done in swept {
                self.tell_swept(&done);
            }
            if count < LIMIT as usize || self.stopping.is_cancelled() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// A charge whose answer was lost is told like one that failed, by whichever node finds it.
    fn tell_swept(&self, done: &Reported) {
        let lost = |event: &&Event| event.name == EventName::ChargingFailed;
        if let Some(line) = done.events.iter().find(lost) {
            let (id, why) = (done.message.id, line.description.as_str());
            tracing::warn!(%id, why, "the answer to a charge is lost");
            let took = self.parts.clock.now().since(done.message.inserted_at);
            self.record(&Fact::Charge(ChargeFact::Failed {
                id,
                took,
                refused: false,
                why,
            }));
            self.record(&Fact::Accepted {
                message: &done.message,
                took,
                queued: done.message.ending().is_none(),
            });
        }
        self.tell(done);
    }

    /// Gives up locations that have run out (S3.3): their messages are for anybody now.
    async fn expire_locations(&self) -> Result<(), Error> {
        loop {
            let now = self.parts.clock.now();
            let count = self.parts.store.expire_locations(now, LIMIT).await?;
            if count > 0 {
                self.hints.wake(None);
            }
            if count < u64::from(LIMIT) || self.stopping.is_cancelled() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Notices frontends that vanished (S3.4) and those that came on other nodes.
    async fn watch_frontends(&self) -> Result<(), Error> {
        let now = self.parts.clock.now();
        for presence in self.parts.store.expire_frontends(now).await? {
            self.record(&Fact::FrontendDown {
                name: &presence.registration.name,
            });
        }
        self.refresh_frontends().await?;
        let stats = self.parts.store.frontend_stats(now).await?;
        self.telemetry()
            .metrics
            .set_frontends(gauge(stats.active), gauge(stats.expired));
        Ok(())
    }

    /// Forgets all that retention no longer keeps (S9.3), however much has gathered.
    async fn purge(&self) -> Result<(), Error> {
        let keep = Retention {
            messages: self.options.message_retention,
            events: self.options.event_ttl,
            frontends: self.options.frontend_history,
        };
        loop {
            let now = self.parts.clock.now();
            let purged = self.parts.store.purge(keep, now, LIMIT).await?;
            if purged == Purged::default() || self.stopping.is_cancelled() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn show_figures(&self) -> Result<(), Error> {
        let figures = self.parts.store.figures().await?;
        let now = self.parts.clock.now();
        // What falls due later is not late yet.
        let late = figures.first_due.map_or(0, |due| now.since(due).as_secs());
        let metrics = &self.telemetry().metrics;
        metrics.queue_size.set(gauge(figures.messages));
        metrics.queue_pending.set(gauge(figures.pending));
        metrics.queue_oldest.set(gauge(late));
        metrics.outbox.set(gauge(figures.outbox));
        metrics.refunds_waiting.set(gauge(figures.refunds));
        let receipts = self.parts.store.receipts_owed().await?;
        metrics.receipts_waiting.set(gauge(receipts));
        Ok(())
    }

    async fn show_depths(&self) -> Result<(), Error> {
        let depths = self.parts.store.depths(self.parts.clock.now()).await?;
        self.telemetry().metrics.set_queues(depths);
        Ok(())
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
