//! HTTP listeners: bounded connections, no Nagle delay, slow peers cut off, a stop that drains.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::response::Response;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use zajil_api::{Network, PeerNames, neighbourhood};
use zajil_core::outcome::Reason;
use zajil_telemetry::{Door, Fact, Telemetry};

use crate::tls::{self, Certificates};

mod connection;
mod patience;
mod refusal;

use connection::{Peer, Speaks};
use refusal::{Full, Refusals};

/// How many connections the system may hold before we accept them.
const BACKLOG: i32 = 1_024;
/// How long a peer may take to agree on keys.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long a peer may leave what we send it unread.
const READ_WITHIN: Duration = Duration::from_secs(20);
/// How long requests in progress may take once we stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// Sees every answer before it is sent.
pub(crate) type Observer = Arc<dyn Fn(&Response) + Send + Sync>;

/// A bound socket, not served yet.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// What is served, to whom.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) app: Router,
    pub(crate) seen: Observer,
    /// More connections are refused.
    pub(crate) most: usize,
    /// More connections of one address are refused; none = no limit.
    pub(crate) most_of_one: Option<usize>,
    /// Addresses that speak for many.
    pub(crate) proxies: Vec<Network>,
    /// TLS; none = plain.
    pub(crate) certificates: Option<Arc<Certificates>>,
    pub(crate) telemetry: Option<Arc<Telemetry>>,
}

impl Service {
    /// Without TLS and without limits of one address.
    pub(crate) fn plain(app: Router, most: usize) -> Self {
        Self {
            app,
            seen: Arc::new(|_| {}),
            most,
            most_of_one: None,
            proxies: Vec::new(),
            certificates: None,
            telemetry: None,
        }
    }

    /// Counts a connection that there is no room for.
    fn refused(&self, full: Full) {
        let (door, reason) = (Door::Rest, Reason::TooManyConnections);
        match (&self.telemetry, full) {
            (Some(telemetry), Full::All) => telemetry.record(&Fact::Refused { door, reason }),
            (_, Full::OfOne) => self.closed_early("too_many_of_one"),
            (None, Full::All) => {}
        }
    }

    fn closed_early(&self, why: &'static str) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.metrics.connection_closed_early(why);
        }
    }
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    pub(crate) fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        // A restart must not wait for the connections of the process before it.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket
            .bind(&address.into())
            .with_context(|| format!("cannot listen on {address}"))?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets requests in progress finish.
    pub(crate) async fn serve(self, service: Service, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(service.most));
        let service = Arc::new(service);
        let (crowd, refusals) = (Arc::new(Crowd::default()), Refusals::new());
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => match room(&slots, &crowd, (address, &service)) {
                    Ok(room) => {
                        let (service, stop) = (Arc::clone(&service), stop.clone());
                        tasks.spawn(async move {
                            serve((stream, address), &service, stop).await;
                            drop(room);
                        });
                    }
                    Err(full) => {
                        service.refused(full);
                        // Over TLS nothing can be said before keys are agreed on, which costs most.
                        let plain = service.certificates.is_none();
                        if let Some(telling) = plain.then(|| refusals.tell(stream, full)).flatten()
                        {
                            tasks.spawn(telling);
                        }
                    }
                },
                Err(error) => {
                    // Out of file descriptors, mostly: one that closes makes room.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            while tasks.try_join_next().is_some() {}
        }
        // New peers are turned away, not left waiting.
        drop(self.socket);
        let drained = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_WITHIN, drained).await.is_err() {
            tracing::warn!("connections were still busy when the server stopped");
        }
    }
}

/// Room for a connection, as long as it is held, or why there is none.
fn room(
    slots: &Arc<Semaphore>,
    crowd: &Arc<Crowd>,
    (address, service): (SocketAddr, &Service),
) -> Result<(OwnedSemaphorePermit, Place), Full> {
    let slot = Arc::clone(slots).try_acquire_owned();
    let slot = slot.map_err(|_| Full::All)?;
    let place = crowd.admit(address, service).ok_or(Full::OfOne)?;
    Ok((slot, place))
}

/// How many connections each address has, or each IPv6 network of 64 bits, as rates are counted; as
/// large as there are connections.
#[derive(Debug, Default)]
struct Crowd(Mutex<HashMap<u128, usize>>);

