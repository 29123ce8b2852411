//! What a connection hears that there is no room for: an answer at once, not silence.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use zajil_core::outcome::Reason;

/// How long a refused connection may stay in all.
const WITHIN: Duration = Duration::from_secs(1);
/// So many refused connections are there at a time; more are closed without a word.
const AT_ONCE: usize = 64;

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The listener has as many as it may.
    All,
    /// Its address has as many as one may.
    OfOne,
}

impl Full {
    /// The whole answer, in the shape of every refusal.
    fn answer(self) -> String {
        let detail = match self {
            Self::All => "the server has as many connections as it may",
            Self::OfOne => "this address has as many connections as it may",
        };
        let body = format!("{{\"errors\":{{\"detail\":\"{detail}\"}}}}");
        format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
             x-reason: {}\r\nretry-after: 1\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            Reason::TooManyConnections.code(),
            body.len()
        )
    }
}

/// Those that are being refused.
#[derive(Debug, Clone)]
pub(super) struct Refusals(Arc<Semaphore>);

impl Refusals {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// What tells a plain connection that it is refused; none when too many are being told, and
    /// the connection is closed.
    pub(super) fn tell(
        &self,
        stream: TcpStream,
        full: Full,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let place = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(async move {
            // A peer that stays longer has had its answer.
            drop(tokio::time::timeout(WITHIN, answer(stream, full)).await);
            drop(place);
        })
    }
}

/// Writes the answer, and waits for the peer to close: a socket that is closed while octets lie
/// unread in it is reset, and its peer may never see what was written.
async fn answer(mut stream: TcpStream, full: Full) -> std::io::Result<()> {
    stream.write_all(full.answer().as_bytes()).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1_024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests;
