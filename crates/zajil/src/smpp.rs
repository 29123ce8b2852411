//! SMPP within the process: the server with its accounts and listener, the client of carriers.

mod book;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock;
use zajil_engine::Engine;
use zajil_engine::tasks::Tasks;
use zajil_smpp::client::{self, Carriers, Client, Standings};
use zajil_smpp::duplex::{Agreement, Duplex, Secure};
use zajil_smpp::server::{Parts, Server};
use zajil_store::Store;
use zajil_store::record::decode_smpp_carrier;
use zajil_store::shelf::Kind;
use zajil_telemetry::Telemetry;

pub(crate) use self::book::Book;
use crate::config::{Smpp, SmppListen};
use crate::tls::{Certificates, Files};

/// A certificate that was exchanged is in use after this at the latest.
const LOOK_AT_FILES_EVERY: Duration = Duration::from_secs(5);

/// Whom the node speaks SMPP with, for its doors and the API.
#[derive(Debug, Clone)]
pub(crate) struct Parties {
    /// The accounts.
    pub(crate) book: Arc<Book>,
    /// How carriers are doing.
    pub(crate) standings: Arc<Standings>,
}

impl Parties {
    /// Nobody yet.
    pub(crate) fn new(store: &Arc<dyn Store>, telemetry: &Arc<Telemetry>) -> Self {
        Self {
            book: Arc::new(Book::new(store, telemetry)),
            standings: Arc::default(),
        }
    }
}

/// What serves until it is stopped.
pub(crate) type Door = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the node works with.
type Things<'a> = (&'a Arc<dyn Store>, &'a Arc<dyn Clock>, &'a Arc<Telemetry>);

/// The server of applications, where there is a listener for it, and the client of carriers.
pub(crate) async fn doors(
    (smpp, listener, parties): (&Smpp, Option<TcpListener>, Parties),
    tasks: &mut Tasks,
    engine: &Arc<Engine>,
    (things, stop): (Things<'_>, &CancellationToken),
) -> anyhow::Result<Vec<Door>> {
    let mut doors: Vec<Door> = Vec::new();
    let Parties { book, standings } = parties;
    let tls = Tls::open(smpp, tasks).await?;
    if listener.is_some() || tls.is_some() {
        book.read().await.context("reading SMPP accounts")?;
        let (store, clock, telemetry) = things;
        let parts = Parts {
            intake: engine.clone(),
            desk: engine.clone(),
            control: engine.clone(),
            store: Arc::clone(store),
            accounts: book.clone(),
            clock: Arc::clone(clock),
            dice: Arc::new(zajil_engine::system::ThreadDice),
            telemetry: Arc::clone(telemetry),
        };
        follow(tasks, book);
        let server = Server::new(parts, smpp.server.clone());
        let (alerting, until) = (Arc::clone(&server), stop.clone());
        doors.push(Box::pin(async move { alerting.alert(until).await }));
        doors.push(Box::pin(Arc::clone(&server).call(stop.clone())));
        if let Some((tls, secure)) = tls {
            let server = Arc::clone(&server);
            doors.push(Box::pin(server.serve((tls, Some(secure)), stop.clone())));
        }
        if let Some(listener) = listener {
            doors.push(Box::pin(server.serve((listener, None), stop.clone())));
        }
    }
    let (client, carriers) = client(tasks, engine, (things, standings));
    doors.push(Box::pin(client.run(carriers, stop.clone())));
    Ok(doors)
}

/// TLS of applications: the certificate that new connections get.
#[derive(Debug)]
struct Tls(Arc<Certificates>);

impl Secure for Tls {
    fn accept(&self, stream: TcpStream) -> Agreement<'_> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0.current().config));
        Box::pin(async move {
            let stream: Box<dyn Duplex> = Box::new(acceptor.accept(stream).await?);
            Ok(stream)
        })
    }
}

/// What secures connections with these files.
pub(crate) fn secure(files: Files) -> anyhow::Result<Arc<dyn Secure>> {
    Ok(Arc::new(Tls(Arc::new(Certificates::open(files)?))))
}

impl Tls {
    /// The listener of `smpp.tls_listen`, and what follows its certificate.
    async fn open(
        smpp: &Smpp,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Option<(TcpListener, Arc<dyn Secure>)>> {
        let Some((address, files)) = &smpp.tls else {
            return Ok(None);
        };
        let certificates = Certificates::open(files.clone()).context("certificate of SMPP")?;
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {address} (smpp.tls_listen)"))?;
        tracing::info!(%address, "SMPP over TLS");
        let certificates = Arc::new(certificates);
        let watched = Arc::clone(&certificates);
        tasks.spawn("watch the SMPP certificate", move |token| {
            watch_certificate(Arc::clone(&watched), token)
        });
        Ok(Some((listener, Arc::new(Self(certificates)))))
    }
}

/// Exchanges the certificate when its files change, until the token is cancelled.
async fn watch_certificate(certificates: Arc<Certificates>, token: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_AT_FILES_EVERY);
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        certificates.renew("SMPP").await;
    }
}

/// Keeps the accounts up to date.
fn follow(tasks: &mut Tasks, book: Arc<Book>) {
    tasks.spawn("SMPP accounts", move |token| {
        let book = Arc::clone(&book);
        async move { book.follow(token).await }
    });
}

/// The client of carriers, and the list of them that it follows.
fn client(
    tasks: &mut Tasks,
    engine: &Arc<Engine>,
    ((store, clock, telemetry), standings): (Things<'_>, Arc<Standings>),
) -> (Arc<Client>, watch::Receiver<Carriers>) {
    let parts = client::Parts {
        intake: engine.clone(),
        desk: engine.clone(),
        store: Arc::clone(store),
        clock: Arc::clone(clock),
        dice: Arc::new(zajil_engine::system::ThreadDice),
        standings,
        telemetry: Arc::clone(telemetry),
    };
    let (list, carriers) = watch::channel(Carriers::default());
    let (store, list) = (Arc::clone(store), Arc::new(list));
    let telemetry = Arc::clone(telemetry);
    tasks.spawn("SMPP carriers", move |token| {
        let (store, list) = (Arc::clone(&store), Arc::clone(&list));
        let telemetry = Arc::clone(&telemetry);
        async move {
            let of = (&*store, Kind::SmppCarrier);
            let take = |read: book::Reading<_>| {
                let unreadable = read.unreadable.len();
                telemetry.metrics.smpp_unreadable("carrier", unreadable);
                list.send_modify(|known| *known = book::carriers(known, read));
            };
            book::keep_up(of, decode_smpp_carrier, take, token).await;
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
