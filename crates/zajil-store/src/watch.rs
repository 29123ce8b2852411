//! Those who wait until a subscriber can be reached (`set_dpf`), as they lie on the shelf: read,
//! decided about, and written back unless somebody else was faster.

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::number::key;

use crate::contract::{Error, Store};
use crate::record::{SmppAlert, decode_smpp_alerts, encode_smpp_alerts};
use crate::shelf::{Change, Kind};

const KIND: Kind = Kind::SmppWatch;
/// So often somebody else may be faster: more than parts of one text, or messages of one window, to
/// one number come at a time. Whoever loses lost to one who has written, so tries are progress.
const TRIES: u32 = 50;

/// Everybody who waits for one subscriber.
#[derive(Debug)]
pub struct Waiting {
    /// Who it is, as they are now; what [`Self::write`] is to leave.
    pub all: Vec<SmppAlert>,
    before: Vec<SmppAlert>,
    name: String,
    /// The record and its revision, where there is one.
    record: Option<(u64, u64)>,
}

impl Waiting {
    /// Those who wait for a number, written in any of the ways of D8.
    ///
    /// # Errors
    /// Those of the store; [`Error::Damaged`] when the record cannot be read.
    pub async fn on(store: &dyn Store, number: &str) -> Result<Self, Error> {
        let name = key(number).into_owned();
        let record = store.shelf_named(KIND, name.clone()).await?;
        let all = match &record {
            Some(record) => decode_smpp_alerts(&record.body)?,
            None => Vec::new(),
        };
        Ok(Self {
            before: all.clone(),
            all,
            name,
            record: record.map(|record| (record.id, record.revision)),
        })
    }

    /// Forgets those whose time is over.
    pub fn retain_waiting(&mut self, now: Timestamp) {
        (self.all).retain(|alert| alert.until.is_none_or(|until| until > now));
    }

    /// Writes them, and `also` in the same transaction. Whoever waits for no message waits no more.
    ///
    /// # Errors
    /// [`Error::Conflict`] and [`Error::NotFound`]: somebody else has changed them since they were
    /// read.
    pub async fn write(
        mut self,
        store: &dyn Store,
        mut also: Vec<Change>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.all.retain(|alert| !alert.messages.is_empty());
        if self.all != self.before {
            also.push(self.change());
        }
        if also.is_empty() {
            return Ok(());
        }
        store.change_shelf(also, now).await.map(drop)
    }

    fn change(self) -> Change {
        let kind = KIND;
        let body = encode_smpp_alerts(&self.all);
        match self.record {
            None => Change::Add {
                kind,
                name: Some(self.name),
                body,
            },
            Some((id, revision)) if self.all.is_empty() => Change::Remove {
                kind,
                id,
                base: Some(revision),
            },
            Some((id, revision)) => Change::Set {
                kind,
                id,
                base: Some(revision),
                body,
            },
        }
    }
}

/// Reads, decides and writes, again where somebody else was faster.
///
/// # Errors
/// That of the last try.
pub async fn tried<T, F>(mut once: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut left = TRIES;
    loop {
        left -= 1;
        match once().await {
            Err(Error::Conflict(_) | Error::NotFound) if left > 0 => {}
            done => return done,
        }
    }
}

