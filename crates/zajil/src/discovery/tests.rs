//! Look-ups at a small name server in the test's process.

use std::net::{SocketAddr, UdpSocket};

use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use zajil_store::cluster::{Discovery as _, Peer};

use super::Dns;

#[path = "../../tests/it/name_server.rs"]
mod name_server;

use name_server::name_server;

/// Serves two nodes.
fn two_nodes() -> SocketAddr {
    name_server(|name, asked| match (name.to_ascii().as_str(), asked) {
        ("_zajil._tcp.example.", RecordType::SRV) => Some(
            ["a", "b"]
                .map(|host| {
                    let target = Name::from_ascii(format!("{host}.example.")).unwrap();
                    RData::SRV(SRV::new(0, 0, 8080, target))
                })
                .to_vec(),
        ),
        ("a.example.", RecordType::A) => Some(vec![RData::A(A::new(10, 0, 0, 1))]),
        ("nodes.example.", RecordType::A) => Some(vec![
            RData::A(A::new(10, 0, 0, 1)),
            RData::A(A::new(10, 0, 0, 2)),
        ]),
        _ => None,
    })
}

fn peer(host: Option<&str>, port: Option<u16>, address: Option<&str>) -> Peer {
    Peer {
        host: host.map(str::to_owned),
        port,
        addresses: address.iter().map(|at| at.parse().unwrap()).collect(),
    }
}

#[tokio::test]
async fn s11_2_nodes_are_found_by_service_or_by_address() {
    let server = two_nodes();
    let peers = async |query: &str| Dns::new(query, &[server]).unwrap().peers().await;
    let by_service = peers("_zajil._tcp.example").await.unwrap();
    let (a, b) = (Some("a.example"), Some("b.example"));
    assert_eq!(
        by_service,
        [
            peer(a, Some(8080), Some("10.0.0.1")),
            peer(b, Some(8080), None)
        ]
    );
    let mut by_address = peers("nodes.example").await.unwrap();
    by_address.sort_by_key(|peer| peer.addresses.clone());
    let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|at| peer(None, None, Some(at)));
    assert_eq!(by_address, [one, other]);
    assert_eq!(peers("nobody.example").await, Ok(Vec::new()));
}

#[tokio::test]
async fn s11_2_a_name_service_that_is_away_is_told_of() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = Dns::new("nodes.example", &[silent.local_addr().unwrap()]).unwrap();
    let told = dns.peers().await.unwrap_err();
    assert!(told.starts_with("nodes.example.: "), "{told}");
    assert!(Dns::new("two words", &[]).is_err());
}
