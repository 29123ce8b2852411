//! The tables that route messages: validated, stored, then swapped in whole (D13).

use std::sync::Arc;

use zajil_core::outcome::Refusal;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::route::table::Table;
use zajil_core::route::{Action, Terms};
use zajil_core::translate::apply::{self, BadRule, Rules};
use zajil_core::translate::{RuleId, RuleTerms};
use zajil_store::contract::Error;

use crate::refuse;
use crate::shared::Shared;

/// The tables in force, as stored and as compiled. Never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) routing: Arc<Routing>,
    pub(crate) table: Table,
    pub(crate) rules: Rules,
}

impl Snapshot {
    pub(crate) fn compile(routing: Routing) -> Result<Self, (RuleId, BadRule)> {
        let rules = Rules::compile(&routing.rules)?;
        let table = Table::new(&routing.routes);
        Ok(Self {
            routing: Arc::new(routing),
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
        RoutingChange::AddRule(_) => "translation rule".to_owned(),
    }
}

impl Shared {
    pub(crate) async fn change_routing(
        &self,
        change: RoutingChange,
    ) -> Result<(Arc<Routing>, Option<u64>), Refusal> {
        check(&change)?;
        let subject = subject(&change);
        let _turn = self.changing.lock().await;
        let changed = self.parts.store.change_routing(change).await;
        let (routing, about) = changed.map_err(|error| refuse::failed(error, &subject))?;
        let in_force = self.put_in_force(routing);
        Ok((in_force, about))
    }

    /// Takes over tables that were changed elsewhere.
    pub(crate) async fn refresh_routing(&self) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let routing = self.parts.store.routing().await?;
        if routing.version != self.control.load().routing.version {
            self.put_in_force(routing);
        }
        Ok(())
    }

    /// To be called by whoever holds `changing`.
    fn put_in_force(&self, routing: Routing) -> Arc<Routing> {
        let version = routing.version;
        match Snapshot::compile(routing) {
            Ok(snapshot) => {
                let routing = Arc::clone(&snapshot.routing);
                self.control.store(Arc::new(snapshot));
                tracing::info!(version, "routing tables in force");
                routing
            }
            Err((rule, error)) => {
                // Checked before it was stored: a record of another version, or a broken one.
                tracing::error!(%rule, %error, "routing tables cannot be used; the former stay");
                Arc::clone(&self.control.load().routing)
            }
        }
    }
}
