//! The tables that operators edit at run time (S4.4): routes and rules with their version.

use std::sync::Arc;

use crate::route::{Route, RouteId, Terms};
use crate::translate::{Rule, RuleId, RuleTerms};

/// What routes messages. Copies are cheap: they share the routes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// Rises by one with every change.
    pub version: u64,
    /// All routes, by id.
    pub routes: Vec<Arc<Route>>,
    /// All translation rules, by id.
    pub rules: Vec<Arc<Rule>>,
}

/// One change to the routing tables. All of it happens or nothing.
#[derive(Debug, Clone)]
pub enum RoutingChange {
    /// Adds a route.
    AddRoute(Terms),
    /// Replaces the terms of a route.
    SetRoute(RouteId, Terms),
    /// Removes a route.
    RemoveRoute(RouteId),
    /// Imports routes: into an emptied table, or beside those that are there. A route whose id is
    /// known replaces that one; the others get new ids.
    ImportRoutes {
        /// The routes, with the ids they were exported with, if any.
        routes: Vec<(Option<RouteId>, Terms)>,
        /// Whether to remove all others.
        replace: bool,
    },
    /// Adds a translation rule.
    AddRule(RuleTerms),
    /// Replaces the terms of a rule.
    SetRule(RuleId, RuleTerms),
    /// Removes a rule.
    RemoveRule(RuleId),
    /// Imports rules, as [`RoutingChange::ImportRoutes`] does routes.
    ImportRules {
        /// The rules, with the ids they were exported with, if any.
        rules: Vec<(Option<RuleId>, RuleTerms)>,
        /// Whether to remove all others.
        replace: bool,
    },
}

impl Routing {
    /// A route by id.
    #[must_use]
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        let at = self.routes.binary_search_by_key(&id, |route| route.id);
        at.ok()
            .and_then(|at| self.routes.get(at))
            .map(AsRef::as_ref)
    }

    /// A rule by id.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        let at = self.rules.binary_search_by_key(&id, |rule| rule.id);
        at.ok().and_then(|at| self.rules.get(at)).map(AsRef::as_ref)
    }

    /// These tables after a change that the store has made: it says which version it led to, and
    /// the id it was about. None when that cannot be told from here: another change came between,
    /// or many ids are new; then they are to be read again.
    #[must_use]
    pub fn after(&self, change: &RoutingChange, version: u64, id: Option<u64>) -> Option<Self> {
        if version != self.version.checked_add(1)? {
            return None;
        }
        let mut next = self.clone();
        next.version = version;
        match change {
            RoutingChange::AddRoute(terms) | RoutingChange::SetRoute(_, terms) => {
                let id = RouteId(id?);
                let terms = terms.clone();
                put(&mut next.routes, Route { id, terms }, |route| route.id);
            }
            RoutingChange::RemoveRoute(id) => next.routes.retain(|route| route.id != *id),
            RoutingChange::AddRule(terms) | RoutingChange::SetRule(_, terms) => {
                let id = RuleId(id?);
                let terms = terms.clone();
                put(&mut next.rules, Rule { id, terms }, |rule| rule.id);
            }
            RoutingChange::RemoveRule(id) => next.rules.retain(|rule| rule.id != *id),
            RoutingChange::ImportRoutes { .. } | RoutingChange::ImportRules { .. } => return None,
        }
        Some(next)
    }
}

/// Puts an entry in its place by id, instead of the one that is there.
fn put<T, K: Ord>(entries: &mut Vec<Arc<T>>, entry: T, key: impl Fn(&T) -> K) {
    match entries.binary_search_by_key(&key(&entry), |known| key(known)) {
        Ok(at) => {
            if let Some(place) = entries.get_mut(at) {
                *place = Arc::new(entry);
            }
        }
        Err(at) => entries.insert(at, Arc::new(entry)),
    }
}
