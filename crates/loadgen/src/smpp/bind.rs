//! A connection that is bound, made before the clock of a run starts.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use smpp_codec::frame;
use smpp_codec::pdu::Bind;
use smpp_codec::text::Text;
use smpp_codec::{Pdu, Status};

use super::Account;
use super::wire::{Binding, Cipher, Tls};

/// Longer than any bind worth waiting for.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest PDU that is read.
pub(super) const LONGEST: usize = 128 * 1024;
const SEQUENCE: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Transmitter,
    Receiver,
    Transceiver,
}

#[derive(Debug)]
pub(super) struct Bound {
    pub(super) stream: TcpStream,
    pub(super) cipher: Cipher,
    /// What came after the response.
    pub(super) input: BytesMut,
    /// The last number that was used.
    pub(super) sequence: u32,
}

pub(super) fn bind(
    (address, tls): (SocketAddr, Option<&Tls>),
    account: &Account,
    kind: Kind,
) -> Result<Bound> {
    let stream = TcpStream::connect_timeout(&address, ANSWER)
        .with_context(|| format!("cannot connect to {address}: is the server running?"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut stream = Binding::new(stream, tls)?;
    let text = |value: &str| Text::new(value.to_owned()).context("a zero octet in a name");
    let bind = Bind {
        system_id: text(&account.system_id)?,
        password: text(&account.password)?,
        interface_version: 0x34,
        ..Bind::default()
    };
    let bind = match kind {
        Kind::Transmitter => Pdu::BindTransmitter(bind),
        Kind::Receiver => Pdu::BindReceiver(bind),
        Kind::Transceiver => Pdu::BindTransceiver(bind),
    };
    let mut out = BytesMut::new();
    bind.encode(Status::ROK, SEQUENCE, &mut out);
    stream.write_all(&out)?;
    let mut input = BytesMut::new();
    let mut some = [0; 512];
    loop {
        if let Some(frame) = frame::cut(&mut input, LONGEST)? {
            let header = frame.header;
            ensure!(
                header.status.is_ok(),
                "{} may not bind: {}",
                account.system_id,
                header.status
            );
            ensure!(
                header.command_id == bind.command_id().response(),
                "{} came instead of the response to a bind",
                header.command_id
            );
            break;
        }
        let count = stream.read(&mut some).context("no answer to a bind")?;
        let Some(octets) = some.get(..count).filter(|octets| !octets.is_empty()) else {
            bail!("the server closed the connection without an answer to a bind");
        };
        input.extend_from_slice(octets);
    }
    let (stream, cipher) = stream.into_parts();
    stream.set_nonblocking(true)?;
    Ok(Bound {
        stream,
        cipher,
        input,
        sequence: SEQUENCE,
    })
}
