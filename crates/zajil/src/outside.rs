//! What the node asks outside, opened from the configuration, and how each part is (`/readyz`).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use zajil_api::{Part, Readiness};
use zajil_core::port::{CdrSearch, Charger, NumberLookup};
use zajil_enum::Resolver;
use zajil_store::Store;
use zajil_telemetry::Telemetry;

use crate::config::Config;
use crate::records::Records;

/// How long a part has to say how it is.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// What is configured of it.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    resolver: Option<Arc<Resolver>>,
    pub(crate) charger: Option<Arc<dyn Charger>>,
    records: Option<Arc<dyn CdrSearch>>,
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
        Ok(Self {
            resolver,
            charger,
            records: None,
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
    pub(crate) fn with(mut self, records: Records) -> Self {
        self.records = records.search;
        self
    }
}

/// The answer to `/readyz`.
pub(crate) fn readiness(
    stopping: CancellationToken,
    store: Arc<dyn Store>,
    outside: Outside,
) -> Readiness {
    Readiness::new(move || {
        let (stopping, store, outside) = (stopping.clone(), Arc::clone(&store), outside.clone());
        Box::pin(async move {
            let mut parts = Vec::new();
            let running = match stopping.is_cancelled() {
                true => Err("it is stopping".to_owned()),
                false => Ok(()),
            };
            parts.push(part("node", true, running));
            let figures = in_time(async {
                let figures = store.figures().await;
                figures.map(drop).map_err(|error| error.to_string())
            });
            parts.push(part("store", true, figures.await));
            if let Some(charger) = &outside.charger {
                parts.push(part("charging", false, in_time(charger.health()).await));
            }
            if let Some(resolver) = &outside.resolver {
                parts.push(part("enum", false, in_time(resolver.health()).await));
            }
            if let Some(records) = &outside.records {
                parts.push(part("cdrs", false, in_time(records.health()).await));
            }
            parts
        })
    })
}

fn part(name: &'static str, needed: bool, state: Result<(), String>) -> Part {
    Part {
        name,
        needed,
        state,
    }
}

async fn in_time(answer: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let seconds = ANSWERS_WITHIN.as_secs();
    tokio::time::timeout(ANSWERS_WITHIN, answer)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {seconds} s")))
}
