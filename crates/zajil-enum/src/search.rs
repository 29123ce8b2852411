//! One look-up at the name servers: domain by domain, record by record.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zajil_core::enum_query::{self, Found, Lookup, Step, Trail};
use zajil_telemetry::{EnumFact, Fact, Stopwatch, Telemetry};

use crate::breaker::Went;
use crate::options::Options;
use crate::servers::{Reply, Servers};
use crate::zone::Zone;

/// What is said of a domain, or of all, that nobody asks for now.
pub(crate) const NOT_LATELY: &str =
    "the name servers did not answer lately; they will be asked again soon";

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) lookup: Lookup,
    /// How long it may be remembered.
    pub(crate) ttl: Duration,
}

/// What a look-up needs.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) zones: &'a [Zone],
    pub(crate) options: &'a Options,
    pub(crate) telemetry: &'a Telemetry,
}

/// What one domain said.
enum Said {
    Found(Found),
    Absent,
    /// Records that break the rules, and why.
    Broken(String),
    /// Nothing, and why.
    Nothing(String),
    /// It was not asked: it said nothing lately.
    PassedOver,
}

/// Asks about a number (digits only). Ends within the time limit.
pub(crate) async fn search(means: Means<'_>, digits: &str) -> Outcome {
    let Means { zones, options, .. } = means;
    let end = Instant::now() + options.timeout;
    let mut left = u32::try_from(zones.len()).unwrap_or(u32::MAX);
    let mut ttl = options.ttl_ceiling;
    let (mut silent, mut asked) = (false, false);
    let mut failures = Vec::new();
    for zone in zones {
        // A silent domain leaves the later ones their share.
        let now = Instant::now();
        let deadline = now + end.saturating_duration_since(now) / left;
        left = left.saturating_sub(1).max(1);
        let (said, lasts) = ask(means, (zone, deadline), digits).await;
        ttl = ttl.min(lasts);
        asked |= !matches!(said, Said::PassedOver);
        let name = &zone.name;
        match said {
            Said::Found(found) => {
                // The answer must not outlive for long the failure of a domain that goes before.
                let most = if silent { options.negative_ttl } else { ttl };
                return Outcome {
                    lookup: Lookup::Found(Arc::new(found)),
                    ttl: ttl.min(most),
                };
            }
            Said::Absent => {}
            Said::Broken(why) => failures.push(format!("{name}: {why}")),
            Said::Nothing(why) => {
                silent = true;
                failures.push(format!("{name}: {why}"));
            }
            Said::PassedOver => {
                silent = true;
                failures.push(format!("{name}: {NOT_LATELY}"));
            }
        }
    }
    let lookup = if failures.is_empty() {
        Lookup::Absent
    } else {
        Lookup::Failed(failures.join("; "))
    };
    let ttl = match (asked, silent) {
        (false, _) => Duration::ZERO,
        (true, true) => options.failure_ttl,
        (true, false) => ttl,
    };
    Outcome { lookup, ttl }
}

/// What one domain says by `deadline`, and how long that lasts.
async fn ask(
    means: Means<'_>,
    (zone, deadline): (&Zone, Instant),
    digits: &str,
) -> (Said, Duration) {
    let ceiling = means.options.ttl_ceiling;
    let Some(start) = enum_query::query_name(digits, &zone.name) else {
        // Too many digits for a name: nobody can have entered it.
        return (Said::Absent, ceiling);
    };
    let Some(leave) = zone.admit(Instant::now()) else {
        return (Said::PassedOver, ceiling);
    };
    let watch = Stopwatch::start();
    let mut walk = Walk {
        servers: means.servers,
        options: means.options,
        deadline,
        ttl: ceiling,
    };
    let said = walk.domain(digits, start, &zone.name).await;
    // A record that breaks the rules is an answer.
    let answered = !matches!(said, Said::Nothing(_));
    let took = watch.elapsed();
    let asked = EnumFact::Asked { took, answered };
    means.telemetry.record(&Fact::Enum(asked));
    leave.ended(match answered {
        true => Went::Answered,
        false => Went::Failed,
    });
    (said, walk.ttl)
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
    async fn domain(&mut self, digits: &str, start: String, zone: &str) -> Said {
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
