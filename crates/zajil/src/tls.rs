//! The certificate of a listener: loaded, watched, and exchanged while the server runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};
use arc_swap::ArcSwap;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, version};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, asn1::Utf8StringRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use zajil_core::clock::{Clock as _, Timestamp};

/// The most octets of a file.
const LARGEST: u64 = 1 << 20;

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// It may; others come with a key or a token.
    Optional,
    /// No connection without.
    Required,
}

/// The files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The chain, the server's own certificate first.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
    /// The authorities that client certificates are signed by.
    pub(crate) clients: Option<(PathBuf, ClientAuth)>,
}

/// What the files said when they were read.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

/// A certificate that can be served.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) config: Arc<ServerConfig>,
    /// After this it is worth nothing.
    pub(crate) not_after: Timestamp,
}

impl Loaded {
    /// Whole days until its end; below zero after it.
    pub(crate) fn days_left(&self) -> i64 {
        let now = zajil_engine::system::SystemClock.now();
        (self.not_after.secs() - now.secs()).div_euclid(24 * 60 * 60)
    }
}

/// The certificate in use.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Files,
    current: ArcSwap<Loaded>,
    /// The last contents that were tried, good or bad: what is bad is told of once.
    tried: Mutex<Option<Contents>>,
}

/// What a look at the files led to.
#[derive(Debug)]
pub(crate) enum Looked {
    /// They say what they said.
    Same,
    /// The new certificate is in use.
    Exchanged,
    /// They cannot be used; the old certificate stays.
    Bad(anyhow::Error),
}

impl Certificates {
    /// Reads the files.
    pub(crate) fn open(files: Files) -> anyhow::Result<Self> {
        let contents = files.read()?;
        let loaded = load(&contents, &files)?;
        Ok(Self {
            files,
            current: ArcSwap::from_pointee(loaded),
            tried: Mutex::new(Some(contents)),
        })
    }

    /// Looks at the files, and says in the log what came of it; `of` is the listener. `false` when
    /// they cannot be used.
    pub(crate) async fn renew(self: &Arc<Self>, of: &'static str) -> bool {
        let this = Arc::clone(self);
        // The files may be on a network; a thread that serves connections must not wait for them.
        match tokio::task::spawn_blocking(move || this.look()).await {
            Ok(Looked::Same) => {}
            Ok(Looked::Exchanged) => tracing::info!(of, "the certificate was exchanged"),
            Ok(Looked::Bad(error)) => {
                let why = format!("{error:#}");
                tracing::error!(
                    of,
                    why,
                    "the new certificate cannot be used; the old one stays"
                );
                return false;
            }
            Err(error) => tracing::error!(of, %error, "the certificate was not looked at"),
        }
        true
    }

    /// What new connections get.
    pub(crate) fn current(&self) -> Arc<Loaded> {
        self.current.load_full()
    }

    /// Reads the files again; what they say now is used if it can be.
    pub(crate) fn look(&self) -> Looked {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = match self.files.read() {
            Ok(contents) => contents,
            // Gone for a moment while they are exchanged, or for good: told of once.
            Err(error) => {
                return match tried.take() {
                    Some(_) => Looked::Bad(error),
                    None => Looked::Same,
                };
            }
        };
        if tried.as_ref() == Some(&contents) {
            return Looked::Same;
        }
        let loaded = load(&contents, &self.files);
        *tried = Some(contents);
        match loaded {
            Ok(loaded) => {
                self.current.store(Arc::new(loaded));
                Looked::Exchanged
            }
            Err(error) => Looked::Bad(error),
        }
    }
}

impl Files {
    fn read(&self) -> anyhow::Result<Contents> {
        let clients = self.clients.as_ref().map(|(path, _)| contents(path));
        Ok(Contents {
            certificate: contents(&self.certificate)?,
            key: contents(&self.key)?,
            clients: clients.transpose()?,
        })
    }

    /// Reads and judges the files, as the server would at its start.
    pub(crate) fn check(&self) -> anyhow::Result<Loaded> {
        load(&self.read()?, self)
    }
}

fn contents(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = || path.display().to_string();
    let length = std::fs::metadata(path).with_context(shown)?.len();
    ensure!(
        length <= LARGEST,
        "{} is no certificate or key: too large",
        shown()
    );
    std::fs::read(path).with_context(shown)
}

/// The provider of cryptography, the same everywhere.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// TLS 1.2 and 1.3, and of 1.2 only what has forward secrecy and an authenticated cipher: rustls
/// has nothing else.
fn load(contents: &Contents, files: &Files) -> anyhow::Result<Loaded> {
    let shown = files.certificate.display();
    let chain = certificates(&contents.certificate).with_context(|| shown.to_string())?;
    let Some(own) = chain.first() else {
        bail!("{shown} holds no certificate");
    };
    let not_after = end_of(own).with_context(|| shown.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key)
        .map_err(|error| anyhow::anyhow!("{}: {error}", files.key.display()))?;
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let builder = match (&files.clients, &contents.clients) {
        (Some((path, auth)), Some(authorities)) => {
            let mut roots = RootCertStore::empty();
            for authority in
                certificates(authorities).with_context(|| path.display().to_string())?
            {
                roots.add(authority)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match auth {
                ClientAuth::Required => verifier,
                ClientAuth::Optional => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build();
            builder.with_client_cert_verifier(verifier.with_context(|| path.display().to_string())?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .with_context(|| format!("{} and {}", shown, files.key.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    Ok(Loaded {
        config: Arc::new(config),
        not_after,
    })
}

/// The certificates of a PEM text.
pub(crate) fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.map_err(|error| anyhow::anyhow!("it is no PEM file: {error}"))
}

fn end_of(certificate: &CertificateDer<'_>) -> anyhow::Result<Timestamp> {
    let certificate = Certificate::from_der(certificate)?;
    let end = certificate.tbs_certificate.validity.not_after;
    let seconds = i64::try_from(end.to_unix_duration().as_secs())?;
    Ok(Timestamp::from_secs(seconds))
}

/// The names that a certificate proves: DNS names and URIs, then the common name.
pub(crate) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let certificate = certificate.tbs_certificate;
    let mut names = Vec::new();
    if let Ok(Some((_, alternatives))) = certificate.get::<SubjectAltName>() {
        for name in alternatives.0 {
            match name {
                GeneralName::DnsName(name) => names.push(name.to_string()),
                GeneralName::UniformResourceIdentifier(uri) => names.push(uri.to_string()),
                _ => {}
            }
        }
    }
    let parts = certificate.subject.0.iter().flat_map(|part| part.0.iter());
    for part in parts.filter(|part| part.oid.to_string() == "2.5.4.3") {
        let text = part.value.decode_as::<Utf8StringRef<'_>>();
        let text = text.map(|text| text.to_string());
        let printable = || {
            let text = part
                .value
                .decode_as::<x509_cert::der::asn1::PrintableStringRef<'_>>();
            text.map(|text| text.to_string())
        };
        names.extend(text.or_else(|_| printable()));
    }
    names
}

#[cfg(test)]
mod tests;
