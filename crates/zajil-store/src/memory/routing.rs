//! Routes and translation rules (S4.4, S5).

use std::collections::BTreeSet;

use zajil_core::port::{Routing, RoutingChange};
use zajil_core::route::{Route, RouteId, Terms};
use zajil_core::translate::{Rule, RuleId};

use super::{State, next_id};
use crate::contract::Error;

impl State {
    pub(super) fn routing(&self) -> Routing {
        let routes = self.routes.iter();
        let rules = self.rules.iter();
        Routing {
            version: self.routing_version,
            routes: routes
                .map(|(id, terms)| Route {
                    id: *id,
                    terms: terms.clone(),
                })
                .collect(),
            rules: rules
                .map(|(id, terms)| Rule {
                    id: *id,
                    terms: terms.clone(),
                })
                .collect(),
        }
    }

    pub(super) fn change_routing(
        &mut self,
        change: RoutingChange,
    ) -> Result<(Routing, Option<u64>), Error> {
        let about = match change {
            RoutingChange::AddRoute(terms) => Some(self.add_route(terms).0),
            RoutingChange::SetRoute(id, terms) => {
                *self.routes.get_mut(&id).ok_or(Error::NotFound)? = terms;
                Some(id.0)
            }
            RoutingChange::RemoveRoute(id) => {
                self.routes.remove(&id).ok_or(Error::NotFound)?;
                Some(id.0)
            }
            RoutingChange::ImportRoutes { routes, replace } => {
                self.import(routes, replace);
                None
            }
            RoutingChange::AddRule(terms) => {
                let id = RuleId(next_id(&mut self.last_rule));
                self.rules.insert(id, terms);
                Some(id.0)
            }
            RoutingChange::SetRule(id, terms) => {
                *self.rules.get_mut(&id).ok_or(Error::NotFound)? = terms;
                Some(id.0)
            }
            RoutingChange::RemoveRule(id) => {
                self.rules.remove(&id).ok_or(Error::NotFound)?;
                Some(id.0)
            }
        };
        self.routing_version += 1;
        Ok((self.routing(), about))
    }

    fn add_route(&mut self, terms: Terms) -> RouteId {
        let id = RouteId(next_id(&mut self.last_route));
        self.routes.insert(id, terms);
        id
    }

    fn import(&mut self, routes: Vec<(Option<RouteId>, Terms)>, replace: bool) {
        let known: BTreeSet<RouteId> = self.routes.keys().copied().collect();
        if replace {
            self.routes.clear();
        }
        for (id, terms) in routes {
            match id.filter(|id| known.contains(id)) {
                Some(id) => drop(self.routes.insert(id, terms)),
                None => drop(self.add_route(terms)),
            }
        }
    }
}
