//! A stream whose peer must read: what it leaves unread for too long ends it.
//!
//! `TCP_USER_TIMEOUT` ends a peer that takes nothing at all. One that takes an octet now and then,
//! or that has TLS in between, is seen here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A peer that is waited for has to take so much within the time it has, in octets.
const LEAST: usize = 16 << 10;

/// The stream.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    within: Duration,
    /// Runs while the peer is waited for.
    wait: Option<Wait>,
}

#[derive(Debug)]
struct Wait {
    ends: Pin<Box<Sleep>>,
    /// What the peer has taken since it began.
    taken: usize,
}

impl<S> Patient<S> {
    /// A peer that is waited for takes [`LEAST`] octets, or all there is, `within` this.
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Self {
            stream,
            within,
            wait: None,
        }
    }

    /// What came of a write: octets, nothing more to write, or a peer that has no room.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        came: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> Taken,
    ) -> Poll<io::Result<T>> {
        match &came {
            Poll::Ready(Ok(done)) => match (taken(done), &mut self.wait) {
                (Taken::All, _) => self.wait = None,
                (Taken::Octets(count), Some(wait)) => {
                    wait.taken = wait.taken.saturating_add(count);
                    if wait.taken >= LEAST {
                        self.wait = None;
                    }
                }
                (Taken::Octets(_), None) => {}
            },
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let ends = Instant::now() + self.within;
                let wait = self.wait.get_or_insert_with(|| Wait {
                    ends: Box::pin(tokio::time::sleep_until(ends)),
                    taken: 0,
                });
                if wait.ends.as_mut().poll(context).is_ready() {
                    let told = "the peer does not read what it is sent";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, told)));
                }
            }
        }
        came
    }
}

/// What a peer took.
enum Taken {
    Octets(usize),
    All,
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write(context, octets);
        self.judge(context, came, |count| Taken::Octets(*count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, came, |count| Taken::Octets(*count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, came, |()| Taken::All)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, came, |()| Taken::All)
    }
}
