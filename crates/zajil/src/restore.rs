//! `zajil restore`: a data directory from a backup, whole or not at all (S14.2, ADR 9).

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;
use zajil_core::clock::{Clock as _, Timestamp};
use zajil_engine::system::SystemClock;
use zajil_store_embedded::inspect;

use crate::backup::{self, ASIDE, CDRS, FILES, FORMAT, MANIFEST, Manifest};
use crate::cli::{say, say_data};

#[derive(Debug, Args)]
#[command(
    after_help = "Never overwrites: with --force what was there is moved aside, to \
    DIR.before-N. What happened after the backup is not in it: messages delivered since then are \
    offered again, and those accepted since then are not there."
)]
pub(crate) struct RestoreArgs {
    /// The backup.
    from: PathBuf,
    /// The data directory to make.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Move what is in the data directory aside.
    #[arg(long)]
    force: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `zajil restore`.
pub(crate) fn run(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    let manifest = verified(&args.from, now)?;
    let target = Target::look_at(&args.data, args.force)?;
    let parent = backup::parent(&args.data);
    let staging = tempfile::Builder::new()
        .prefix(".zajil-restore-")
        .tempdir_in(parent)
        .with_context(|| parent.display().to_string())?;
    for entry in &manifest.files {
        if [inspect::DATABASE, CDRS, ASIDE].contains(&entry.name.as_str()) {
            let copy = staging.path().join(&entry.name);
            std::fs::copy(args.from.join(&entry.name), &copy)?;
            backup::sync(&copy)?;
            // Read back: what is on this disk is what counts.
            let (_, sha256) = backup::digest(&copy)?;
            ensure!(sha256 == entry.sha256, "the copy of {} differs", entry.name);
        }
    }
    target.take_owner(staging.path())?;
    backup::sync(staging.path())?;
    let aside = target.put(staging.path(), &args.data, now)?;
    drop(staging.keep());
    backup::sync(parent)?;
    if args.json {
        return say_data(json!({ "restored": manifest, "data": args.data, "aside": aside }));
    }
    say(&told(&manifest, args, aside.as_deref()))
}

/// The manifest of a backup that is whole, and that this version can use now.
fn verified(from: &Path, now: Timestamp) -> anyhow::Result<Manifest> {
    let path = from.join(MANIFEST);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let read: Result<Manifest, _> = serde_json::from_str(&text);
    let manifest = read.with_context(|| path.display().to_string())?;
    let format = manifest.format;
    ensure!(
        format == FORMAT,
        "the backup has form {format}; this version reads {FORMAT}"
    );
    let queue = manifest
        .files
        .iter()
        .any(|entry| entry.name == inspect::DATABASE);
    ensure!(queue, "the backup has no {}", inspect::DATABASE);
    for entry in &manifest.files {
        let name = entry.name.as_str();
        ensure!(
            FILES.contains(&name),
            "the backup names {name}, which is no file of a backup"
        );
        let (bytes, sha256) = backup::digest(&from.join(name))?;
        let same = bytes == entry.bytes && sha256 == entry.sha256;
        ensure!(
            same,
            "{name} is not what was backed up: its SHA-256 differs"
        );
    }
    // Ids begin above the newest one stored and above the present second (D4): those that were
    // handed out after the backup are below, unless the clock here is behind.
    let began = Timestamp::from_millis(manifest.began_at_ms);
    if now < began {
        let at = &manifest.began_at;
        bail!("the clock here is behind the backup, of {at}: mend it, or ids would come twice");
    }
    let known = inspect::known_form();
    let form = manifest.store_form;
    let fits = usize::try_from(form).is_ok_and(|form| form <= known);
    ensure!(
        fits,
        "the data has form {form}, this version knows {known}: use a newer version"
    );
    Ok(manifest)
}

/// The place for the data.
struct Target {
    /// What is there now.
    former: Option<Former>,
}

struct Former {
    owner: (u32, u32),
    mode: std::fs::Permissions,
    /// Held while it is moved aside; none for an empty directory.
    lock: Option<std::fs::File>,
}

impl Target {
    fn look_at(data: &Path, force: bool) -> anyhow::Result<Self> {
        let shown = data.display();
        let found = match data.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { former: None });
            }
            found => found.with_context(|| shown.to_string())?,
        };
        ensure!(found.is_dir(), "{shown} is not a directory");
        let above = backup::parent(data).metadata()?;
        ensure!(
            above.dev() == found.dev(),
            "{shown} is a file system of its own and cannot be replaced whole: restore into a \
             directory below it, and set store.directory"
        );
        let used = inspect::in_use(data).with_context(|| shown.to_string())?;
        ensure!(!used, "{shown} is in use: stop the server first");
        let empty = std::fs::read_dir(data)?.next().is_none();
        ensure!(
            empty || force,
            "{shown} is not empty; --force moves it aside, nothing is overwritten"
        );
        let lock = match empty {
            true => None,
            false => Some(inspect::hold(data)?),
        };
        Ok(Self {
            former: Some(Former {
                owner: (found.uid(), found.gid()),
                mode: found.permissions(),
                lock,
            }),
        })
    }

    /// Gives the new directory to whom the former one belongs.
    fn take_owner(&self, staging: &Path) -> anyhow::Result<()> {
        let Some(former) = &self.former else {
            return Ok(());
        };
        let (user, group) = former.owner;
        let own = staging.metadata()?;
        if (own.uid(), own.gid()) != (user, group) {
            let files = std::fs::read_dir(staging)?.map(|entry| Ok(entry?.path()));
            let files: Vec<PathBuf> = files.collect::<std::io::Result<_>>()?;
            for path in files.iter().map(PathBuf::as_path).chain([staging]) {
                chown(path, Some(user), Some(group))
                    .with_context(|| format!("giving the data to user {user}"))?;
            }
        }
        std::fs::set_permissions(staging, former.mode.clone())?;
        Ok(())
    }

    /// Puts the new directory in place by rename; answers where the former one went. An empty one
    /// is replaced; one that somebody has filled meanwhile is not.
    fn put(self, staging: &Path, data: &Path, now: Timestamp) -> anyhow::Result<Option<PathBuf>> {
        let shown = || data.display().to_string();
        let Some(Former {
            lock: Some(lock), ..
        }) = self.former
        else {
            std::fs::rename(staging, data).with_context(shown)?;
            return Ok(None);
        };
        let mut aside = data.as_os_str().to_owned();
        aside.push(format!(".before-{}", now.millis()));
        let aside = PathBuf::from(aside);
        std::fs::rename(data, &aside).with_context(shown)?;
        if let Err(error) = std::fs::rename(staging, data) {
            std::fs::rename(&aside, data).with_context(|| {
                format!("{error}; what was there before is at {}", aside.display())
            })?;
            return Err(error).with_context(shown);
        }
        drop(lock);
        Ok(Some(aside))
    }
}

fn told(manifest: &Manifest, args: &RestoreArgs, aside: Option<&Path>) -> String {
    let counts = &manifest.counts;
    let mut text = format!(
        "{}: as of {}: {} pending and {} finished messages\n",
        args.data.display(),
        manifest.began_at,
        counts.pending,
        counts.finished
    );
    if let Some(aside) = aside {
        text += &format!("what was there before is at {}\n", aside.display());
    }
    let has = |name: &str| manifest.files.iter().any(|entry| entry.name == name);
    if !has(CDRS) {
        text += "the backup holds no CDRs: keep the CDR database that there is\n";
    }
    if has("zajil.toml") {
        let file = args.from.join("zajil.toml");
        text += &format!("the configuration of then is {}\n", file.display());
    }
    text += "messages that were delivered after the backup will be offered again\n";
    text
}
