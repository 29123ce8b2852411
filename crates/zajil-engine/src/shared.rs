//! What every part of the engine has in hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Timestamp;
use zajil_core::event::Scene;
use zajil_core::frontend::FrontendName;
use zajil_core::id::{Generator, MessageId};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::Routing;
use zajil_store::contract::Error;
use zajil_store::scales::Scales;
use zajil_telemetry::{Fact, Telemetry};

use crate::accept::Decided;
use crate::control::Snapshot;
use crate::handle::{Options, Parts};
use crate::hint::Hub;
use crate::policy::{Policies, Rest};
use crate::refuse;
use crate::tasks::Errands;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) options: Options,
    pub(crate) ids: Mutex<Generator>,
    /// The tables in force.
    pub(crate) control: ArcSwap<Snapshot>,
    /// The tables as stored, which may be newer.
    pub(crate) latest: ArcSwap<Routing>,
    /// Held while the stored tables are changed or read, so that they only get newer.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// The version that could not be compiled, if any: said once.
    pub(crate) unusable: AtomicU64,
    /// Held while they are compiled, likewise.
    pub(crate) compiling: tokio::sync::Mutex<()>,
    /// Every frontend that is known to have registered, and until when it counts as active.
    pub(crate) frontends: RwLock<HashMap<FrontendName, Timestamp>>,
    pub(crate) hints: Hub,
    /// Who waits for receipts, by account.
    pub(crate) receipt_hints: Hub,
    /// What operators have decided about frontends.
    pub(crate) policies: ArcSwap<Policies>,
    /// Which frontends are congested.
    pub(crate) rests: Mutex<HashMap<FrontendName, Rest>>,
    pub(crate) intake: mpsc::Sender<Decided>,
    pub(crate) intake_scales: Arc<Scales>,
    /// What must be done to its end.
    pub(crate) errands: Errands,
    /// No new submits from now on.
    pub(crate) closed: AtomicBool,
    /// Everything that waits is to end.
    pub(crate) stopping: CancellationToken,
}

impl Shared {
    pub(crate) fn scene(&self) -> Scene {
        Scene {
            now: self.parts.clock.now(),
            node: self.options.node.clone(),
        }
    }

    pub(crate) fn next_id(&self, now: Timestamp) -> MessageId {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next(now)
    }

    pub(crate) fn record(&self, fact: &Fact<'_>) {
        self.telemetry().record(fact);
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.parts.telemetry
    }

    pub(crate) fn refuse_when_stopping(&self) -> Result<(), Refusal> {
        if self.closed.load(Ordering::Acquire) {
            Err(refuse::stopping())
        } else {
            Ok(())
        }
    }

    /// A frontend that a client names must have registered once, or a route must deliver to it.
    pub(crate) fn check_frontend(&self, name: &FrontendName) -> Result<(), Refusal> {
        if self.control.load().table.names(name) || self.knows_frontend(name) {
            return Ok(());
        }
        let detail = format!("dest_smsc names no known frontend: {name}");
        Err(Refusal::new(Reason::UnknownFrontend, detail))
    }

    fn knows_frontend(&self, name: &FrontendName) -> bool {
        let known = self.frontends.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.contains_key(name)
    }

    /// Whether the frontend's registration lives, as far as this node has heard, and it is not
    /// paused.
    pub(crate) fn is_active(&self, name: &FrontendName, now: Timestamp) -> bool {
        let known = self.frontends.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        let registered = known.get(name).is_some_and(|until| *until > now);
        registered && self.pause(name, now).is_none()
    }

    pub(crate) fn learn_frontend(&self, name: &FrontendName, until: Timestamp) {
        let known = self.frontends.write();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(name) {
            Some(known) => *known = until,
            None => drop(known.insert(name.clone(), until)),
        }
    }

    /// Reads again which frontends there are: other nodes register them too.
    pub(crate) async fn refresh_frontends(&self) -> Result<(), Error> {
        let latest = self.parts.store.frontends().await?;
        let names = latest
            .into_iter()
            .map(|presence| (presence.registration.name, presence.expires_at))
            .collect();
        let known = self.frontends.write();
        // The former set is freed after the lock is.
        let _former = std::mem::replace(&mut *known.unwrap_or_else(PoisonError::into_inner), names);
        Ok(())
    }
}
