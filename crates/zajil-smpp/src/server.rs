//! The message centre that applications bind to.

mod alerts;
mod bind;
mod deliver;
mod outbind;
mod own;
mod receipts;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smpp_codec::Pdu;
use smpp_codec::session::Side;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::{Clock, Dice};
use zajil_core::event::NodeName;
use zajil_core::frontend::FrontendName;
use zajil_core::port::{Control, Desk, Intake};
use zajil_core::smpp::BindType;
use zajil_store::Store;
use zajil_telemetry::Telemetry;

use self::bind::Bound;
use self::session::Session;
use crate::accounts::{Accounts, Peer, Roster, Verified, admit};
use crate::duplex::{Duplex, Secure};
use crate::link::{self, Limits, Link};
use crate::trace::Trace;

/// How long sessions have to take leave when the server stops.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);

/// Connections to applications that are being made at a time.
const DIALLING_AT_ONCE: usize = 32;

/// So often it is looked whether who is bound may still be.
const WELCOME_EVERY: Duration = Duration::from_secs(2);

/// No account's window is wider.
const WIDEST_WINDOW: usize = 10_000;

/// What the server works with.
#[derive(Clone)]
pub struct Parts {
    /// Where messages enter.
    pub intake: Arc<dyn Intake>,
    /// Where they leave.
    pub desk: Arc<dyn Desk>,
    /// Who is paused, and whether the node is drained.
    pub control: Arc<dyn Control>,
    /// Where it lies who is to be alerted.
    pub store: Arc<dyn Store>,
    /// Who may bind.
    pub accounts: Arc<dyn Accounts>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Spreads what would happen together.
    pub dice: Arc<dyn Dice>,
    /// Where facts are told.
    pub telemetry: Arc<Telemetry>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Parts")
            .field("accounts", &self.accounts)
            .finish_non_exhaustive()
    }
}

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our own `system_id` in the responses to binds, at most 15 octets.
    pub system_id: String,
    /// The timers of every session.
    pub limits: Limits,
    /// More connections wait until one closes.
    pub max_connections: usize,
    /// Which node of a cluster this is.
    pub node: NodeName,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            system_id: "zajil".to_owned(),
            limits: Limits::default(),
            max_connections: 1_000,
            node: NodeName::new(""),
        }
    }
}

/// The server.
#[derive(Debug)]
pub struct Server {
    parts: Parts,
    options: Options,
    roster: Roster,
    owed: alerts::Owed,
    promised: alerts::Promised,
    verified: Verified,
    connections: AtomicU64,
    /// One for each connection that there may be.
    slots: Arc<Semaphore>,
    dialling: Semaphore,
}

