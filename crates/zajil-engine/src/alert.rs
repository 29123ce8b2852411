//! Subscribers who can be reached again, for the applications that asked to be told (`set_dpf`).

use zajil_core::clock::Timestamp;
use zajil_core::location::Location;
use zajil_core::number::key;
use zajil_core::status::FinalStatus;
use zajil_store::record::{SmppAlert, decode_smpp_alerts, encode_smpp_alerts};
use zajil_store::shelf::{Change, Kind};
use zajil_store::{Error, Store};

use crate::shared::Shared;

/// So often somebody else may have changed who waits meanwhile.
const TRIES: u32 = 5;

impl Shared {
    /// Turns who waits for a subscriber into alerts that are owed. What cannot be written waits for
    /// the next sign of the subscriber.
    pub(crate) async fn awake(&self, location: &Location) {
        let now = self.parts.clock.now();
        let reachable = location.registered && location.expires.is_none_or(|end| end > now);
        let Some(number) = location.msisdn.as_deref().filter(|_| reachable) else {
            return;
        };
        for _ in 0..TRIES {
            match owe(&*self.parts.store, number, now).await {
                Ok(()) => return,
                Err(Error::Conflict(_) | Error::NotFound) => {}
                Err(error) => {
                    return tracing::warn!(%error, "alerts for applications wait longer");
                }
            }
        }
    }
}

/// One transaction: whoever waits is owed an alert, or waits still.
async fn owe(store: &dyn Store, number: &str, now: Timestamp) -> Result<(), Error> {
    let kind = Kind::SmppWatch;
    let name = key(number).into_owned();
    let Some(record) = store.shelf_named(kind, name).await? else {
        return Ok(());
    };
    let mut changes = vec![Change::Remove {
        kind,
        id: record.id,
        base: Some(record.revision),
    }];
    for alert in decode_smpp_alerts(&record.body)? {
        if is_wanted(store, &alert).await? {
            changes.push(Change::Add {
                kind: Kind::SmppAlert,
                name: None,
                body: encode_smpp_alerts(&[alert]),
            });
        }
    }
    store.change_shelf(changes, now).await.map(drop)
}

/// What was delivered meanwhile is told by its receipt.
async fn is_wanted(store: &dyn Store, alert: &SmppAlert) -> Result<bool, Error> {
    let message = store.message(alert.message).await?;
    let ending = message.as_ref().and_then(|message| message.ending());
    Ok(ending.is_none_or(|ending| ending.how != FinalStatus::Delivered))
}
