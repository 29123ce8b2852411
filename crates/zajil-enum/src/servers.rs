//! Asks name servers one question: one after the other, the last that answered first.
//!
//! Each server has a client of its own. A pool of them would take a quick refusal by one server for
//! the answer of all, and would wait out a silent server's whole time before it asks the third.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::NAPTR;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::{Instant, timeout_at};
use zajil_core::enum_query::Naptr;

use crate::options::{Error, Options};

/// A server that has said nothing for so long gets company; sooner when time is short.
const PATIENCE: Duration = Duration::from_secs(1);

/// Clients of the configured servers.
pub(crate) struct Servers {
    clients: Vec<(SocketAddr, TokioResolver)>,
    /// The index of the last server that answered.
    preferred: AtomicUsize,
}

/// What a server said of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Records {
        naptr: Vec<Naptr>,
        ttl: Duration,
    },
    /// No such record. The time is that of the zone, if it says one.
    None {
        exists: Exists,
        ttl: Option<Duration>,
    },
}

/// Whether there is a name without the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exists {
    Yes,
    No,
}

impl Servers {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let mut addresses = options.servers.clone();
        if addresses.is_empty() {
            let read = hickory_resolver::system_conf::read_system_conf();
            let (system, _) = read.map_err(Error::System)?;
            for server in system.name_servers() {
                let port = server.connections.first().map_or(53, |c| c.port);
                let address = SocketAddr::new(server.ip, port);
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        if addresses.is_empty() {
            return Err(Error::NoServers);
        }
        let one = |address| client(address, options).map(|client| (address, client));
        Ok(Self {
            clients: addresses.into_iter().map(one).collect::<Result<_, _>>()?,
            preferred: AtomicUsize::new(0),
        })
    }

    /// The NAPTR records of a name, by `deadline`.
    ///
    /// # Errors
    /// A sentence when no server has answered.
    pub(crate) async fn ask(&self, name: &str, deadline: Instant) -> Result<Reply, String> {
        let mut name = Name::from_ascii(name).map_err(|_| "the name is none".to_owned())?;
        name.set_fqdn(true);
        let first = self.preferred.load(Ordering::Relaxed);
        let count = self.clients.len();
        let shares = u32::try_from(count).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / shares;
        let patience = PATIENCE.min(share);
        let order = self.clients.iter().enumerate().cycle().skip(first);
        let mut waiting = order.take(count).collect::<Vec<_>>().into_iter();
        let mut asked = FuturesUnordered::new();
        let mut why = String::new();
        loop {
            let until = if let Some((index, (address, client))) = waiting.next() {
                let name = name.clone();
                asked.push(async move {
                    let answer = client.lookup(name, RecordType::NAPTR).await;
                    (index, *address, read(answer))
                });
                deadline.min(Instant::now() + patience)
            } else {
                deadline
            };
            let done = timeout_at(until, asked.next()).await;
            match done {
                Ok(Some((index, _, Ok(reply)))) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(reply);
                }
                Ok(Some((_, address, Err(error)))) => {
                    tracing::debug!(server = %address, error, "a name server failed");
                    why = format!("name server {address}: {error}");
                }
                Ok(None) => return Err(why),
                Err(_) if Instant::now() >= deadline => {
                    let silent = "no name server answered in time".to_owned();
                    return Err(if why.is_empty() {
                        silent
                    } else {
                        format!("{silent}; {why}")
                    });
                }
                Err(_) => {}
            }
        }
    }
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses = self.clients.iter().map(|(address, _)| address);
        f.debug_list().entries(addresses).finish()
    }
}

fn client(address: SocketAddr, options: &Options) -> Result<TokioResolver, Error> {
    let [mut udp, mut tcp] = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    udp.port = address.port();
    tcp.port = address.port();
    let server = NameServerConfig::new(address.ip(), true, vec![udp, tcp]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut settings = ResolverOpts::default();
    settings.timeout = options.timeout;
    // Lost datagrams are sent again by the transport; more would only prolong a failure.
    settings.attempts = 0;
    // Ours remembers failures too and can be cleared.
    settings.cache_size = 0;
    settings.use_hosts_file = ResolveHosts::Never;
    settings.edns0 = true;
    settings.max_active_requests = options.most_queries.get();
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder
        .with_options(settings)
        .build()
        .map_err(Error::System)
}

fn read(answer: Result<hickory_resolver::lookup::Lookup, NetError>) -> Result<Reply, String> {
    match answer {
        Ok(found) => {
            // Aliases on the way count too: the answer holds no longer than the first of them.
            let ttl = found.answers().iter().map(|record| record.ttl).min();
            let naptr = found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::NAPTR(naptr) => Some(plain(naptr)),
                    _ => None,
                });
            Ok(Reply::Records {
                naptr: naptr.collect(),
                ttl: Duration::from_secs(ttl.unwrap_or(0).into()),
            })
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => read_none(&none),
        Err(error) => Err(error.to_string()),
    }
}

fn read_none(none: &NoRecords) -> Result<Reply, String> {
    // A server that does not recurse knows of others, and nothing of the number.
    if none.ns.is_some() && none.soa.is_none() {
        return Err("refers to other name servers; one that recurses is needed".to_owned());
    }
    let exists = match none.response_code {
        ResponseCode::NXDomain => Exists::No,
        _ => Exists::Yes,
    };
    let ttl = none.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
    Ok(Reply::None { exists, ttl })
}

/// What is not UTF-8 cannot be used, and fails later where it is needed.
fn plain(record: &NAPTR) -> Naptr {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        services: text(&record.services),
        regexp: text(&record.regexp),
        replacement: record.replacement.to_ascii(),
    }
}
