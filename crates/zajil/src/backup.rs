//! `zajil backup`: a consistent copy of a node's data while it runs (S14.2, ADR 9).

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zajil_core::civil;
use zajil_core::clock::{Clock as _, Timestamp};
use zajil_engine::system::SystemClock;
use zajil_store_embedded::inspect;

use crate::cli::{self, say};
use crate::config::{self, Overrides};

/// The form of a backup. Raised when an older `restore` would do wrong with a newer backup.
pub(crate) const FORMAT: u32 = 1;
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const CDRS: &str = "cdr.db";
/// The rows that the CDR database has refused, in a backup as in the data directory.
pub(crate) const ASIDE: &str = "cdr-aside.db";
/// What a backup may hold beside its manifest.
pub(crate) const FILES: [&str; 6] = [
    inspect::DATABASE,
    CDRS,
    ASIDE,
    "routes.json",
    "rules.json",
    "zajil.toml",
];
/// How often a copy that finds the database locked begins again.
const TRIES: u32 = 50;

#[derive(Debug, Args)]
#[command(
    after_help = "Works while the server runs, on its machine, as its user. Everything that \
    was answered with 201 before the command began is in the backup."
)]
pub(crate) struct BackupArgs {
    /// The directory to make.
    to: PathBuf,
    /// The configuration that the server runs with; a copy of it goes into the backup.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Its data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Leave the CDRs out.
    #[arg(long)]
    without_cdrs: bool,
    /// Print the manifest.
    #[arg(long)]
    json: bool,
}

/// What a backup says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// The version that made it.
    pub(crate) zajil: String,
    /// The form of `queue.db`.
    pub(crate) store_form: i64,
    /// When it was begun: what was answered before is in it.
    pub(crate) began_at: String,
    /// The same in milliseconds since 1970.
    pub(crate) began_at_ms: i64,
    /// The name of the node.
    pub(crate) node: String,
    /// What is in it.
    pub(crate) counts: Counts,
    /// Its files.
    pub(crate) files: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) pending: u64,
    pub(crate) finished: u64,
    pub(crate) outbox: u64,
    pub(crate) routes: usize,
    pub(crate) rules: usize,
    /// None when they were left out.
    pub(crate) cdrs: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Runs `zajil backup`.
pub(crate) fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        data: args.data.clone(),
        ..Overrides::default()
    };
    let config = config::load(args.config.as_deref(), &cli::environment(), &overrides)?;
    ensure!(
        config.store.shared.is_none(),
        "store.url is set: the messages are in that database; back it up with its own tools"
    );
    let to = args.to.as_path();
    ensure!(
        to.symlink_metadata().is_err(),
        "{} is there already",
        to.display()
    );
    let parent = parent(to);
    let staging = tempfile::Builder::new()
        .prefix(".zajil-backup-")
        .tempdir_in(parent)
        .with_context(|| parent.display().to_string())?;
    let cdrs = config.cdr_file().filter(|_| !args.without_cdrs);
    let source = Source {
        data: &config.store.directory,
        cdrs: cdrs.as_deref(),
        config: args.config.as_deref(),
        node: config.node.name.as_str(),
    };
    let manifest = source.copy_into(staging.path(), SystemClock.now())?;
    sync(staging.path())?;
    // A directory that somebody has made meanwhile is not written into.
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        staging.path(),
        rustix::fs::CWD,
        to,
        rustix::fs::RenameFlags::NOREPLACE,
    )
    .with_context(|| to.display().to_string())?;
    drop(staging.keep());
    sync(parent)?;
    say(&told(&manifest, to, args.json)?)
}

fn told(manifest: &Manifest, to: &Path, as_json: bool) -> anyhow::Result<String> {
    if as_json {
        let shown = serde_json::to_value(manifest)?;
        return Ok(format!("{:#}\n", json!({ "data": shown })));
    }
    let counts = &manifest.counts;
    let cdrs = match counts.cdrs {
        Some(rows) => format!("{rows} CDRs"),
        None => "no CDRs".to_owned(),
    };
    Ok(format!(
        "{}: {} pending and {} finished messages, {} routes, {} rules, {cdrs}\n",
        to.display(),
        counts.pending,
        counts.finished,
        counts.routes,
        counts.rules
    ))
}

/// What is backed up.
struct Source<'a> {
    data: &'a Path,
    cdrs: Option<&'a Path>,
    config: Option<&'a Path>,
    node: &'a str,
}

