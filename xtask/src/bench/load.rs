//! One run of the load generator, and what the benchmarks read of its report.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Bench;
use super::server::Server;

/// What a busy set of clients opens.
pub(super) const CONNECTIONS: u32 = 64;

/// Where the server runs, and where its peers, when each has a core to itself.
pub(super) const SERVER_CORE: &str = "0";
pub(super) const CLIENT_CORE: &str = "1";

#[derive(Debug)]
pub(super) struct Load<'a> {
    pub(super) scenario: &'a str,
    pub(super) frontend: &'a str,
    pub(super) connections: u32,
    pub(super) amount: Amount,
    /// What is submitted; the generator's own message without.
    pub(super) body: Option<&'a str>,
    /// Requests a second; without, each connection sends as soon as it has its answer.
    pub(super) rate: Option<f64>,
    /// Where the generator runs; anywhere without.
    pub(super) core: Option<&'a str>,
    /// Arguments of this scenario alone.
    pub(super) more: &'a [&'a str],
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Amount {
    Seconds(u32),
    Count(u32),
}

/// Runs a program on this core and no other.
pub(super) fn on_core(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program);
    command
}

/// The part of the generator's report that is used here.
#[derive(Debug, Deserialize)]
struct Report {
    messages: u64,
    unsent: u64,
    operations: BTreeMap<String, Operation>,
    server_cpu_us_per_message: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    ok: u64,
    errors: BTreeMap<String, u64>,
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    answer_p99_ms: f64,
}

/// One run, seen through its counted operation.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    /// Messages a second.
    pub(super) rate: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// From sending, not from when it was due.
    pub(super) answer_p99_ms: f64,
    pub(super) cpu_us: f64,
    pub(super) ok: u64,
    /// Due, and not sent because every connection was still waiting.
    pub(super) unsent: u64,
    /// Of every operation of the run.
    pub(super) errors: BTreeMap<String, u64>,
}

impl Load<'_> {
    pub(super) fn run(&self, bench: &Bench, server: &Server) -> Result<Measured> {
        let mut command = match self.core {
            Some(core) => on_core(core, &bench.loadgen),
            None => Command::new(&bench.loadgen),
        };
        command.args(["http", self.scenario, "--url", &server.url()]);
        command.args(["--frontend", self.frontend]);
        command.args(["--connections", &self.connections.to_string()]);
        command.args(["--server-pid", &server.pid().to_string()]);
        if let Some(body) = self.body {
            command.args(["--body-template", body]);
        }
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        command.args(self.more);
        match self.amount {
            Amount::Seconds(seconds) => command.args(["--duration", &format!("{seconds}s")]),
            Amount::Count(count) => command.args(["--count", &count.to_string()]),
        };
        measure(command, self.counted_operation())
    }

    /// A message's life ends with the report of its delivery.
    fn counted_operation(&self) -> &str {
        if self.scenario == "lifecycle" {
            "mark_delivered"
        } else {
            self.scenario
        }
    }
}

/// Runs the generator, and reads what its report says of this operation.
pub(super) fn measure(mut command: Command, operation: &str) -> Result<Measured> {
    let output = command
        .args(["--json", "-"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run loadgen")?;
    // 1 means that some requests failed: the report says which.
    ensure!(
        matches!(output.status.code(), Some(0 | 1)),
        "{command:?} failed"
    );
    let report = serde_json::from_slice(&output.stdout).context("loadgen's report is new")?;
    measured(report, operation)
}

fn measured(report: Report, operation: &str) -> Result<Measured> {
    let mut errors = BTreeMap::new();
    for (name, operation) in &report.operations {
        for (kind, count) in &operation.errors {
            errors.insert(format!("{name} {kind}"), *count);
        }
    }
    let Some(counted) = report.operations.get(operation) else {
        bail!("loadgen's report has no {operation}");
    };
    let ok = f64::from(u32::try_from(counted.ok)?);
    let each = f64::from(u32::try_from(report.messages)?) / ok.max(1.0);
    Ok(Measured {
        rate: counted.rate * each,
        p50_ms: counted.p50_ms,
        p99_ms: counted.p99_ms,
        answer_p99_ms: counted.answer_p99_ms,
        cpu_us: report.server_cpu_us_per_message.unwrap_or_default(),
        ok: counted.ok,
        unsent: report.unsent,
        errors,
    })
}
