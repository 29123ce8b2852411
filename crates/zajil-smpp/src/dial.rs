//! Connects to a peer, in the clear or over TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use zajil_core::smpp::carrier::{Host, Tls};

use crate::duplex::Duplex;
use crate::tls;

/// How long a connection may take, and then as long to agree on keys.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreached {
    #[error("not connected: {0}")]
    NotConnected(#[from] io::Error),
    #[error("no TLS: {0}")]
    NotSecured(#[from] tls::Failure),
}

/// A connection that is protected as the settings say, and whom it is with. Where TLS fails there
/// is none.
pub(crate) async fn dial(
    tls: &Tls,
    host: &Host,
) -> Result<(Box<dyn Duplex>, SocketAddr), Unreached> {
    let connecting = async {
        let stream = TcpStream::connect((host.name(), host.port())).await?;
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        Ok::<_, io::Error>((stream, peer))
    };
    let (stream, peer) = timeout(WITHIN, connecting)
        .await
        .map_err(io::Error::from)??;
    if !tls.enabled {
        return Ok((Box::new(stream), peer));
    }
    match timeout(WITHIN, tls::secure(tls, host, stream)).await {
        Ok(secured) => Ok((Box::new(secured?), peer)),
        Err(_) => Err(tls::Failure::Late.into()),
    }
}
