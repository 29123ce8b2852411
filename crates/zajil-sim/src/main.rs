//! `zajil-sim` runs seeds: a cluster under faults in one thread, then the invariants over it.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use zajil_core::id::MessageId;

use crate::defect::Defect;

mod campaign;
mod check;
mod defect;
mod fault;
mod history;
mod line;
mod link;
mod load;
mod plan;
mod rng;
mod run;
mod sink;
mod stage;
#[cfg(test)]
mod tests;
mod till;
mod time;
mod world;

/// Runs simulated clusters and checks what must hold.
#[derive(Debug, Parser)]
#[command(name = "zajil-sim")]
struct Cli {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds from there on.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Go on for so many seconds at the most.
    #[arg(long)]
    within: Option<u64>,
    /// Only tell what happens to this message under the first seed.
    #[arg(long)]
    message: Option<u64>,
    /// Break the store in this way, to see it found.
    #[arg(long)]
    defect: Option<Defect>,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(message) = cli.message {
        return story(&cli, message);
    }
    let within = cli.within.map(Duration::from_secs);
    let seeds = cli.seed..cli.seed.saturating_add(cli.count);
    let done = campaign::run(seeds, within, cli.defect)?;
    let mut out = io::stdout().lock();
    for failure in &done.failures {
        write!(out, "{failure}")?;
    }
    let broken = done.failures.len();
    writeln!(
        out,
        "{} seeds, {broken} of them broke a promise",
        done.seeds
    )?;
    Ok(if broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What happened to one message, and what was written down of it.
fn story(cli: &Cli, message: u64) -> Result<ExitCode> {
    let finale = run::run(cli.seed, cli.defect)?;
    let id = MessageId::new(message)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{:?}", finale.plan)?;
    for entry in finale
        .history
        .iter()
        .filter(|entry| entry.what.is_about(id))
    {
        writeln!(out, "{:?} {:?}", entry.at, entry.what)?;
    }
    for event in finale.logs.get(&id).into_iter().flatten() {
        let (name, told, by) = (event.name.as_str(), &event.description, &event.source);
        writeln!(out, "log {:?} {name} '{told}' by {by}", event.at)?;
    }
    Ok(ExitCode::SUCCESS)
}
