//! A port for a server that is another process: nobody else gets it meanwhile.
#![expect(
    clippy::unwrap_used,
    reason = "a machine without a free port must fail the test"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Socket, Type};

/// A TCP port of 127.0.0.1, kept as long as one of its clones lives.
///
/// It is bound and not listened to. So the kernel gives it neither to whoever asks for any port nor
/// to a connection, while a server that names it, and sets `SO_REUSEADDR` as servers do, may have
/// it, also anew after it was killed.
#[derive(Debug, Clone)]
pub struct Port(Arc<Socket>);

impl Port {
    /// One that nobody has.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn any() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Not before the port is chosen: those who share would be given the same one.
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).unwrap();
        socket.set_reuse_address(true).unwrap();
        Self(Arc::new(socket))
    }

    /// Its number.
    ///
    /// # Panics
    /// When the kernel does not tell.
    #[must_use]
    pub fn number(&self) -> u16 {
        let address = self.0.local_addr().unwrap();
        address.as_socket_ipv4().unwrap().port()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Two servers that started at the same time were given one port now and then: it was free
    /// between the question and its server's start.
    #[test]
    fn a_port_is_its_servers_alone_before_it_listens_and_after_it_ended() {
        let port = Port::any();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        let stranger = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&address.into())
        };
        stranger().unwrap_err();
        for _ in 0..2 {
            TcpStream::connect(address).unwrap_err();
            // Sets `SO_REUSEADDR`.
            let server = TcpListener::bind(address).unwrap();
            TcpStream::connect(address).unwrap();
            drop(server);
            stranger().unwrap_err();
        }
    }
}
