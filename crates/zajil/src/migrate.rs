//! `zajil migrate`: everything from one store to another while no node runs (S11.2).

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use zajil_core::clock::Clock as _;
use zajil_database::Server;
use zajil_database::server::Engine;
use zajil_engine::system::SystemClock;
use zajil_store::transfer::carry::{self, Begun, Compared, Other, Progress};
use zajil_store::transfer::{Mark, Port, Role, Table};
use zajil_store_embedded::{EmbeddedPort, inspect};
use zajil_store_postgres::{OpenError, PostgresPort};
use zajil_telemetry::Stopwatch;

use crate::cli::{self, complain, say};
use crate::config::{self, Config, Overrides};

mod told;

use told::Report;

/// How often it says how far it came.
const TELL_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(
    after_help = "WHERE is `embedded` (the data directory), a postgres:// URL, or `postgres` (the \
    configured store.url, which keeps the password off the command line).\n\nNo node may run on \
    either side. Run again after it was interrupted, it goes on where it was. At the end both \
    sides are read and compared; only then does the target start, and the source never again \
    (--undo takes that back). What it prints last is the result; how far it came goes to the \
    standard error output."
)]
pub(crate) struct MigrateArgs {
    /// Where the messages are.
    #[arg(long, value_name = "WHERE")]
    from: String,
    /// Where they go: empty, or made by this command.
    #[arg(long, value_name = "WHERE", required_unless_present = "undo")]
    to: Option<String>,
    /// The configuration of the node.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Its data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The schema of the tables in the database.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Change nothing: say what would be moved, or why it would be refused.
    #[arg(long)]
    dry_run: bool,
    /// Let the source start again with what it holds. One whose move has not ended needs --to: the
    /// target is looked at first.
    #[arg(long, conflicts_with = "dry_run")]
    undo: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A side of a move.
enum Place {
    Embedded(PathBuf),
    Postgres(Box<Server>, String),
}

/// Runs `zajil migrate`.
pub(crate) fn run(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        data: args.data.clone(),
        ..Overrides::default()
    };
    let config = config::load(args.config.as_deref(), &cli::environment(), &overrides)?;
    let from = Place::read("--from", &args.from, &args, &config)?;
    let to = args.to.as_deref();
    let to = to.map(|to| Place::read("--to", to, &args, &config));
    let to = to.transpose()?;
    cli::runtime()?.block_on(async {
        match to {
            to if args.undo => undo(&from, to.as_ref(), args.json).await,
            None => bail!("--to is missing"),
            Some(to) if args.dry_run => look(&from, &to, args.json).await,
            Some(to) => go(&from, &to, args.json).await,
        }
    })
}

impl Place {
    fn read(option: &str, text: &str, args: &MigrateArgs, config: &Config) -> anyhow::Result<Self> {
        let shared = config.store.shared.as_ref();
        let server = match text {
            "embedded" => return Ok(Self::Embedded(config.store.directory.clone())),
            "postgres" => match shared {
                Some(shared) => shared.server.clone(),
                None => bail!("{option} postgres: store.url is not set"),
            },
            url => {
                let parsed = Server::parse(url).and_then(|server| {
                    server.check()?;
                    server.check_certificates()?;
                    Ok(server)
                });
                match parsed {
                    Ok(server) if server.engine == Engine::Postgres => server,
                    Ok(_) => bail!("{option} must be embedded, postgres or a postgres:// URL"),
                    Err(why) => bail!("{option} {why}"),
                }
            }
        };
        let configured = shared.map(|shared| shared.schema.clone());
        let schema = args.schema.clone().or(configured);
        let schema = schema.unwrap_or_else(|| "zajil".to_owned());
        Ok(Self::Postgres(Box::new(server), schema))
    }

    async fn existing(&self) -> anyhow::Result<Box<dyn Port>> {
        match self {
            Self::Embedded(directory) => {
                let file = directory.join(inspect::DATABASE);
                ensure!(file.is_file(), "{} is not there", file.display());
                let port = EmbeddedPort::existing(directory);
                Ok(Box::new(port.with_context(|| shown(directory))?))
            }
            Self::Postgres(server, schema) => {
                let port = PostgresPort::existing(server, schema).await;
                Ok(Box::new(port.context("the database")?))
            }
        }
    }

