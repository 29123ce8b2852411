//! The model against the suite that it is the measure of.

use std::sync::Arc;

use zajil_store::Store;
use zajil_store::conformance::{CASES, Home, REOPEN_CASES};
use zajil_store::memory::MemoryStore;

fn home() -> impl Home {
    || Arc::new(MemoryStore::new()) as Arc<dyn Store>
}

zajil_store::conformance_tests!(crate::home());

#[test]
fn cases_have_names_of_their_own() {
    let cases = CASES.iter().map(|(name, _)| *name);
    let mut names: Vec<&str> = cases
        .chain(REOPEN_CASES.iter().map(|(name, _)| *name))
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(CASES.len() >= 100, "{}", CASES.len());
}
