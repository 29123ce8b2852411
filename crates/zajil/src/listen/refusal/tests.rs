//! A full listener says so, in bounded time, and takes connections again.

use std::net::SocketAddr;

use axum::Router;
use tokio_util::sync::CancellationToken;

use super::super::{Listener, Service};
use super::*;
use crate::tls::{Certificates, Files};

/// Beyond every limit of ours; the machine may be slow.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Serves while `client` runs.
async fn while_served<C: Future<Output = ()>>(
    change: impl FnOnce(Service) -> Service,
    client: impl FnOnce(SocketAddr) -> C,
) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    let stop = CancellationToken::new();
    let app = Router::new().route("/", axum::routing::get(|| async { "here" }));
    let service = change(Service::plain(app, 1));
    let client = async {
        client(address).await;
        stop.cancel();
    };
    let both = async { tokio::join!(listener.serve(service, stop.clone()), client) };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// All that a connection hears after saying this.
async fn hears(address: SocketAddr, says: &[u8]) -> String {
    let mut stream = connect(address).await;
    stream.write_all(says).await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    heard
}

/// A connection that is served, so that its slot is known to be taken.
async fn served(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(REQUEST).await.unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn s3_7_a_connection_too_many_is_told_so_before_it_asks() {
    let expected = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
        x-reason: too_many_connections\r\nretry-after: 1\r\nconnection: close\r\n\
        content-length: 68\r\n\r\n\
        {\"errors\":{\"detail\":\"the server has as many connections as it may\"}}";
    while_served(
        |service| service,
        |address| async move {
            let first = served(address).await;
            let heard = hears(address, b"").await;
            assert_eq!(heard, expected);
            let (head, body) = heard.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("content-length: {}", body.len())));
            // What the peer has sent meanwhile does not cost it the answer.
            let mut long = REQUEST.to_vec();
            long.resize(64 << 10, b'x');
            assert_eq!(hears(address, &long).await, heard);
            drop(first);
            // Once there is room again, whoever comes is served.
            while hears(address, b"GET / HTTP/1.0\r\n\r\n").await == heard {}
        },
    )
    .await;
}

#[tokio::test]
async fn s3_8_an_address_with_enough_connections_is_told_so() {
    let change = |service| Service {
        most: 10,
        most_of_one: Some(1),
        ..service
    };
    while_served(change, |address| async move {
        let _first = served(address).await;
        let heard = hears(address, REQUEST).await;
        assert!(heard.starts_with("HTTP/1.1 503 "), "{heard}");
        assert!(heard.contains("this address has as many"), "{heard}");
    })
    .await;
}

#[tokio::test]
async fn s3_7_over_tls_a_connection_too_many_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = Files {
        certificate: place.path().join("server.pem"),
        key: place.path().join("server.key"),
        clients: None,
    };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let certificates = Arc::new(Certificates::open(files).unwrap());
    let change = |service| Service {
        certificates: Some(certificates),
        ..service
    };
    while_served(change, |address| async move {
        // Accepted in the order they come: the first has the slot while it agrees on keys.
        let _first = connect(address).await;
        assert_eq!(hears(address, b"").await, "");
    })
    .await;
}

#[tokio::test]
async fn s3_7_refused_connections_are_few_and_do_not_stay() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refusals = Refusals::new();
    let mut peers = Vec::new();
    let mut told = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        peers.push(connect(address).await);
        let (stream, _) = listener.accept().await.unwrap();
        told.spawn(refusals.tell(stream, Full::All).unwrap());
    }
    peers.push(connect(address).await);
    let (stream, _) = listener.accept().await.unwrap();
    assert!(refusals.tell(stream, Full::All).is_none());
    // Peers that neither read nor close are left after a while.
    let all = async { while told.join_next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    assert_eq!(refusals.0.available_permits(), AT_ONCE);
}
