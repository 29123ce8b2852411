//! What nodes that share a store have in common: a clock, hints, and a list of who is there.
//!
//! A store that belongs to one node has none of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::NodeNumber;

use crate::contract::Reply;

/// A place counts as free when its holder has not been heard of for so long, by the store's clock.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a node should make itself heard.
pub const HEARTBEAT: Duration = Duration::from_secs(3);
/// A node that was not heard of for so long is shown as absent.
pub const ABSENT: Duration = Duration::from_secs(10);

/// What another node has told. It may be lost and may come twice: the records decide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// A queue may have something due; none = what is unrouted.
    Queue(Option<FrontendName>),
    /// Routing, policies or records may have changed.
    Tables,
    /// Anything may have changed.
    Everything,
}

/// A node, as it presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// `NODE_NAME`.
    pub name: String,
    /// Where its API is reached.
    pub address: String,
    /// Of the program.
    pub version: String,
    /// The number it would like; any that is free without.
    pub number: Option<NodeNumber>,
}

/// A node, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number: that part of the ids it hands out (D21).
    pub number: u8,
    /// `NODE_NAME`.
    pub name: String,
    /// Where its API is reached.
    pub address: String,
    /// Of the program.
    pub version: String,
    /// Since when it has been there.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Whether it is to take no more work.
    pub draining: bool,
}

impl Member {
    /// Whether it has been heard of lately.
    #[must_use]
    pub fn is_present(&self, now: Timestamp) -> bool {
        now.since(self.seen_at) < ABSENT
    }
}

/// Where a name service says that a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What an SRV record calls it; none where the query gave addresses at once.
    pub host: Option<String>,
    /// From the same record: that of its API.
    pub port: Option<u16>,
    /// None when its host is not known.
    pub addresses: Vec<IpAddr>,
}

impl Peer {
    /// What an operator knows it by.
    #[must_use]
    pub fn shown(&self) -> String {
        let address = || self.addresses.first().map(IpAddr::to_string);
        let host = self.host.clone().or_else(address);
        host.unwrap_or_default()
    }

    /// Whether this node is meant: it is reached at that address, or it is called like the host,
    /// its first label or the address, with or without something and `@` before it.
    #[must_use]
    pub fn is(&self, member: &Member) -> bool {
        let reached = member.address.rsplit('/').next().unwrap_or_default();
        let reached = reached.parse::<SocketAddr>().is_ok_and(|at| {
            self.addresses.contains(&at.ip()) && self.port.is_none_or(|port| port == at.port())
        });
        let (_, name) = member.name.split_once('@').unwrap_or(("", &member.name));
        let host = self.host.as_deref().unwrap_or_default();
        let label = host.split('.').next().unwrap_or_default();
        let called = |called: &&str| !called.is_empty() && name.eq_ignore_ascii_case(called);
        reached
            || [host, label].iter().any(called)
            || self.addresses.iter().any(|at| at.to_string() == name)
    }
}

/// Asks a name service which nodes there should be.
pub trait Discovery: Send + Sync + fmt::Debug {
    /// What it says now, within a few seconds. The error is a sentence for the operator.
    fn peers(&self) -> Pin<Box<dyn Future<Output = Result<Vec<Peer>, String>> + Send + '_>>;
}

/// A store that several nodes share.
pub trait Cluster: Send + Sync + fmt::Debug {
    /// The store's clock.
    fn time(&self) -> Reply<'_, Timestamp>;

    /// The next that another node tells; waits for it as long as it takes.
    fn hint(&self) -> Reply<'_, Hint>;

    /// Takes a number that nobody holds. A node that comes back soon under its name gets the one
    /// that it had, if nobody else has it.
    ///
    /// [`crate::Error::Conflict`] when a present node has this name already, or all numbers are
    /// taken.
    fn join(&self, who: Introduction) -> Reply<'_, NodeNumber>;

    /// Says that this node is still there, and hears whether it should drain.
    ///
    /// [`crate::Error::NotFound`] when its number has been given away: it must not hand out ids
    /// any more.
    fn beat(&self) -> Reply<'_, bool>;

    /// Gives the number back.
    fn leave(&self) -> Reply<'_, ()>;

    /// Who is there, by number.
    fn members(&self) -> Reply<'_, Vec<Member>>;

    /// Tells a node to take no more work, or to take some again. `false` when there is none of this
    /// name.
    fn drain(&self, name: String, draining: bool) -> Reply<'_, bool>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, address: &str) -> Member {
        Member {
            number: 0,
            name: name.to_owned(),
            address: address.to_owned(),
            version: String::new(),
            started_at: Timestamp::EPOCH,
            seen_at: Timestamp::EPOCH,
            draining: false,
        }
    }

    #[test]
    fn s11_2_a_peer_is_the_node_that_is_reached_there_or_called_so() {
        let addresses = vec!["10.0.0.1".parse().unwrap()];
        let peer = Peer {
            host: Some("Smsc-1.example".to_owned()),
            port: Some(8080),
            addresses: addresses.clone(),
        };
        for (name, address) in [
            ("x", "http://10.0.0.1:8080"),
            ("smsc-1", "http://0.0.0.0:8080"),
            ("zajil@smsc-1.example", ""),
            ("zajil@10.0.0.1", ""),
        ] {
            assert!(peer.is(&member(name, address)), "{name} {address}");
        }
        for (name, address) in [
            ("x", "http://10.0.0.1:8081"),
            ("smsc-2", "http://10.0.0.2:8080"),
            ("", "http://0.0.0.0:8080"),
        ] {
            assert!(!peer.is(&member(name, address)), "{name} {address}");
        }
        // An address alone says nothing of ports, and names nobody.
        let bare = Peer {
            host: None,
            port: None,
            addresses,
        };
        assert!(bare.is(&member("x", "https://10.0.0.1:8443")));
        assert!(!bare.is(&member("", "http://0.0.0.0:80")));
        assert_eq!(bare.shown(), "10.0.0.1");
    }
}
