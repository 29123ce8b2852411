//! TLS to a peer that we connect to, a carrier or an application: whom we believe, who we are, and
//! what went wrong in words.
//!
//! TLS 1.2 and 1.3. A connection that cannot be secured is closed; nothing is sent in the clear.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, RootCertStore,
};
use zajil_core::smpp::carrier::{Host, Identity, Tls};

/// The most octets of a file.
const LARGEST: u64 = 1 << 20;
/// How many connections read their files at once. A file system that does not answer holds a thread
/// for each, and they are shared with all that waits for something.
static READERS: Semaphore = Semaphore::const_new(4);

/// Why a connection is not secured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file of the settings cannot be used.
    #[error("{}: {why}", path.display())]
    File { path: PathBuf, why: String },
    /// There is nobody whom a certificate could be believed from.
    #[error("the system has no certificates of authorities; set tls_ca_path")]
    NoRoots,
    /// No certificate can be for this.
    #[error("no certificate can be for '{0}'; set tls_server_name")]
    NoName(String),
    /// The peers did not agree.
    #[error("{0}")]
    Handshake(String),
    /// They did not agree in time.
    #[error("no agreement on keys in time")]
    Late,
}

/// Secures a connection to a host. The files are read anew, on a thread that may wait for them.
pub(crate) async fn secure(
    tls: &Tls,
    host: &Host,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = tls.server_name.as_deref().unwrap_or(host.name()).to_owned();
    let server = ServerName::try_from(name.clone()).map_err(|_| Failure::NoName(name.clone()))?;
    let settings = tls.clone();
    let reader = READERS.acquire().await.map_err(|_| Failure::Late)?;
    let config = tokio::task::spawn_blocking(move || {
        // For as long as it takes, also when nobody waits for it any more.
        let _reader = reader;
        config(&settings)
    })
    .await;
    let config = config.map_err(|error| Failure::Handshake(error.to_string()))??;
    let connecting = TlsConnector::from(Arc::new(config)).connect(server, stream);
    connecting
        .await
        .map_err(|error| Failure::Handshake(told(&error, &name)))
}

fn config(tls: &Tls) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    match &tls.ca_path {
        // A root that cannot be read is one that nothing is signed with.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(Failure::NoRoots);
            }
        }
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|why| file(path, &why))?;
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| Failure::Handshake(why.to_string()))?
        .with_root_certificates(roots);
    let Some(Identity {
        cert_path,
        key_path,
    }) = &tls.identity
    else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(cert_path)?;
    let key = contents(key_path).and_then(|pem| PrivateKeyDer::from_pem_slice(&pem));
    let key = key.map_err(|why| unread(key_path, why))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|why| file(key_path, &why))
}

/// The certificates of a file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let all = contents(path).and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect());
    let all: Vec<_> = all.map_err(|why| unread(path, why))?;
    match all.is_empty() {
        true => Err(unread(path, pem::Error::NoItemsFound)),
        false => Ok(all),
    }
}

/// What a file holds. To open a pipe may take for ever, and a device may never end.
fn contents(path: &Path) -> Result<Vec<u8>, pem::Error> {
    let bad = |why| pem::Error::Io(io::Error::new(io::ErrorKind::InvalidInput, why));
    let known = fs::metadata(path).map_err(pem::Error::Io)?;
    if !known.is_file() {
        return Err(bad("is no ordinary file"));
    }
    let mut contents = Vec::new();
    let file = File::open(path).map_err(pem::Error::Io)?;
    let read = file.take(LARGEST + 1).read_to_end(&mut contents);
    match read.map_err(pem::Error::Io)? {
        octets if octets as u64 > LARGEST => Err(bad("is larger than 1 MiB")),
        _ => Ok(contents),
    }
}

fn unread(path: &Path, why: pem::Error) -> Failure {
    let why = match why {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "holds nothing of the kind in PEM".to_owned(),
        other => format!("is no PEM file: {other}"),
    };
    let path = path.to_owned();
    Failure::File { path, why }
}

fn file(path: &Path, why: &Error) -> Failure {
    let (path, why) = (path.to_owned(), why.to_string());
    Failure::File { path, why }
}

/// What an operator can do something about.
fn told(error: &io::Error, name: &str) -> String {
    let inner = error.get_ref();
    let Some(error) = inner.and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the peer closed the connection".to_owned(),
            _ => error.to_string(),
        };
    };
    match error {
        Error::InvalidCertificate(why) => certificate(why, name),
        Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired),
        ) => {
            format!("the peer does not accept our certificate, or that we show none: {alert:?}")
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the peer does not speak TLS on this port".to_owned()
        }
        other => other.to_string(),
    }
}

fn certificate(why: &CertificateError, name: &str) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the peer's certificate is signed by no authority that is trusted; see tls_ca_path"
                .to_owned()
        }
        CertificateError::NotValidForName => {
            format!("the peer's certificate is not for '{name}'; see tls_server_name")
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.join(", ");
            format!("the peer's certificate is not for '{name}', but for: {names}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the peer's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the peer's certificate is not valid yet".to_owned()
        }
        other => format!("the peer's certificate: {other}"),
    }
}
