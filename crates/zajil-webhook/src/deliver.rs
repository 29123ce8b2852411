//! The deliverer: reads endings and events, sends them, and puts on the shelf what must wait.
//!
//! How a message ended is read in the order of the endings from the store. The place up to which
//! all is acknowledged or on the shelf is stored every second, so that a crash repeats what was
//! under way, and loses nothing. A receiver that is well costs no write per event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Timestamp;
use zajil_store::contract::OutboxSeq;
use zajil_store::shelf::{self, Kind, Record};
use zajil_store::{Endings, Error};
use zajil_telemetry::live::{Event, Filter, Listener, Next};
use zajil_telemetry::{Fact, Stopwatch, WebhookFact};

use crate::book::{Desk, PAGE, letter};
use crate::courier::{Courier, Fresh, Load};
use crate::event::{self, Told};
use crate::health;
use crate::place::Place;
use crate::record::{PLACE, StoredDelivery, StoredPlace, StoredWebhook, read, written};
use crate::send::Failed;

mod forgotten;
mod sending;
mod shelved;

use shelved::{Then, Write};

/// How often endings are looked for.
const TURN: Duration = Duration::from_millis(100);
/// How often the rest is seen to.
const ROUND: Duration = Duration::from_secs(1);
/// The turn is renewed by then, however long turns take: another may take it after 15 s.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// A fresh event that was not sent within this waits on the shelf.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// In turns: how often it is looked for what another node has been told to send again.
const REPLAYS_EVERY: u64 = 50;
/// How many endings are read at a time, and how many may be open.
const READ_AT_ONCE: u32 = 500;
const MOST_OPEN: usize = 10_000;
/// Attempts at once, of all subscriptions.
const MOST_BUSY: usize = 256;
/// How long an attempt may go on when the node stops.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// An attempt that is over.
#[derive(Debug)]
struct Ended {
    webhook: u64,
    load: Load,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Acknowledged,
    Failed(Option<StoredDelivery>, Failed),
    /// The delivery is not on the shelf any more.
    Gone,
    /// The store could not be read.
    Unread(Error),
}

/// All that is known while the node runs.
struct Deliverer {
    desk: Arc<Desk>,
    couriers: BTreeMap<u64, Courier>,
    /// Deliveries on the shelf of endings behind the stored place: they are not put there again.
    known: BTreeSet<(u64, u64)>,
    place: Place,
    /// The place that is stored, and the record it is in.
    saved: u64,
    saved_in: Option<u64>,
    revision: Option<u64>,
    writes: Vec<Write>,
    attempts: JoinSet<Ended>,
    listener: Option<(Listener, Filter)>,
    troubled: bool,
    /// When the dead were looked through last.
    forgot_at: Timestamp,
    /// Whether endings have been read since the start.
    has_read: bool,
    /// Since the turn was taken or renewed.
    renewed: Stopwatch,
}

/// Sends events until the token is cancelled, as long as this node has the turn.
pub(crate) async fn run(desk: Arc<Desk>, token: CancellationToken) {
    let mut ticks = tokio::time::interval(ROUND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let deliverer = match has_turn(&desk).await {
            Ok(true) => Deliverer::load(Arc::clone(&desk)).await,
            Ok(false) => continue,
            Err(error) => Err(error),
        };
        match deliverer {
            Ok(deliverer) => deliverer.work(token.clone()).await,
            Err(error) => tracing::warn!(%error, "webhooks wait for the store"),
        }
    }
}

async fn has_turn(desk: &Desk) -> Result<bool, Error> {
    desk.endings()?.takes_turn().await
}

impl Deliverer {
    async fn load(desk: Arc<Desk>) -> Result<Self, Error> {
        let mut deliverer = Self {
            desk,
            couriers: BTreeMap::new(),
            known: BTreeSet::new(),
            place: Place::default(),
            saved: 0,
            saved_in: None,
            revision: None,
            writes: Vec::new(),
            attempts: JoinSet::new(),
            listener: None,
            troubled: false,
            forgot_at: Timestamp::from_millis(0),
            has_read: false,
            renewed: Stopwatch::start(),
        };
        let store = Arc::clone(&deliverer.desk.parts.store);
        let place = store.shelf_named(Kind::WebhookDelivery, PLACE.to_owned());
        if let Some(record) = place.await? {
            deliverer.saved = read::<StoredPlace>(&record)?.done;
            deliverer.saved_in = Some(record.id);
        }
        deliverer.refresh().await?;
        for courier in deliverer.couriers.values_mut() {
            courier.seen = courier.seen.max(deliverer.saved);
        }
        deliverer.load_deliveries().await?;
        Ok(deliverer)
    }

