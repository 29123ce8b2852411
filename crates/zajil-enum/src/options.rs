//! What a resolver can be told (S6.1), checked before it starts.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use zajil_core::enum_query::{self, Services};

/// A number of the greatest length that E.164 allows: each domain must have room for it.
const LONGEST_NUMBER: &str = "999999999999999";
/// Keeps sums of an instant and a time within what the clock can hold.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The settings of a [`crate::Resolver`].
#[derive(Debug, Clone)]
pub struct Options {
    /// `enum_domains`: asked in this order until one has the number. Must not be empty.
    pub domains: Vec<String>,
    /// `enum_dns_servers`: asked in this order until one answers; empty for the system's.
    pub servers: Vec<SocketAddr>,
    /// Whose URIs are used. Default: `E2U+sip`, `E2U+pstn`, `E2U+sms`.
    pub services: Services,
    /// `enum_timeout`: for a whole look-up with all its domains and chains. Default: 5 s.
    pub timeout: Duration,
    /// The most numbers remembered. Default: 100,000.
    pub cache_capacity: NonZeroUsize,
    /// An answer is remembered as long as its records say, but at least this. Default: 5 s.
    pub ttl_floor: Duration,
    /// And at most this. Default: one day.
    pub ttl_ceiling: Duration,
    /// A miss is remembered as long as its zone says, within floor and ceiling; this long when it
    /// says nothing. Default: 60 s.
    pub negative_ttl: Duration,
    /// A failure is remembered this long, so that not every message waits for it. Default: 5 s.
    pub failure_ttl: Duration,
    /// The most look-ups at the name servers at once; one more fails. Each holds a socket or two.
    /// Default: 256.
    pub most_queries: NonZeroUsize,
    /// Failures in a row after which nobody is asked for a while. Default: 5.
    pub breaker_failures: u32,
    /// The first such while; it doubles with each failed probe. Default: 5 s.
    pub breaker_pause: Duration,
    /// Up to this. Default: 60 s.
    pub breaker_longest_pause: Duration,
}

/// A resolver that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ENUM without a domain.
    #[error("enum_domains must name at least one domain")]
    NoDomain,
    /// A text that is no domain, or too long for numbers to stand before it.
    #[error("'{0}' of enum_domains is no domain under which numbers can be looked up")]
    BadDomain(String),
    /// A time or count that makes no sense. The sentence says which.
    #[error("{0}")]
    BadOption(&'static str),
    /// The system's name servers cannot be told.
    #[error("the system names no name servers")]
    NoServers,
    /// The system's configuration cannot be read.
    #[error("the system's resolver configuration cannot be read")]
    System(#[source] hickory_resolver::net::NetError),
}

impl Options {
    /// The defaults, for these domains and servers.
    #[must_use]
    pub fn new(domains: Vec<String>, servers: Vec<SocketAddr>) -> Self {
        Self {
            domains,
            servers,
            services: Services::default(),
            timeout: Duration::from_secs(5),
            cache_capacity: NonZeroUsize::MIN.saturating_add(99_999),
            ttl_floor: Duration::from_secs(5),
            ttl_ceiling: Duration::from_secs(24 * 3_600),
            negative_ttl: Duration::from_secs(60),
            failure_ttl: Duration::from_secs(5),
            most_queries: NonZeroUsize::MIN.saturating_add(255),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(5),
            breaker_longest_pause: Duration::from_secs(60),
        }
    }

    /// A time to live within floor and ceiling.
    pub(crate) fn clamp(&self, ttl: Duration) -> Duration {
        ttl.clamp(self.ttl_floor, self.ttl_ceiling)
    }

    /// Whether there can be a resolver with these.
    ///
    /// # Errors
    /// [`Error`]: what is wrong.
    pub fn check(&self) -> Result<(), Error> {
        if self.domains.is_empty() {
            return Err(Error::NoDomain);
        }
        for domain in &self.domains {
            let name = enum_query::query_name(LONGEST_NUMBER, domain);
            let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if name.is_none() || !domain.bytes().all(sound) {
                return Err(Error::BadDomain(domain.clone()));
            }
        }
        let bad = |what| Err(Error::BadOption(what));
        if self.timeout.is_zero() {
            return bad("enum_timeout must not be 0");
        }
        if self.ttl_floor > self.ttl_ceiling {
            return bad("the floor of times to live must not be above their ceiling");
        }
        if self.breaker_failures == 0 || self.breaker_pause.is_zero() {
            return bad("the breaker must allow a failure and pause after it");
        }
        let times = [
            self.timeout,
            self.ttl_ceiling,
            self.negative_ttl,
            self.failure_ttl,
            self.breaker_pause,
            self.breaker_longest_pause,
        ];
        if times.iter().any(|time| *time > LONGEST_WAIT) {
            return bad("no time of ENUM may be longer than a week");
        }
        Ok(())
    }
}
