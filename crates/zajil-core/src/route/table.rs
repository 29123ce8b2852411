//! The routes in force, compiled for look-up: an immutable snapshot (D13).

use std::collections::HashSet;

use super::Route;
use super::compiled::{Compiled, Names};
use super::index::Index;
use crate::frontend::FrontendName;

/// A compiled table. Build it off the hot path and swap it in whole.
#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Route>,
    names: Names,
    index: Index,
    delivers_to: HashSet<FrontendName>,
    asks_enum: bool,
}

impl Table {
    /// Compiles `routes`; disabled ones are kept for explanations.
    #[must_use]
    pub fn new(routes: &[Route]) -> Self {
        let dests = routes.iter().flat_map(|route| {
            let first = route.terms.action.dest_smsc();
            first.into_iter().chain(&route.terms.followers.to)
        });
        let mut table = Self {
            delivers_to: dests.cloned().collect(),
            asks_enum: routes
                .iter()
                .any(|route| route.terms.enabled && route.terms.enum_domain.is_some()),
            names: Names::new(routes),
            routes: routes.to_vec(),
            index: Index::default(),
        };
        table.index = Index::new(table.compiled());
        table
    }

    /// All routes of the table.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Whether a route in force depends on what ENUM says: otherwise nobody need ask.
    #[must_use]
    pub fn asks_enum(&self) -> bool {
        self.asks_enum
    }

    /// Whether any route, in force or disabled, delivers to this frontend: then it is a name that
    /// the operator knows.
    #[must_use]
    pub fn names(&self, frontend: &FrontendName) -> bool {
        self.delivers_to.contains(frontend)
    }

    /// Every route, in the order of the table, as the chooser sees it.
    pub(super) fn compiled(&self) -> impl Iterator<Item = Compiled> {
        let numbered = (0..).zip(&self.routes);
        numbered.map(|(at, route)| Compiled::new(at, route, &self.names))
    }

    /// The route at this position.
    pub(super) fn at(&self, at: u32) -> Option<&Route> {
        self.routes.get(usize::try_from(at).ok()?)
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
