//! A receiver of webhooks under test: real sockets, answers as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What it does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    Answer(u16),
    Redirect(String),
    /// Acknowledges, and then talks for as long as anybody listens.
    Flood,
    /// Acknowledges, promises a body, and sends none of it.
    Stall,
    /// Reads the request, and says nothing.
    Hang,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn message_id(&self) -> u64 {
        self.json()["data"]["message_id"].as_u64().unwrap()
    }
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    requests: Vec<Received>,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    seen: Arc<Mutex<Seen>>,
    changed: Arc<Notify>,
    _tasks: JoinSet<()>,
}

/// Keys that are good for nothing else; the certificate is for `localhost` alone.
pub(crate) fn tls_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../zajil-ocs/tests/it/tls")
        .join(name)
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(tls_file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Receiver {
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::listen(manner, None).await
    }

    pub(crate) async fn with_tls(manner: Manner) -> Self {
        Self::listen(manner, Some(acceptor())).await
    }

    async fn listen(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let manner = Arc::new(Mutex::new(manner));
        let (seen, changed) = (Arc::<Mutex<Seen>>::default(), Arc::new(Notify::new()));
        let mut tasks = JoinSet::new();
        let shared = (Arc::clone(&manner), Arc::clone(&seen), Arc::clone(&changed));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.1.lock().unwrap().connections += 1;
                let (tls, shared) = (tls.clone(), shared.clone());
                connections.spawn(async move {
                    match tls {
                        None => drop(serve(stream, shared).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                drop(serve(stream, shared).await);
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            manner,
            seen,
            changed,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?x=1", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// Waits until this many requests have come.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let requests = self.requests();
                if requests.len() >= count {
                    return requests;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.unwrap_or_else(|_| panic!("{} of {count} came", self.requests().len()))
    }
}

type Shared = (Arc<Mutex<Manner>>, Arc<Mutex<Seen>>, Arc<Notify>);

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    (manner, seen, changed): Shared,
) -> std::io::Result<()> {
    loop {
        let received = request(&mut stream).await?;
        seen.lock().unwrap().requests.push(received);
        changed.notify_waiters();
        let manner = manner.lock().unwrap().clone();
        let answer = match manner {
            Manner::Answer(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"),
            Manner::Redirect(to) => {
                format!("HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Manner::Flood => {
                let head = b"HTTP/1.1 200 X\r\ncontent-length: 1000000000000\r\n\r\n";
                stream.write_all(head).await?;
                loop {
                    stream.write_all(&[b'x'; 4_096]).await?;
                }
            }
            Manner::Stall => {
                let head = b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n";
                stream.write_all(head).await?;
                std::future::pending::<()>().await;
                String::new()
            }
            Manner::Hang => {
                std::future::pending::<()>().await;
                String::new()
            }
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{head}");
    let headers: BTreeMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(Received {
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
