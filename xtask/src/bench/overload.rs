//! Three times as many submits as the server can take: how many it still takes, how long those
//! wait, what the others are told, and what it holds meanwhile. A caller sends its next request
//! when it has the answer to the last: what is due while all of them wait is not sent, and is told
//! too.
//! `bench overload --seconds 600` overloads each path for ten minutes.
//!
//! Server and generator have a core each, so that the generator can ask for more than the server
//! can do.

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::load::{Amount, CLIENT_CORE, Load, Measured, SERVER_CORE};
use super::server::Server;
use super::{Bench, Options};

const FRONTEND: &str = "bench_gw";
/// Connections that find out what the server can do.
const ENOUGH: u32 = 64;
/// Connections that ask for more, if the system allows one process so many.
const TOO_MANY: u32 = 4_000;
/// Files that the generator opens besides.
const OTHER_FILES: u32 = 100;
const TIMES: f64 = 3.0;
/// The peak is known after so many seconds, however long the overload lasts.
const PEAK_SECONDS: u32 = 20;

/// One round.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    path: &'static str,
    peak: Measured,
    overload: Measured,
    resident_mib_before: u64,
    resident_mib_after: u64,
    asked_per_second: f64,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Vec<Round>> {
    let binary = bench
        .zajil
        .as_ref()
        .context("there is no package zajil yet")?;
    let mut rounds = Vec::new();
    let too_many = TOO_MANY.min(most_files()?.saturating_sub(OTHER_FILES));
    println!("{ENOUGH} connections, then {too_many}");
    println!(
        "{:<13} {:>8} {:>9} {:>9} {:>6} {:>8} {:>8} {:>15} {:>10}",
        "", "peak/s", "asked/s", "taken/s", "share", "p99 peak", "p99 over", "RSS MiB", "not sent"
    );
    for number in 1..=options.rounds() {
        for path in ["submit", "submit-async"] {
            let data = bench.data_folder(&format!("overload-{path}-{number}"));
            let server = Server::pinned(bench, binary, &data, (SERVER_CORE, ""))?;
            let seconds = Amount::Seconds(options.seconds());
            let once = |connections, rate, amount| {
                let load = Load {
                    scenario: path,
                    frontend: FRONTEND,
                    connections,
                    amount,
                    body: None,
                    rate,
                    core: Some(CLIENT_CORE),
                    more: &[],
                };
                load.run(bench, &server)
            };
            once(ENOUGH, None, Amount::Seconds(1))?;
            once(too_many, None, Amount::Seconds(1))?;
            let short = Amount::Seconds(options.seconds().min(PEAK_SECONDS));
            let peak = once(ENOUGH, None, short)?;
            let resident_mib_before = server.resident_mib()?;
            let asked_per_second = peak.rate * TIMES;
            let overload = once(too_many, Some(asked_per_second), seconds)?;
            let round = Round {
                path,
                peak,
                overload,
                resident_mib_before,
                resident_mib_after: server.resident_mib()?,
                asked_per_second,
            };
            server.stop()?;
            round.print();
            rounds.push(round);
        }
    }
    Ok(rounds)
}

/// How many files a process may open that does not ask for more.
fn most_files() -> Result<u32> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    let soft = soft.context("the system tells no limit of open files")?;
    // "unlimited" is no number.
    Ok(soft.parse().unwrap_or(u32::MAX))
}

impl Round {
    fn print(&self) {
        println!(
            "{:<13} {:>8.0} {:>9.0} {:>9.0} {:>6.2} {:>8.1} {:>8.1} {:>15} {:>10} {:?}",
            self.path,
            self.peak.rate,
            self.asked_per_second,
            self.overload.rate,
            self.overload.rate / self.peak.rate,
            self.peak.answer_p99_ms,
            self.overload.answer_p99_ms,
            format!(
                "{} then {}",
                self.resident_mib_before, self.resident_mib_after
            ),
            self.overload.unsent,
            self.overload.errors
        );
    }
}
