//! The log file: appended to, rotated if asked, opened again at request. What is not a regular file
//! is never rotated, renamed or removed (D24).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zajil_core::civil;
use zajil_core::clock::{Clock, Timestamp};

mod pack;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// `20260131T120000Z`.
const STAMP: usize = 16;
/// How many files may carry one stamp: rotations within a second.
const SAME_STAMP: u32 = 1_000;

/// When a log file is put aside for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Never; something else does it and sends SIGHUP.
    Never,
    /// At the first line of a day (UTC).
    Daily,
    /// Before it would grow beyond so many octets.
    Size(u64),
}

/// How a log file is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// When.
    pub when: When,
    /// How long what was put aside stays.
    pub keep: Duration,
}

/// An open log file with its place.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    clock: Arc<dyn Clock>,
    /// What the file holds, as far as we know.
    written: u64,
    /// The day of its newest line.
    day: u64,
    /// Whoever packs what is put aside.
    wake: Option<pack::Wake>,
}

/// The one place that lines are written to; copies share it.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<LogFile>>);

impl Shared {
    pub(super) fn open(path: &Path, rotation: Rotation, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let file = append(path)?;
        let found = file.metadata()?;
        // Yesterday's file is put aside by today's first line, also after a restart.
        let written_at = found.mtime().saturating_mul(1_000);
        let newest = match found.len() {
            0 => clock.now(),
            _ => Timestamp::from_millis(written_at),
        };
        let log = LogFile {
            path: path.to_owned(),
            file,
            rotation,
            written: found.len(),
            day: day(newest),
            clock,
            wake: None,
        };
        log.clean(log.clock.now());
        Ok(Self(Arc::new(Mutex::new(log))))
    }

    fn log(&self) -> MutexGuard<'_, LogFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file again by its name: something else has put the former one aside. A device or
    /// a pipe stays as it is.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let mut log = self.log();
        match std::fs::metadata(&log.path) {
            Ok(found) if !found.is_file() => Ok(()),
            Ok(_) | Err(_) => log.begin(),
        }
    }
}

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_all(octets)?;
        Ok(octets.len())
    }

    /// One line comes as one call: it is never cut by a rotation.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let mut log = self.log();
        log.turn(line.len());
        log.file.write_all(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.log().file.flush()
    }
}

impl LogFile {
    /// Rotates if it is time. A rotation that fails costs no line: they go on where they went.
    fn turn(&mut self, length: usize) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let now = self.clock.now();
        let due = match self.rotation.when {
            When::Never => false,
            When::Daily => day(now) > self.day && self.written > 0,
            When::Size(most) => self.written > 0 && self.written.saturating_add(length) > most,
        };
        if due {
            if let Err(error) = self.rotate(now) {
                // The log itself is what cannot be told to.
                let path = self.path.display();
                drop(writeln!(io::stderr(), "zajil: rotating {path}: {error}"));
                // Again when as much more is written, or on the next day.
                self.written = 0;
            }
            self.clean(now);
            self.wake();
        }
        self.day = day(now).max(self.day);
        self.written = self.written.saturating_add(length);
    }

    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        let named = match std::fs::symlink_metadata(&self.path) {
            Ok(named) => named,
            // Somebody has put it aside already.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.begin(),
            Err(error) => return Err(error),
        };
        if !named.is_file() {
            self.written = 0;
            return Ok(());
        }
        let own = self.file.metadata()?;
        if (own.dev(), own.ino()) == (named.dev(), named.ino()) {
            std::fs::rename(&self.path, self.free_name(now)?)?;
        }
        self.begin()
    }

    /// Goes on with the file that has the name now.
    fn begin(&mut self) -> io::Result<()> {
        let file = append(&self.path)?;
        self.written = file.metadata()?.len();
        self.file = file;
        Ok(())
    }

    /// A name that nothing has: nothing is written over.
    fn free_name(&self, now: Timestamp) -> io::Result<PathBuf> {
        let stamp = stamp(now);
        for number in 0..SAME_STAMP {
            let mut name = self.path.as_os_str().to_owned();
            name.push(match number {
                0 => format!(".{stamp}"),
                _ => format!(".{stamp}-{number}"),
            });
            let name = PathBuf::from(name);
            // In this order: the plain file goes only when the packed one is there.
            let forms = [name.clone(), pack::with_suffix(&name, pack::PACKED)];
            if forms
                .iter()
                .all(|form| std::fs::symlink_metadata(form).is_err())
            {
                return Ok(name);
            }
        }
        Err(io::Error::other("too many rotations within a second"))
    }

    /// Removes what was put aside and is too old. Only regular files with names that we give.
    fn clean(&self, now: Timestamp) {
        if self.rotation.when == When::Never {
            return;
        }
        let oldest = stamp(now.minus(self.rotation.keep));
        let Some(own) = self.path.file_name().and_then(|name| name.to_str()) else {
            return;
        };
        let entries = std::fs::read_dir(folder_of(&self.path));
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let stamped = name.to_str().and_then(|name| stamp_of(name, own));
            let regular = entry.file_type().is_ok_and(|kind| kind.is_file());
            if regular && stamped.is_some_and(|stamp| stamp < oldest.as_str()) {
                // Tried again at the next rotation.
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn day(at: Timestamp) -> u64 {
    at.since(Timestamp::EPOCH).as_secs() / DAY.as_secs()
}

/// `20260131T120000Z`: sorts as time does.
fn stamp(at: Timestamp) -> String {
    let text = civil::to_the_second(at);
    text.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

/// The stamp in the name of a file that was put aside from the log `own`, packed or not.
fn stamp_of<'a>(name: &'a str, own: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(own)?.strip_prefix('.')?;
    let forms = [pack::UNFINISHED, pack::PACKED];
    let rest = forms
        .iter()
        .find_map(|form| rest.strip_suffix(form))
        .unwrap_or(rest);
    let (stamp, number) = rest.split_once('-').unwrap_or((rest, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (date, time) = stamp.strip_suffix('Z')?.split_once('T')?;
    let ours = stamp.len() == STAMP && date.len() == 8 && digits(date) && digits(time);
    (ours && digits(number)).then_some(stamp)
}

#[cfg(test)]
mod tests;
