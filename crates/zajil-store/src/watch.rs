//! Those who wait until a subscriber can be reached (`set_dpf`), as they lie on the shelf: read,
//! decided about, and written back unless somebody else was faster.

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
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
/// Of so many numbers it is forgotten in one transaction who waits for them.
pub const AT_ONCE: usize = 100;
/// So many of them are read, or tried again, at a time: fewer than [`TRIES`].
const READ_AT_ONCE: usize = 16;

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
        self,
        store: &dyn Store,
        mut also: Vec<Change>,
        now: Timestamp,
    ) -> Result<(), Error> {
        also.extend(self.change());
        if also.is_empty() {
            return Ok(());
        }
        store.change_shelf(also, now).await.map(drop)
    }

    /// What is to be written so that nobody waits for these messages, if anything.
    async fn without(
        store: &dyn Store,
        number: &str,
        gone: &[MessageId],
    ) -> Result<Option<Change>, Error> {
        let mut waiting = Self::on(store, number).await?;
        for alert in &mut waiting.all {
            alert.messages.retain(|id| !gone.contains(id));
        }
        Ok(waiting.change())
    }

    /// What is to be written, if anything.
    fn change(mut self) -> Option<Change> {
        self.all.retain(|alert| !alert.messages.is_empty());
        if self.all == self.before {
            return None;
        }
        let kind = KIND;
        let body = encode_smpp_alerts(&self.all);
        Some(match self.record {
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
        })
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

/// Nobody waits for these messages to these numbers any longer: of up to [`AT_ONCE`] numbers in one
/// transaction.
///
/// # Errors
/// One of the store's; what is about other numbers was done all the same.
pub async fn forget<'a>(
    store: &dyn Store,
    messages: impl IntoIterator<Item = (&'a str, MessageId)>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut gone: BTreeMap<Cow<'a, str>, Vec<MessageId>> = BTreeMap::new();
    for (number, id) in messages {
        gone.entry(key(number)).or_default().push(id);
    }
    let gone: Vec<_> = gone.into_iter().collect();
    let mut done = Ok(());
    for some in gone.chunks(AT_ONCE) {
        // Whoever is faster with one number holds all of them up: then each for itself.
        done = match forget_some(store, some, now).await {
            Err(Error::Conflict(_) | Error::NotFound) => {
                let mut each = Vec::with_capacity(some.len());
                for one in some.chunks(1) {
                    each.push(tried(move || forget_some(store, one, now)));
                }
                let each: Vec<_> = stream::iter(each).buffered(READ_AT_ONCE).collect().await;
                each.into_iter().fold(done, Result::and)
            }
            some => done.and(some),
        };
    }
    done
}

/// One transaction for all of them. Of a number that cannot be read it is told afterwards.
async fn forget_some(
    store: &dyn Store,
    gone: &[(Cow<'_, str>, Vec<MessageId>)],
    now: Timestamp,
) -> Result<(), Error> {
    let mut read = Vec::with_capacity(gone.len());
    for (number, ids) in gone {
        read.push(Waiting::without(store, number, ids));
    }
    let read: Vec<_> = stream::iter(read).buffered(READ_AT_ONCE).collect().await;
    let (mut changes, mut done) = (Vec::new(), Ok(()));
    for one in read {
        match one {
            Ok(change) => changes.extend(change),
            Err(error) => done = Err(error),
        }
    }
    if !changes.is_empty() {
        store.change_shelf(changes, now).await?;
    }
    done
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
        forget(&store, [("46709771337", id(3))], NOW).await.unwrap();
        forget(&store, [(NUMBER, id(1))], NOW).await.unwrap();
        assert_eq!(waiting(&store).await, [alert("shop", &[2])]);
        let before = store.shelf_revision(KIND).await.unwrap();
        forget(&store, [(NUMBER, id(9))], NOW).await.unwrap();
        let after = store.shelf_revision(KIND).await.unwrap();
        assert_eq!(before, after, "nothing is written that changes nothing");
        forget(&store, [(NUMBER, id(2))], NOW).await.unwrap();
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

    /// One number that cannot be read, and who is faster with another, hold nobody else up.
    #[tokio::test]
    async fn of_many_numbers_each_is_forgotten() {
        let store = MemoryStore::new();
        let number = |n: usize| format!("+4670{n:07}");
        let id = |n: usize| MessageId::new(u64::try_from(n).unwrap()).unwrap();
        let count = 2 * AT_ONCE + 1;
        for n in 1..=count {
            let mut waiting = Waiting::on(&store, &number(n)).await.unwrap();
            waiting.all = vec![alert("shop", &[id(n).get()]), alert("other", &[9_999])];
            waiting.write(&store, Vec::new(), NOW).await.unwrap();
        }
        let name = key(&number(7)).into_owned();
        let damaged = store.shelf_named(KIND, name).await.unwrap().unwrap();
        let damage = Change::Set {
            kind: KIND,
            id: damaged.id,
            base: None,
            body: "{".to_owned(),
        };
        store.change_shelf(vec![damage], NOW).await.unwrap();
        let numbers: Vec<String> = (1..=count).map(number).collect();
        let all = || (1..=count).map(|n| (numbers[n - 1].as_str(), id(n)));
        // Two at once: one of them finds that the other was faster.
        let (one, other) = tokio::join!(forget(&store, all(), NOW), forget(&store, all(), NOW));
        for done in [one, other] {
            assert!(matches!(done, Err(Error::Damaged(_))), "{done:?}");
        }
        for n in (1..=count).filter(|n| *n != 7) {
            let left = Waiting::on(&store, &number(n)).await.unwrap().all;
            assert_eq!(left, [alert("other", &[9_999])], "{n}");
        }
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
