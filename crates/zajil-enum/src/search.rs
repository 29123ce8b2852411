//! One look-up at the name servers: domain by domain, record by record.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zajil_core::enum_query::{self, Found, Lookup, Step, Trail};

use crate::options::Options;
use crate::servers::{Reply, Servers};

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) lookup: Lookup,
    /// How long it may be remembered.
    pub(crate) ttl: Duration,
    /// Whether any server answered any question: a record that breaks the rules is an answer.
    pub(crate) answered: bool,
}

/// What one domain said.
enum Said {
    Found(Found),
    Absent,
    /// Records that break the rules, and why.
    Broken(String),
    /// Nothing, and why.
    Nothing(String),
}

/// Asks about a number (digits only). Ends within the time limit.
pub(crate) async fn search(servers: &Servers, options: &Options, digits: &str) -> Outcome {
    let end = Instant::now() + options.timeout;
    let mut left = u32::try_from(options.domains.len()).unwrap_or(u32::MAX);
    let mut ttl = options.ttl_ceiling;
    let (mut answered, mut silent) = (false, false);
    let mut failures = Vec::new();
    for zone in &options.domains {
        // A silent domain leaves the later ones their share.
        let now = Instant::now();
        let deadline = now + end.saturating_duration_since(now) / left;
        left = left.saturating_sub(1).max(1);
        let mut walk = Walk {
            servers,
            options,
            deadline,
            ttl: options.ttl_ceiling,
        };
        let said = walk.domain(digits, zone).await;
        ttl = ttl.min(walk.ttl);
        match said {
            Said::Found(found) => {
                // The answer must not outlive for long the failure of a domain that goes before.
                let most = if silent { options.negative_ttl } else { ttl };
                return Outcome {
                    lookup: Lookup::Found(Arc::new(found)),
                    ttl: ttl.min(most),
                    answered: true,
                };
            }
            Said::Absent => answered = true,
            Said::Broken(why) => {
                answered = true;
                failures.push(format!("{zone}: {why}"));
            }
            Said::Nothing(why) => {
                silent = true;
                failures.push(format!("{zone}: {why}"));
            }
        }
    }
    let lookup = if failures.is_empty() {
        Lookup::Absent
    } else {
        Lookup::Failed(failures.join("; "))
    };
    Outcome {
        lookup,
        ttl: if silent { options.failure_ttl } else { ttl },
        answered,
    }
}

/// A walk from record to record within one domain.
struct Walk<'a> {
    servers: &'a Servers,
    options: &'a Options,
    deadline: Instant,
    /// The least of all answers so far.
    ttl: Duration,
}

impl Walk<'_> {
    async fn domain(&mut self, digits: &str, zone: &str) -> Said {
        let Some(start) = enum_query::query_name(digits, zone) else {
            // Too many digits for a name: nobody can have entered it.
            return Said::Absent;
        };
        let mut trail = Trail::new(&start);
        let mut ahead = VecDeque::from([Step::Ask(start)]);
        let (mut silent, mut broken) = (None, None);
        while let Some(step) = ahead.pop_front() {
            let name = match step {
                Step::Ask(name) => name,
                Step::Uri { uri, service } => return Said::Found(found(uri, service, zone)),
            };
            let records = match self.servers.ask(&name, self.deadline).await {
                // Another record of the same order may do without that name.
                Err(why) => {
                    self.ttl = self.ttl.min(self.options.negative_ttl);
                    silent = silent.or(Some(why));
                    continue;
                }
                Ok(Reply::None { ttl, .. }) => {
                    self.shorten(ttl.unwrap_or(self.options.negative_ttl));
                    continue;
                }
                Ok(Reply::Records { naptr, ttl }) => {
                    self.shorten(ttl);
                    naptr
                }
            };
            let plan = enum_query::plan(&records, digits, &self.options.services);
            broken = broken.or(plan.broken);
            let mut steps = Vec::with_capacity(plan.steps.len());
            for step in plan.steps {
                let followed = match &step {
                    Step::Ask(name) => trail.follow(name),
                    Step::Uri { .. } => Ok(()),
                };
                match followed {
                    Ok(()) => steps.push(step),
                    Err(why) => broken = broken.or(Some(why)),
                }
            }
            // What a name leads to comes before what stands behind it.
            steps
                .into_iter()
                .rev()
                .for_each(|step| ahead.push_front(step));
        }
        match (silent, broken) {
            (Some(why), _) => Said::Nothing(why),
            (None, Some(why)) => Said::Broken(why),
            (None, None) => Said::Absent,
        }
    }

    fn shorten(&mut self, ttl: Duration) {
        self.ttl = self.ttl.min(self.options.clamp(ttl));
    }
}

fn found(uri: String, service: String, zone: &str) -> Found {
    Found {
        domain: enum_query::domain(&uri),
        uri,
        service,
        zone: zone.to_owned(),
    }
}
