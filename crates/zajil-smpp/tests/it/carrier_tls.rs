//! Carriers over TLS: whom we believe, who we are, and that nothing ever goes in the clear.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use zajil_core::port::{CarrierState, SmppCarriers as _};
use zajil_core::smpp::carrier::{Carrier, Host, Identity, Tls};
use zajil_smpp::duplex::{Agreement, Duplex, Secure};
use zajil_smpp::sim;
use zajil_testkit::authority::Authority;
use zajil_testkit::build;

use crate::carriers::{Sim, Upstream, carrier, upstream, wait_for};

/// The far end of TLS.
struct Terminator(TlsAcceptor);

impl std::fmt::Debug for Terminator {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Terminator")
    }
}

impl Secure for Terminator {
    fn accept(&self, stream: TcpStream) -> Agreement<'_> {
        Box::pin(async move {
            let stream: Box<dyn Duplex> = Box::new(self.0.accept(stream).await?);
            Ok(stream)
        })
    }
}

/// A carrier with this certificate; with `clients` it wants one that they have signed.
async fn sim(authority: &Authority, name: &str, clients: Option<&Authority>) -> Sim {
    let secure = Terminator(acceptor(authority, name, clients));
    Sim::start_secured(Arc::new(secure), sim::Options::default()).await
}

/// The far end with this certificate; with `clients` it wants one that they have signed.
pub(crate) fn acceptor(
    authority: &Authority,
    name: &str,
    clients: Option<&Authority>,
) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let read = |name: String| CertificateDer::from_pem_file(authority.path(&name)).unwrap();
    let key = PrivateKeyDer::from_pem_file(authority.path(&format!("{name}.key"))).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_file(clients.path("ca.pem")).unwrap();
            roots.add(root).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder
        .with_single_cert(vec![read(format!("{name}.pem"))], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The carrier at `localhost`, for which certificates of the tests are.
fn secured(port: u16, tls: Tls) -> Carrier {
    Carrier {
        hosts: vec![Host::parse(&format!("localhost:{port}")).unwrap()],
        tls: Tls {
            enabled: true,
            ..tls
        },
        ..carrier("up", &[port])
    }
}

fn trusting(authority: &Authority) -> Tls {
    Tls {
        ca_path: Some(authority.path("ca.pem")),
        ..Tls::default()
    }
}

fn state(up: &Upstream) -> CarrierState {
    up.standings.state(&build::name("up"))
}

/// What went wrong, once something has.
async fn error(up: &Upstream) -> String {
    wait_for(async || state(up).last_error.map(|(_, why)| why)).await
}

/// Nobody binds, and the carrier's state says why.
async fn refused(sim: &Sim, carrier: Carrier, why: &str) {
    let up = upstream(vec![carrier]).await;
    let told = error(&up).await;
    assert!(told.contains(why), "{told}");
    assert_eq!(sim.carrier.receivers(), 0, "nobody is bound: {told}");
    assert_eq!(state(&up).sessions, 0);
}

#[tokio::test]
async fn a_carrier_over_tls_gets_messages_and_shows_its_sessions() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let sim = sim(&authority, "server", None).await;
    let up = upstream(vec![secured(sim.port, trusting(&authority))]).await;
    let id = up.submit("up", "hello").await;
    up.delivered(id).await;
    assert_eq!(sim.texts(), ["hello"]);
    let one = CarrierState {
        sessions: 1,
        last_error: None,
    };
    assert_eq!(state(&up), one);
    sim.end().await;
    let told = error(&up).await;
    assert!(told.starts_with("localhost:"), "{told}");
    wait_for(async || (state(&up).sessions == 0).then_some(())).await;
}

#[tokio::test]
async fn a_carrier_with_the_certificate_of_another_gets_nothing() {
    let authority = Authority::new();
    authority.issue("server", "smsc.example.net");
    let sim = sim(&authority, "server", None).await;
    let wrong = "the peer's certificate is not for 'localhost', but for";
    refused(&sim, secured(sim.port, trusting(&authority)), wrong).await;
    // Its operator said so: it is for another name than that of the host.
    let named = Tls {
        server_name: Some("smsc.example.net".to_owned()),
        ..trusting(&authority)
    };
    let up = upstream(vec![secured(sim.port, named)]).await;
    let id = up.submit("up", "hello").await;
    up.delivered(id).await;
    let impossible = Tls {
        server_name: Some("a..b".to_owned()),
        ..trusting(&authority)
    };
    let up = upstream(vec![secured(sim.port, impossible)]).await;
    let told = error(&up).await;
    assert!(told.contains("no certificate can be for 'a..b'"), "{told}");
}

