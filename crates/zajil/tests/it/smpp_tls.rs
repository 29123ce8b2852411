//! Applications that come over TLS: the certificate, its exchange, and accounts that insist on it.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use smpp_codec::Status;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::receipts::{bind_over, submit, wait_for};
use crate::server::Server;
use crate::smpp::smpp_command;
use zajil_testkit::authority::Authority;
use zajil_testkit::port::Port;

/// A connection that trusts this authority alone.
async fn secured(port: u16, authority: &Authority) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(authority.path("ca.pem")).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// A node that listens over TLS, and where.
fn listener(authority: &Authority, place: &Path) -> (Server, Port) {
    let held = Port::any();
    let tls = held.number();
    let path = |name: &str| authority.path(name).display().to_string();
    let settings = format!(
        "[smpp]\ntls_listen = '127.0.0.1:{tls}'\ntls_cert_path = '{}'\ntls_key_path = '{}'\n",
        path("server.pem"),
        path("server.key")
    );
    (Server::configured(&place.join("data"), &settings), held)
}

#[test]
fn s3_8_applications_bind_over_tls_and_a_certificate_is_exchanged() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue("server", "localhost");
    other.issue("server", "localhost");
    let place = tempfile::tempdir().unwrap();
    let (server, held) = listener(&authority, place.path());
    let tls = held.number();
    let account = json!({ "system_id": "shop", "password": "secret08", "require_tls": true });
    let (status, answer) = server.client().call("POST", "/api/smpp/accounts", &account);
    assert_eq!(
        (status, &answer["data"]["require_tls"]),
        (201, &json!(true))
    );
    runtime.block_on(async {
        let plain = TcpStream::connect(&*server.smpp).await.unwrap();
        assert_eq!(bind_over(plain).await.unwrap_err(), Status::RBINDFAIL);
        let stream = secured(tls, &authority).await.unwrap();
        let (handle, _delivered) = bind_over(stream).await.unwrap();
        submit(&handle).await;
        assert!(secured(tls, &other).await.is_err());
    });
    for name in ["server.key", "server.pem"] {
        std::fs::copy(other.path(name), authority.path(name)).unwrap();
    }
    wait_for(|| runtime.block_on(secured(tls, &other)).ok());
    assert!(runtime.block_on(secured(tls, &authority)).is_err());
    assert_eq!(server.stop(), Some(0));
}

/// TLS to a carrier from the command line: the carrier is a node's own listener.
#[test]
fn a_carrier_over_tls_is_kept_from_the_command_line_and_says_what_is_wrong() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let place = tempfile::tempdir().unwrap();
    let (server, held) = listener(&authority, place.path());
    let tls = held.number();
    let account = json!({ "system_id": "shop", "password": "secret08", "require_tls": true });
    let (status, _) = server.client().call("POST", "/api/smpp/accounts", &account);
    assert_eq!(status, 201);
    let run = |arguments: &[&str], input: &str| smpp_command(&server, "carrier", arguments, input);
    let hosts = format!("localhost:{tls}");
    let basis = ["add", "up", "--hosts", &hosts, "--system-id", "shop"];
    let add = |more: &[&str]| run(&[&basis, more].concat(), "secret08\n");
    let ca = authority.path("ca.pem").display().to_string();
    for (more, rule) in [
        (
            ["--tls-ca-path", "ca.pem"],
            "tls_ca_path must be an absolute path",
        ),
        (
            ["--tls-cert-path", ca.as_str()],
            "tls_key_path is required with tls_cert_path",
        ),
        (
            ["--tls-server-name", "a b"],
            "tls_server_name must be a host name or an IP address",
        ),
        (
            ["--tls-ca-path", ca.as_str()],
            "tls must be true while a tls_… field is set",
        ),
    ] {
        let (code, said) = add(&more);
        assert!(code == Some(1) && said.contains(rule), "{said}");
    }
    let secured = ["--tls", "true", "--tls-ca-path", &ca];
    let wrong = [&secured[..], &["--tls-server-name", "smsc.example.net"]].concat();
    assert_eq!(add(&wrong).0, Some(0));
    let told = wait_for(|| {
        let (_, listed) = run(&["list"], "");
        listed.contains("certificate is not for").then_some(listed)
    });
    assert!(told.contains("'smsc.example.net', but for"), "{told}");
    assert_eq!(run(&["set", "up", "--tls-server-name", ""], "").0, Some(0));
    let shown = wait_for(|| {
        let (_, shown) = run(&["show", "up"], "");
        let shown: serde_json::Value = serde_json::from_str(&shown).ok()?;
        (shown["state"]["sessions"] == 1).then_some(shown)
    });
    assert_eq!(shown["state"]["last_error"], json!(null));
    assert_eq!(shown["tls_ca_path"], json!(ca));
    assert_eq!(server.stop(), Some(0));
}
