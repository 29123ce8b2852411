//! `dns_cluster_query`: which nodes there should be, by a name service (S11.2).
//!
//! Nodes find each other in the store. What the name service says only names and checks them.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use zajil_store::cluster::{Discovery, Peer};

/// For all questions of one look-up.
const WITHIN: Duration = Duration::from_secs(2);
/// More nodes than there are numbers for (D21) are none of ours.
const MOST: usize = 32;

/// Asks for SRV records where the name begins with `_`, for addresses else.
#[derive(Clone)]
pub(crate) struct Dns {
    query: Name,
    resolver: TokioResolver,
}

impl Dns {
    /// Asks nobody yet. Without `servers` those of the system are asked.
    ///
    /// # Errors
    /// The end of a sentence about the query.
    pub(crate) fn new(query: &str, servers: &[SocketAddr]) -> Result<Self, String> {
        let mut query = Name::from_ascii(query).map_err(|_| "must be a name of DNS".to_owned())?;
        query.set_fqdn(true);
        let config = servers.iter().map(|address| {
            let [mut udp, mut tcp] = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            udp.port = address.port();
            tcp.port = address.port();
            NameServerConfig::new(address.ip(), true, vec![udp, tcp])
        });
        let config = config.collect::<Vec<_>>();
        let builder = if config.is_empty() {
            let system = TokioResolver::builder_tokio();
            system.map_err(|error| format!("cannot be looked up: {error}"))?
        } else {
            let config = ResolverConfig::from_name_servers(config);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let resolver = builder.build();
        Ok(Self {
            query,
            resolver: resolver.map_err(|error| format!("cannot be looked up: {error}"))?,
        })
    }

    async fn look(&self) -> Result<Vec<Peer>, String> {
        if !self.query.to_ascii().starts_with('_') {
            let found = none_is_empty(self.resolver.lookup_ip(self.query.clone()).await)?;
            let addresses = found.iter().flat_map(|found| found.iter());
            let peer = |address| Peer {
                host: None,
                port: None,
                addresses: vec![address],
            };
            return Ok(addresses.take(MOST).map(peer).collect());
        }
        let lookup = self.resolver.lookup(self.query.clone(), RecordType::SRV);
        let found = none_is_empty(lookup.await)?;
        let records = found.iter().flat_map(|found| found.answers());
        let records = records.filter_map(|record| match &record.data {
            RData::SRV(srv) => Some((srv.target.clone(), srv.port)),
            _ => None,
        });
        let peers = records.take(MOST).map(|(target, port)| async move {
            let addresses = self.resolver.lookup_ip(target.clone()).await;
            Peer {
                host: Some(target.to_ascii().trim_end_matches('.').to_owned()),
                port: Some(port),
                addresses: addresses.map_or_else(|_| Vec::new(), |found| found.iter().collect()),
            }
        });
        Ok(join_all(peers).await)
    }
}

/// A name without such records names nobody.
fn none_is_empty<T>(answer: Result<T, NetError>) -> Result<Option<T>, String> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

impl Discovery for Dns {
    fn peers(&self) -> Pin<Box<dyn Future<Output = Result<Vec<Peer>, String>> + Send + '_>> {
        Box::pin(async {
            let looked = tokio::time::timeout(WITHIN, self.look()).await;
            let looked = looked.unwrap_or_else(|_| Err("no name server answered in time".into()));
            looked.map_err(|why| format!("{}: {why}", self.query))
        })
    }
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dns({})", self.query)
    }
}

#[cfg(test)]
mod tests;
