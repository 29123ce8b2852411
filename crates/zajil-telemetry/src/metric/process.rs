//! The standard `process_*` metrics, read from `/proc` when they are asked for.

use std::fs;
use std::sync::{Mutex, PoisonError};

use prometheus::{Counter, Error, IntGauge, Registry};

use super::catalogue::process as rows;
use super::register::add;

/// The unit of times in `/proc`: fixed for programs, whatever the kernel uses inside.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the system knows of this process.
#[derive(Debug)]
pub(super) struct Process {
    /// Two scrapes at once would count the same time twice.
    cpu: Mutex<Counter>,
    open_fds: IntGauge,
    max_fds: IntGauge,
    resident: IntGauge,
    virtual_memory: IntGauge,
    threads: IntGauge,
    started: IntGauge,
}

impl Process {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let process = Self {
            cpu: Mutex::new(add(registry, &rows::CPU)?),
            open_fds: add(registry, &rows::OPEN_FDS)?,
            max_fds: add(registry, &rows::MAX_FDS)?,
            resident: add(registry, &rows::RESIDENT)?,
            virtual_memory: add(registry, &rows::VIRTUAL)?,
            threads: add(registry, &rows::THREADS)?,
            started: add(registry, &rows::STARTED)?,
        };
        process.refresh();
        Ok(process)
    }

    /// Reads them again; what cannot be read stays as it was.
    pub(super) fn refresh(&self) {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let stat = read("/proc/self/stat");
        if let Some(seconds) = cpu_seconds(&stat) {
            let cpu = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
            cpu.inc_by((seconds - cpu.get()).max(0.0));
        }
        let status = read("/proc/self/status");
        let bytes = |name| field(&status, name).and_then(|kib| kib.checked_mul(1_024));
        set(&self.resident, bytes("VmRSS:"));
        set(&self.virtual_memory, bytes("VmSize:"));
        set(&self.threads, field(&status, "Threads:"));
        let open = fs::read_dir("/proc/self/fd").map(Iterator::count);
        set(
            &self.open_fds,
            open.ok().and_then(|n| i64::try_from(n).ok()),
        );
        set(
            &self.max_fds,
            field(&read("/proc/self/limits"), "Max open files"),
        );
        set(&self.started, started(&stat, &read("/proc/stat")));
    }
}

fn set(gauge: &IntGauge, value: Option<i64>) {
    if let Some(value) = value {
        gauge.set(value);
    }
}

/// The number after a name at the start of a line.
fn field(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A field of `/proc/<pid>/stat` by its number in proc(5); the second, a name, may hold anything.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let field = rest.split_whitespace().nth(number.checked_sub(3)?)?;
    field.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

/// Seconds since 1970 at which the process started.
fn started(stat: &str, system: &str) -> Option<i64> {
    let since_boot = stat_field(stat, 22)? / TICKS_PER_SECOND;
    let whole: i64 = format!("{since_boot:.0}").parse().ok()?;
    field(system, "btime ")?.checked_add(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_shifts_nothing() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 150 0 0 20 0 9 0 12345 99 5";
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(started(stat, "cpu 1\nbtime 1000\n"), Some(1_123));
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn this_process_has_all_of_them() {
        let process = Process::new(&Registry::new()).unwrap();
        assert!(process.open_fds.get() > 2 && process.max_fds.get() >= process.open_fds.get());
        assert!(process.resident.get() > 1 << 20);
        assert!(process.virtual_memory.get() >= process.resident.get());
        assert!(process.threads.get() >= 1);
        assert!(process.started.get() > 1_700_000_000);
    }
}
