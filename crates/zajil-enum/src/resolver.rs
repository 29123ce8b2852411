//! The resolver: what is known at once, what is asked once, and what is not asked at all (S6).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use zajil_core::enum_query::{self, Lookup};
use zajil_core::port::NumberLookup;
use zajil_telemetry::{EnumFact, Fact, Telemetry};

use crate::cache::Cache;
use crate::flight::{Asking, Flights};
use crate::options::{Error, Options};
use crate::search::{self, Means, NOT_LATELY, Outcome};
use crate::servers::{Exists, Reply, Servers};
use crate::zone::Zone;

/// Looks numbers up at name servers. Lives on a tokio runtime with time and I/O.
#[derive(Debug)]
pub struct Resolver {
    core: Arc<Core>,
    flights: Arc<Flights>,
}

/// What flights share with the resolver.
#[derive(Debug)]
struct Core {
    options: Options,
    servers: Servers,
    cache: Cache,
    zones: Vec<Zone>,
    queries: Arc<Semaphore>,
    telemetry: Arc<Telemetry>,
}

impl Resolver {
    /// A resolver with an empty cache. Asks nobody yet.
    ///
    /// # Errors
    /// [`Error`] names the option that makes no sense, or that the system knows no name servers.
    pub fn new(options: Options, telemetry: Arc<Telemetry>) -> Result<Self, Error> {
        options.check()?;
        let core = Core {
            servers: Servers::new(&options)?,
            cache: Cache::new(options.cache_capacity),
            zones: Zone::all(&options),
            queries: Arc::new(Semaphore::new(options.most_queries.get())),
            telemetry,
            options,
        };
        core.count();
        Ok(Self {
            core: Arc::new(core),
            flights: Arc::default(),
        })
    }

    /// Forgets all answers, for an operator who has changed a zone. Look-ups under way still answer
    /// their callers; what they learn is not kept.
    pub fn clear(&self) {
        self.core.cache.clear();
        self.flights.part();
        self.core.count();
    }

    /// Whether the name servers answer for each domain now. Asks them, whatever is remembered, and
    /// ends within the time limit.
    ///
    /// # Errors
    /// A sentence for the operator that names the domains at fault.
    pub async fn health(&self) -> Result<(), String> {
        let Core {
            options, servers, ..
        } = &*self.core;
        let deadline = Instant::now() + options.timeout;
        let checks = options.domains.iter().map(|domain| async move {
            match servers.ask(domain, deadline).await {
                Ok(
                    Reply::Records { .. }
                    | Reply::None {
                        exists: Exists::Yes,
                        ..
                    },
                ) => None,
                Ok(Reply::None {
                    exists: Exists::No, ..
                }) => Some(format!("{domain}: there is no such domain")),
                Err(why) => Some(format!("{domain}: {why}")),
            }
        });
        let ills = futures_util::future::join_all(checks).await;
        let ills: Vec<String> = ills.into_iter().flatten().collect();
        if ills.is_empty() {
            Ok(())
        } else {
            Err(ills.join("; "))
        }
    }
}

impl NumberLookup for Resolver {
    fn lookup<'a>(&'a self, number: &'a str) -> Pin<Box<dyn Future<Output = Lookup> + Send + 'a>> {
        // What is no number is in no zone.
        let Some(digits) = enum_query::digits(number) else {
            return Box::pin(std::future::ready(Lookup::Absent));
        };
        let known = self.core.cache.get(&digits, Instant::now());
        let hit = known.is_some();
        let telemetry = &self.core.telemetry;
        telemetry.record(&Fact::Enum(EnumFact::Cache { hit }));
        if let Some(lookup) = known {
            return Box::pin(std::future::ready(lookup));
        }
        let start = || Core::start(&self.core, &digits);
        match self.flights.join(&digits, start) {
            Ok(flight) => Box::pin(flight),
            Err(lookup) => Box::pin(std::future::ready(lookup)),
        }
    }
}

impl Core {
    /// A query for a number, unless there is an answer or no leave to ask.
    fn start(core: &Arc<Self>, digits: &str) -> Result<Pin<Box<Asking>>, Lookup> {
        let now = Instant::now();
        // A flight that has just landed left its answer here.
        if let Some(lookup) = core.cache.get(digits, now) {
            return Err(lookup);
        }
        let failed = |why: &str| Err(Lookup::Failed(why.to_owned()));
        let Ok(permit) = Arc::clone(&core.queries).try_acquire_owned() else {
            return failed("too many numbers are being looked up");
        };
        if core.zones.iter().all(|zone| zone.refuses(now)) {
            return failed(NOT_LATELY);
        }
        let (core, digits) = (Arc::clone(core), digits.to_owned());
        Ok(Box::pin(async move {
            let _permit = permit;
            core.ask(&digits).await
        }))
    }

    async fn ask(&self, digits: &str) -> Lookup {
        let era = self.cache.era();
        let means = Means {
            servers: &self.servers,
            zones: &self.zones,
            options: &self.options,
            telemetry: &self.telemetry,
        };
        let Outcome { lookup, ttl } = search::search(means, digits).await;
        self.cache
            .put(digits, lookup.clone(), (Instant::now(), ttl), era);
        self.count();
        lookup
    }

    fn count(&self) {
        let size = i64::try_from(self.cache.len()).unwrap_or(i64::MAX);
        self.telemetry.metrics.enum_size.set(size);
    }
}
