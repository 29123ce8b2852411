//! Writes down who wants to know when a subscriber can be reached again.

use zajil_core::id::MessageId;
use zajil_core::status::FinalStatus;
use zajil_store::record::SmppAlert;
use zajil_store::watch::{Waiting, forget, tried};
use zajil_store::{Error, Store};

use super::{MOST_OWED, Server};

/// So many applications of one account may wait for one subscriber.
const MOST_OF_ACCOUNT: usize = 16;
/// So many of all accounts: the record stays well below the limit of the shelf.
const MOST_WAITING: usize = 1_000;
/// For so many messages one application may wait.
const MOST_MESSAGES: usize = 16;

impl Server {
    /// Writes down who wants to know; `false` when that is not possible.
    pub(in super::super) async fn watch(&self, number: &str, alert: &SmppAlert) -> bool {
        let is_promised = self.try_to_promise(number, alert).await;
        if !is_promised {
            self.parts.telemetry.metrics.smpp_alerted("refused", 1);
        }
        is_promised
    }

    async fn try_to_promise(&self, number: &str, alert: &SmppAlert) -> bool {
        if self.owed.count(&alert.account) >= MOST_OWED {
            return false;
        }
        let set = async {
            let place = tried(|| self.try_watch(number, alert)).await?;
            if place == Place::New {
                self.promised.add(&alert.account);
            }
            self.forget_what_was_faster(number, alert).await?;
            Ok::<_, Error>(place != Place::None)
        };
        match set.await {
            Ok(is_set) => is_set,
            Err(error) => {
                tracing::warn!(%error, "an application will not be alerted");
                false
            }
        }
    }

    async fn try_watch(&self, number: &str, alert: &SmppAlert) -> Result<Place, Error> {
        let (store, now) = (&*self.parts.store, self.parts.clock.now());
        let mut waiting = Waiting::on(store, number).await?;
        waiting.retain_waiting(now);
        let place = add(store, &mut waiting.all, alert).await?;
        let has_room = place != Place::New || self.promised.has_room(&alert.account);
        if place == Place::None || !has_room {
            return Ok(Place::None);
        }
        waiting.write(store, Vec::new(), now).await.map(|()| place)
    }

    /// A message may be delivered before it is written down who waits.
    async fn forget_what_was_faster(&self, number: &str, alert: &SmppAlert) -> Result<(), Error> {
        let store = &*self.parts.store;
        for id in &alert.messages {
            if is_delivered(store, *id).await? {
                forget(store, [(number, *id)], self.parts.clock.now()).await?;
            }
        }
        Ok(())
    }
}

async fn is_delivered(store: &dyn Store, id: MessageId) -> Result<bool, Error> {
    let message = store.message(id).await?;
    let ending = message.as_ref().and_then(|message| message.ending());
    Ok(ending.is_some_and(|ending| ending.how == FinalStatus::Delivered))
}

/// Where who waits has found a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    None,
    /// It waits already, for another message.
    Same,
    New,
}

/// Adds who waits to those that wait.
async fn add(
    store: &dyn Store,
    all: &mut Vec<SmppAlert>,
    alert: &SmppAlert,
) -> Result<Place, Error> {
    let of_account = |other: &&mut SmppAlert| other.account == alert.account;
    let same = |other: &&mut SmppAlert| of_account(other) && other.application == alert.application;
    if let Some(waiting) = all.iter_mut().find(same) {
        if waiting.messages.len() >= MOST_MESSAGES {
            forget_delivered(store, waiting).await?;
        }
        for id in &alert.messages {
            if !waiting.messages.contains(id) {
                waiting.messages.push(*id);
            }
        }
        waiting.subscriber = alert.subscriber.clone();
        waiting.until = alert.until;
        let fits = waiting.messages.len() <= MOST_MESSAGES;
        return Ok(if fits { Place::Same } else { Place::None });
    }
    let has_place =
        all.len() < MOST_WAITING && all.iter_mut().filter(of_account).count() < MOST_OF_ACCOUNT;
    if !has_place {
        return Ok(Place::None);
    }
    all.push(alert.clone());
    Ok(Place::New)
}

/// Its receipt tells of what was delivered.
async fn forget_delivered(store: &dyn Store, waiting: &mut SmppAlert) -> Result<(), Error> {
    let mut kept = Vec::with_capacity(waiting.messages.len());
    for id in &waiting.messages {
        if !is_delivered(store, *id).await? {
            kept.push(*id);
        }
    }
    waiting.messages = kept;
    Ok(())
}
