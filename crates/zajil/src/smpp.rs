//! The SMPP server within the process: its accounts from the shelf, its listener.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock;
use zajil_core::smpp::Account;
use zajil_engine::Engine;
use zajil_engine::tasks::Tasks;
use zajil_smpp::accounts::Accounts;
use zajil_smpp::server::{Parts, Server};
use zajil_store::record::decode_smpp_account;
use zajil_store::shelf::{Kind, Page, Start};
use zajil_store::{Error, Store};
use zajil_telemetry::Telemetry;

use crate::config::{Smpp, SmppListen};

/// A change of an account is in force after this at the latest.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many accounts are read at a time.
const PAGE: u32 = 1_000;

/// Every account, as the shelf had them a second ago at the most.
#[derive(Debug, Default)]
pub(crate) struct Book(ArcSwap<HashMap<String, Arc<Account>>>);

impl Accounts for Book {
    fn find(&self, system_id: &str) -> Option<Arc<Account>> {
        self.0.load().get(system_id).cloned()
    }
}

impl Book {
    /// Reads all accounts. One that cannot be read is left out, and an operator is told.
    pub(crate) async fn read(&self, store: &dyn Store) -> Result<u64, Error> {
        // Before the records: what changes meanwhile is read again.
        let revision = store.shelf_revision(Kind::SmppAccount).await?;
        let mut accounts = HashMap::new();
        let mut last = 0;
        loop {
            let page = Page {
                kind: Kind::SmppAccount,
                from: Start::After(last),
                offset: 0,
                limit: PAGE,
            };
            let records = store.shelf(page).await?;
            let Some(record) = records.last() else {
                break;
            };
            last = record.id;
            for record in &records {
                match decode_smpp_account(&record.body) {
                    Ok(account) => {
                        accounts.insert(account.system_id.to_string(), Arc::new(account));
                    }
                    Err(error) => {
                        tracing::error!(id = record.id, %error, "an SMPP account is not usable");
                    }
                }
            }
        }
        self.0.store(Arc::new(accounts));
        Ok(revision)
    }

    /// Keeps up with the shelf until the token is cancelled.
    pub(crate) async fn follow(&self, store: &dyn Store, token: CancellationToken) {
        let mut known = None;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match store.shelf_revision(Kind::SmppAccount).await {
                Ok(revision) if Some(revision) == known => {}
                Ok(_) => match self.read(store).await {
                    Ok(revision) => known = Some(revision),
                    Err(error) => tracing::warn!(%error, "SMPP accounts were not read"),
                },
                // The store tells of its own troubles.
                Err(_) => {}
            }
        }
    }
}

/// The server, and the accounts that are to be followed for it.
pub(crate) async fn server(
    smpp: &Smpp,
    engine: &Arc<Engine>,
    (store, clock, telemetry): (&Arc<dyn Store>, &Arc<dyn Clock>, &Arc<Telemetry>),
) -> anyhow::Result<(Arc<Server>, Arc<Book>)> {
    let book = Arc::new(Book::default());
    book.read(&**store).await.context("reading SMPP accounts")?;
    let parts = Parts {
        intake: engine.clone(),
        desk: engine.clone(),
        accounts: book.clone(),
        clock: Arc::clone(clock),
        telemetry: Arc::clone(telemetry),
    };
    Ok((Server::new(parts, smpp.server.clone()), book))
}

/// Keeps the accounts up to date.
pub(crate) fn follow(tasks: &mut Tasks, book: Arc<Book>, store: &Arc<dyn Store>) {
    let store = Arc::clone(store);
    tasks.spawn("SMPP accounts", move |token| {
        let (book, store) = (Arc::clone(&book), Arc::clone(&store));
        async move { book.follow(&*store, token).await }
    });
}

/// Opens the listener. Nobody has to move a port that he did not choose: where the default one is
/// taken, the node goes on without SMPP.
pub(crate) async fn listen(smpp: &Smpp) -> anyhow::Result<Option<(TcpListener, SocketAddr)>> {
    let (address, chosen) = match smpp.listen {
        SmppListen::Off => return Ok(None),
        SmppListen::Default(address) => (address, false),
        SmppListen::Chosen(address) => (address, true),
    };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            let address = listener.local_addr()?;
            Ok(Some((listener, address)))
        }
        Err(error) if chosen => {
            Err(error).with_context(|| format!("cannot listen on {address} (smpp.listen)"))
        }
        Err(error) => {
            tracing::warn!(%address, %error, "no SMPP: set smpp.listen, or smpp.enabled = false");
            Ok(None)
        }
    }
}
