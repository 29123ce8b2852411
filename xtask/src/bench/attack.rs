//! What an honest client has of a server that others attack: its latency alone, then while they are
//! at it, and what the server holds before, meanwhile and afterwards.
//!
//! The server has one core, all clients have the other; there the honest one goes first. With
//! `--memory` attackers are measured and not what others do to the disk meanwhile.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::load::{Amount, CLIENT_CORE, Load, Measured, SERVER_CORE, on_core};
use super::server::Server;
use super::{Bench, Options};

const FRONTEND: &str = "bench_gw";
/// Of the honest client.
const CONNECTIONS: u32 = 8;
const RATE: f64 = 200.0;
/// As where others can reach the server, but that rates are not limited: the honest client asks
/// more often than one address may, and attackers are to be borne, not put off.
const SETTINGS: &str =
    "[api]\naccess = \"required\"\nmax_connections = 15000\nmax_connections_per_ip = 1000\n";
const KINDS: [&str; 8] = [
    "slowloris",
    "headers",
    "body",
    "depth",
    "keys",
    "idle",
    "flood",
    "all",
];
/// For the attackers to outlast the honest client.
const LONGER: u32 = 4;

/// One kind of attack in one round.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    kind: &'static str,
    alone: Measured,
    attacked: Measured,
    resident_mib: [u64; 3],
    /// What came of the attempts.
    attempts: BTreeMap<String, u64>,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Vec<Round>> {
    let binary = bench.zajil.as_ref();
    let binary = binary.context("there is no package zajil yet")?;
    println!(
        "{:<10} {:>15} {:>15} {:>6} {:>20}",
        "", "p50, p99 alone", "attacked", "times", "RSS MiB"
    );
    let mut rounds = Vec::new();
    for number in 1..=options.rounds() {
        let data = bench.data_folder(&format!("attack-{number}"));
        std::fs::create_dir(&data)?;
        let key = key(binary, &data)?;
        let server = Server::pinned(bench, binary, &data, (SERVER_CORE, SETTINGS))?;
        let server = Guarded { server, key };
        server.honest(bench, 2)?;
        for kind in KINDS {
            let round = server.attacked(bench, (kind, options.seconds()))?;
            round.print();
            rounds.push(round);
        }
        server.server.stop()?;
    }
    println!();
    for kind in KINDS {
        let times = rounds.iter().filter(|round| round.kind == kind);
        let mut times: Vec<f64> = times.map(Round::times).collect();
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        println!(
            "{kind:<10} p99 times {median:.2} (median of {})",
            times.len()
        );
    }
    Ok(rounds)
}

/// A key, made before the server runs.
fn key(binary: &Path, data: &Path) -> Result<String> {
    let mut command = Command::new(binary);
    command.args(["key", "create", "--name", "bench", "--scope", "admin"]);
    let output = command.arg("--data").arg(data).output()?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A server that asks for a key.
struct Guarded {
    server: Server,
    key: String,
}

impl Guarded {
    fn honest(&self, bench: &Bench, seconds: u32) -> Result<Measured> {
        let load = Load {
            scenario: "submit",
            frontend: FRONTEND,
            connections: CONNECTIONS,
            amount: Amount::Seconds(seconds),
            body: None,
            rate: Some(RATE),
            core: Some(CLIENT_CORE),
            more: &["--api-key", &self.key],
        };
        load.run(bench, &self.server)
    }

    fn attacked(&self, bench: &Bench, (kind, seconds): (&'static str, u32)) -> Result<Round> {
        let alone = self.honest(bench, seconds)?;
        let before = self.server.resident_mib()?;
        let mut command = on_core(CLIENT_CORE, "nice".as_ref());
        command.args(["-n", "19"]).arg(&bench.loadgen);
        command.args(["attack", kind, "--url", &self.server.url()]);
        command.args(["--duration", &format!("{}s", seconds + LONGER)]);
        let mut attack = Attack::begin(command)?;
        let attacked = self.honest(bench, seconds)?;
        let meanwhile = self.server.resident_mib()?;
        let attempts = attack.end()?;
        Ok(Round {
            kind,
            alone,
            attacked,
            resident_mib: [before, meanwhile, self.server.resident_mib()?],
            attempts,
        })
    }
}

struct Attack {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Attack {
    /// Returns once it is in full swing.
    fn begin(mut command: Command) -> Result<Self> {
        command.stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot run loadgen")?;
        let said = process.stdout.take().context("it says nothing")?;
        let mut attack = Self {
            process,
            said: BufReader::new(said),
        };
        let mut line = String::new();
        attack.said.read_line(&mut line)?;
        ensure!(
            line == "in full swing\n",
            "the attack did not begin: {line}"
        );
        Ok(attack)
    }

    fn end(&mut self) -> Result<BTreeMap<String, u64>> {
        let mut told = String::new();
        self.said.read_to_string(&mut told)?;
        ensure!(self.process.wait()?.success(), "the attack failed");
        Ok(serde_json::from_str(&told)?)
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        // Fails when it has ended already, which is just as well.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Round {
    fn times(&self) -> f64 {
        self.attacked.p99_ms / self.alone.p99_ms
    }

    fn print(&self) {
        let [before, meanwhile, after] = self.resident_mib;
        println!(
            "{:<10} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>6.2} {:>20} {:?} {:?}",
            self.kind,
            self.alone.p50_ms,
            self.alone.p99_ms,
            self.attacked.p50_ms,
            self.attacked.p99_ms,
            self.times(),
            format!("{before} {meanwhile} {after}"),
            self.attempts,
            self.attacked.errors
        );
    }
}
