//! One keep-alive connection: a request out, its answer in, nothing in between.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{self, Head};

/// Longer than any answer worth waiting for; a server that needs it is counted as failing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// More than a listing of 1,000 messages needs.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Response<'_> {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Connection {
    /// Connects at the first exchange, and again at the first one after a failure.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            received: Vec::with_capacity(4096),
        }
    }

    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>> {
        let outcome = tokio::time::timeout(ANSWER_TIMEOUT, self.send_and_receive(request)).await;
        let head = match outcome.context("no answer in 30 seconds").flatten() {
            Ok(head) => head,
            Err(error) => {
                self.stream = None;
                return Err(error);
            }
        };
        if head.closes {
            self.stream = None;
        }
        let body = self.received.get(head.head_bytes..).unwrap_or_default();
        Ok(Response {
            status: head.status,
            body,
        })
    }

    async fn send_and_receive(&mut self, request: &[u8]) -> Result<Head> {
        if self.stream.is_none() {
            self.stream = Some(connect(self.address).await?);
        }
        let stream = self.stream.as_mut().context("there is no connection")?;
        stream.write_all(request).await.context("cannot send")?;
        self.received.clear();
        let head = loop {
            receive(stream, &mut self.received).await?;
            if let Some(head) = wire::read_head(&self.received)? {
                break head;
            }
        };
        let whole = head.head_bytes.saturating_add(head.body_bytes);
        ensure!(
            whole <= MAX_ANSWER_BYTES,
            "the answer is longer than {MAX_ANSWER_BYTES} bytes"
        );
        while self.received.len() < whole {
            receive(stream, &mut self.received).await?;
        }
        ensure!(
            self.received.len() == whole,
            "the answer goes on past its content-length"
        );
        Ok(head)
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}: is the server running?"))?;
    stream
        .set_nodelay(true)
        .context("cannot switch Nagle's algorithm off")?;
    Ok(stream)
}

async fn receive(stream: &mut TcpStream, received: &mut Vec<u8>) -> Result<()> {
    let count = stream.read_buf(received).await.context("cannot receive")?;
    ensure!(
        count > 0,
        "the server closed the connection without an answer"
    );
    ensure!(
        received.len() <= MAX_ANSWER_BYTES,
        "the answer's head never ends"
    );
    Ok(())
}
