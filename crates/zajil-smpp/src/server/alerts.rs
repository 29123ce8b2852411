//! `alert_notification`: an application that asked with `set_dpf` is told when the subscriber can
//! be reached again.
//!
//! Who waits lies on the shelf, by number, and so does what is owed, until a session of the account
//! that receives is there, on whichever node. It is taken off the shelf before it is sent, because
//! nobody answers an alert: of several nodes one sends it.

use std::time::Duration;

use smpp_codec::Pdu;
use smpp_codec::pdu::AlertNotification;
use smpp_codec::tlv::{Tag, Tlvs};
use tokio_util::sync::CancellationToken;
use zajil_core::number::key;
use zajil_store::Error;
use zajil_store::record::{SmppAlert, decode_smpp_alerts, encode_smpp_alerts};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};

use super::{Server, receipts};
use crate::link::Handle;

/// So soon an alert that is owed is seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long a session that is busy is waited for.
const SENT_WITHIN: Duration = Duration::from_secs(1);
/// So many records are read, and purged, at a time.
const PAGE: u32 = 1_000;
/// So many applications may wait for one subscriber.
const MOST_WAITING: usize = 16;
/// So often somebody else may have changed who waits meanwhile.
const TRIES: u32 = 5;
/// Who waits, and what is owed, is forgotten after this.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// Looks between two purges.
const PURGE_EVERY: u64 = 600;
/// `ms_availability_status`: the subscriber is there.
const AVAILABLE: u8 = 0;

/// What was seen at the last look.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Seen {
    revision: u64,
    binds: u64,
}

impl Server {
    /// Writes down who wants to know; `false` when that is not possible.
    pub(super) async fn watch(&self, number: &str, alert: &SmppAlert) -> bool {
        for _ in 0..TRIES {
            match self.try_watch(number, alert).await {
                Ok(is_set) => return is_set,
                Err(Error::Conflict(_) | Error::NotFound) => {}
                Err(error) => {
                    tracing::warn!(%error, "an application will not be alerted");
                    return false;
                }
            }
        }
        false
    }

    async fn try_watch(&self, number: &str, alert: &SmppAlert) -> Result<bool, Error> {
        let (kind, store) = (Kind::SmppWatch, &self.parts.store);
        let name = key(number).into_owned();
        let change = match store.shelf_named(kind, name.clone()).await? {
            None => Change::Add {
                kind,
                name: Some(name),
                body: encode_smpp_alerts(std::slice::from_ref(alert)),
            },
            Some(record) => {
                let mut all = decode_smpp_alerts(&record.body)?;
                let who = |alert: &SmppAlert| (alert.account.clone(), alert.application.clone());
                all.retain(|other| who(other) != who(alert));
                if all.len() >= MOST_WAITING {
                    return Ok(false);
                }
                all.push(alert.clone());
                Change::Set {
                    kind,
                    id: record.id,
                    base: Some(record.revision),
                    body: encode_smpp_alerts(&all),
                }
            }
        };
        let now = self.parts.clock.now();
        store.change_shelf(vec![change], now).await.map(|_| true)
    }

    /// Sends the alerts that are owed to accounts that are bound here, until `stop`.
    pub async fn alert(&self, stop: CancellationToken) {
        let mut seen = None;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in 0_u64.. {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // The store tells of its own troubles.
            drop(self.look(&mut seen).await);
            if look.is_multiple_of(PURGE_EVERY) {
                drop(self.forget().await);
            }
        }
    }

    async fn look(&self, seen: &mut Option<Seen>) -> Result<(), Error> {
        let now = Seen {
            revision: self.parts.store.shelf_revision(Kind::SmppAlert).await?,
            binds: self.roster.entered(),
        };
        if *seen == Some(now) {
            return Ok(());
        }
        let mut last = 0;
        loop {
            let page = self.parts.store.shelf(Page {
                kind: Kind::SmppAlert,
                from: Start::After(last),
                offset: 0,
                limit: PAGE,
            });
            let page = page.await?;
            let Some(record) = page.last() else {
                break;
            };
            last = record.id;
            for record in &page {
                self.send_alerts(record).await?;
            }
        }
        *seen = Some(now);
        Ok(())
    }

    async fn send_alerts(&self, record: &Record) -> Result<(), Error> {
        let alerts = match decode_smpp_alerts(&record.body) {
            Ok(alerts) => alerts,
            Err(error) => {
                tracing::error!(id = record.id, %error, "an alert cannot be read");
                return Ok(());
            }
        };
        for alert in alerts {
            let Some(handle) = self.roster.alerted(&alert.account) else {
                continue;
            };
            let remove = Change::Remove {
                kind: Kind::SmppAlert,
                id: record.id,
                base: Some(record.revision),
            };
            match self.change(remove).await {
                // Another node sends it.
                Err(Error::Conflict(_) | Error::NotFound) => return Ok(()),
                done => done?,
            }
            if !tell(&handle, &alert).await {
                // The session ends: the next one gets it.
                let body = encode_smpp_alerts(&[alert]);
                let (kind, name) = (Kind::SmppAlert, None);
                self.change(Change::Add { kind, name, body }).await?;
            }
        }
        Ok(())
    }

    async fn change(&self, change: Change) -> Result<(), Error> {
        let now = self.parts.clock.now();
        let done = self.parts.store.change_shelf(vec![change], now);
        done.await.map(drop)
    }

    async fn forget(&self) -> Result<(), Error> {
        let before = self.parts.clock.now().minus(KEPT);
        for kind in [Kind::SmppWatch, Kind::SmppAlert] {
            while self.parts.store.purge_shelf(kind, before, PAGE).await? == u64::from(PAGE) {}
        }
        Ok(())
    }
}

/// Whether it went out.
async fn tell(handle: &Handle, alert: &SmppAlert) -> bool {
    let mut tlvs = Tlvs::NONE;
    tlvs.push_u8(Tag::MS_AVAILABILITY_STATUS, AVAILABLE);
    let pdu = Pdu::AlertNotification(AlertNotification {
        source_addr: receipts::address(&alert.subscriber),
        esme_addr: receipts::address(&alert.application),
        tlvs,
    });
    let told = tokio::time::timeout(SENT_WITHIN, handle.tell(pdu)).await;
    matches!(told, Ok(Ok(())))
}
