//! The data directory and its disk: there, ours, writable, with room, and quick enough to sync.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use zajil_store_embedded::inspect;
use zajil_telemetry::Stopwatch;

use super::check::Check;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Below this a busy queue fills the disk within minutes.
const LEAST: u64 = 256 * MIB;
/// A sync that takes longer bounds submits to a few batches a second.
const SLOW_MS: u128 = 50;
const VERY_SLOW_MS: u128 = 500;
/// How often the probe syncs.
const PROBES: u32 = 8;

/// Whether the directory is there, whose it is, and whether this user may write there.
pub(super) fn directory(directory: &Path) -> Vec<Check> {
    const NAME: &str = "data directory";
    let shown = directory.display();
    let found = match std::fs::metadata(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![
                Check::warn(NAME, format!("{shown} is not there"))
                    .remedy("zajil serve makes it; if messages were there before, see --data"),
            ];
        }
        Err(error) => {
            return vec![
                Check::fail(NAME, format!("{shown}: {error}"))
                    .remedy("run this as the user of the server, or mend the path"),
            ];
        }
    };
    if !found.is_dir() {
        return vec![
            Check::fail(NAME, format!("{shown} is not a directory")).remedy("set store.directory"),
        ];
    }
    let queue = std::fs::metadata(directory.join(inspect::DATABASE));
    if let Ok(queue) = queue
        && queue.uid() != found.uid()
    {
        let (owner, other) = (found.uid(), queue.uid());
        let sentence = format!("{shown} belongs to user {owner}, but its database to {other}");
        let remedy = format!("chown -R {owner} {shown}, or run the server as user {other}");
        return vec![Check::fail(NAME, sentence).remedy(remedy)];
    }
    match probe(directory) {
        Ok(_) => {
            let sentence = format!("{shown} is there and writable (user {})", found.uid());
            vec![Check::ok(NAME, sentence)]
        }
        Err(error) => vec![
            Check::fail(NAME, format!("{shown} cannot be written: {error}")).remedy(format!(
                "it belongs to user {}; run this as the user of the server",
                found.uid()
            )),
        ],
    }
}

