//! Connections to the charging system: kept between calls, and each knows what it has sent.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use crate::endpoint::Endpoint;
use crate::wire::Wire;

/// A longer answer is not one of a charging system.
const LONGEST_ANSWER: usize = 1 << 20;
/// Firewalls forget connections that are silent for longer, and do not say so.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// An answer, whatever it says.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// How far a request got that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Not one octet of it was sent.
    Nobody,
    /// Some of it was sent, perhaps all.
    Perhaps,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) reached: Reached,
    pub(crate) why: String,
}

/// Whether a request does harm when it arrives twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    Never,
}

/// The connections that wait for the next call.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    idle: Mutex<Vec<Link>>,
    keep: usize,
}

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, keep: usize) -> Self {
        Self {
            endpoint,
            idle: Mutex::default(),
            keep,
        }
    }

    /// Sends a body and waits for the answer. A kept connection may have been closed by the other
    /// side just now; only then, and only if it is safe, the request goes out once more.
    pub(crate) async fn post(
        &self,
        body: String,
        deadline: Instant,
        repeat: Repeat,
    ) -> Result<Page, Broken> {
        let body = Bytes::from(body);
        if let Some(link) = self.take().await {
            match self.exchange(link, body.clone(), deadline).await {
                Err((broken, Cause::Closed))
                    if broken.reached == Reached::Nobody || repeat == Repeat::Harmless => {}
                other => return other.map_err(|(broken, _)| broken),
            }
        }
        let link = self.connect(deadline).await?;
        let done = self.exchange(link, body, deadline).await;
        done.map_err(|(broken, _)| broken)
    }

    async fn connect(&self, deadline: Instant) -> Result<Link, Broken> {
        let broken = |why: String| Broken {
            reached: Reached::Nobody,
            why: format!("no connection to {}: {why}", self.endpoint),
        };
        match timeout_at(deadline, self.endpoint.connect()).await {
            Ok(Ok(wire)) => Link::new(wire)
                .await
                .map_err(|error| broken(error.to_string())),
            Ok(Err(error)) => Err(broken(error.to_string())),
            Err(_) => Err(broken("no answer in time".to_owned())),
        }
    }

    async fn exchange(
        &self,
        mut link: Link,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Page, (Broken, Cause)> {
        link.sent.store(false, Ordering::SeqCst);
        let sent = Arc::clone(&link.sent);
        let broken = |cause: Cause, why: String| {
            let reached = match sent.load(Ordering::SeqCst) {
                true => Reached::Perhaps,
                false => Reached::Nobody,
            };
            (Broken { reached, why }, cause)
        };
        let request = self.request(body).map_err(|error| {
            let why = format!("the request cannot be made: {error}");
            broken(Cause::Other, why)
        })?;
        match timeout_at(deadline, link.ask(request)).await {
            Ok(Ok(page)) => {
                self.put(link);
                Ok(page)
            }
            Ok(Err((cause, why))) => Err(broken(cause, format!("{}: {why}", self.endpoint))),
            Err(_) => {
                let why = format!("{} did not answer in time", self.endpoint);
                Err(broken(Cause::Other, why))
            }
        }
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
        let mut request = Request::post(self.endpoint.path.as_str())
            .header(HOST, &self.endpoint.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json");
        if let Some(authorization) = &self.endpoint.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::new(body))
    }

    /// The connection used last that is still there.
    async fn take(&self) -> Option<Link> {
        loop {
            let mut link = self.idle().pop()?;
            if link.is_usable().await {
                return Some(link);
            }
        }
    }

    fn put(&self, mut link: Link) {
        link.since = Instant::now();
        let mut idle = self.idle();
        idle.retain(|other| other.since.elapsed() < LONGEST_IDLE);
        if idle.len() < self.keep {
            idle.push(link);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the other side's closing is what broke an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Closed,
    Other,
}

/// One connection. Nobody moves its octets but the call that uses it, so it needs no task.
#[derive(Debug)]
struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<http1::Connection<TokioIo<Wire>, Full<Bytes>>>>,
    /// Whether the driver has ended.
    over: bool,
    sent: Arc<AtomicBool>,
    since: Instant,
}

impl Link {
    async fn new(wire: Wire) -> hyper::Result<Self> {
        let sent = Arc::clone(&wire.sent);
        let (sender, driver) = http1::handshake(TokioIo::new(wire)).await?;
        Ok(Self {
            sender,
            driver: Box::pin(driver),
            over: false,
            sent,
            since: Instant::now(),
        })
    }

    /// Whether it is young, not closed, and ready for a request.
    async fn is_usable(&mut self) -> bool {
        if self.since.elapsed() >= LONGEST_IDLE {
            return false;
        }
        // What the other side did meanwhile is seen by the runtime's next look at the sockets.
        tokio::task::yield_now().await;
        let open = self.drive(std::future::ready(())).await.is_some() && !self.over;
        open && self.sender.is_ready()
    }

    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Page, (Cause, String)> {
        let closed = || "the connection was closed".to_owned();
        let response = self.sender.send_request(request);
        let response = match self.drive(response).await {
            Some(Ok(response)) => response,
            Some(Err(error)) if is_cut(&error) => {
                return Err((Cause::Closed, zajil_telemetry::chain(&error)));
            }
            Some(Err(error)) => return Err((Cause::Other, zajil_telemetry::chain(&error))),
            None => return Err((Cause::Closed, closed())),
        };
        // From here on there was an answer, whatever becomes of the rest of it.
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect();
        match self.drive(body).await {
            Some(Ok(body)) => Ok(Page {
                status,
                body: body.to_bytes(),
            }),
            Some(Err(error)) => Err((Cause::Other, zajil_telemetry::chain(&*error))),
            None => Err((Cause::Other, closed())),
        }
    }

    /// Moves octets until `work` is done; none if the connection ends before.
    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| {
            // The driver first: it moves what the work waits for. It must not be polled again
            // after its end, and nothing will wake the work then.
            if !self.over {
                self.over = self.driver.as_mut().poll(cx).is_ready();
            }
            match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if self.over => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Closed or reset before the answer began.
fn is_cut(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    let ended = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    ended
        || cause.is_some_and(|error| {
            use io::ErrorKind as Kind;
            let cut = [
                Kind::ConnectionReset,
                Kind::ConnectionAborted,
                Kind::BrokenPipe,
            ];
            cut.contains(&error.kind())
        })
}

#[cfg(test)]
mod tests;