#[tokio::test]
async fn a_carrier_that_nobody_vouches_for_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue("server", "localhost");
    authority.issue_expired("old", "localhost");
    let known = sim(&authority, "server", None).await;
    let unknown = "signed by no authority that is trusted; see tls_ca_path";
    refused(&known, secured(known.port, trusting(&other)), unknown).await;
    let old = sim(&authority, "old", None).await;
    let expired = "the peer's certificate has expired";
    refused(&old, secured(old.port, trusting(&authority)), expired).await;
}

/// Without an authority of its own those of the system count, and they do not know this one.
#[tokio::test]
async fn a_carrier_is_not_believed_because_nothing_was_set() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let sim = sim(&authority, "server", None).await;
    let up = upstream(vec![secured(sim.port, Tls::default())]).await;
    let told = error(&up).await;
    let known = ["signed by no authority", "no certificates of authorities"];
    assert!(known.iter().any(|why| told.contains(why)), "{told}");
    assert_eq!(sim.carrier.receivers(), 0);
}

#[tokio::test]
async fn a_carrier_that_speaks_no_tls_is_never_spoken_to_in_the_clear() {
    let authority = Authority::new();
    let plain = Sim::start(sim::Options::default()).await;
    let none = "does not speak TLS on this port";
    refused(&plain, secured(plain.port, trusting(&authority)), none).await;
}

#[tokio::test]
async fn a_carrier_that_asks_for_a_certificate_gets_ours() {
    let (authority, clients) = (Authority::new(), Authority::new());
    authority.issue("server", "localhost");
    clients.issue("own", "zajil.example.net");
    authority.issue("foreign", "zajil.example.net");
    let sim = sim(&authority, "server", Some(&clients)).await;
    let with = |of: &Authority, name: &str| Tls {
        identity: Some(Identity {
            cert_path: of.path(&format!("{name}.pem")),
            key_path: of.path(&format!("{name}.key")),
        }),
        ..trusting(&authority)
    };
    let none = secured(sim.port, trusting(&authority));
    refused(&sim, none, "CertificateRequired").await;
    let foreign = secured(sim.port, with(&authority, "foreign"));
    refused(&sim, foreign, "UnknownCA").await;
    let absent = secured(sim.port, with(&clients, "absent"));
    refused(&sim, absent, "absent.pem: No such file").await;
    let up = upstream(vec![secured(sim.port, with(&clients, "own"))]).await;
    let id = up.submit("up", "hello").await;
    up.delivered(id).await;
    assert_eq!(sim.texts(), ["hello"]);
}

/// To read a device never ends, and to open a pipe that nobody writes to takes for ever.
#[tokio::test]
async fn a_file_that_is_none_is_not_read() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let sim = sim(&authority, "server", None).await;
    let at = |path: PathBuf| Tls {
        ca_path: Some(path),
        ..Tls::default()
    };
    let device = secured(sim.port, at("/dev/zero".into()));
    refused(&sim, device, "/dev/zero: is no ordinary file").await;
    let large = authority.path("large.pem");
    std::fs::write(&large, vec![b' '; (1 << 20) + 1]).unwrap();
    refused(&sim, secured(sim.port, at(large)), "is larger than 1 MiB").await;
}

/// An authority that is exchanged counts from the next connection, without a restart.
#[tokio::test]
async fn files_are_read_at_each_connection() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue("server", "localhost");
    let sim = sim(&authority, "server", None).await;
    let up = upstream(vec![secured(sim.port, trusting(&other))]).await;
    error(&up).await;
    std::fs::copy(authority.path("ca.pem"), other.path("ca.pem")).unwrap();
    let id = up.submit("up", "hello").await;
    up.delivered(id).await;
    assert_eq!(state(&up).last_error, None);
}