impl Server {
    /// A server that listens to nobody yet.
    #[must_use]
    pub fn new(parts: Parts, options: Options) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(options.max_connections.max(1)));
        Arc::new(Self {
            parts,
            options,
            slots,
            dialling: Semaphore::new(DIALLING_AT_ONCE),
            roster: Roster::default(),
            owed: alerts::Owed::default(),
            promised: alerts::Promised::default(),
            verified: Verified::default(),
            connections: AtomicU64::new(0),
        })
    }

    /// Serves a listener until `stop`, then takes leave of every session; over TLS where it is
    /// given what that needs. A bug costs the session that it meets, and is counted. Listeners
    /// share the connections that there may be.
    pub async fn serve(
        self: Arc<Self>,
        (listener, secure): (TcpListener, Option<Arc<dyn Secure>>),
        stop: CancellationToken,
    ) {
        let mut sessions = JoinSet::new();
        loop {
            let next = async {
                // The semaphore is never closed, so there always is a permit.
                let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = sessions.join_next() => {
                    self.ended(ended);
                    continue;
                }
                next = next => next,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (server, stop) = (Arc::clone(&self), stop.clone());
                    let secure = secure.clone();
                    sessions.spawn(async move {
                        server.connection((stream, peer), secure, stop).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: one that closes makes room.
                    tracing::warn!(%error, "an SMPP connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        let all = async {
            while let Some(ended) = sessions.join_next().await {
                self.ended(ended);
            }
        };
        self.within_leave(all).await;
    }

    /// Waits until sessions have taken leave, as long as they may take for it.
    async fn within_leave(&self, all: impl Future<Output = ()>) {
        if tokio::time::timeout(LEAVE_WITHIN, all).await.is_err() {
            tracing::warn!("SMPP sessions were still open when the server stopped");
        }
    }

    fn ended(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            self.parts.telemetry.metrics.panics.inc();
            tracing::error!(%error, "an SMPP session panicked");
        }
    }

    async fn connection(
        self: Arc<Self>,
        (stream, peer): (TcpStream, SocketAddr),
        secure: Option<Arc<dyn Secure>>,
        stop: CancellationToken,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let secured = secure.is_some();
        let stream: Box<dyn Duplex> = match secure {
            None => Box::new(stream),
            Some(secure) => {
                let within = self.options.limits.session_init;
                match tokio::time::timeout(within, secure.accept(stream)).await {
                    Ok(Ok(stream)) => stream,
                    Ok(Err(error)) => {
                        return tracing::debug!(%peer, %error, "no agreement on keys");
                    }
                    Err(_) => return tracing::debug!(%peer, "no agreement on keys in time"),
                }
            }
        };
        let address = peer.ip();
        self.session((stream, Peer { address, secured }), None, stop)
            .await;
    }

    /// A session, from its first PDU to its last; answers as what it was bound. `call` is whom we
    /// have called, and what we say.
    async fn session(
        self: &Arc<Self>,
        (stream, peer): (Box<dyn Duplex>, Peer),
        call: Option<(FrontendName, Pdu)>,
        stop: CancellationToken,
    ) -> Option<BindType> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let options = link::Options {
            limits: self.options.limits,
            // Which account it is, and so how wide its window, is not known before its bind.
            window_out: WIDEST_WINDOW,
            ..link::Options::new(Side::Centre)
        };
        let (link, handle) = Link::new(options);
        let (called, say) = call.unzip();
        let trace = Trace::new(&self.parts.telemetry, called.clone());
        let link = link.with_tap(trace.clone());
        if let Some(say) = say {
            // The first of a link that has not begun: there is room for it.
            if let Err(lost) = handle.tell(say).await {
                tracing::debug!(%lost, "an outbind was not sent");
            }
        }
        let bound = Arc::new(Bound::not_yet(trace, called));
        let session = Session::new((self, &bound), (number, peer), handle.clone());
        let leaving = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.not_welcome(&bound, peer) => {}
            }
            handle.leave();
            std::future::pending::<()>().await;
        };
        let delivering = deliver::run(self, &bound, &handle);
        let both = futures_util::future::join(link.run(stream, session), delivering);
        let ended = tokio::select! {
            (ended, ()) = both => ended,
            () = leaving => return None,
        };
        let name = bound.account().map(|account| account.system_id.clone());
        if let Some(name) = &name {
            self.roster.leave(name, number);
        }
        if let Some(kind) = bound.kind() {
            let sessions = &self.parts.telemetry.metrics.smpp_sessions;
            sessions.with_label_values(&[kind.as_str()]).dec();
        }
        let account = name.as_ref().map_or("", |name| name.as_str());
        let peer = peer.address;
        tracing::info!(account, %peer, %ended, "SMPP session ended");
        bound.kind()
    }

    /// Waits until who is bound could not bind any more: its account is gone, disabled or expired,
    /// or may not bind so or from there. That it has another password now is no reason, nor that it
    /// cannot be read.
    async fn not_welcome(&self, bound: &Bound, peer: Peer) {
        let mut ticks = tokio::time::interval(WELCOME_EVERY);
        loop {
            ticks.tick().await;
            let (Some(account), Some(kind)) = (bound.account(), bound.kind()) else {
                continue;
            };
            let name = account.system_id.as_str();
            let now = self.parts.clock.now();
            let accounts = &self.parts.accounts;
            let may_stay = match accounts.find(name) {
                Some(known) => admit(&known, kind, peer, now).is_ok(),
                None => accounts.is_unreadable(name),
            };
            if !may_stay {
                tracing::warn!(account = name, "may not be bound any more: unbound");
                return;
            }
        }
    }
}
