//! Routes and translation rules (S4.4, S5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
                .map(|(id, terms)| {
                    Arc::new(Route {
                        id: *id,
                        terms: terms.clone(),
                    })
                })
                .collect(),
            rules: rules
                .map(|(id, terms)| {
                    Arc::new(Rule {
                        id: *id,
                        terms: terms.clone(),
                    })
                })
                .collect(),
        }
    }

    pub(super) fn change_routing(
        &mut self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Result<(u64, Option<u64>), Error> {
        if base.is_some_and(|base| base != self.routing_version) {
            return Err(Error::Conflict("the tables were changed meanwhile".into()));
        }
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
                let last = &mut self.last_route;
                import(&mut self.routes, routes, replace, || RouteId(next_id(last)));
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
            RoutingChange::ImportRules { rules, replace } => {
                let last = &mut self.last_rule;
                import(&mut self.rules, rules, replace, || RuleId(next_id(last)));
                None
            }
        };
        self.routing_version += 1;
        Ok((self.routing_version, about))
    }

    fn add_route(&mut self, terms: Terms) -> RouteId {
        let id = RouteId(next_id(&mut self.last_route));
        self.routes.insert(id, terms);
        id
    }
}

/// An entry whose id was known keeps it; all others get new ids.
fn import<K: Ord + Copy, T>(
    table: &mut BTreeMap<K, T>,
    entries: Vec<(Option<K>, T)>,
    replace: bool,
    mut new_id: impl FnMut() -> K,
) {
    let known: BTreeSet<K> = table.keys().copied().collect();
    if replace {
        table.clear();
    }
    for (id, terms) in entries {
        let id = id
            .filter(|id| known.contains(id))
            .unwrap_or_else(&mut new_id);
        table.insert(id, terms);
    }
}
