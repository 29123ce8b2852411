//! SMPP within the process: the server with its accounts and listener, the client of carriers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock;
use zajil_core::smpp::Account;
use zajil_engine::Engine;
use zajil_engine::tasks::Tasks;
use zajil_smpp::accounts::Accounts;
use zajil_smpp::client::{self, Carriers, Client};
use zajil_smpp::server::{Parts, Server};
use zajil_store::record::{decode_smpp_account, decode_smpp_carrier};
use zajil_store::shelf::{Kind, Page, Start};
use zajil_store::{Error, Store};
use zajil_telemetry::Telemetry;

use crate::config::{Smpp, SmppListen};

/// A change of an account or carrier is in force after this at the latest.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many records are read at a time.
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
    fn put(&self, accounts: Vec<Account>) {
        let named = |account: Account| (account.system_id.to_string(), Arc::new(account));
        self.0
            .store(Arc::new(accounts.into_iter().map(named).collect()));
    }
}

/// Every record of a kind, and the revision that they are of. One that cannot be read is left out,
/// and an operator is told.
async fn read<T>(
    store: &dyn Store,
    kind: Kind,
    decode: fn(&str) -> Result<T, Error>,
) -> Result<(u64, Vec<T>), Error> {
    // Before the records: what changes meanwhile is read again.
    let revision = store.shelf_revision(kind).await?;
    let mut all = Vec::new();
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
            return Ok((revision, all));
        };
        last = record.id;
        for record in &records {
            match decode(&record.body) {
                Ok(one) => all.push(one),
                Err(error) => {
                    tracing::error!(%kind, id = record.id, %error, "a record is not usable");
                }
            }
        }
    }
}

/// Reads a kind again whenever it has changed, until the token is cancelled.
async fn keep_up<T>(
    (store, kind): (&dyn Store, Kind),
    decode: fn(&str) -> Result<T, Error>,
    take: impl Fn(Vec<T>) + Send,
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
                Ok((revision, all)) => {
                    take(all);
                    known = Some(revision);
                }
                Err(error) => tracing::warn!(%kind, %error, "records were not read"),
            },
            // The store tells of its own troubles.
            Err(_) => {}
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
    let accounts = read(&**store, Kind::SmppAccount, decode_smpp_account).await;
    book.put(accounts.context("reading SMPP accounts")?.1);
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
        async move {
            let of = (&*store, Kind::SmppAccount);
            keep_up(of, decode_smpp_account, |all| book.put(all), token).await;
        }
    });
}

/// The client of carriers, and the list of them that it follows.
pub(crate) fn client(
    tasks: &mut Tasks,
    engine: &Arc<Engine>,
    (store, clock, telemetry): (&Arc<dyn Store>, &Arc<dyn Clock>, &Arc<Telemetry>),
) -> (Arc<Client>, watch::Receiver<Carriers>) {
    let parts = client::Parts {
        intake: engine.clone(),
        desk: engine.clone(),
        clock: Arc::clone(clock),
        dice: Arc::new(zajil_engine::system::ThreadDice),
        telemetry: Arc::clone(telemetry),
    };
    let (list, carriers) = watch::channel(Carriers::default());
    let (store, list) = (Arc::clone(store), Arc::new(list));
    tasks.spawn("SMPP carriers", move |token| {
        let (store, list) = (Arc::clone(&store), Arc::clone(&list));
        async move {
            let of = (&*store, Kind::SmppCarrier);
            let take = |all: Vec<_>| {
                list.send_replace(all.into_iter().map(Arc::new).collect());
            };
            keep_up(of, decode_smpp_carrier, take, token).await;
        }
    });
    (Client::new(parts), carriers)
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
