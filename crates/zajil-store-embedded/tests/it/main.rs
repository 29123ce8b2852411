//! The embedded store against the contract's suite, and what only a file can get wrong.
#![cfg(test)]

use std::sync::Arc;

use tempfile::TempDir;
use zajil_store::Store;
use zajil_store::conformance::Home;
use zajil_store_embedded::{EmbeddedStore, Options};

mod file;
mod line;
mod make;
mod moved;
mod sync;
mod told;
mod turns;

/// A directory of its own; each call opens what the call before has left there.
fn home() -> impl Home {
    let directory = TempDir::new().unwrap();
    move || {
        let store = EmbeddedStore::open(directory.path(), &Options::default()).unwrap();
        Arc::new(store) as Arc<dyn Store>
    }
}

zajil_store::conformance_tests!(crate::home());
zajil_store::reopen_tests!(crate::home());
