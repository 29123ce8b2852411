//! What a server that has nothing to do costs: its size, the time to start, memory and CPU.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::server::Server;
use super::{Bench, Options};

const MIB: f64 = 1024.0 * 1024.0;
/// Of what `/proc` counts: fixed for programs, whatever the kernel was built with.
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Debug, Serialize)]
pub(super) struct Idle {
    binary_mib: f64,
    /// From starting the process to its first 200 on `/readyz`, of a new data folder, and of one
    /// that was used before.
    ready_ms: [f64; 2],
    resident_mib: u64,
    cpu_percent: f64,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Idle> {
    let absent = "there is no package zajil yet";
    let binary = bench.zajil.as_deref().context(absent)?;
    let data = bench.data_folder("idle");
    let first = Server::configured(bench, binary, &data, "")?;
    let new_ms = first.ready_after.as_secs_f64() * 1000.0;
    first.stop()?;
    let server = Server::configured(bench, binary, &data, "")?;
    let used_ms = server.ready_after.as_secs_f64() * 1000.0;
    let before = ticks(server.pid())?;
    let seconds = options.seconds();
    thread::sleep(Duration::from_secs(seconds.into()));
    let spent = ticks(server.pid())? - before;
    let idle = Idle {
        binary_mib: megabytes(fs::metadata(binary)?.len())?,
        ready_ms: [new_ms, used_ms],
        resident_mib: server.resident_mib()?,
        cpu_percent: 100.0 * spent / TICKS_A_SECOND / f64::from(seconds),
    };
    server.stop()?;
    println!(
        "binary {:.1} MiB; ready after {new_ms:.0} ms, again after {used_ms:.0} ms; \
         {} MiB resident, {:.1} % of a core over {seconds} s",
        idle.binary_mib, idle.resident_mib, idle.cpu_percent
    );
    Ok(idle)
}

fn megabytes(octets: u64) -> Result<f64> {
    Ok(f64::from(u32::try_from(octets)?) / MIB)
}

/// User and system time of a process so far.
fn ticks(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    user_and_system(&stat).context("/proc/PID/stat is new")
}

fn user_and_system(stat: &str) -> Option<f64> {
    // The name before it may hold anything, also spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::user_and_system;

    #[test]
    fn times_are_the_fourteenth_and_fifteenth_field() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 6 0 99 1 2";
        assert_eq!(user_and_system(stat), Some(42.0));
        assert_eq!(user_and_system("7 (a) S 1"), None);
    }
}