impl Source<'_> {
    /// The queue first, the CDRs after it: a CDR that is in both is written once, one that was in
    /// neither would be lost.
    fn copy_into(&self, staging: &Path, began: Timestamp) -> anyhow::Result<Manifest> {
        let from = self.data.join(inspect::DATABASE);
        ensure!(from.is_file(), "{} is not there", from.display());
        let queue = copy_database(&from, &staging.join(inspect::DATABASE))?;
        let found = inspect::inspect(&queue).with_context(|| from.display().to_string())?;
        let routing = inspect::routing(&queue)?;
        drop(queue);
        let routes = zajil_api::routes_json(&routing, began)?;
        let rules = zajil_api::rules_json(&routing, began)?;
        std::fs::write(staging.join("routes.json"), routes)?;
        std::fs::write(staging.join("rules.json"), rules)?;
        let mut cdrs = None;
        if let Some(path) = self.cdrs.filter(|path| path.is_file()) {
            let db = copy_database(path, &staging.join(CDRS))?;
            cdrs = Some(db.query_row("SELECT count(*) FROM cdrs", [], |row| row.get(0))?);
        }
        // Whatever is left out otherwise: no other place has these.
        let aside = self.data.join(ASIDE);
        if aside.is_file() {
            drop(copy_database(&aside, &staging.join(ASIDE))?);
        }
        if let Some(path) = self.config {
            let copy = staging.join("zajil.toml");
            std::fs::copy(path, &copy).with_context(|| path.display().to_string())?;
            // It may hold a password.
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600))?;
        }
        let manifest = Manifest {
            format: FORMAT,
            zajil: env!("CARGO_PKG_VERSION").to_owned(),
            store_form: found.form,
            began_at: civil::to_the_second(began),
            began_at_ms: began.millis(),
            node: self.node.to_owned(),
            counts: Counts {
                pending: found.pending,
                finished: found.finished,
                outbox: found.outbox,
                routes: routing.routes.len(),
                rules: routing.rules.len(),
                cdrs,
            },
            files: entries(staging)?,
        };
        let path = staging.join(MANIFEST);
        std::fs::write(&path, format!("{:#}\n", serde_json::to_value(&manifest)?))?;
        sync(&path)?;
        Ok(manifest)
    }
}

/// Copies a live database as of one moment, as one file without a log, and checks the copy.
///
/// All pages are copied in one step, inside one read transaction: writers go on meanwhile. A copy
/// in several steps would begin anew with every commit of another process, and never end.
fn copy_database(from: &Path, to: &Path) -> anyhow::Result<Connection> {
    let shown = || from.display().to_string();
    let source = inspect::read_only(from).with_context(shown)?;
    let mut copy = Connection::open(to)?;
    // The copy is synced as a whole when it is done.
    copy.pragma_update(None, "synchronous", "OFF")?;
    let mut tries = 0;
    {
        let backup = Backup::new(&source, &mut copy)?;
        loop {
            match backup.step(-1).with_context(shown)? {
                StepResult::Done => break,
                _ if tries >= TRIES => bail!("{} stays locked", from.display()),
                _ => {
                    tries += 1;
                    std::thread::park_timeout(Duration::from_millis(100));
                }
            }
        }
    }
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let wrong = inspect::quick_check(&copy)?;
    ensure!(
        wrong.is_empty(),
        "{} is damaged: {}",
        from.display(),
        wrong.join("; ")
    );
    Ok(copy)
}

/// The files of a backup with their digests, each synced.
fn entries(staging: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for name in FILES {
        let path = staging.join(name);
        if path.is_file() {
            sync(&path)?;
            let (bytes, sha256) = digest(&path)?;
            entries.push(Entry {
                name: name.to_owned(),
                bytes,
                sha256,
            });
        }
    }
    Ok(entries)
}

/// The size and the SHA-256 of a file.
pub(crate) fn digest(path: &Path) -> anyhow::Result<(u64, String)> {
    let shown = || path.display().to_string();
    let mut file = File::open(path).with_context(shown)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut piece).with_context(shown)?;
        if read == 0 {
            break;
        }
        hash.update(piece.get(..read).unwrap_or_default());
        bytes += u64::try_from(read)?;
    }
    let hex = hash
        .finalize()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    Ok((bytes, hex))
}

/// Puts a file or a directory on stable storage.
pub(crate) fn sync(path: &Path) -> anyhow::Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.with_context(|| path.display().to_string())
}

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
