//! CPU time and memory of a process, as Linux counts them.

use std::time::Duration;

use anyhow::{Context, Result};

/// User space sees clock ticks of 10 ms on every Linux platform (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// User and system time that the process `pid` has used so far, all threads together.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    cpu_time_of(&stat).with_context(|| format!("{path} does not look like a process's figures"))
}

/// Memory that the process `pid` really holds, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("{path} names no VmRSS"))
}

/// `utime` and `stime` are the fields 14 and 15; the name in field 2 may hold blanks and brackets.
fn cpu_time_of(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_name() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 100 0 0";
        assert_eq!(cpu_time_of(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_time_of("42 (short) S 1"), None);
    }

    #[test]
    fn our_own_figures_can_be_read() {
        cpu_time(std::process::id()).expect("this process exists");
        let kib = resident_kib(std::process::id()).expect("this process exists");
        assert!(kib > 100, "{kib}");
    }
}
