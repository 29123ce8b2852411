//! Whose address a registration gets.

use axum::http::Request;

use super::*;

fn check(peer: &str, forwarded: &[&str], expect: &str) {
    let mut request = Request::builder();
    for line in forwarded {
        request = request.header("x-forwarded-for", *line);
    }
    let peer = SocketAddr::new(peer.parse().unwrap(), 4_000);
    let (parts, ()) = request
        .extension(ConnectInfo(peer))
        .body(())
        .unwrap()
        .into_parts();
    let trusted = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
    assert_eq!(
        address(&parts, &trusted).as_deref(),
        Some(expect),
        "{peer} {forwarded:?}"
    );
}

#[test]
fn s3_4_the_address_is_the_peers_or_what_a_trusted_proxy_says() {
    check("192.0.2.7", &[], "192.0.2.7");
    check("192.0.2.7", &["198.51.100.1"], "192.0.2.7");
    check("::ffff:192.0.2.7", &[], "192.0.2.7");
    check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
    check(
        "10.0.0.1",
        &["203.0.113.9, 198.51.100.1, 10.0.0.2"],
        "198.51.100.1",
    );
    check("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1");
    check("10.0.0.1", &["nonsense"], "10.0.0.1");
    check("10.0.0.1", &["10.0.0.2"], "10.0.0.2");
}
