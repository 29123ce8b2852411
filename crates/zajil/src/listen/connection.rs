//! One connection: HTTP/1.1 or HTTP/2, closed when nothing is asked of it for a while.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use zajil_api::PeerNames;

use super::patience::Patient;
use super::{Observer, READ_WITHIN};

/// How long a peer may take to send the head of a request, and may idle between two.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// The most header lines of a request; HTTP/1.1 answers more with 431.
const MOST_HEADERS: usize = 100;
/// The longest head of a request, its URI included, in octets.
const LONGEST_HEAD: usize = 64 << 10;
/// The same for HTTP/2, where the limit is told to the client.
const LONGEST_HEADERS: u32 = 64 << 10;
/// Requests at a time on one connection of HTTP/2.
const MOST_STREAMS: u32 = 64;
/// What HTTP/2 keeps of an answer that is not read, in octets a request.
const UNREAD: usize = 64 << 10;

/// What a connection speaks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// The names in its certificate, if it has shown one.
    pub(super) names: Option<PeerNames>,
}

/// Serves a connection until it ends, or until `stop` and the requests in progress have ended.
pub(super) async fn run<S>(
    stream: S,
    speaks: Speaks,
    (app, seen, peer): (Router, Observer, Peer),
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let busy = Arc::new(Busy::default());
    let counted = Arc::clone(&busy);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(peer.address));
        if let Some(names) = &peer.names {
            extensions.insert(names.clone());
        }
        let (mut app, seen, token) = (app.clone(), Arc::clone(&seen), Busy::begin(&counted));
        async move {
            let answer = app.call(request).await;
            answer
                .inspect(|response| seen(response))
                .map(|response| response.map(|body| Tracked::new(body, token)))
                .map_err(|never: Infallible| never)
        }
    });
    let io = TokioIo::new(Patient::new(stream, READ_WITHIN));
    let ended = match speaks {
        Speaks::Http1 => {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .max_headers(MOST_HEADERS)
                .max_buf_size(LONGEST_HEAD)
                .serve_connection(io, service);
            // Boxed, so that an idle connection has room for what it speaks and nothing else.
            let mut connection = Box::pin(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
        Speaks::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(MOST_STREAMS)
                .max_header_list_size(LONGEST_HEADERS)
                .max_send_buf_size(UNREAD)
                .keep_alive_interval(HEAD_WITHIN)
                .keep_alive_timeout(HEAD_WITHIN)
                .serve_connection(io, service);
            let mut connection = Box::pin(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                why = until_idle_or(&busy, &stop) => match why {
                    // What it holds is let go of with it.
                    Why::Stalled => return tracing::debug!("a peer left its answers unread"),
                    Why::Idle | Why::Stops => {
                        connection.as_mut().graceful_shutdown();
                        tokio::select! {
                            ended = connection => ended,
                            () = until_stalled(&busy) => return,
                        }
                    }
                },
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Why a connection of HTTP/2 is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Idle,
    Stops,
    /// An answer was not taken in time.
    Stalled,
}

/// Waits until nothing has been asked for [`HEAD_WITHIN`], until an answer stands still, or until
/// `stop`. HTTP/1.1 sees to it by its own timer; a peer of HTTP/2 that answers pings would stay for
/// good.
async fn until_idle_or(busy: &Busy, stop: &CancellationToken) -> Why {
    let mut before = busy.begun.load(Ordering::Relaxed);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Why::Stops,
            () = tokio::time::sleep(HEAD_WITHIN) => {}
        }
        if busy.is_stalled() {
            return Why::Stalled;
        }
        let begun = busy.begun.load(Ordering::Relaxed);
        if begun == before && begun == busy.ended.load(Ordering::Relaxed) {
            return Why::Idle;
        }
        before = begun;
    }
}

/// Waits until an answer stands still.
async fn until_stalled(busy: &Busy) {
    while !busy.is_stalled() {
        tokio::time::sleep(HEAD_WITHIN).await;
    }
}

/// Requests of a connection that have begun and ended, and the answers under way.
#[derive(Debug, Default)]
struct Busy {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Since when the peer has had the last piece of an answer and not asked for the next, by the
    /// number of its request. At most [`MOST_STREAMS`] at a time.
    handed: Mutex<BTreeMap<u64, Instant>>,
}

/// A request in progress, until its answer is sent.
#[derive(Debug)]
struct Token {
    busy: Arc<Busy>,
    number: u64,
}

impl Busy {
    fn begin(this: &Arc<Self>) -> Token {
        Token {
            number: this.begun.fetch_add(1, Ordering::Relaxed),
            busy: Arc::clone(this),
        }
    }

    fn handed(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stalled(&self) -> bool {
        self.handed()
            .values()
            .any(|since| since.elapsed() >= READ_WITHIN)
    }
}

impl Token {
    /// A piece of the answer was handed over: the next is asked for when the peer has room for it.
    fn hands_over(&self) {
        self.busy.handed().insert(self.number, Instant::now());
    }

    /// The next piece is asked for: whoever makes it may take their time.
    fn is_asked(&self) {
        self.busy.handed().remove(&self.number);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.is_asked();
        self.busy.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The body of an answer: as long as it is there its request is in progress. It goes out in pieces
/// of at most [`UNREAD`], so that what a peer does not read stays here, where it is seen.
struct Tracked {
    body: Body,
    rest: Bytes,
    token: Token,
}

impl Tracked {
    fn new(body: Body, token: Token) -> Self {
        let rest = Bytes::new();
        Self { body, rest, token }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.token.is_asked();
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece = self.rest.len().min(UNREAD);
        let piece = self.rest.split_to(piece);
        if !self.is_end_stream() {
            self.token.hands_over();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests;
