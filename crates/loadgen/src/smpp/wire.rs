//! The octets of a connection: in the clear or over TLS, blocking for the bind and later not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::{BufMut as _, BytesMut};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Whom a run believes.
#[derive(Debug, Clone)]
pub(super) struct Tls(Arc<ClientConfig>, ServerName<'static>);

impl Tls {
    /// Believes the authorities of a PEM file, and servers with this name.
    pub(super) fn open(authorities: &Path, name: &str) -> Result<Self> {
        let told = || format!("cannot use {}", authorities.display());
        let mut roots = RootCertStore::empty();
        for one in CertificateDer::pem_file_iter(authorities).with_context(told)? {
            roots.add(one.with_context(told)?).with_context(told)?;
        }
        ensure!(
            !roots.is_empty(),
            "{}: no certificates",
            authorities.display()
        );
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).context("no name of a server")?;
        Ok(Self(Arc::new(config), name))
    }
}

/// A connection while it is bound.
pub(super) enum Binding {
    Clear(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Binding {
    pub(super) fn new(stream: TcpStream, tls: Option<&Tls>) -> Result<Self> {
        let Some(Tls(config, name)) = tls else {
            return Ok(Self::Clear(stream));
        };
        let connection = ClientConnection::new(Arc::clone(config), name.clone())?;
        Ok(Self::Secured(Box::new(StreamOwned::new(
            connection, stream,
        ))))
    }

    /// The connection, and what stands between it and the PDUs.
    pub(super) fn into_parts(self) -> (TcpStream, Cipher) {
        match self {
            Self::Clear(stream) => (stream, Cipher(None)),
            Self::Secured(secured) => {
                let StreamOwned { conn, sock } = *secured;
                (sock, Cipher(Some(Box::new(conn))))
            }
        }
    }
}

impl Read for Binding {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(into),
            Self::Secured(stream) => stream.read(into),
        }
    }
}

impl Write for Binding {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(octets),
            Self::Secured(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}

/// What octets go through on their way.
#[derive(Debug)]
pub(super) struct Cipher(Option<Box<ClientConnection>>);

impl Cipher {
    /// Takes what has come, and adds what it says to the input.
    pub(super) fn open(&mut self, came: &mut BytesMut, input: &mut BytesMut) -> Result<()> {
        let Some(connection) = &mut self.0 else {
            // Without a copy, as nearly always the input is empty.
            if input.is_empty() {
                std::mem::swap(came, input);
            } else {
                input.extend_from_slice(came);
                came.clear();
            }
            return Ok(());
        };
        let mut sealed: &[u8] = came;
        while !sealed.is_empty() {
            connection.read_tls(&mut sealed)?;
            let state = connection.process_new_packets()?;
            let plain = u64::try_from(state.plaintext_bytes_to_read())?;
            io::copy(&mut connection.reader().take(plain), &mut input.writer())?;
        }
        came.clear();
        Ok(())
    }

    /// Moves what is to be said to what is to be sent.
    pub(super) fn seal(&mut self, said: &mut BytesMut, sent: &mut BytesMut) -> Result<()> {
        let Some(connection) = &mut self.0 else {
            if sent.is_empty() {
                std::mem::swap(said, sent);
            }
            return Ok(());
        };
        let taken = connection.writer().write(said)?;
        bytes::Buf::advance(said, taken);
        while connection.wants_write() {
            connection.write_tls(&mut sent.writer())?;
        }
        Ok(())
    }
}
