//! The way over TLS (S7.1).

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zajil_core::charge::Mode;
use zajil_ocs::Options;
use zajil_testkit::fake::ocs::FakeOcs;

use crate::fixture::{ACCOUNT, call, charge, client, options, why};

/// Keys that are good for nothing else; the certificate is for `localhost` alone.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/tls")
        .join(name)
}

/// Takes TLS off in front of a stand-in, until the set is dropped.
async fn terminate(fake: &FakeOcs) -> (u16, JoinSet<()>) {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = fake.address();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut behind = TcpStream::connect(behind).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut stream, &mut behind).await);
            });
        }
    });
    (port, tasks)
}

#[tokio::test]
async fn s7_1_https_is_spoken_to_those_whose_certificate_is_known() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 10);
    let (port, _tasks) = terminate(&fake).await;
    let secure = |host: &str, ca_file: Option<&str>| Options {
        url: format!("https://{host}:{port}/jsonrpc"),
        ca_file: ca_file.map(file),
        ..options(&fake, Mode::Debit)
    };
    let client_of = |host, ca_file| client(secure(host, ca_file));
    let known = client_of("localhost", Some("authority.pem"));
    for id in 1..=5 {
        assert_eq!(charge(&known, &call(id, 1)).await, "granted");
    }
    assert_eq!(fake.accepted(), 1);
    // Another name, and other roots: nothing of the request is sent.
    for stranger in [
        client_of("127.0.0.1", Some("authority.pem")),
        client_of("localhost", Some("server.pem")),
    ] {
        assert_eq!(charge(&stranger, &call(6, 1)).await, "failed Untouched");
        let why = why(&stranger, &call(6, 1)).await;
        assert!(why.contains("certificate"), "{why}");
    }
    assert_eq!(fake.debited(ACCOUNT), 5);
}
