//! One attempt: from a URL to a checked address, one POST, and what the answer means.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::address::{self, Network};

/// How much of an answer is read, so that its connection can be used again.
const LONGEST_ANSWER: usize = 64 << 10;
/// So long is it waited for: the status has said all.
const READ_WITHIN: Duration = Duration::from_millis(500);
/// A connection that nobody used for so long is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(20);
/// Addresses of one name that are tried.
const MOST_TRIED: usize = 4;
/// Connections kept to one host.
const KEPT: usize = 16;

type Connecting = Pin<Box<dyn Future<Output = io::Result<TokioIo<Box<dyn Octets>>>> + Send>>;

/// Sends events to receivers.
#[derive(Clone)]
pub(crate) struct Sender {
    client: Client<Connector, Full<Bytes>>,
    timeout: Duration,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// What is sent, beside the body.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) url: Uri,
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) timestamp: i64,
    pub(crate) signature: String,
    pub(crate) body: Bytes,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// A sentence for the operator.
    pub(crate) why: String,
}

impl Sender {
    /// With the certificates of the system, or only these.
    pub(crate) fn new(
        allowed: Vec<Network>,
        timeout: Duration,
        roots: Option<Vec<CertificateDer<'static>>>,
    ) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        // A root that cannot be read is one that nothing is signed with.
        let found = roots.unwrap_or_else(|| rustls_native_certs::load_native_certs().certs);
        store.add_parsable_certificates(found);
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(store)
            .with_no_client_auth();
        let connector = Connector {
            tls: TlsConnector::from(Arc::new(config)),
            allowed: allowed.into(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(LONGEST_IDLE)
            .pool_max_idle_per_host(KEPT)
            .build(connector);
        Ok(Self { client, timeout })
    }

    /// Posts a letter; any status from 200 to 299 acknowledges it. Answers within the timeout.
    pub(crate) async fn post(&self, letter: Letter) -> Result<u16, Failed> {
        let within = self.timeout;
        tokio::time::timeout(within, self.exchange(letter))
            .await
            .unwrap_or_else(|_| {
                let why = format!("no answer within {} s", within.as_secs_f32());
                Err(Failed { status: None, why })
            })
    }

    async fn exchange(&self, letter: Letter) -> Result<u16, Failed> {
        let broken = |why: String| Failed { status: None, why };
        let request = Request::post(letter.url)
            .header("content-type", "application/json")
            .header("user-agent", concat!("zajil/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &letter.id)
            .header("webhook-timestamp", letter.timestamp)
            .header("webhook-signature", &letter.signature)
            .body(Full::new(letter.body))
            .map_err(|error| broken(error.to_string()))?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| broken(explained(&error)))?;
        let status = answer.status();
        // What it says does not matter; it is read so that the connection can be used again.
        let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect();
        drop(tokio::time::timeout(READ_WITHIN, body).await);
        match status.is_success() {
            true => Ok(status.as_u16()),
            false => Err(Failed {
                status: Some(status.as_u16()),
                why: match status.is_redirection() {
                    true => format!("answered {status}; redirects are not followed"),
                    false => format!("answered {status}"),
                },
            }),
        }
    }
}

/// An error with its causes, in one line.
fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Makes connections, to addresses that may be reached.
#[derive(Clone)]
struct Connector {
    tls: TlsConnector,
    allowed: Arc<[Network]>,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Octets>>;
    type Error = io::Error;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&url).await.map(TokioIo::new) })
    }
}

impl Connector {
    async fn connect(&self, url: &Uri) -> io::Result<Box<dyn Octets>> {
        let host = host(url).ok_or_else(|| refused("the URL names no host"))?;
        let secure = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let found = tokio::net::lookup_host((host.as_str(), port)).await?;
        let stream = self.reach(found, secure).await?;
        stream.set_nodelay(true)?;
        if !secure {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host).map_err(|error| refused(&error.to_string()))?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }

    /// Connects to the first address that may be reached and can be. The address that was checked
    /// is the one that is used.
    async fn reach(
        &self,
        found: impl Iterator<Item = SocketAddr>,
        secure: bool,
    ) -> io::Result<TcpStream> {
        let mut last = refused("the name has no address");
        for address in found.take(MOST_TRIED) {
            last = match self.check(address, secure) {
                Err(why) => refused(why),
                Ok(()) => match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => error,
                },
            };
        }
        Err(last)
    }

    /// What the configuration allows may be reached in any way; what is public only over TLS.
    fn check(&self, address: SocketAddr, secure: bool) -> Result<(), &'static str> {
        let ip = address::unwrapped(address.ip());
        if self.allowed.iter().any(|network| network.holds(ip)) {
            Ok(())
        } else if !address::is_public(ip) {
            Err("the address is not public, and webhooks.allowed_networks does not name it")
        } else if !secure {
            Err("plain HTTP goes only to addresses that webhooks.allowed_networks names")
        } else {
            Ok(())
        }
    }
}

/// The host of a URL; a literal IPv6 address stands in brackets in URLs, and nowhere else.
pub(crate) fn host(url: &Uri) -> Option<String> {
    let host = url.host()?.trim_matches(['[', ']']);
    (!host.is_empty()).then(|| host.to_owned())
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// A connection, plain or through TLS.
trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Octets for T {}

impl Connection for Box<dyn Octets> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