    /// Takes over what waits on the shelf.
    async fn load_deliveries(&mut self) -> Result<(), Error> {
        let mut found = Vec::new();
        let desk = Arc::clone(&self.desk);
        let each = desk.each(Kind::WebhookDelivery, |record| {
            if record.name.is_none() {
                let stored: Result<StoredDelivery, Error> = read(&record);
                let (id, at) = (record.id, record.written_at);
                let stored = stored.map(|d| (d.webhook, d.seq, d.due, d.dead));
                found.push((id, at, stored));
            }
        });
        each.await?;
        for (id, at, stored) in found {
            let (webhook, seq, due, dead) = stored?;
            if seq > self.saved {
                self.known.insert((webhook, seq));
            }
            match self.couriers.get_mut(&webhook) {
                Some(courier) if dead => courier.bury(id, at),
                Some(courier) => courier.park(Timestamp::from_millis(due), id),
                // Its subscription was removed, and then there was a crash.
                None => self.writes.push(Write::remove(id)),
            }
        }
        Ok(())
    }

    async fn work(mut self, token: CancellationToken) {
        let mut turns = tokio::time::interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (desk, mut rounds) = (Arc::clone(&self.desk), 0_u64);
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                Some(ended) = self.attempts.join_next() => self.joined(ended),
                event = heard(&mut self.listener) => self.tell_live(event),
                () = desk.nudge.notified() => rounds = 0,
                _ = turns.tick() => {}
            }
            while let Some(ended) = self.attempts.try_join_next() {
                self.joined(ended);
            }
            let round = rounds.is_multiple_of(10);
            // Another node has taken over, from the place that is stored: what is under way here is
            // sent by both.
            if (round || self.renewed.elapsed() >= RENEW_EVERY) && !self.keeps_turn().await {
                tracing::warn!("another node sends webhooks by now");
                desk.show_figures(BTreeMap::new());
                return;
            }
            if rounds.is_multiple_of(REPLAYS_EVERY) {
                let noticed = self.notice_replays().await;
                self.report(noticed);
            }
            rounds += 1;
            let done = self.turn(round).await;
            self.report(done);
        }
        self.stop().await;
    }

    /// Renews the turn; `false` when another has it by now.
    async fn keeps_turn(&mut self) -> bool {
        let asked = Stopwatch::start();
        match has_turn(&self.desk).await {
            Ok(true) => self.renewed = asked,
            Ok(false) => return false,
            // It is asked again in the next turn.
            Err(error) => tracing::debug!(%error, "the turn is not renewed"),
        }
        true
    }

    /// One turn, or a whole round: read, send, write.
    async fn turn(&mut self, round: bool) -> Result<(), Error> {
        if round {
            self.refresh().await?;
            self.put_late_ones_aside();
            self.forget_dead();
        }
        self.read_endings().await?;
        self.start();
        self.write().await?;
        if round {
            self.save_place().await?;
            self.show();
        }
        Ok(())
    }

    /// Said once per failure, not once per turn.
    fn report(&mut self, done: Result<(), Error>) {
        match done {
            Err(error) if !self.troubled => {
                self.troubled = true;
                tracing::warn!(%error, "webhooks wait for the store");
            }
            Ok(()) if self.troubled => {
                self.troubled = false;
                tracing::info!("webhooks go on");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// What is under way may end; what is not acknowledged then is sent again after the next start.
    async fn stop(mut self) {
        let rest = async {
            while let Some(ended) = self.attempts.join_next().await {
                self.joined(ended);
            }
        };
        if tokio::time::timeout(STOP_WITHIN, rest).await.is_err() {
            tracing::info!("webhooks under way are sent again after the next start");
        }
        let written = match self.write().await {
            Ok(()) => self.save_place().await,
            failed => failed,
        };
        if let Err(error) = written {
            tracing::warn!(%error, "webhooks of the last second may be sent again");
        }
    }

    /// Takes over subscriptions that were made, changed or removed, here or elsewhere.
    async fn refresh(&mut self) -> Result<(), Error> {
        for (webhook, id) in self.desk.take_replayed() {
            if let Some(courier) = self.couriers.get_mut(&webhook) {
                courier.revive(id, self.desk.now());
            }
        }
        let revision = self.desk.parts.store.shelf_revision(Kind::Webhook).await?;
        if self.revision == Some(revision) {
            return Ok(());
        }
        let mut records = Vec::new();
        self.desk
            .each(Kind::Webhook, |record| records.push(record))
            .await?;
        let ids: BTreeSet<u64> = records.iter().map(|record| record.id).collect();
        self.dismiss(&ids);
        for record in records {
            let stored: StoredWebhook = read(&record)?;
            match self.couriers.get_mut(&record.id) {
                Some(courier) => courier.take_over(stored),
                None => drop(self.couriers.insert(record.id, Courier::new(stored, 0))),
            }
        }
        self.revision = Some(revision);
        self.listen();
        Ok(())
    }

    /// Forgets the subscriptions that are not among these. What they still had to tell is settled:
    /// it must not hold the place of the others back.
    fn dismiss(&mut self, kept: &BTreeSet<u64>) {
        let gone = self.couriers.extract_if(.., |id, _| !kept.contains(id));
        for (_, courier) in gone {
            for seq in courier.untold() {
                self.place.settled(seq);
            }
        }
    }

    /// Listens to the live hub only for what somebody wants.
    fn listen(&mut self) {
        let names = self.couriers.values().flat_map(Courier::live_names);
        let names: BTreeSet<&String> = names.collect();
        // Where nodes share a store, a node's own hub knows a part of what happens.
        let alone = !self.desk.endings().is_ok_and(Endings::is_shared);
        let names = names.into_iter().filter(|_| alone);
        let filter = Filter {
            names: names.cloned().collect(),
            ..Filter::default()
        };
        let hub = self.desk.parts.telemetry.live();
        self.listener = match (hub, filter.names.is_empty(), self.listener.take()) {
            (_, true, _) | (None, ..) => None,
            (Some(_), _, Some((listener, _))) => Some((listener, filter)),
            (Some(hub), _, None) => Some((hub.listen(None), filter)),
        };
    }

    /// Reads how messages ended, as long as there is room for what that leads to.
    async fn read_endings(&mut self) -> Result<(), Error> {
        loop {
            let wanting = self
                .couriers
                .values()
                .filter(|courier| courier.wants_endings);
            let Some(from) = wanting.map(|courier| courier.seen).min() else {
                return Ok(());
            };
            if self.place.len() >= MOST_OPEN || self.writes.len() >= PAGE as usize {
                return Ok(());
            }
            let desk = Arc::clone(&self.desk);
            let entries = desk.endings()?.finished(OutboxSeq(from), READ_AT_ONCE);
            let entries = entries.await?;
            if !self.has_read {
                let first = entries.first().map(|(seq, _)| seq.0);
                match self.count_forgotten(first).await {
                    Ok(()) => self.has_read = true,
                    // Somebody's transaction holds the order up; what is on the shelf goes on.
                    Err(Error::Busy) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            let count = entries.len();
            for (seq, cdr) in entries {
                self.tell_ending(seq.0, &cdr);
            }
            if count < READ_AT_ONCE as usize || self.renewed.elapsed() >= RENEW_EVERY {
                return Ok(());
            }
            self.start();
            self.write().await?;
        }
    }

    fn tell_ending(&mut self, seq: u64, cdr: &zajil_core::cdr::Cdr) {
        let (now, mask) = (self.desk.now(), self.desk.options.mask_numbers);
        let mut full = Vec::new();
        for (id, courier) in &mut self.couriers {
            if !courier.wants_endings || courier.seen >= seq {
                continue;
            }
            courier.seen = seq;
            if !courier.takes_ending(cdr) || self.known.remove(&(*id, seq)) {
                continue;
            }
            self.place.opened(seq);
            let fresh = Fresh {
                told: event::ending(cdr, courier.numbers(mask), now),
                seq: Some(seq),
                since: now,
            };
            if let Err(fresh) = courier.hand(fresh) {
                full.push((*id, fresh));
            }
        }
        for (id, fresh) in full {
            self.put_aside(id, fresh, None);
        }
    }

    /// Everything that is no ending is told at most once: what there is no room for is lost.
    fn tell_live(&mut self, next: Option<Next>) {
        let Some(Next::Events(events)) = next else {
            // Behind or closed: begin anew, if somebody still wants it.
            self.listener = None;
            self.revision = None;
            return;
        };
        let (now, mask) = (self.desk.now(), self.desk.options.mask_numbers);
        for event in events {
            let event: &Event = &event;
            for (id, courier) in &mut self.couriers {
                if courier.takes(event) {
                    let told = event::live(event, courier.numbers(mask));
                    let fresh = Fresh {
                        told,
                        seq: None,
                        since: now,
                    };
                    if courier.hand(fresh).is_err() {
                        let lost = WebhookFact::Lost { webhook: *id };
                        self.desk.parts.telemetry.record(&Fact::Webhook(lost));
                    }
                }
            }
        }
    }
}

/// The next of the live hub; nothing ever when nobody wants any.
async fn heard(listener: &mut Option<(Listener, Filter)>) -> Option<Next> {
    match listener {
        Some((listener, filter)) => Some(listener.next(filter).await),
        None => std::future::pending().await,
    }
}

impl Deliverer {
    fn show(&self) {
        let now = self.desk.now();
        let figures: BTreeMap<_, _> = self
            .couriers
            .iter()
            .map(|(id, courier)| (*id, courier.figures(now)))
            .collect();
        let metrics = &self.desk.parts.telemetry.metrics.webhooks;
        let sum = |count: fn(&zajil_core::webhook::Figures) -> u64| {
            i64::try_from(figures.values().map(count).sum::<u64>()).unwrap_or(i64::MAX)
        };
        metrics.waiting.set(sum(|figures| figures.waiting));
        metrics.dead.set(sum(|figures| figures.dead));
        metrics
            .resting
            .set(sum(|figures| u64::from(figures.resting_until.is_some())));
        self.desk.show_figures(figures);
    }
}
