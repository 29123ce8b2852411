//! Writes down who wants to know when a subscriber can be reached again.

use zajil_core::number::key;
use zajil_core::status::FinalStatus;
use zajil_store::record::{SmppAlert, decode_smpp_alerts, encode_smpp_alerts};
use zajil_store::shelf::{Change, Kind};
use zajil_store::{Error, Store};

use super::{MOST_OWED, Server, TRIES};

/// So many applications of one account may wait for one subscriber.
const MOST_OF_ACCOUNT: usize = 16;
/// So many of all accounts: the record stays well below the limit of the shelf.
const MOST_WAITING: usize = 1_000;
/// For so many messages one application may wait.
const MOST_MESSAGES: usize = 16;

impl Server {
    /// Writes down who wants to know; `false` when that is not possible.
    pub(in super::super) async fn watch(&self, number: &str, alert: &SmppAlert) -> bool {
        if self.owed.count(&alert.account) >= MOST_OWED {
            return false;
        }
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
        tracing::warn!("an application will not be alerted: others change who waits all the time");
        false
    }

    async fn try_watch(&self, number: &str, alert: &SmppAlert) -> Result<bool, Error> {
        let (kind, store) = (Kind::SmppWatch, &*self.parts.store);
        let (name, now) = (key(number).into_owned(), self.parts.clock.now());
        let change = match store.shelf_named(kind, name.clone()).await? {
            None => Change::Add {
                kind,
                name: Some(name),
                body: encode_smpp_alerts(std::slice::from_ref(alert)),
            },
            Some(record) => {
                let mut all = decode_smpp_alerts(&record.body)?;
                all.retain(|other| other.until.is_none_or(|until| until > now));
                if !add(store, &mut all, alert).await? {
                    return Ok(false);
                }
                Change::Set {
                    kind,
                    id: record.id,
                    base: Some(record.revision),
                    body: encode_smpp_alerts(&all),
                }
            }
        };
        store.change_shelf(vec![change], now).await.map(|_| true)
    }
}

/// Adds who waits to those that wait; `false` when there is no place.
async fn add(
    store: &dyn Store,
    all: &mut Vec<SmppAlert>,
    alert: &SmppAlert,
) -> Result<bool, Error> {
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
        return Ok(waiting.messages.len() <= MOST_MESSAGES);
    }
    let has_place =
        all.len() < MOST_WAITING && all.iter_mut().filter(of_account).count() < MOST_OF_ACCOUNT;
    if has_place {
        all.push(alert.clone());
    }
    Ok(has_place)
}

/// Its receipt tells of what was delivered.
async fn forget_delivered(store: &dyn Store, waiting: &mut SmppAlert) -> Result<(), Error> {
    let mut kept = Vec::with_capacity(waiting.messages.len());
    for id in &waiting.messages {
        let message = store.message(*id).await?;
        let ending = message.as_ref().and_then(|message| message.ending());
        if ending.is_none_or(|ending| ending.how != FinalStatus::Delivered) {
            kept.push(*id);
        }
    }
    waiting.messages = kept;
    Ok(())
}
