//! Many seeds, on as many threads as there are: a run is one thread's business.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use zajil_telemetry::Stopwatch;

use crate::check::{self, Violation};
use crate::defect::Defect;
use crate::run;

/// At most so many broken promises of one seed are told.
const TOLD: usize = 12;
/// After so many seeds that failed nothing is learnt from more.
const ENOUGH: usize = 10;

/// A seed that broke a promise.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) violations: Vec<Violation>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, violations } = self;
        writeln!(f, "seed {seed} breaks {} promises:", violations.len())?;
        for violation in violations.iter().take(TOLD) {
            writeln!(f, "  {violation}")?;
        }
        writeln!(f, "  repeat it: cargo run -p zajil-sim -- --seed {seed}")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) seeds: u64,
    pub(crate) failures: Vec<Failure>,
}

/// Runs seeds in order until they, or the time, are used up.
pub(crate) fn run(
    seeds: Range<u64>,
    within: Option<Duration>,
    defect: Option<Defect>,
) -> Result<Done> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (next, watch) = (AtomicU64::new(seeds.start), Stopwatch::start());
    let worker = || -> Result<Done> {
        let mut done = Done::default();
        while within.is_none_or(|within| watch.elapsed() < within) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || done.failures.len() >= ENOUGH {
                break;
            }
            let violations = check::check(&run::run(seed, defect)?);
            done.seeds += 1;
            if !violations.is_empty() {
                done.failures.push(Failure { seed, violations });
            }
        }
        Ok(done)
    };
    let mut all = Done::default();
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let done = worker
                .join()
                .map_err(|_| anyhow::anyhow!("a run panicked: see above"))??;
            all.seeds += done.seeds;
            all.failures.extend(done.failures);
        }
        Ok(())
    })?;
    all.failures.sort_by_key(|failure| failure.seed);
    Ok(all)
}