/// Nobody waits for this message to the number any longer.
///
/// # Errors
/// Those of the store.
pub async fn forget(
    store: &dyn Store,
    (number, message): (&str, MessageId),
    now: Timestamp,
) -> Result<(), Error> {
    let once = || async {
        let mut waiting = Waiting::on(store, number).await?;
        for alert in &mut waiting.all {
            alert.messages.retain(|id| *id != message);
        }
        waiting.write(store, Vec::new(), now).await
    };
    tried(once).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task::JoinSet;
    use zajil_core::frontend::FrontendName;
    use zajil_core::smpp::Named;

    use super::*;
    use crate::memory::MemoryStore;
    use crate::shelf::Shelf as _;

    const NUMBER: &str = "+46709771337";
    const NOW: Timestamp = Timestamp::EPOCH;

    fn alert(account: &str, messages: &[u64]) -> SmppAlert {
        SmppAlert {
            account: FrontendName::parse(account).unwrap(),
            subscriber: Named::default(),
            application: Named::default(),
            messages: messages
                .iter()
                .map(|id| MessageId::new(*id).unwrap())
                .collect(),
            until: Some(NOW.plus(Duration::from_secs(60))),
        }
    }

    async fn waiting(store: &MemoryStore) -> Vec<SmppAlert> {
        Waiting::on(store, NUMBER).await.unwrap().all
    }

    /// However the number is written, and the record goes with the last of them.
    #[tokio::test]
    async fn who_waits_for_no_message_waits_no_more() {
        let store = MemoryStore::new();
        let mut first = Waiting::on(&store, NUMBER).await.unwrap();
        first.all = vec![alert("shop", &[1, 2]), alert("other", &[3])];
        first.write(&store, Vec::new(), NOW).await.unwrap();
        let id = |id| MessageId::new(id).unwrap();
        forget(&store, ("46709771337", id(3)), NOW).await.unwrap();
        forget(&store, (NUMBER, id(1)), NOW).await.unwrap();
        assert_eq!(waiting(&store).await, [alert("shop", &[2])]);
        let before = store.shelf_revision(KIND).await.unwrap();
        forget(&store, (NUMBER, id(9)), NOW).await.unwrap();
        let after = store.shelf_revision(KIND).await.unwrap();
        assert_eq!(before, after, "nothing is written that changes nothing");
        forget(&store, (NUMBER, id(2)), NOW).await.unwrap();
        let name = key(NUMBER).into_owned();
        assert_eq!(store.shelf_named(KIND, name).await.unwrap(), None);
    }

    /// Two write at once: the later is told, and what it decided about is read again.
    #[tokio::test]
    async fn who_was_slower_reads_again() {
        let store = MemoryStore::new();
        let mut slow = Some(Waiting::on(&store, NUMBER).await.unwrap());
        let mut fast = Waiting::on(&store, NUMBER).await.unwrap();
        fast.all.push(alert("shop", &[1]));
        fast.write(&store, Vec::new(), NOW).await.unwrap();
        let mut tries = 0;
        let once = || {
            tries += 1;
            let read = slow.take();
            let store = &store;
            async move {
                let mut waiting = match read {
                    Some(read) => read,
                    None => Waiting::on(store, NUMBER).await?,
                };
                waiting.all.push(alert("other", &[2]));
                waiting.write(store, Vec::new(), NOW).await
            }
        };
        tried(once).await.unwrap();
        assert_eq!(tries, 2);
        let both = [alert("shop", &[1]), alert("other", &[2])];
        assert_eq!(waiting(&store).await, both);
    }

    /// As the parts of a long text, or many messages to one number, that ask at the same moment.
    #[tokio::test]
    async fn of_many_at_once_nobody_is_left_out() {
        const ALL: u64 = 40;
        let store = Arc::new(MemoryStore::new());
        let mut all = JoinSet::new();
        for id in 1..=ALL {
            let store = Arc::clone(&store);
            let once = move || {
                let store = Arc::clone(&store);
                async move {
                    let mut waiting = Waiting::on(&*store, NUMBER).await?;
                    // Everybody has read before anybody writes.
                    tokio::task::yield_now().await;
                    waiting.all.push(alert("shop", &[id]));
                    waiting.write(&*store, Vec::new(), NOW).await
                }
            };
            all.spawn(tried(once));
        }
        let all = all.join_all().await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        let mut ids: Vec<u64> = (waiting(&store).await.iter())
            .flat_map(|alert| alert.messages.iter().map(|id| id.get()))
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=ALL).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn it_is_not_tried_for_ever() {
        let mut tries = 0;
        let once = || {
            tries += 1;
            std::future::ready(Err::<(), _>(Error::NotFound))
        };
        assert_eq!(tried(once).await, Err(Error::NotFound));
        assert_eq!(tries, TRIES);
    }
}