    async fn target(&self) -> anyhow::Result<Box<dyn Port>> {
        match self {
            Self::Embedded(directory) => {
                let port = EmbeddedPort::target(directory);
                Ok(Box::new(port.with_context(|| shown(directory))?))
            }
            Self::Postgres(server, schema) => {
                let port = PostgresPort::target(server, schema).await;
                Ok(Box::new(port.context("the database")?))
            }
        }
    }

    /// The target as it is; none when it is to be made.
    async fn if_there(&self) -> anyhow::Result<Option<Box<dyn Port>>> {
        match self {
            Self::Embedded(directory) => {
                match EmbeddedPort::is_made(directory).with_context(|| shown(directory))? {
                    true => Ok(Some(self.existing().await?)),
                    false => Ok(None),
                }
            }
            Self::Postgres(server, schema) => match PostgresPort::existing(server, schema).await {
                Ok(port) => Ok(Some(Box::new(port))),
                Err(OpenError::Missing(_)) => Ok(None),
                Err(error) => Err(error).context("the database"),
            },
        }
    }

    fn check_other(&self, other: &Self) -> anyhow::Result<()> {
        let same = match (self, other) {
            (Self::Embedded(from), Self::Embedded(to)) => from == to,
            (Self::Postgres(from, schema), Self::Postgres(to, other)) => {
                from.to_string() == to.to_string() && schema == other
            }
            _ => false,
        };
        ensure!(!same, "--from and --to are the same store");
        Ok(())
    }
}

fn shown(directory: &Path) -> String {
    format!("data directory {}", directory.display())
}

/// Says how far it came, now and then.
fn teller(verb: &'static str) -> impl FnMut(Progress) + Send {
    let mut since = Stopwatch::start();
    let mut last = None;
    move |Progress { table, rows }| {
        if last != Some(table) || since.elapsed() >= TELL_EVERY {
            complain(&format!("{verb} {table}: {rows} rows"));
            since = Stopwatch::start();
            last = Some(table);
        }
    }
}

async fn go(from: &Place, to: &Place, as_json: bool) -> anyhow::Result<ExitCode> {
    from.check_other(to)?;
    let mut source = from.existing().await?;
    if has_all(to, source.mark().await?.as_ref()).await? {
        // Nodes may work on the target meanwhile.
        carry::leave(&mut *source, SystemClock.now()).await?;
        return arrived(&*source, to, as_json);
    }
    let mut target = to.target().await?;
    let drawn = (draw(), SystemClock.now());
    let begun = carry::begin(&mut *source, &mut *target, drawn).await?;
    let (from, to) = (source.place(), target.place());
    let mut compared = Vec::new();
    match begun {
        Begun::Anew => complain(&format!("moving {from} to {to}")),
        Begun::Again => complain(&format!("going on with moving {from} to {to}")),
        Begun::AtItsEnd => complain("all was carried and compared before"),
    }
    if begun != Begun::AtItsEnd {
        let told = &mut teller("carried");
        carry::carry(&mut *source, &mut *target, told).await?;
        let told = &mut teller("compared");
        compared = carry::compare(&mut *source, &mut *target, told).await?;
        check(&compared)?;
    }
    carry::finish(&mut *source, &mut *target, SystemClock.now()).await?;
    say(&Report::moved(from, to, begun, &compared).text(as_json))
}

/// Both sides hold the same.
fn check(compared: &[Compared]) -> anyhow::Result<()> {
    let apart: Vec<String> = compared
        .iter()
        .filter(|table| !table.agrees())
        .map(|one| {
            let (table, source, target) = (one.table, one.source.rows, one.target.rows);
            format!("{table} ({source} rows, {target} in the target)")
        })
        .collect();
    ensure!(
        apart.is_empty(),
        "source and target differ after the move, in: {}. Neither starts now: the same with --undo \
         gives the source back; empty the target before another try",
        apart.join(", ")
    );
    Ok(())
}

