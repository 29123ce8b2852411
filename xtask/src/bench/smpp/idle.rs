//! What binds that do nothing hold in memory.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::super::server::Server;
use super::super::{Bench, Options};

/// No account may have more than 1,000 binds.
const ACCOUNTS: u32 = 10;

/// The generator's figures.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::bench) struct Idle {
    binds: u32,
    before_kib: u32,
    bound_kib: u32,
    bind_seconds: f64,
}

pub(in crate::bench) fn run(bench: &Bench, options: &Options) -> Result<Vec<Idle>> {
    let binary = bench.zajil.as_ref();
    let binary = binary.context("there is no package zajil yet")?;
    let sizes: &[u32] = if options.quick {
        &[100, 1_000]
    } else {
        &[1_000, 10_000]
    };
    println!(
        "{:>8} {:>14} {:>13} {:>11} {:>10}",
        "binds", "MiB before", "MiB bound", "KiB a bind", "binding s"
    );
    let mut all = Vec::new();
    for binds in sizes {
        let data = bench.data_folder(&format!("idle-{binds}"));
        let settings = "[smpp]\nmax_connections = 20000\n";
        let zajil = Server::configured(bench, binary, &data, settings)?;
        for number in 1..=ACCOUNTS {
            let account = serde_json::json!({
                "system_id": format!("bench{number}"), "password": "secret08",
                "max_binds": 1_000,
            });
            zajil.post("/api/smpp/accounts", &account.to_string())?;
        }
        let output = Command::new(&bench.loadgen)
            .args(["smpp", "--address", &zajil.smpp().to_string()])
            .args(["--binds", &binds.to_string(), "--idle", "3s"])
            .args(["--accounts", &ACCOUNTS.to_string()])
            .args(["--server-pid", &zajil.pid().to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "loadgen failed");
        let idle: Idle = serde_json::from_slice(&output.stdout)?;
        zajil.stop()?;
        let mib = |kib: u32| f64::from(kib) / 1024.0;
        println!(
            "{:>8} {:>14.1} {:>13.1} {:>11.1} {:>10.2}",
            idle.binds,
            mib(idle.before_kib),
            mib(idle.bound_kib),
            f64::from(idle.bound_kib.saturating_sub(idle.before_kib)) / f64::from(idle.binds),
            idle.bind_seconds
        );
        all.push(idle);
    }
    Ok(all)
}
