//! Whose address a request has.

use axum::http::Request;

use super::*;

fn check(peer: &str, forwarded: &[&str], expect: &str) {
    let mut request = Request::builder();
    for line in forwarded {
        let line = axum::http::HeaderValue::from_bytes(line.as_bytes()).unwrap();
        request = request.header("x-forwarded-for", line);
    }
    let peer = SocketAddr::new(peer.parse().unwrap(), 4_000);
    let (parts, ()) = request
        .extension(ConnectInfo(peer))
        .body(())
        .unwrap()
        .into_parts();
    let trusted = ["10.0.0.1".parse().unwrap(), "10.0.0.2/31".parse().unwrap()];
    let client = client(&parts.extensions, &parts.headers, &trusted);
    let expect = expect.parse().unwrap();
    assert_eq!(client, Some(expect), "{peer} {forwarded:?}");
}

#[test]
fn s3_4_the_address_is_the_peers_or_what_a_trusted_proxy_says() {
    check("192.0.2.7", &[], "192.0.2.7");
    check("192.0.2.7", &["198.51.100.1"], "192.0.2.7");
    check("::ffff:192.0.2.7", &[], "192.0.2.7");
    check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
    check(
        "10.0.0.1",
        &["203.0.113.9, 198.51.100.1, 10.0.0.3"],
        "198.51.100.1",
    );
    check("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1");
    check("10.0.0.1", &["nonsense"], "10.0.0.1");
    check("10.0.0.1", &["10.0.0.2"], "10.0.0.2");
}

#[test]
fn s3_8_what_a_client_writes_itself_into_the_header_is_not_believed() {
    // The proxy appends what it saw; all before that is the client's own word.
    check("10.0.0.1", &["127.0.0.1, 203.0.113.9"], "203.0.113.9");
    check("10.0.0.1", &["127.0.0.1, x, 10.0.0.2"], "10.0.0.2");
    // Octets that are no text spoil their own hop and no other.
    check("10.0.0.1", &["\u{ff}, 203.0.113.9"], "203.0.113.9");
}
