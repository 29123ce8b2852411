//! What the machine gives the server: file descriptors, and the time.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Resource;
use zajil_store_embedded::inspect;

use super::check::Check;

/// What a server needs beside its connections: databases, logs, outside connections.
const OWN: u64 = 128;

/// The process that has the data directory open, as the kernel's list of locks says.
pub(super) fn holder(directory: &Path) -> Option<u32> {
    let lock = std::fs::metadata(directory.join(inspect::LOCK)).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let inode = format!(":{}", lock.ino());
    let held = locks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    // "1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF"; a waiting one has "->" in the second place.
    let mut held = held.filter(|words| words.get(1) == Some(&"FLOCK"));
    let found = held.find(|words| words.get(5).is_some_and(|place| place.ends_with(&inode)))?;
    found.get(4)?.parse().ok()
}

/// Whether there are enough file descriptors for every connection.
pub(super) fn descriptors(server: Option<u32>, connections: usize) -> Check {
    const NAME: &str = "file descriptors";
    let needed = u64::try_from(connections)
        .unwrap_or(u64::MAX)
        .saturating_add(OWN);
    let (whose, limit) = match server.and_then(limit_of) {
        Some(limit) => ("the server's limit", limit),
        None => {
            let limit = rustix::process::getrlimit(Resource::Nofile);
            ("the limit here", limit.current.unwrap_or(u64::MAX))
        }
    };
    if limit < needed {
        let sentence = format!("{whose} is {limit}; {connections} connections need {needed}");
        return Check::warn(NAME, sentence).remedy(format!(
            "LimitNOFILE={needed} in the unit (ulimit -n), or a smaller api.max_connections"
        ));
    }
    Check::ok(
        NAME,
        format!("{whose} is {limit}, enough for {connections} connections"),
    )
}

/// The soft limit of another process.
fn limit_of(process: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" {
        return Some(u64::MAX);
    }
    soft.parse().ok()
}

/// Whether the kernel's clock is kept right.
pub(super) fn clock() -> Vec<Check> {
    const NAME: &str = "clock";
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let told = asked.ok().filter(|output| output.status.success());
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    vec![match told.as_deref() {
        Some("yes") => Check::ok(NAME, "the kernel says that it is synchronised"),
        Some("no") => Check::warn(NAME, "the kernel says that it is not synchronised")
            .remedy("run chrony or systemd-timesyncd: expiry, retries and CDRs go by it"),
        _ => Check::ok(
            NAME,
            "whether it is synchronised cannot be asked here (timedatectl)",
        ),
    }]
}
