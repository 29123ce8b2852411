//! Connections in the clear or over TLS, and who secures those that come in.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection of either kind.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Agrees on keys with a peer before it speaks SMPP.
pub trait Secure: Send + Sync + fmt::Debug {
    /// The connection that is secured. The caller bounds the wait.
    fn accept(&self, stream: TcpStream) -> Agreement<'_>;
}

/// The answer of [`Secure::accept`].
pub type Agreement<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send + 'a>>;
