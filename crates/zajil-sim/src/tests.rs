//! The simulator repeats itself and finds what is broken; the engines keep every promise.

use std::process::Command;
use std::time::Duration;

use clap::ValueEnum as _;

use crate::campaign;
use crate::check::check;
use crate::defect::Defect;
use crate::run::run;

/// Seeds that are always run.
const FIXED: std::ops::Range<u64> = 1..121;
/// Seeds that once broke a promise: nodes that filled the tables twice, an end told twice, a submit
/// that was refused because its message had ended already, was removed, or could not be looked up,
/// a message that was stored again after it had been removed, one that an edit let live for a day.
const FOUND: [u64; 7] = [
    15,
    64,
    28_227_453_138_894,
    28_227_453_138_924,
    209_974_707_829_632,
    7_649_845_335_469,
    113_913_379_706_161,
];
/// How long the seeds of a commit go on.
const SLOW: Duration = Duration::from_secs(100);
/// At most so many seeds show a defect.
const SEEDS_PER_DEFECT: u64 = 200;

#[test]
fn a_seed_leads_to_the_same_history_every_time() {
    for seed in 1..9 {
        let (first, second) = (run(seed, None).unwrap(), run(seed, None).unwrap());
        let pairs = first.history.iter().zip(&second.history);
        for (at, (first, second)) in pairs.enumerate() {
            assert_eq!(first, second, "seed {seed}, entry {at}");
        }
        assert_eq!(first.history.len(), second.history.len(), "seed {seed}");
        assert_eq!(first.logs, second.logs, "seed {seed}");
    }
}

#[test]
fn every_defect_is_found_for_what_it_is() {
    assert_eq!(
        Defect::ALL.map(|(defect, _)| defect),
        Defect::value_variants()
    );
    for (defect, rule) in Defect::ALL {
        let found = (1..=SEEDS_PER_DEFECT).any(|seed| {
            let violations = check(&run(seed, Some(defect)).unwrap());
            violations.iter().any(|violation| violation.rule == rule)
        });
        assert!(found, "{defect:?} never led to '{rule}'");
    }
}

#[test]
fn fixed_seeds_keep_every_promise() {
    FOUND.iter().for_each(|seed| keep(*seed..*seed + 1, None));
    keep(FIXED, None);
}

/// The same commit always runs the same seeds; every commit runs others.
#[test]
fn seeds_of_this_commit_keep_every_promise() {
    let first = commit();
    keep(first..u64::MAX, Some(SLOW));
}

fn keep(seeds: std::ops::Range<u64>, within: Option<Duration>) {
    let from = seeds.start;
    let done = campaign::run(seeds, within, None).unwrap();
    println!("{} seeds from {from}", done.seeds);
    let told: String = done.failures.iter().map(ToString::to_string).collect();
    assert!(done.failures.is_empty(), "{told}");
    assert!(done.seeds > 0, "not one seed was run");
}

/// The beginning of the commit's hash; a fixed number outside a repository.
fn commit() -> u64 {
    let git = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output();
    let hash = git.ok().and_then(|git| String::from_utf8(git.stdout).ok());
    hash.and_then(|hash| u64::from_str_radix(hash.trim(), 16).ok())
        .unwrap_or(1_000_000)
}
