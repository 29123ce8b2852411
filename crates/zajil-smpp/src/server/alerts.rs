//! `alert_notification`: an application that asked with `set_dpf` is told when the subscriber can
//! be reached again.
//!
//! Who waits lies on the shelf, by number, and so does what is owed, until a session of the account
//! that receives is there, on whichever node. Who sends an alert claims it first, by writing it
//! once more, so that of several nodes one does, and removes it when it was written to the
//! connection: nobody answers an alert.

mod house;
mod owed;
mod promised;
mod watch;

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use smpp_codec::Pdu;
use smpp_codec::pdu::AlertNotification;
use smpp_codec::tlv::{Tag, Tlvs};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_store::Error;
use zajil_store::record::{SmppAlert, decode_smpp_alerts};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};

use self::house::House;
use self::owed::Due;
pub(super) use self::owed::Owed;
pub(super) use self::promised::Promised;
use super::{Server, receipts};
use crate::link::Handle;

/// So soon an alert that is owed is seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long a look goes on with the alerts of one account.
const LOOK_FOR: Duration = Duration::from_secs(1);
/// So long an alert may wait until its session takes it up: longer, and it is owed still.
const BEGUN_WITHIN: Duration = Duration::from_secs(5);
/// So long what one node sends is left alone by others; more than clocks are apart and
/// `CLAIM_EVERY` takes.
const CLAIMED: Duration = Duration::from_secs(30);
/// So often it is claimed again while its session has it and the peer does not read.
const CLAIM_EVERY: Duration = Duration::from_secs(10);
/// After so many times the session ends: a peer that reads an octet now and then is not waited for.
const MOST_CLAIMS: u32 = 6;
/// A server that stops waits so long for what was begun.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// For so many accounts the store is asked at a time.
const AT_ONCE: usize = 64;
/// So many records are read at a time.
const PAGE: u32 = 1_000;
/// So many pages one look reads.
const PAGES: u32 = 100;
/// Who is owed so many alerts is promised no more.
const MOST_OWED: usize = 10_000;
/// Who waits, and what is owed, is forgotten after this.
pub(super) const KEPT: Duration = Duration::from_hours(7 * 24);
/// `ms_availability_status`: the subscriber is there.
const AVAILABLE: u8 = 0;

/// What became of an alert that was owed.
enum Done {
    Sent,
    /// Nobody could be told in time.
    Forgotten,
    /// Another node sent it.
    Gone,
    /// Another node has it, or it cannot be read.
    Later,
    /// Its session ended, or did not take it in time.
    Unsent,
    /// The session has no room now.
    Full,
}

