//! `alert_notification`: an application that asked with `set_dpf` is told when the subscriber can
//! be reached again.
//!
//! Who waits lies on the shelf, by number, and so does what is owed, until a session of the account
//! that receives is there, on whichever node. Who sends an alert claims it first, by writing it
//! once more, so that of several nodes one does, and removes it when it was written to the
//! connection: nobody answers an alert.

mod owed;
mod watch;

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use smpp_codec::Pdu;
use smpp_codec::pdu::AlertNotification;
use smpp_codec::tlv::{Tag, Tlvs};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_store::Error;
use zajil_store::record::{SmppAlert, decode_smpp_alerts};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};

pub(super) use self::owed::Owed;
use super::{Server, receipts};
use crate::link::Handle;

/// So soon an alert that is owed is seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long a look goes on with the alerts of one account.
const LOOK_FOR: Duration = Duration::from_secs(1);
/// So long an alert may wait in its session: longer, and it is owed still.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// So long what one node sends is left alone by others; more than clocks are apart and
/// `WRITTEN_WITHIN` takes.
const CLAIMED: Duration = Duration::from_secs(30);
/// So many accounts are sent to at a time.
const AT_ONCE: usize = 64;
/// So many records are read, and purged, at a time.
const PAGE: u32 = 1_000;
/// So many pages one look reads.
const PAGES: u32 = 100;
/// Who is owed so many alerts is promised no more.
const MOST_OWED: usize = 10_000;
/// Who waits, and what is owed, is forgotten after this.
pub(super) const KEPT: Duration = Duration::from_hours(7 * 24);
/// Looks between two purges.
const PURGE_EVERY: u64 = 600;
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
    /// Sends the alerts that are owed to accounts that are bound here, until `stop`.
    pub async fn alert(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in 0_u64.. {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // The store tells of its own troubles.
            if look.is_multiple_of(PURGE_EVERY) {
                drop(self.forget().await);
            }
            drop(self.read().await);
            let accounts = stream::iter(self.owed.accounts());
            let sent = accounts.for_each_concurrent(AT_ONCE, |name| self.send_to(name));
            sent.await;
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

    /// Sends what an account is owed, if it is bound here.
    async fn send_to(&self, account: FrontendName) {
        let Some(handle) = self.roster.alerted(&account) else {
            return;
        };
        let begun = Instant::now();
        for id in self.owed.due(&account, begun) {
            if begun.elapsed() > LOOK_FOR {
                return;
            }
            let Ok(done) = self.send(id, &handle).await else {
                return self.owed.put_off(&account, id, Instant::now() + CLAIMED);
            };
            let count = |outcome| self.parts.telemetry.metrics.smpp_alerted(outcome, 1);
            match done {
                Done::Sent => count("sent"),
                Done::Forgotten => count("forgotten"),
                Done::Gone => {}
                Done::Later => {
                    self.owed.put_off(&account, id, Instant::now() + CLAIMED);
                    continue;
                }
                Done::Unsent => {
                    count("unsent");
                    return self.owed.put_off(&account, id, Instant::now() + CLAIMED);
                }
                Done::Full => return,
            }
            self.owed.remove(&account, id);
        }
    }

    async fn send(&self, id: u64, handle: &Handle) -> Result<Done, Error> {
        let (kind, store) = (Kind::SmppAlert, &self.parts.store);
        let Some(record) = store.shelf_record(kind, id).await? else {
            return Ok(Done::Gone);
        };
        let now = self.parts.clock.now();
        let Some(alert) = of(&record).filter(|_| !is_claimed(&record, now)) else {
            return Ok(Done::Later);
        };
        let remove = Change::Remove {
            kind,
            id,
            base: None,
        };
        if alert.until.is_some_and(|until| until <= now) {
            self.change(remove).await?;
            return Ok(Done::Forgotten);
        }
        let Some(room) = handle.try_room() else {
            return Ok(Done::Full);
        };
        let claim = Change::Set {
            kind,
            id,
            base: Some(record.revision),
            body: record.body,
        };
        if !self.change(claim).await? {
            return Ok(Done::Later);
        }
        match timeout(WRITTEN_WITHIN, room.tell(pdu(&alert))).await {
            Ok(Ok(())) => {
                self.change(remove).await?;
                Ok(Done::Sent)
            }
            _ => Ok(Done::Unsent),
        }
    }

    /// Whether nobody was faster.
    async fn change(&self, change: Change) -> Result<bool, Error> {
        let now = self.parts.clock.now();
        match self.parts.store.change_shelf(vec![change], now).await {
            Ok(_) => Ok(true),
            Err(Error::Conflict(_) | Error::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn forget(&self) -> Result<(), Error> {
        let before = self.parts.clock.now().minus(KEPT);
        for kind in [Kind::SmppWatch, Kind::SmppAlert] {
            loop {
                let purged = self.parts.store.purge_shelf(kind, before, PAGE).await?;
                if kind == Kind::SmppAlert {
                    let metrics = &self.parts.telemetry.metrics;
                    metrics.smpp_alerted("forgotten", purged);
                }
                if purged < u64::from(PAGE) {
                    break;
                }
            }
        }
        // What others have sent meanwhile is not known.
        self.owed.clear();
        Ok(())
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

/// Whether somebody is sending it, or was a moment ago.
fn is_claimed(record: &Record, now: Timestamp) -> bool {
    record.written_at > record.added_at && record.written_at.plus(CLAIMED) > now
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
