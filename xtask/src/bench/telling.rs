//! What it costs to tell what was done: CDRs, metrics and the log, on against off.
//!
//! The lines of a message's event log are part of the message and are written either way; a binary
//! that leaves them out can be given as the other side (`--binary`).

use anyhow::{Context, Result};
use serde::Serialize;

use super::load::Measured;
use super::server::Server;
use super::{Bench, Options, rounds};

const OFF: &str = "[cdr]\ncdr_enabled = false\n[metrics]\nenabled = false\n\
                   [webhooks]\nenabled = false\n[log]\nlevel = \"error\"\n";

/// CDRs are written at the end of a life, so it is measured too.
const SCENARIOS: [&str; 2] = ["submit", "lifecycle"];

/// One scenario of a round.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    scenario: &'static str,
    off: Measured,
    on: Measured,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Vec<Round>> {
    println!(
        "{:>13} {:>10} {:>7} {:>9}",
        "", "messages/s", "ratio", "p99 ms"
    );
    let absent = "there is no package zajil yet";
    let built = bench.built.as_ref().context(absent)?;
    let other = bench.zajil.as_ref().context(absent)?;
    let mut rounds = Vec::new();
    for number in 0..options.rounds() {
        for scenario in SCENARIOS {
            let run = |binary, name: &str, settings| {
                let data = bench.data_folder(&format!("telling-{scenario}-{name}-{number}"));
                let server = Server::configured(bench, binary, &data, settings)?;
                let measured = rounds::measure(bench, options, &server, scenario)?;
                server.stop()?;
                anyhow::Ok(measured)
            };
            let round = Round {
                scenario,
                off: run(other, "off", OFF)?,
                on: run(built, "on", "")?,
            };
            round.print();
            rounds.push(round);
        }
    }
    Ok(rounds)
}

impl Round {
    fn print(&self) {
        for (name, measured) in [("off", &self.off), ("on", &self.on)] {
            println!(
                "{:>13} {:>10.0} {:>7.2} {:>9.2} {:?}",
                format!("{} {name}", self.scenario),
                measured.rate,
                measured.rate / self.off.rate,
                measured.p99_ms,
                measured.errors
            );
        }
    }
}
