//! The routes in force, compiled for look-up: an immutable snapshot (D13).

use super::Route;

/// A compiled table. Build it off the hot path and swap it in whole.
#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Route>,
}

impl Table {
    /// Compiles `routes`; disabled ones are kept for explanations.
    #[must_use]
    pub fn new(routes: &[Route]) -> Self {
        Self {
            routes: routes.to_vec(),
        }
    }

    /// All routes of the table.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}
