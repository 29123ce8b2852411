//! The suite of every store. One server serves all cases: starting one for each would take longer
//! than all of them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{Id, JoinSet};
use zajil_store::conformance::{self, CASES, REOPEN_CASES};

use crate::place::{Schema, database};

/// How many cases run at once.
const AT_ONCE: usize = 6;

/// Runs all, a few at once; answers the names of those that failed, which have said why.
async fn failures<F>(cases: impl IntoIterator<Item = (&'static str, F)>) -> Vec<&'static str>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (mut running, mut names, mut failed) = (JoinSet::new(), HashMap::new(), Vec::new());
    for (name, case) in cases {
        if running.len() == AT_ONCE {
            failed.extend(next(&mut running, &names).await);
        }
        names.insert(running.spawn(case).id(), name);
    }
    while !running.is_empty() {
        failed.extend(next(&mut running, &names).await);
    }
    failed
}

/// The name of the next that ends, if it has failed.
async fn next(
    running: &mut JoinSet<()>,
    names: &HashMap<Id, &'static str>,
) -> Option<&'static str> {
    let ended = running.join_next().await?;
    ended.err().map(|error| names[&error.id()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_every_case_of_the_suite_passes() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let cases = CASES.iter().map(|(name, case)| {
        let home = Schema::new(&server);
        (*name, conformance::run(home, *case))
    });
    assert_eq!(failures(cases).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr26_every_case_of_the_suite_passes_where_all_that_is_new_stands_in_runs() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let cases = CASES.iter().map(|(name, case)| {
        let home = Schema::of_runs(&server);
        (*name, conformance::run(home, *case))
    });
    assert_eq!(failures(cases).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_every_case_that_reopens_the_store_passes() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let cases = REOPEN_CASES.iter().map(|(name, case)| {
        let home = Arc::new(Schema::of_runs(&server));
        (*name, case(home))
    });
    assert_eq!(failures(cases).await, [""; 0]);
}
