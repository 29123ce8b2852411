//! What the node asks outside, opened from the configuration, and how each part is (`/readyz`).

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use zajil_api::{Mode, Part, Readiness};
use zajil_core::port::{CdrSearch, Charger, NumberLookup};
use zajil_enum::Resolver;
use zajil_store::Store;
use zajil_telemetry::{Fact, Telemetry};

use crate::config::Config;
use crate::issuer::Issuer;
use probe::Probe;

mod probe;

/// How long the store has to say how it is.
const STORE_WITHIN: Duration = Duration::from_millis(700);
/// How long an answer waits for what is optional: what is not known by then is told next time.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often the metrics are told.
const ASKED_EVERY: Duration = Duration::from_secs(15);

/// What is configured of it.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    resolver: Option<Arc<Resolver>>,
    pub(crate) charger: Option<Arc<dyn Charger>>,
    records: Option<Arc<dyn CdrSearch>>,
    pub(crate) issuer: Option<Arc<Issuer>>,
}

impl Outside {
    pub(crate) fn open(config: &Config, telemetry: &Arc<Telemetry>) -> anyhow::Result<Self> {
        let charger = match &config.ocs {
            None => None,
            Some(options) => {
                let client = zajil_ocs::Client::new(options.clone(), Arc::clone(telemetry));
                Some(Arc::new(client.context("charging")?) as Arc<dyn Charger>)
            }
        };
        let resolver = match &config.number_lookup {
            None => None,
            Some(options) => {
                let resolver = Resolver::new(options.clone(), Arc::clone(telemetry));
                Some(Arc::new(resolver.context("ENUM")?))
            }
        };
        let asks = config.api.mode() == Mode::Required;
        let issuer = config.oidc.clone().filter(|_| asks).map(Issuer::new);
        Ok(Self {
            resolver,
            charger,
            records: None,
            issuer: issuer.map(Arc::new),
        })
    }
}

impl Outside {
    /// What the engine asks about numbers.
    pub(crate) fn lookup(&self) -> Option<Arc<dyn NumberLookup>> {
        let resolver = self.resolver.as_ref()?;
        Some(Arc::clone(resolver) as Arc<dyn NumberLookup>)
    }

    /// With the CDR database, whose absence delays CDRs only.
    pub(crate) fn with(mut self, records: Option<Arc<dyn CdrSearch>>) -> Self {
        self.records = records;
        self
    }
}

/// The answer to `/readyz`. Whoever asks has it in well under a second, whatever is black-holed
/// outside: an orchestrator gives up after one and takes the node for dead.
pub(crate) fn readiness(
    running: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    store: Arc<dyn Store>,
    outside: Outside,
) -> Readiness {
    let parts = Arc::new((running, store, optional(outside)));
    Readiness::new(move || {
        let parts = Arc::clone(&parts);
        Box::pin(async move {
            let (running, store, optional) = &*parts;
            optional.iter().for_each(Probe::begin);
            let begun = tokio::time::Instant::now();
            let figures = in_time(STORE_WITHIN, async {
                let figures = store.figures().await;
                figures.map(drop).map_err(|error| error.to_string())
            });
            let mut answer = vec![
                part("node", true, running()),
                part("store", true, figures.await),
            ];
            for probe in optional {
                let state = probe.state(begun + PATIENCE).await;
                answer.push(part(probe.name(), false, state));
            }
            answer
        })
    })
}

/// Shows in the metrics what `/readyz` would say, until the token is cancelled.
pub(crate) async fn watch(ready: Readiness, telemetry: Arc<Telemetry>, token: CancellationToken) {
    let mut ticks = tokio::time::interval(ASKED_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut usable = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        for Part { name, state, .. } in ready.check().await {
            let state = state.as_ref().copied().map_err(String::as_str);
            telemetry.metrics.set_ready(name, state);
            // What is well from the start is not worth a word.
            if usable.insert(name, state.is_ok()).unwrap_or(true) != state.is_ok() {
                telemetry.record(&Fact::PartTurned { part: name, state });
            }
        }
    }
}

/// What the node does without when it must.
fn optional(outside: Outside) -> Vec<Probe> {
    let Outside {
        charger,
        resolver,
        records,
        issuer,
    } = outside;
    let charging = charger.map(|charger| {
        Probe::new("charging", move || {
            let charger = Arc::clone(&charger);
            Box::pin(async move { charger.health().await })
        })
    });
    let lookup = resolver.map(|resolver| {
        Probe::new("enum", move || {
            let resolver = Arc::clone(&resolver);
            Box::pin(async move { resolver.health().await })
        })
    });
    let cdrs = records.map(|records| {
        Probe::new("cdrs", move || {
            let records = Arc::clone(&records);
            Box::pin(async move { records.health().await })
        })
    });
    let issuer = issuer.map(|issuer| {
        Probe::new("issuer", move || {
            let issuer = Arc::clone(&issuer);
            Box::pin(async move { issuer.health().await })
        })
    });
    let outer = charging.into_iter().chain(lookup);
    outer.chain(cdrs).chain(issuer).collect()
}

fn part(name: &'static str, needed: bool, state: Result<(), String>) -> Part {
    Part {
        name,
        needed,
        state,
    }
}

pub(crate) async fn in_time(
    limit: Duration,
    answer: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    tokio::time::timeout(limit, answer)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} ms", limit.as_millis())))
}
