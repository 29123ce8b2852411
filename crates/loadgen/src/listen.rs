//! Where a null server listens, and on what it runs.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Serves on `address` with one worker per core; `ready` is told the real address.
pub(crate) fn on<S: Future<Output = io::Result<()>>>(
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
    serve: impl FnOnce(TcpListener) -> S,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        ready(listener.local_addr()?)?;
        serve(listener).await
    })
}
