//! Accounts and carriers as the shelf has them, kept up to date.
//!
//! A record that cannot be read, as one that a later version has written, says nothing of who it is
//! about but the name: nobody binds on it, and whoever is bound stays until it can be read again or
//! is gone.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use zajil_core::port::SmppAccounts;
use zajil_core::smpp::Account;
use zajil_core::smpp::carrier::Carrier;
use zajil_smpp::accounts::Accounts;
use zajil_smpp::client::Carriers;
use zajil_store::record::decode_smpp_account;
use zajil_store::shelf::{Kind, Page, Start};
use zajil_store::{Error, Store};
use zajil_telemetry::Telemetry;

/// A change of an account or carrier is in force after this at the latest.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many records are read at a time.
const PAGE: u32 = 1_000;

/// Every account, as the shelf had them a second ago at the most, or after the last change here.
#[derive(Debug)]
pub(crate) struct Book {
    store: Arc<dyn Store>,
    telemetry: Arc<Telemetry>,
    known: ArcSwap<Known>,
    /// The revision that it is of: an older reading never takes the place of a newer one.
    revision: Mutex<u64>,
}

#[derive(Debug, Default)]
struct Known {
    accounts: HashMap<String, Arc<Account>>,
    unreadable: HashSet<String>,
}

impl Accounts for Book {
    fn find(&self, system_id: &str) -> Option<Arc<Account>> {
        self.known.load().accounts.get(system_id).cloned()
    }

    fn is_unreadable(&self, system_id: &str) -> bool {
        self.known.load().unreadable.contains(system_id)
    }

    fn called(&self) -> Vec<Arc<Account>> {
        let known = self.known.load();
        let all = known.accounts.values();
        all.filter(|account| account.outbind.is_some())
            .cloned()
            .collect()
    }
}

impl SmppAccounts for Book {
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "changed SMPP accounts are not read yet");
            }
        })
    }
}

impl Book {
    /// Nobody's accounts yet.
    pub(crate) fn new(store: &Arc<dyn Store>, telemetry: &Arc<Telemetry>) -> Self {
        Self {
            store: Arc::clone(store),
            telemetry: Arc::clone(telemetry),
            known: ArcSwap::default(),
            revision: Mutex::new(0),
        }
    }

    /// Reads all of them.
    pub(super) async fn read(&self) -> Result<(), Error> {
        self.put(read(&*self.store, Kind::SmppAccount, decode_smpp_account).await?);
        Ok(())
    }

    /// Keeps up with the shelf until the token is cancelled.
    pub(super) async fn follow(&self, token: CancellationToken) {
        let of = (&*self.store, Kind::SmppAccount);
        keep_up(of, decode_smpp_account, |read| self.put(read), token).await;
    }

    fn put(&self, read: Reading<Account>) {
        let mut known = self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        if *known > read.revision {
            return;
        }
        *known = read.revision;
        let metrics = &self.telemetry.metrics;
        metrics.smpp_unreadable("account", read.unreadable.len());
        let named = |account: Account| (account.system_id.to_string(), Arc::new(account));
        self.known.store(Arc::new(Known {
            accounts: read.all.into_iter().map(named).collect(),
            unreadable: read.unreadable,
        }));
    }
}

/// The carriers that were read, and as it was each that cannot be read now.
pub(super) fn carriers(before: &Carriers, read: Reading<Carrier>) -> Carriers {
    let stays = |carrier: &&Arc<Carrier>| read.unreadable.contains(carrier.name.as_str());
    let kept: Vec<_> = before.iter().filter(stays).cloned().collect();
    let all = read.all.into_iter().map(Arc::new);
    all.chain(kept).collect()
}

/// Every record of a kind.
#[derive(Debug)]
pub(super) struct Reading<T> {
    /// That they are of.
    revision: u64,
    all: Vec<T>,
    /// The names of those that cannot be read.
    pub(super) unreadable: HashSet<String>,
}

/// Every record of a kind. Of one that cannot be read an operator is told.
async fn read<T>(
    store: &dyn Store,
    kind: Kind,
    decode: fn(&str) -> Result<T, Error>,
) -> Result<Reading<T>, Error> {
    let mut read = Reading {
        // Before the records: what changes meanwhile is read again.
        revision: store.shelf_revision(kind).await?,
        all: Vec::new(),
        unreadable: HashSet::new(),
    };
    let mut last = 0;
    loop {
        let page = Page {
            kind,
            from: Start::After(last),
            offset: 0,
            limit: PAGE,
        };
        let records = store.shelf(page).await?;
        let Some(record) = records.last() else {
            return Ok(read);
        };
        last = record.id;
        for record in records {
            match decode(&record.body) {
                Ok(one) => read.all.push(one),
                Err(error) => {
                    let (id, name) = (record.id, record.name.unwrap_or_default());
                    tracing::error!(%kind, id, name, %error, "a record cannot be read: who is \
                        bound stays, and nobody binds anew");
                    read.unreadable.insert(name);
                }
            }
        }
    }
}

/// Reads a kind again whenever it has changed, until the token is cancelled.
pub(super) async fn keep_up<T>(
    (store, kind): (&dyn Store, Kind),
    decode: fn(&str) -> Result<T, Error>,
    take: impl Fn(Reading<T>) + Send,
    token: CancellationToken,
) {
    let mut known = None;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match store.shelf_revision(kind).await {
            Ok(revision) if Some(revision) == known => {}
            Ok(_) => match read(store, kind, decode).await {
                Ok(read) => {
                    known = Some(read.revision);
                    take(read);
                }
                Err(error) => tracing::warn!(%kind, %error, "records were not read"),
            },
            // The store tells of its own troubles.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
