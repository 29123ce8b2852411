//! What frontends that wait for messages hold in memory, and how soon a message wakes its own.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::load::{CLIENT_CORE, SERVER_CORE, on_core};
use super::server::Server;
use super::{Bench, Options};

/// The generator's figures.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Polls {
    polls: u32,
    before_kib: u32,
    waiting_kib: u32,
    after_kib: u32,
    wakes: u32,
    missed: u32,
    wake_ms: Quantiles,
    stored_ms: Quantiles,
    woken_ms: Quantiles,
}

#[derive(Debug, Deserialize, Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
    max: f64,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Vec<Polls>> {
    let binary = bench.zajil.as_ref();
    let binary = binary.context("there is no package zajil yet")?;
    let (polls, wakes) = if options.quick {
        ("500", "100")
    } else {
        ("5000", "500")
    };
    println!(
        "{:>6} {:>9} {:>10} {:>10} {:>9}   {:^23}   {:^23}   {:^23}",
        "polls",
        "MiB extra",
        "KiB a poll",
        "MiB after",
        "missed",
        "wake p50, p99, max ms",
        "to its answer",
        "from there"
    );
    let mut all = Vec::new();
    for round in 1..=options.rounds() {
        let data = bench.data_folder(&format!("polls-{round}"));
        let server = Server::pinned(bench, binary, &data, (SERVER_CORE, ""))?;
        let mut command = on_core(CLIENT_CORE, &bench.loadgen);
        command.args(["polls", "--url", &server.url()]);
        command.args(["--polls", polls, "--wakes", wakes]);
        let measured = measured(command, &server)?;
        server.stop()?;
        measured.print();
        all.push(measured);
    }
    Ok(all)
}

fn measured(mut command: Command, server: &Server) -> Result<Polls> {
    let output = command
        .args(["--server-pid", &server.pid().to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Polls {
    fn print(&self) {
        let mib = |kib: u32| f64::from(kib) / 1024.0;
        let extra = self.waiting_kib.saturating_sub(self.before_kib);
        let quantiles = |of: &Quantiles| format!("{:>7.2} {:>7.2} {:>7.2}", of.p50, of.p99, of.max);
        println!(
            "{:>6} {:>9.1} {:>10.1} {:>10.1} {:>9}   {}   {}   {}",
            self.polls,
            mib(extra),
            f64::from(extra) / f64::from(self.polls),
            mib(self.after_kib),
            self.missed,
            quantiles(&self.wake_ms),
            quantiles(&self.stored_ms),
            quantiles(&self.woken_ms)
        );
    }
}