/// Free space and inodes against what grows, and what kind of file system it is.
pub(super) fn room(directory: &Path, cdr: Option<&Path>) -> Vec<Check> {
    let place = nearest(directory);
    let disk = match rustix::fs::statvfs(&place) {
        Ok(disk) => disk,
        Err(error) => return vec![Check::fail("disk", format!("{}: {error}", place.display()))],
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let held: u64 = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum();
    let growth = cdr.and_then(growth_a_day);
    let days = growth.filter(|bytes| *bytes > 0).map(|bytes| free / bytes);
    let told = match days {
        Some(days) => format!(
            "; CDRs grow by {} a day: room for {days} days",
            size(growth)
        ),
        None => String::new(),
    };
    let sentence = format!(
        "{} free, {} in use by the data{told}",
        size(Some(free)),
        size(Some(held))
    );
    let remedy = "make room: move or archive CDRs, or shorten message_retention_hours";
    let mut checks = vec![if free < LEAST {
        Check::fail("disk", sentence).remedy(remedy)
    } else if free < GIB || free < held || days.is_some_and(|days| days < 14) {
        Check::warn("disk", sentence).remedy(remedy)
    } else {
        Check::ok("disk", sentence)
    }];
    if disk.f_files > 0 && disk.f_favail < 100 {
        let sentence = format!("{} inodes are free", disk.f_favail);
        let remedy = "remove small files: SQLite must be able to make its log beside the data";
        checks.push(Check::fail("inodes", sentence).remedy(remedy));
    }
    checks.push(file_system(&place));
    checks
}

fn file_system(place: &Path) -> Check {
    const NAME: &str = "file system";
    let kind = match rustix::fs::statfs(place) {
        Ok(found) => u64::try_from(found.f_type).unwrap_or(0),
        Err(error) => return Check::warn(NAME, format!("unknown: {error}")),
    };
    // The numbers are Linux's (statfs(2)).
    let (name, trouble) = match kind {
        0xEF53 => ("ext4", None),
        0x5846_5342 => ("XFS", None),
        0x9123_683E => ("btrfs", None),
        0x2FC1_2FC1 => ("ZFS", None),
        0x6969 => ("NFS", Some("its locks and syncs are not to be relied on")),
        0xFF53_4D42 | 0xFE53_4D42 => ("SMB", Some("its locks and syncs are not to be relied on")),
        0x6573_5546 => (
            "FUSE",
            Some("whether a sync reaches the disk depends on what is behind"),
        ),
        0x794C_7630 => ("overlay", Some("it goes away with its container")),
        0x0102_1994 => ("tmpfs", Some("it is lost at a restart of the machine")),
        other => {
            return Check::ok(
                NAME,
                format!("type {other:#x}, of which nothing bad is known"),
            );
        }
    };
    match trouble {
        None => Check::ok(NAME, name),
        Some(trouble) => Check::warn(NAME, format!("{name}: {trouble}"))
            .remedy("put the data directory on a local disk or a block volume"),
    }
}

/// Writes and syncs a small file a few times: a submit waits for one such sync.
pub(super) fn sync_latency(directory: &Path) -> Vec<Check> {
    if !directory.is_dir() {
        return Vec::new();
    }
    let worst = match probe(directory) {
        Ok(worst) => worst,
        // The directory's own check has told that.
        Err(_) => return Vec::new(),
    };
    let sentence = format!("the slowest of {PROBES} syncs took {worst} ms");
    let remedy = "a submit waits for a sync: use a disk with a protected write cache, or an NVMe";
    vec![if worst >= VERY_SLOW_MS {
        Check::fail("fsync", sentence).remedy(remedy)
    } else if worst >= SLOW_MS {
        Check::warn("fsync", sentence).remedy(remedy)
    } else {
        Check::ok("fsync", sentence)
    }]
}

/// The slowest sync in milliseconds; the file is removed again.
fn probe(directory: &Path) -> std::io::Result<u128> {
    let file = tempfile::Builder::new()
        .prefix(".doctor-")
        .tempfile_in(directory)?;
    let mut file = file.as_file();
    let mut worst = 0;
    for _ in 0..PROBES {
        let watch = Stopwatch::start();
        file.write_all(&[0; 4_096])?;
        file.sync_data()?;
        worst = worst.max(watch.elapsed().as_millis());
    }
    Ok(worst)
}

/// Whether the log file can be appended to. Devices and pipes count as they are.
pub(super) fn log_file(path: Option<&Path>) -> Vec<Check> {
    const NAME: &str = "log file";
    let Some(path) = path else {
        return Vec::new();
    };
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => match OpenOptions::new().append(true).open(path) {
            Ok(_) => vec![Check::ok(NAME, format!("{shown} can be written"))],
            Err(error) => vec![unwritable(path, &error)],
        },
        Ok(_) => vec![Check::ok(NAME, format!("{shown} is a device or a pipe"))],
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            match File::open(parent.unwrap_or(Path::new("."))) {
                Ok(_) => vec![Check::ok(NAME, format!("{shown} will be made"))],
                Err(error) => vec![unwritable(path, &error)],
            }
        }
        Err(error) => vec![unwritable(path, &error)],
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Check {
    Check::fail("log file", format!("{}: {error}", path.display()))
        .remedy("make its directory, give it to the user of the server, or change log.file")
}

/// Octets that CDRs have taken in the last day; none when that cannot be told.
fn growth_a_day(cdr: &Path) -> Option<u64> {
    let db: Connection = inspect::read_only(cdr).ok()?;
    let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).ok();
    let rows = one("SELECT count(*) FROM cdrs WHERE submission_time >= datetime('now', '-1 day')")?;
    let all = one("SELECT coalesce(max(id), 0) FROM cdrs")?.max(1);
    let octets = std::fs::metadata(cdr).ok()?.len();
    Some(octets / u64::try_from(all).ok()? * u64::try_from(rows).ok()?)
}

/// The directory itself, or the nearest one above that is there.
fn nearest(directory: &Path) -> PathBuf {
    let there = directory.ancestors().find(|place| place.is_dir());
    there.unwrap_or(Path::new(".")).to_owned()
}

fn size(octets: Option<u64>) -> String {
    let octets = octets.unwrap_or(0);
    if octets >= 10 * GIB {
        format!("{} GiB", octets / GIB)
    } else {
        format!("{} MiB", octets / MIB)
    }
}
