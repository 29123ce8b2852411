//! Subscribers who can be reached again, for the applications that asked to be told (`set_dpf`).

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::location::Location;
use zajil_core::number::key;
use zajil_core::status::FinalStatus;
use zajil_store::record::{decode_smpp_alerts, encode_smpp_alerts};
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
        tracing::warn!("alerts for applications wait longer: others change who waits");
    }
}

/// One transaction: whoever waits is owed an alert, or waits still. It is not the transaction of
/// the location: between the two a crash leaves them waiting for the next sign.
async fn owe(store: &dyn Store, number: &str, now: Timestamp) -> Result<(), Error> {
    let kind = Kind::SmppWatch;
    let name = key(number).into_owned();
    let Some(record) = store.shelf_named(kind, name).await? else {
        return Ok(());
    };
    let mut waiting = Vec::new();
    let mut changes = Vec::new();
    let before = decode_smpp_alerts(&record.body)?;
    for mut alert in before.clone() {
        if alert.until.is_some_and(|until| until <= now) {
            continue;
        }
        let (mut owed, mut untried) = (Vec::new(), Vec::new());
        for id in alert.messages {
            match state(store, id).await? {
                State::Delivered => {}
                State::Untried => untried.push(id),
                State::Failed => owed.push(id),
            }
        }
        if !owed.is_empty() {
            alert.messages = owed;
            changes.push(Change::Add {
                kind: Kind::SmppAlert,
                name: None,
                body: encode_smpp_alerts(std::slice::from_ref(&alert)),
            });
        }
        if !untried.is_empty() {
            alert.messages = untried;
            waiting.push(alert);
        }
    }
    if waiting == before {
        return Ok(());
    }
    let (id, base) = (record.id, Some(record.revision));
    changes.push(if waiting.is_empty() {
        Change::Remove { kind, id, base }
    } else {
        let body = encode_smpp_alerts(&waiting);
        Change::Set {
            kind,
            id,
            base,
            body,
        }
    });
    store.change_shelf(changes, now).await.map(drop)
}

/// What an application that waits wants to know of a message.
enum State {
    /// Its receipt says so.
    Delivered,
    /// It waits, and nobody has failed to deliver it: the promise is not due.
    Untried,
    /// Who sent it wants to know when it is worth a try.
    Failed,
}

async fn state(store: &dyn Store, id: MessageId) -> Result<State, Error> {
    let Some(message) = store.message(id).await? else {
        return Ok(State::Failed);
    };
    Ok(match message.ending() {
        Some(ending) if ending.how == FinalStatus::Delivered => State::Delivered,
        None if message.attempts.get() == 0 => State::Untried,
        _ => State::Failed,
    })
}
