//! Subscribers who can be reached again, for the applications that asked to be told (`set_dpf`).

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::location::Location;
use zajil_core::message::Message;
use zajil_core::status::FinalStatus;
use zajil_store::record::{SmppAlert, encode_smpp_alerts};
use zajil_store::shelf::{Change, Kind};
use zajil_store::watch::{Waiting, forget, tried};
use zajil_store::{Error, Store};

use crate::shared::Shared;

/// So many are owed an alert in one transaction: fewer than the shelf takes changes.
const OWED_AT_ONCE: usize = 500;

impl Shared {
    /// Turns who waits for a subscriber into alerts that are owed. What cannot be written waits for
    /// the next sign of the subscriber.
    pub(crate) async fn awake(&self, location: &Location) {
        let now = self.parts.clock.now();
        let reachable = location.registered && location.expires.is_none_or(|end| end > now);
        let Some(number) = location.msisdn.as_deref().filter(|_| reachable) else {
            return;
        };
        let store = &*self.parts.store;
        loop {
            match tried(|| owe(store, number, now)).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    return tracing::warn!(%error, "alerts for applications wait longer");
                }
            }
        }
    }

    /// Nobody waits any longer for what was delivered: its receipt says so. What cannot be written
    /// is found at the next sign of the subscriber, or forgotten with its promise.
    pub(crate) async fn forget_delivered<'a>(&self, all: impl Iterator<Item = &'a Message>) {
        let store = &*self.parts.store;
        let now = self.parts.clock.now();
        let promised = all.filter(|message| {
            let origin = message.arranged.origin.as_ref();
            let is_delivered = message.ending().map(|end| end.how) == Some(FinalStatus::Delivered);
            is_delivered && origin.is_some_and(|origin| origin.alert)
        });
        let named = promised.map(|message| (message.content.destination.as_str(), message.id));
        if let Err(error) = forget(store, named, now).await {
            tracing::debug!(%error, "an application waits for what was delivered");
        }
    }
}

/// One transaction: whoever waits is owed an alert, or waits still. It is not the transaction of
/// the location: between the two a crash leaves them waiting for the next sign. `false` when there
/// are more of them.
async fn owe(store: &dyn Store, number: &str, now: Timestamp) -> Result<bool, Error> {
    let mut waiting = Waiting::on(store, number).await?;
    waiting.retain_waiting(now);
    let mut changes = Vec::new();
    for alert in &mut waiting.all {
        if changes.len() >= OWED_AT_ONCE {
            waiting.write(store, changes, now).await?;
            return Ok(false);
        }
        let (mut owed, mut untried) = (Vec::new(), Vec::new());
        for id in std::mem::take(&mut alert.messages) {
            match state(store, id).await? {
                State::Delivered => {}
                State::Untried => untried.push(id),
                State::Failed => owed.push(id),
            }
        }
        alert.messages = untried;
        if !owed.is_empty() {
            let alert = SmppAlert {
                messages: owed,
                ..alert.clone()
            };
            changes.push(Change::Add {
                kind: Kind::SmppAlert,
                name: None,
                body: encode_smpp_alerts(std::slice::from_ref(&alert)),
            });
        }
    }
    waiting.write(store, changes, now).await?;
    Ok(true)
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
