//! The routes in force, compiled for look-up: an immutable snapshot (D13).

use std::collections::HashSet;
use std::sync::Arc;

use super::compiled::Names;
use super::index::Index;
use super::{Charged, Route};
use crate::frontend::FrontendName;

/// A compiled table. Build it off the hot path and swap it in whole.
#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    names: Names,
    index: Index,
    delivers_to: HashSet<FrontendName>,
    asks_enum: bool,
    charges: bool,
}

impl Table {
    /// Compiles `routes`; disabled ones are kept for explanations.
    #[must_use]
    pub fn new<R: Into<Arc<Route>>>(routes: impl IntoIterator<Item = R>) -> Self {
        let routes: Vec<Arc<Route>> = routes.into_iter().map(Into::into).collect();
        let dests = routes.iter().flat_map(|route| {
            let first = route.terms.action.dest_smsc();
            first.into_iter().chain(&route.terms.followers.to)
        });
        let delivers_to = dests.cloned().collect();
        let asks_enum = routes
            .iter()
            .any(|route| route.terms.enabled && route.terms.enum_domain.is_some());
        let charges = routes
            .iter()
            .any(|route| route.terms.enabled && route.terms.charged == Charged::Yes);
        let names = Names::new(&routes);
        Self {
            delivers_to,
            asks_enum,
            charges,
            index: Index::new(&routes, &names),
            names,
            routes,
        }
    }

    /// All routes of the table.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Whether a route in force depends on what ENUM says: otherwise nobody need ask.
    #[must_use]
    pub fn asks_enum(&self) -> bool {
        self.asks_enum
    }

    /// Whether a route in force is `charged` by its own word (S7.1).
    #[must_use]
    pub fn charges(&self) -> bool {
        self.charges
    }

    /// Whether any route, in force or disabled, delivers to this frontend: then it is a name that
    /// the operator knows.
    #[must_use]
    pub fn names(&self, frontend: &FrontendName) -> bool {
        self.delivers_to.contains(frontend)
    }

    /// The names that its conditions use.
    pub(super) fn conditions(&self) -> &Names {
        &self.names
    }

    /// Where to find the routes that may fit.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }
}
