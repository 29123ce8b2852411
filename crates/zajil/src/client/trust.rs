//! Whom the command line trusts, and what it shows of itself.

use std::path::PathBuf;

use anyhow::Context as _;
use tokio_rustls::rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::tls;

/// The system's authorities or those of a file, and a certificate with its key to show.
pub(crate) fn tls(
    authorities: Option<&PathBuf>,
    client: Option<(&PathBuf, &PathBuf)>,
) -> anyhow::Result<TlsConfig> {
    let roots = match authorities {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let client = match client {
        Some((chain, key)) => {
            let shown = || key.display().to_string();
            let pem = std::fs::read(key).with_context(shown)?;
            let key = PrivateKey::from_pem(&pem).with_context(shown)?;
            let chain = certificates(chain)?;
            Some(ClientCert::new_with_certs(&as_theirs(&chain), key))
        }
        None => None,
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&as_theirs(&roots)))
        .client_cert(client)
        .unversioned_rustls_crypto_provider(tls::provider())
        .build())
}

fn certificates(path: &PathBuf) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = || path.display().to_string();
    let pem = std::fs::read(path).with_context(shown)?;
    tls::certificates(&pem).with_context(shown)
}

fn as_theirs(certificates: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    let all = certificates.iter();
    all.map(|der| Certificate::from_der(der).to_owned())
        .collect()
}
