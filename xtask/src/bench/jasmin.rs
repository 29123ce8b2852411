//! Whole lives through Jasmin and through Zajil, in turns: submit, delivery to a carrier that costs
//! next to nothing, and its receipt back at the submitter.
//!
//! Jasmin runs as its documents say, with RabbitMQ and Redis; all of their CPU time is counted. It
//! leaves `TCP_NODELAY` alone, and what it sends last of a turn waits for the carrier to
//! acknowledge what it sent before: in one row the carrier does at once, in the other when Linux
//! does.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::load::{self, Measured};
use super::rounds::{self, Spread};
use super::server::Server;
use super::{Bench, Options, smpp};
use crate::install;
use crate::workspace::Workspace;

/// It also serves the tests.
const SCRIPT: &str = "crates/zajil/tests/peers/jasmin_peer.py";

const JASMIN: &str = "Jasmin";
const JASMIN_QUICK: &str = "Jasmin, quick ACK";
const ROWS: [&str; 4] = [JASMIN, JASMIN_QUICK, smpp::BY_RECEIPT, smpp::BY_CARRIER];

/// A receipt right behind its response is looked up by Jasmin before it knows the response, again
/// seconds later, and then lost.
const CARRIER: [&str; 3] = ["--receipts", "--receipt-delay", "200ms"];

/// Messages of a run through Jasmin: with the carrier's acknowledgements at once, and without.
const MESSAGES: u32 = 3_000;
const MESSAGES_SLOW: u32 = 300;

type Round = BTreeMap<&'static str, Measured>;

#[derive(Debug, Serialize)]
pub(super) struct Rounds {
    seconds: u32,
    cores: usize,
    rounds: Vec<Round>,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Rounds> {
    let python = install::ensure_jasmin(&Workspace::load()?.target_directory)?;
    let rounds = Rounds {
        seconds: options.seconds(),
        cores: std::thread::available_parallelism()?.get(),
        rounds: rounds::each(options, |number| round(bench, options, (number, &python)))?,
    };
    rounds.print();
    Ok(rounds)
}

fn round(bench: &Bench, options: &Options, (number, python): (u32, &Path)) -> Result<Round> {
    let mut round = Round::new();
    for row in ROWS {
        let measured = match row {
            JASMIN => through_jasmin(bench, (number, python), &[], MESSAGES_SLOW)?,
            JASMIN_QUICK => through_jasmin(bench, (number, python), &["--quick-ack"], MESSAGES)?,
            row => smpp::through_zajil(bench, (row, number), &CARRIER, options.seconds())?,
        };
        round.insert(row, measured);
    }
    Ok(round)
}

/// A few messages to warm up, then the run that counts.
fn through_jasmin(
    bench: &Bench,
    (number, python): (u32, &Path),
    more: &[&str],
    messages: u32,
) -> Result<Measured> {
    let carrier = Server::null_smpp(bench, &[&CARRIER, more].concat())?;
    let folder = bench.data_folder(&format!("jasmin-{number}-{}", more.len()));
    std::fs::create_dir_all(&folder)?;
    let mut jasmin = Jasmin::start(python, &folder)?;
    let port = carrier.smpp().port();
    let client = json!({ "port": port, "username": "jasmin", "password": "secret08" });
    jasmin.does(&json!(["connector", "carrier", client]))?;
    jasmin.does(&json!(["user", "bench", "secret08"]))?;
    jasmin.does(&json!(["goes_to", "bench", "carrier"]))?;
    jasmin.load(bench, messages / 10)?;
    let measured = jasmin.load(bench, messages)?;
    drop(jasmin);
    carrier.stop()?;
    Ok(measured)
}

/// Its processes; they end with the value.
#[derive(Debug)]
struct Jasmin {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    ready: Ready,
}

/// What the script says first.
#[derive(Debug, Default, Deserialize)]
struct Ready {
    smpp: u16,
    pids: BTreeMap<String, u32>,
}

impl Jasmin {
    fn start(python: &Path, folder: &Path) -> Result<Self> {
        let mut process = Command::new(python)
            .arg(SCRIPT)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", python.display()))?;
        let output = process.stdout.take().context("it has an output")?;
        let mut jasmin = Self {
            input: process.stdin.take(),
            process,
            output: BufReader::new(output),
            ready: Ready::default(),
        };
        let line = jasmin.line()?;
        jasmin.ready = serde_json::from_str(&line).context("Jasmin did not start")?;
        Ok(jasmin)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line)?;
        ensure!(read > 0, "{SCRIPT} ended");
        Ok(line)
    }

    fn does(&mut self, what: &serde_json::Value) -> Result<()> {
        let input = self.input.as_mut().context("it has an input")?;
        writeln!(input, "{what}")?;
        self.line().map(drop)
    }

    /// Submits so many messages, and waits for their receipts.
    fn load(&self, bench: &Bench, messages: u32) -> Result<Measured> {
        let mut command = Command::new(&bench.loadgen);
        command.args([
            "smpp",
            "--address",
            &format!("127.0.0.1:{}", self.ready.smpp),
        ]);
        command.args(["--binds", "1", "--window", "100", "--receipts"]);
        command.args(["--count", &messages.to_string(), "--patience", "60s"]);
        for pid in self.ready.pids.values() {
            command.args(["--server-pid", &pid.to_string()]);
        }
        load::measure(command, "receipt")
    }
}

impl Drop for Jasmin {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends when nobody speaks to it any more.
        self.process.wait().ok();
    }
}

impl Rounds {
    fn print(&self) {
        println!();
        println!(
            "{} rounds, {} s of Zajil each, {} cores; median (min-max)",
            self.rounds.len(),
            self.seconds,
            self.cores
        );
        println!(
            "{:<18} {:>24} {:>12}   {:<22} CPU of {JASMIN_QUICK}'s",
            "", "messages a second", "CPU ms each", "times Jasmin, quick ACK"
        );
        for row in ROWS {
            self.print_row(row);
        }
    }

    fn print_row(&self, row: &str) {
        let of = |figure: fn(&Measured) -> f64| {
            let rounds = self.rounds.iter().filter_map(|round| round.get(row));
            Spread::of(rounds.map(figure))
        };
        let within = |figure: fn(&Measured) -> f64| {
            let share =
                |round: &Round| Some(figure(round.get(row)?) / figure(round.get(JASMIN_QUICK)?));
            let shares = Spread::of(self.rounds.iter().filter_map(share));
            shares.map_or_else(String::new, |Spread { median, min, max }| {
                format!("{median:.3} ({min:.3}-{max:.3})")
            })
        };
        let (Some(rate), Some(cpu)) = (of(|one| one.rate), of(|one| one.cpu_us)) else {
            return;
        };
        println!(
            "{row:<18} {:>24} {:>12.3}   {:<22} {}",
            format!("{:.0} ({:.0}-{:.0})", rate.median, rate.min, rate.max),
            cpu.median / 1_000.0,
            within(|one| one.rate),
            within(|one| one.cpu_us),
        );
        for measured in self.rounds.iter().filter_map(|round| round.get(row)) {
            for (kind, count) in &measured.errors {
                println!("{:<18} {count} failed: {kind}", "");
            }
        }
    }
}