impl Server {
    /// Sends the alerts that are owed to accounts that are bound here, until `stop`. Who is slow
    /// holds nobody else up, nor does it what is read.
    pub async fn alert(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let turns = Semaphore::new(AT_ONCE);
        let mut sending = FuturesUnordered::new();
        // Those who are sent to.
        let mut busy: HashSet<FrontendName> = HashSet::new();
        // At most one of each at a time.
        let (mut reading, mut working) = (FuturesUnordered::new(), FuturesUnordered::new());
        let (mut house, mut look) = (House::default(), 0_u64);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    // What was written is not to be sent by the next process again; what was not
                    // begun is left to it.
                    turns.close();
                    let all = async { while sending.next().await.is_some() {} };
                    return tokio::time::timeout(STOP_WITHIN, all).await.unwrap_or_default();
                }
                Some(name) = sending.next() => {
                    busy.remove(&name);
                    continue;
                }
                Some(done) = working.next() => {
                    house.has_done(done);
                    continue;
                }
                // The store tells of its own troubles.
                Some(read) = reading.next() => drop::<Result<(), Error>>(read),
                _ = ticks.tick() => {
                    if working.is_empty()
                        && let Some(work) = house.due(look, &self.promised)
                    {
                        working.push(self.keep_house(work));
                    }
                    look += 1;
                    if reading.is_empty() {
                        if house.is_to_read_again() {
                            // What others have sent meanwhile is not known.
                            self.owed.clear();
                        }
                        reading.push(self.read());
                    }
                }
            }
            let due = self.owed.accounts().into_iter();
            let due = due.filter(|name| self.roster.alerted(name).is_some());
            for name in due.filter(|name| busy.insert(name.clone())) {
                sending.push(self.send_to(name, &turns));
            }
            let metrics = &self.parts.telemetry.metrics;
            metrics.smpp_alerts_owed(self.owed.total());
        }
    }

    /// Learns what is owed since the last look.
    async fn read(&self) -> Result<(), Error> {
        let store = &self.parts.store;
        let revision = store.shelf_revision(Kind::SmppAlert).await?;
        let Some(mut last) = self.owed.unread(revision) else {
            return Ok(());
        };
        for _ in 0..PAGES {
            let page = store.shelf(Page {
                kind: Kind::SmppAlert,
                from: Start::After(last),
                offset: 0,
                limit: PAGE,
            });
            let page = page.await?;
            for record in &page {
                last = record.id;
                self.owed.add(last, of(record).map(|alert| alert.account));
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                self.owed.knows(revision);
                break;
            }
        }
        Ok(())
    }

    /// Sends what an account is owed, if it is bound here; answers who it was.
    async fn send_to(&self, account: FrontendName, turns: &Semaphore) -> FrontendName {
        if let Some(handle) = self.roster.alerted(&account) {
            self.send_over((&handle, turns), &account).await;
        }
        account
    }

    async fn send_over(&self, (handle, turns): (&Handle, &Semaphore), account: &FrontendName) {
        let begun = Instant::now();
        for due in self.owed.due(account, begun) {
            if begun.elapsed() > LOOK_FOR {
                return;
            }
            let id = due.id;
            let Ok(done) = self.send(due, account, (handle, turns)).await else {
                return self.owed.put_off(account, id, Instant::now() + CLAIMED);
            };
            let count = |outcome| self.parts.telemetry.metrics.smpp_alerted(outcome, 1);
            match done {
                Done::Sent => count("sent"),
                Done::Forgotten => count("forgotten"),
                Done::Gone => {}
                Done::Later => {
                    self.owed.put_off(account, id, Instant::now() + CLAIMED);
                    continue;
                }
                Done::Unsent => {
                    count("unsent");
                    return self.owed.put_off(account, id, Instant::now() + CLAIMED);
                }
                Done::Full => return,
            }
            self.owed.remove(account, id);
        }
    }

    /// The store is asked in one of the `turns`; a peer that does not read takes none.
    async fn send(
        &self,
        due: Due,
        account: &FrontendName,
        (handle, turns): (&Handle, &Semaphore),
    ) -> Result<Done, Error> {
        let turn = turns.acquire().await;
        if turn.is_err() && !due.is_sent {
            return Ok(Done::Later);
        }
        let (kind, id, store) = (Kind::SmppAlert, due.id, &self.parts.store);
        let now = self.parts.clock.now();
        let remove = Change::Remove {
            kind,
            id,
            base: None,
        };
        if due.is_sent {
            self.change(remove, now).await?;
            return Ok(Done::Sent);
        }
        let Some(record) = store.shelf_record(kind, id).await? else {
            return Ok(Done::Gone);
        };
        let Some(alert) = of(&record).filter(|_| !is_claimed(&record, now)) else {
            return Ok(Done::Later);
        };
        if alert.until.is_some_and(|until| until <= now) {
            self.change(remove, now).await?;
            return Ok(Done::Forgotten);
        }
        let Some(room) = handle.try_room() else {
            return Ok(Done::Full);
        };
        let claim = |base: Option<u64>| {
            let body = record.body.clone();
            let claim = Change::Set {
                kind,
                id,
                base,
                body,
            };
            self.change(claim, claim_at(&record, self.parts.clock.now()))
        };
        if !claim(Some(record.revision)).await? {
            return Ok(Done::Later);
        }
        drop(turn);
        let mut told = pin!(room.tell(pdu(&alert), BEGUN_WITHIN));
        for _ in 0..MOST_CLAIMS {
            match timeout(CLAIM_EVERY, &mut told).await {
                Ok(Ok(())) => {
                    self.owed.sent(account, id);
                    let _turn = turns.acquire().await.ok();
                    self.change(remove, now).await?;
                    return Ok(Done::Sent);
                }
                Ok(Err(_)) => return Ok(Done::Unsent),
                // Its session has it still. Where the store fails, the next claim may succeed.
                Err(_) => drop(claim(None).await),
            }
        }
        // What of it the peer will have read by its end is not known.
        handle.leave();
        Ok(Done::Unsent)
    }

    /// Whether nobody was faster.
    async fn change(&self, change: Change, now: Timestamp) -> Result<bool, Error> {
        match self.parts.store.change_shelf(vec![change], now).await {
            Ok(_) => Ok(true),
            Err(Error::Conflict(_) | Error::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The alert of a record.
fn of(record: &Record) -> Option<SmppAlert> {
    match decode_smpp_alerts(&record.body) {
        Ok(alerts) => alerts.into_iter().next(),
        Err(error) => {
            tracing::error!(id = record.id, %error, "an alert cannot be read");
            None
        }
    }
}

/// When a claim is written: after the alert, also where the clock of who added it is ahead of ours.
fn claim_at(record: &Record, now: Timestamp) -> Timestamp {
    now.max(record.added_at.plus(Duration::from_millis(1)))
}

/// Whether somebody is sending it, or was a moment ago.
fn is_claimed(record: &Record, now: Timestamp) -> bool {
    let claimed_at = record.written_at;
    // Unless a clock was set back since.
    let is_recent = claimed_at.plus(CLAIMED) > now && now.plus(CLAIMED) > claimed_at;
    claimed_at > record.added_at && is_recent
}

fn pdu(alert: &SmppAlert) -> Pdu {
    let mut tlvs = Tlvs::NONE;
    tlvs.push_u8(Tag::MS_AVAILABILITY_STATUS, AVAILABLE);
    Pdu::AlertNotification(AlertNotification {
        source_addr: receipts::address(&alert.subscriber),
        esme_addr: receipts::address(&alert.application),
        tlvs,
    })
}

#[cfg(test)]
mod tests;