/// Whether the target has everything, and only the source does not know yet.
async fn has_all(to: &Place, source: Option<&Mark>) -> anyhow::Result<bool> {
    match source {
        Some(mark) if mark.role == Role::Source && !mark.done => {
            Ok(to.seen().await?.has_all_of(mark))
        }
        _ => Ok(false),
    }
}

fn arrived(source: &dyn Port, to: &Place, as_json: bool) -> anyhow::Result<ExitCode> {
    complain("all was carried and compared before");
    say(&Report::moved(source.place(), to.name(), Begun::AtItsEnd, &[]).text(as_json))
}

fn draw() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}

/// What would be moved, and whether it would.
async fn look(from: &Place, to: &Place, as_json: bool) -> anyhow::Result<ExitCode> {
    from.check_other(to)?;
    let mut source = from.existing().await?;
    let mark = source.mark().await?;
    let under_way = mark.filter(|mark| mark.keeps_out().is_some());
    if let Some(mark) = &under_way {
        let goes_on = mark.role == Role::Source && !mark.done;
        let why = mark.keeps_out().unwrap_or_default();
        ensure!(goes_on, "{} is part of a move: {why}", source.place());
    }
    if has_all(to, under_way.as_ref()).await? {
        return arrived(&*source, to, as_json);
    }
    if let Some(mut target) = to.if_there().await? {
        let mark = target.mark().await?;
        let ids = (mark.as_ref(), under_way.as_ref());
        if !matches!(ids, (Some(one), Some(other)) if one.id == other.id) {
            carry::is_free(mark.as_ref(), &mut *target).await?;
        }
    }
    let told = &mut teller("read");
    let mut sums = Vec::with_capacity(Table::ALL.len());
    for table in Table::ALL {
        sums.push((table, carry::sum(&mut *source, table, told).await?));
    }
    say(&Report::would(source.place(), to.name(), sums).text(as_json))
}

async fn undo(from: &Place, to: Option<&Place>, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut source = from.existing().await?;
    let target = match to {
        Some(to) => Some(to.seen().await?),
        None => None,
    };
    carry::undo(&mut *source, target.as_ref()).await?;
    say(&told::undone(&source.place(), as_json))
}

impl Place {
    /// As it is, whoever works on it.
    async fn seen(&self) -> anyhow::Result<Other> {
        let mark = match self {
            Self::Embedded(directory) => {
                EmbeddedPort::mark_of(directory).with_context(|| shown(directory))?
            }
            Self::Postgres(server, schema) => {
                let mark = PostgresPort::mark_of(server, schema).await;
                mark.context("the database")?
            }
        };
        let place = self.name();
        Ok(Other { place, mark })
    }

    /// As its port names it.
    fn name(&self) -> String {
        match self {
            Self::Embedded(directory) => {
                let whole = directory.canonicalize();
                whole.as_ref().unwrap_or(directory).display().to_string()
            }
            Self::Postgres(server, schema) => format!("{server} schema {schema}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use zajil_store::transfer::Table;
    use zajil_store::transfer::carry::{Compared, Sum};

    use super::check;

    fn compared(table: Table, sums: [&str; 2]) -> Compared {
        let [source, target] = sums.map(|sha256| Sum {
            rows: 7,
            sha256: sha256.to_owned(),
        });
        Compared {
            table,
            source,
            target,
        }
    }

    #[test]
    fn d15_tables_that_differ_are_named_and_the_move_does_not_end() {
        let same = compared(Table::Part, ["aa", "aa"]);
        assert!(check(std::slice::from_ref(&same)).is_ok());
        let why = check(&[same, compared(Table::Message, ["aa", "ab"])]).unwrap_err();
        let why = why.to_string();
        assert!(
            why.contains("differ after the move, in: message (7 rows, 7 in"),
            "{why}"
        );
        assert!(!why.contains("part ("), "{why}");
    }
}
