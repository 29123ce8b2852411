//! HTTP listeners: bounded connections, no Nagle delay, slow peers cut off, a stop that drains.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

/// How many connections the system may hold before we accept them.
const BACKLOG: i32 = 1_024;
/// How long a peer may take to send the head of a request, and may idle between two.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
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
    pub(crate) async fn serve(
        self,
        app: Router,
        most: usize,
        stop: CancellationToken,
        seen: Observer,
    ) {
        let slots = Arc::new(Semaphore::new(most));
        let open = GracefulShutdown::new();
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            // Also while all slots are taken a stop must be heard.
            let (slot, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                next = self.next(&slots) => next,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let served = connection((stream, peer), app.clone(), &open, Arc::clone(&seen));
                    tasks.spawn(async move {
                        served.await;
                        drop(slot);
                    });
                }
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
        if tokio::time::timeout(DRAIN_WITHIN, open.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("connections were still busy when the server stopped");
        }
    }

    /// The next connection, once there is room for it.
    async fn next(
        &self,
        slots: &Arc<Semaphore>,
    ) -> (
        Option<OwnedSemaphorePermit>,
        io::Result<(TcpStream, SocketAddr)>,
    ) {
        // The semaphore is never closed, so there always is a permit.
        let slot = Arc::clone(slots).acquire_owned().await.ok();
        (slot, self.socket.accept().await)
    }
}

fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    app: Router,
    open: &GracefulShutdown,
    seen: Observer,
) -> impl Future<Output = ()> + use<> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    // A peer that does not read its answer would hold the answer's memory for good.
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(READ_WITHIN)) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT was not set");
    }
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (mut app, seen) = (app.clone(), Arc::clone(&seen));
        async move {
            let answer = app.call(request).await;
            answer
                .inspect(|response| seen(response))
                .map_err(|never: Infallible| never)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    let served = open.watch(served);
    async move {
        if let Err(error) = served.await {
            tracing::debug!(%error, "connection ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn stops_in_time(most: usize) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let stop = CancellationToken::new();
        let app = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let serve = listener.serve(app, most, stop.clone(), Arc::new(|_| {}));
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
}
