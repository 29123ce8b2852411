//! Log files that were put aside are compressed, by a thread of its own (S14.3).
//!
//! At every moment one of the two files is whole: the packed one is written under another name,
//! synced and renamed, and only then does the plain one go. A death in between leaves something to
//! do again, and nothing to mend.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{LogFile, Shared, folder_of, stamp_of};

/// What a packed file is called, after its plain name.
pub(super) const PACKED: &str = ".gz";
/// What it is called until it is whole.
pub(super) const UNFINISHED: &str = ".gz.part";

/// Wakes the thread; it ends when this is dropped.
pub(super) type Wake = mpsc::SyncSender<()>;

impl Shared {
    /// Packs what is put aside from now on, and what was left by the run before.
    ///
    /// # Errors
    /// There can be no thread for it.
    pub(in crate::log) fn pack_aside(&self) -> io::Result<()> {
        // One note is enough: each time it looks for everything.
        let (wake, woken) = mpsc::sync_channel(1);
        let _sent = wake.try_send(());
        let path = self.log().path.clone();
        // The thread must not keep alive what tells it to end.
        let log = std::sync::Arc::downgrade(&self.0);
        let held = move || {
            let log = log.upgrade()?;
            let log = log
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            log.identity().ok()
        };
        std::thread::Builder::new()
            .name("zajil-log".to_owned())
            .spawn(move || {
                while woken.recv().is_ok() {
                    pack_all(&path, &held);
                }
            })?;
        self.log().wake = Some(wake);
        Ok(())
    }
}

impl LogFile {
    /// Says that something was put aside.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            // A note that is there already is as good.
            let _full = wake.try_send(());
        }
    }

    /// Which file lines go to, whatever its name is.
    fn identity(&self) -> io::Result<(u64, u64)> {
        let own = self.file.metadata()?;
        Ok((own.dev(), own.ino()))
    }
}

/// Packs every file that was put aside from the log at `path`, but for the one that is `held` open.
pub(super) fn pack_all(path: &Path, held: &dyn Fn() -> Option<(u64, u64)>) {
    let Some(own) = path.file_name().and_then(|name| name.to_str()) else {
        return;
    };
    for entry in fs::read_dir(folder_of(path))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let plain = name.to_str().is_some_and(|name| {
            stamp_of(name, own).is_some() && !name.ends_with(PACKED) && !name.ends_with(UNFINISHED)
        });
        let Ok(found) = entry.metadata() else {
            continue;
        };
        // After a rotation that went half way lines still go there.
        if !plain || !found.is_file() || held() == Some((found.dev(), found.ino())) {
            continue;
        }
        if let Err(error) = pack(&entry.path()) {
            // Tried again at the next rotation. The log itself may be what fails.
            let path = entry.path();
            drop(writeln!(
                io::stderr(),
                "zajil: compressing {}: {error}",
                path.display()
            ));
        }
    }
}

/// Packs one file; it goes when its packed form is on the disk.
fn pack(plain: &Path) -> io::Result<()> {
    let unfinished = with_suffix(plain, UNFINISHED);
    let packed = write_packed(plain, &unfinished).and_then(|octets| {
        // Another process that still writes to it keeps it.
        if fs::symlink_metadata(plain)?.len() != octets {
            return Err(io::Error::other("it still grows"));
        }
        fs::rename(&unfinished, with_suffix(plain, PACKED))?;
        File::open(folder_of(plain))?.sync_all()
    });
    if packed.is_err() {
        // Not there, or the next attempt writes over it.
        drop(fs::remove_file(&unfinished));
        return packed;
    }
    fs::remove_file(plain)
}

/// Answers how many octets the plain file had.
fn write_packed(plain: &Path, unfinished: &Path) -> io::Result<u64> {
    let mut from = File::open(plain)?;
    // Who may not read the one may not read the other.
    drop(fs::remove_file(unfinished));
    let to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(unfinished)?;
    to.set_permissions(from.metadata()?.permissions())?;
    let mut encoder = GzEncoder::new(to, Compression::default());
    let mut block = vec![0; 64 << 10];
    let mut octets = 0_u64;
    loop {
        let count = from.read(&mut block)?;
        let read = block.get(..count).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        encoder.write_all(read)?;
        octets += read.len() as u64;
    }
    encoder.finish()?.sync_all()?;
    Ok(octets)
}

/// The same name with something after it.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
