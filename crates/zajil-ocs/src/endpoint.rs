//! Where the charging system is: the URL, read once, and the way there.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::options::{Error, Options};
use crate::wire::Wire;

pub(crate) struct Endpoint {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The `Host` header.
    pub(crate) authority: HeaderValue,
    pub(crate) path: String,
    pub(crate) authorization: Option<HeaderValue>,
}

impl Endpoint {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let uri: Uri = options
            .url
            .parse()
            .map_err(|_| Error::Url("it is not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(Error::Url("it must begin with http:// or https://")),
        };
        let whole = uri.authority().ok_or(Error::Url("it names no host"))?;
        let (user, authority) = match whole.as_str().rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, whole.as_str()),
        };
        // A literal IPv6 address stands in brackets in URLs, and nowhere else.
        let host = whole.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(Error::Url("it names no host"));
        }
        let tls = match secure {
            true => Some(tls(&host, options)?),
            false => None,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            port: whole.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            host,
            tls,
            authority: HeaderValue::from_str(authority)
                .map_err(|_| Error::Url("it names no host"))?,
            path: path.to_owned(),
            authorization: user.map(basic).transpose()?,
        })
    }

    /// A connection that is ready for requests.
    pub(crate) async fn connect(&self) -> std::io::Result<Wire> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Wire::plain(stream)),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                Ok(Wire::tls(stream))
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Without the password.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

fn basic(user: &str) -> Result<HeaderValue, Error> {
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(user).collect();
    let text = format!("Basic {}", STANDARD.encode(decoded));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::Url("its user is not one"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls(host: &str, options: &Options) -> Result<(TlsConnector, ServerName<'static>), Error> {
    let wrong = |error: &dyn fmt::Display| Error::Certificates(error.to_string());
    let mut roots = RootCertStore::empty();
    match &options.ca_file {
        Some(path) => {
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
        None => {
            // A root that cannot be read is one that nothing is signed with.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(Error::Certificates("there are none".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| wrong(&error))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}
