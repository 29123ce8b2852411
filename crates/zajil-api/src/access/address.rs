//! Whose address a request comes from (S3.4, S3.8).

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

use super::network::Network;

/// The address of the client: the peer's, or, when the peer is a trusted proxy, the last one in
/// `X-Forwarded-For` that is not itself trusted.
pub(crate) fn client(
    extensions: &Extensions,
    headers: &HeaderMap,
    trusted: &[Network],
) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.ip().to_canonical();
    if !is_trusted(client) {
        return Some(client);
    }
    let lines = headers.get_all("x-forwarded-for").iter();
    let hops = lines.flat_map(|line| line.as_bytes().split(|octet| *octet == b','));
    let hops: Vec<&[u8]> = hops.collect();
    for hop in hops.into_iter().rev() {
        // What cannot be read was not written by a proxy of ours, nor is anything before it.
        let hop = str::from_utf8(hop).ok().map(str::trim);
        let Some(hop) = hop.and_then(|hop| hop.parse::<IpAddr>().ok()) else {
            break;
        };
        client = hop.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    Some(client)
}

#[cfg(test)]
mod tests;
