//! What operators decide about frontends (D10): paused, own retry schedules; and the short pauses
//! that a frontend asks for by itself when it is congested.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::outcome::Refusal;
use zajil_core::policy::{Pause, Policy};
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_store::contract::Error;
use zajil_telemetry::{Fact, HeldFact};

use crate::refuse;
use crate::shared::Shared;

/// The first pause of a congested frontend; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// A frontend that was not congested for so long begins anew.
const FORGIVEN_AFTER: Duration = Duration::from_secs(120);

/// Policies as this node knows them.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    by_name: HashMap<FrontendName, Policy>,
    schedules: Arc<Schedules>,
}

/// A frontend that said it was congested.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    until: Timestamp,
    length: Duration,
}

impl Policies {
    fn new(policies: Vec<Policy>) -> Self {
        let own = policies.iter().filter(|policy| !policy.retry.is_empty());
        let own = own.map(|policy| (policy.frontend.clone(), policy.retry.clone()));
        Self {
            schedules: Arc::new(Schedules::new(own.collect())),
            by_name: policies
                .into_iter()
                .map(|policy| (policy.frontend.clone(), policy))
                .collect(),
        }
    }
}

impl Shared {
    /// Reads again what was decided: other nodes decide too.
    pub(crate) async fn refresh_policies(&self) -> Result<(), Error> {
        let policies = self.parts.store.policies().await?;
        self.policies.store(Arc::new(Policies::new(policies)));
        Ok(())
    }

    /// What was decided about a frontend.
    pub(crate) fn policy(&self, name: &FrontendName) -> Policy {
        let known = self.policies.load().by_name.get(name).cloned();
        known.unwrap_or_else(|| Policy::new(name.clone()))
    }

    pub(crate) async fn set_policy(&self, policy: Policy) -> Result<Policy, Refusal> {
        let failed = |error| refuse::failed(error, "frontend");
        let store = &self.parts.store;
        store.set_policy(policy.clone()).await.map_err(failed)?;
        self.refresh_policies().await.map_err(failed)?;
        match &policy.pause {
            Some(pause) => {
                let (name, reason) = (&policy.frontend, &pause.reason);
                self.record(&Fact::Held(HeldFact::Paused { name, reason }));
            }
            None => {
                let name = &policy.frontend;
                self.record(&Fact::Held(HeldFact::Resumed { name }));
                self.hints.wake(Some(name));
            }
        }
        Ok(policy)
    }

    /// Why a frontend gets nothing now, if so.
    pub(crate) fn pause(&self, name: &FrontendName, now: Timestamp) -> Option<Pause> {
        let policies = self.policies.load();
        if let Some(pause) = policies.by_name.get(name).and_then(|p| p.paused(now)) {
            return Some(pause.clone());
        }
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = rests.get(name).filter(|rest| rest.until > now)?;
        Some(Pause {
            since: rest.until.minus(rest.length),
            until: Some(rest.until),
            reason: "congestion".to_owned(),
        })
    }

    /// Gives an attempt the waits in force; `true` when it says that its frontend is congested.
    pub(crate) fn with_schedules(&self, report: &mut Report) -> bool {
        let (schedules, class) = match report {
            Report::AttemptFailed {
                schedules, class, ..
            } => (schedules, class),
            Report::Heard { says, .. } | Report::Because { says, .. } => {
                return self.with_schedules(says);
            }
            _ => return false,
        };
        *schedules = Arc::clone(&self.policies.load().schedules);
        *class == Some(ErrorClass::Congestion)
    }

    /// A congested frontend rests: its messages keep their place and burn no attempts.
    pub(crate) fn throttle(&self, name: &FrontendName) {
        let now = self.parts.clock.now();
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.retain(|_, rest| now.since(rest.until) < FORGIVEN_AFTER);
        let length = match rests.get(name) {
            // Said again of the same rest.
            Some(rest) if rest.until > now => return,
            Some(rest) => (rest.length * 2).min(LONGEST_REST),
            None => FIRST_REST,
        };
        let until = now.plus(length);
        rests.insert(name.clone(), Rest { until, length });
        drop(rests);
        let rests = length;
        self.record(&Fact::Held(HeldFact::Congested { name, rests }));
    }
}
