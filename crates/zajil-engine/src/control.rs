//! The tables that route messages: validated, stored, then swapped in whole (D13).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use zajil_core::frontend::FrontendName;
use zajil_core::number::Given;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Question, Routing, RoutingChange};
use zajil_core::route::table::Table;
use zajil_core::route::{Action, Terms};
use zajil_core::translate::apply::{self, BadRule, Rules};
use zajil_core::translate::{RuleId, RuleTerms};
use zajil_store::contract::Error;
use zajil_telemetry::Fact;

use crate::refuse;
use crate::shared::Shared;

/// Tables of more than so many entries are compiled beside the threads that serve.
const LARGE: usize = 1_000;

/// The tables in force, as stored and as compiled. Never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) routing: Arc<Routing>,
    pub(crate) table: Arc<Table>,
    pub(crate) rules: Arc<Rules>,
}

impl Snapshot {
    pub(crate) fn compile(routing: Arc<Routing>) -> Result<Self, (RuleId, BadRule)> {
        let rules = Arc::new(Rules::compile(&routing.rules)?);
        let table = Arc::new(Table::new(routing.routes.iter().cloned()));
        Ok(Self {
            routing,
            table,
            rules,
        })
    }

    /// To be called where nothing is charged: an operator who wrote `charged: yes` expects it.
    pub(crate) fn warn_of_charges(&self) {
        if self.table.charges() {
            tracing::warn!(
                "routes with charged = yes charge nobody: no ocs_url is configured, and their \
                 messages are free"
            );
        }
    }

    /// What has not changed is not compiled again.
    fn next(&self, routing: Arc<Routing>) -> Result<Self, (RuleId, BadRule)> {
        let rules = if self.routing.rules == routing.rules {
            Arc::clone(&self.rules)
        } else {
            Arc::new(self.rules.after(&routing.rules)?)
        };
        let table = if self.routing.routes == routing.routes {
            Arc::clone(&self.table)
        } else {
            Arc::new(Table::new(routing.routes.iter().cloned()))
        };
        Ok(Self {
            routing,
            table,
            rules,
        })
    }
}

/// Whether a change makes sense in itself.
fn check(change: &RoutingChange) -> Result<(), Refusal> {
    match change {
        RoutingChange::AddRoute(terms) | RoutingChange::SetRoute(_, terms) => check_route(terms),
        RoutingChange::ImportRoutes { routes, .. } => {
            routes.iter().try_for_each(|(_, terms)| check_route(terms))
        }
        RoutingChange::AddRule(terms) | RoutingChange::SetRule(_, terms) => check_rule(terms),
        RoutingChange::ImportRules { rules, .. } => {
            rules.iter().enumerate().try_for_each(|(at, (_, terms))| {
                let named = |refusal: Refusal| Refusal {
                    detail: format!("rules[{at}]: {}", refusal.detail),
                    ..refusal
                };
                check_rule(terms).map_err(named)
            })
        }
        RoutingChange::RemoveRoute(_) | RoutingChange::RemoveRule(_) => Ok(()),
    }
}

pub(crate) fn check_route(terms: &Terms) -> Result<(), Refusal> {
    match &terms.action {
        Action::AutoReply { text, .. } if text.trim().is_empty() => {
            Err(Refusal::field("auto_reply_message", "must not be empty"))
        }
        Action::AutoReply { .. } | Action::Deliver(_) | Action::Drop => Ok(()),
    }
}

pub(crate) fn check_rule(terms: &RuleTerms) -> Result<(), Refusal> {
    apply::check(terms).map_err(|BadRule { field, rule }| Refusal::field(field, rule))
}

/// What a change is about, for a client that named one that is not there.
fn subject(change: &RoutingChange) -> String {
    match change {
        RoutingChange::SetRoute(id, _) | RoutingChange::RemoveRoute(id) => format!("route {id}"),
        RoutingChange::SetRule(id, _) | RoutingChange::RemoveRule(id) => {
            format!("translation rule {id}")
        }
        RoutingChange::AddRoute(_) | RoutingChange::ImportRoutes { .. } => "route".to_owned(),
        RoutingChange::AddRule(_) | RoutingChange::ImportRules { .. } => {
            "translation rule".to_owned()
        }
    }
}

impl Shared {
    /// Stores a change. What it leads to is in force after [`Shared::in_force`].
    pub(crate) async fn change_routing(
        &self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Result<(Arc<Routing>, Option<u64>), Refusal> {
        check(&change)?;
        let subject = subject(&change);
        let failed = |error| refuse::failed(error, &subject);
        let _turn = self.changing.lock().await;
        let store = &self.parts.store;
        let (version, about) = store
            .change_routing(change.clone(), base)
            .await
            .map_err(failed)?;
        let next = match self.latest.load().after(&change, version, about) {
            Some(next) => next,
            None => store.routing().await.map_err(failed)?,
        };
        let next = Arc::new(next);
        self.latest.store(Arc::clone(&next));
        Ok((next, about))
    }

    /// Takes over tables that were changed elsewhere.
    pub(crate) async fn refresh_routing(&self) -> Result<(), Error> {
        {
            let _turn = self.changing.lock().await;
            if self.parts.store.routing_version().await? != self.latest.load().version {
                let routing = self.parts.store.routing().await?;
                self.latest.store(Arc::new(routing));
            }
        }
        let version = self.latest.load().version;
        self.in_force(version).await;
        Ok(())
    }

    /// Puts the latest tables in force, unless somebody has: who waits for a turn meanwhile finds
    /// it done. A client that goes away leaves no table half in force.
    pub(crate) async fn in_force(&self, version: u64) {
        let _turn = self.compiling.lock().await;
        let former = self.control.load_full();
        if former.routing.version >= version {
            return;
        }
        let latest = self.latest.load_full();
        let version = latest.version;
        if self.unusable.load(Ordering::Relaxed) == version {
            return;
        }
        let size = latest.routes.len() + latest.rules.len();
        let compiled = if size <= LARGE {
            former.next(latest)
        } else {
            let former = Arc::clone(&former);
            let work = move || former.next(latest);
            match tokio::task::spawn_blocking(work).await {
                Ok(compiled) => compiled,
                Err(error) => {
                    tracing::error!(%error, version, "compiling the routing tables failed");
                    return;
                }
            }
        };
        match compiled {
            Ok(snapshot) => {
                if self.parts.charger.is_none() && !former.table.charges() {
                    snapshot.warn_of_charges();
                }
                self.control.store(Arc::new(snapshot));
                self.record(&Fact::RoutesInForce { version });
            }
            // Checked before it was stored: a record of another version, or a broken one.
            Err((rule, error)) => {
                self.unusable.store(version, Ordering::Relaxed);
                tracing::error!(%rule, %error, "routing tables cannot be used; the former stay");
            }
        }
    }

    /// What translation makes of numbers, and why.
    pub(crate) fn explain_translation(&self, question: &Question) -> apply::Explanation {
        let calling = question.calling.as_ref().map_or("", Given::as_str);
        let source = question.source_smsc.as_ref().map(FrontendName::as_str);
        let control = self.control.load();
        control
            .rules
            .explain(calling, question.called.as_str(), source)
    }
}