/// A connection in the count of its address.
#[derive(Debug)]
struct Place(Option<(Arc<Crowd>, u128)>);

impl Crowd {
    /// Counts a connection, unless its address has enough.
    fn admit(self: &Arc<Self>, address: SocketAddr, service: &Service) -> Option<Place> {
        let ip = address.ip().to_canonical();
        let exempt = service.proxies.iter().any(|network| network.contains(ip));
        let Some(most) = service.most_of_one.filter(|_| !exempt) else {
            return Some(Place(None));
        };
        let who = neighbourhood(ip);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(who).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place(Some((Arc::clone(self), who))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((crowd, who)) = &self.0 else {
            return;
        };
        let mut counts = crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(who) {
            *count -= 1;
            if *count == 0 {
                counts.remove(who);
            }
        }
    }
}

/// Serves one connection until it ends, is idle, or is told to stop.
async fn serve(
    (stream, address): (TcpStream, SocketAddr),
    service: &Service,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    // A peer that does not read its answer would hold the answer's memory for good.
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(READ_WITHIN)) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT was not set");
    }
    let (app, seen) = (service.app.clone(), Arc::clone(&service.seen));
    let Some(certificates) = &service.certificates else {
        let peer = Peer {
            address,
            names: None,
        };
        let served = connection::run(stream, Speaks::Http1, (app, seen, peer), stop);
        return Box::pin(served).await;
    };
    let acceptor = TlsAcceptor::from(Arc::clone(&certificates.current().config));
    let agreement = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream));
    let agreed = tokio::select! {
        () = stop.cancelled() => return,
        agreed = Box::pin(agreement) => agreed,
    };
    let stream = match agreed {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            service.closed_early("handshake");
            tracing::debug!(%error, "no agreement on keys");
            return;
        }
        Err(_) => {
            service.closed_early("handshake");
            return;
        }
    };
    let (_, session) = stream.get_ref();
    let speaks = match session.alpn_protocol() {
        Some(b"h2") => Speaks::Http2,
        _ => Speaks::Http1,
    };
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let names = shown.map(|certificate| PeerNames(tls::names_of(certificate).into()));
    let peer = Peer { address, names };
    Box::pin(connection::run(stream, speaks, (app, seen, peer), stop)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn stops_in_time(most: usize) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let stop = CancellationToken::new();
        let app = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let serve = listener.serve(Service::plain(app, most), stop.clone());
        let client = async {
            let mut first = TcpStream::connect(address).await.unwrap();
            let mut head = [0; 15];
            tokio::io::AsyncWriteExt::write_all(&mut first, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .unwrap();
            tokio::io::AsyncReadExt::read_exact(&mut first, &mut head)
                .await
                .unwrap();
            assert_eq!(&head, b"HTTP/1.1 200 OK");
            stop.cancel();
            first
        };
        let both = async { tokio::join!(serve, client) };
        tokio::time::timeout(Duration::from_secs(5), both)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_stop_is_heard_while_every_slot_is_taken_by_an_idle_connection() {
        stops_in_time(1).await;
        stops_in_time(10).await;
    }

    #[test]
    fn s3_8_one_address_has_so_many_connections_and_a_proxy_any_number() {
        let service = Service {
            most_of_one: Some(2),
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Service::plain(Router::new(), 10)
        };
        let crowd = Arc::new(Crowd::default());
        let admit = |ip: &str| crowd.admit(SocketAddr::new(ip.parse().unwrap(), 1), &service);
        let first = admit("192.0.2.1");
        let second = admit("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(admit("192.0.2.1").is_none());
        assert!(admit("192.0.2.2").is_some());
        drop(first);
        assert!(admit("192.0.2.1").is_some());
        drop(second);
        let network = [admit("2001:db8::1"), admit("2001:db8::2")];
        assert!(network.iter().all(Option::is_some));
        assert!(
            admit("2001:db8::ffff:3").is_none(),
            "one network, one limit"
        );
        assert!(admit("2001:db8:0:1::1").is_some());
        drop(network);
        let many: Vec<_> = (0..100).map(|_| admit("10.1.2.3")).collect();
        assert!(many.iter().all(Option::is_some));
        assert!(crowd.0.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
