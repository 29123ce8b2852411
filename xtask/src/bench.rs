//! What the server costs next to a server that does nothing, over HTTP and over SMPP; what a long
//! queue, nothing to do, idle binds and polls, and many frontends, routes and locations cost it;
//! what it costs when nothing outside answers, what attackers cost its clients, and what it costs
//! to tell what was done.
//!
//! Figures are printed, never judged: a shared machine says little about absolute rates. The null
//! server runs in every round beside the real one, so that the ratio means something anywhere.

mod attack;
mod idle;
mod jasmin;
mod load;
mod outside;
mod overload;
mod plot;
mod polls;
mod queue;
mod rounds;
mod scale;
mod server;
mod smpp;
mod telling;

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};

use crate::step::{cargo, succeeds};
use crate::workspace::{BINARY, Workspace};

const LOADGEN: &str = "loadgen";

/// What is measured.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum What {
    #[default]
    Rounds,
    Queue,
    Outside,
    Overload,
    Telling,
    Smpp,
    Jasmin,
    Scale,
    Idle,
    IdleBinds,
    IdlePolls,
    Attack,
}

impl What {
    /// What `word` asks for; the rates of the API are measured without a word.
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "queue" => Self::Queue,
            "outside" => Self::Outside,
            "overload" => Self::Overload,
            "telling" => Self::Telling,
            "smpp" => Self::Smpp,
            "jasmin" => Self::Jasmin,
            "scale" => Self::Scale,
            "idle" => Self::Idle,
            "idle-binds" => Self::IdleBinds,
            "idle-polls" => Self::IdlePolls,
            "attack" => Self::Attack,
            _ => return None,
        })
    }

    /// Measures, prints, and answers the figures as JSON.
    fn run(self, bench: &Bench, options: &Options) -> Result<String> {
        Ok(match self {
            Self::Rounds => serde_json::to_string_pretty(&rounds::run(bench, options)?)?,
            Self::Queue => serde_json::to_string_pretty(&queue::run(bench, options)?)?,
            Self::Outside => serde_json::to_string_pretty(&outside::run(bench, options)?)?,
            Self::Overload => serde_json::to_string_pretty(&overload::run(bench, options)?)?,
            Self::Telling => serde_json::to_string_pretty(&telling::run(bench, options)?)?,
            Self::Smpp => serde_json::to_string_pretty(&smpp::run(bench, options)?)?,
            Self::Jasmin => serde_json::to_string_pretty(&jasmin::run(bench, options)?)?,
            Self::Scale => serde_json::to_string_pretty(&scale::run(bench, options)?)?,
            Self::Idle => serde_json::to_string_pretty(&idle::run(bench, options)?)?,
            Self::IdleBinds => serde_json::to_string_pretty(&smpp::idle::run(bench, options)?)?,
            Self::IdlePolls => serde_json::to_string_pretty(&polls::run(bench, options)?)?,
            Self::Attack => serde_json::to_string_pretty(&attack::run(bench, options)?)?,
        })
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    what: What,
    /// Short enough to see that it works, too short to mean much.
    quick: bool,
    rounds: Option<u32>,
    seconds: Option<u32>,
    /// How many a long queue holds.
    messages: Option<u32>,
    json: Option<PathBuf>,
    /// Where the rates of the rounds are drawn, as SVG.
    plot: Option<PathBuf>,
    /// A server to measure in place of the one built here.
    binary: Option<PathBuf>,
    /// Built with less optimisation, in a fraction of the time.
    profile: Option<String>,
    /// Measures what was built before.
    is_built: bool,
    /// Keeps the data in memory: where others keep the disk busy, their syncs are left out.
    memory: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = Some(number(argument, value()?)?),
                "--seconds" => options.seconds = Some(number(argument, value()?)?),
                "--messages" => options.messages = Some(number(argument, value()?)?),
                "--json" => options.json = Some(value()?.into()),
                "--built" => options.is_built = true,
                "--memory" => options.memory = true,
                "--plot" => options.plot = Some(value()?.into()),
                "--profile" => options.profile = Some(value()?.clone()),
                "--binary" => options.binary = Some(value()?.into()),
                word => {
                    let what = What::parse(word);
                    let what = what.with_context(|| format!("bench does not know '{word}'"))?;
                    let is_first = options.what == What::Rounds;
                    ensure!(
                        is_first,
                        "bench measures one thing at a time, not '{word}' too"
                    );
                    options.what = what;
                }
            }
        }
        Ok(options)
    }

    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(if self.quick { 2 } else { 5 })
    }
}

fn number(name: &str, text: &str) -> Result<u32> {
    let number = u32::from_str(text).with_context(|| format!("{name} needs a number"))?;
    ensure!(number > 0, "{name} needs a positive number");
    Ok(number)
}

/// The programs under test and a folder on the disk that holds the build, or in memory.
#[derive(Debug)]
struct Bench {
    loadgen: PathBuf,
    /// The workspace's own binary, where it was built: not when another one takes its place.
    built: Option<PathBuf>,
    /// What is measured; absent until the workspace has the binary.
    zajil: Option<PathBuf>,
    folder: PathBuf,
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self> {
        let workspace = Workspace::load()?;
        let wants_own = options.binary.is_none() || options.what == What::Telling;
        let build_zajil = wants_own && workspace.has(BINARY);
        let profile = options.profile.as_deref().unwrap_or("release");
        let mut build = cargo([
            "build",
            "--quiet",
            "--profile",
            profile,
            "--package",
            LOADGEN,
        ]);
        if build_zajil {
            build.args(["--package", BINARY]);
        }
        ensure!(
            options.is_built || succeeds(&mut build)?,
            "the build failed"
        );
        let release = workspace.target_directory.join(profile);
        let bench = match options.memory {
            true => Path::new("/dev/shm/zajil-bench").to_owned(),
            false => workspace.target_directory.join("bench"),
        };
        let folder = bench.join(std::process::id().to_string());
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let built = build_zajil.then(|| release.join(BINARY));
        let zajil = options.binary.clone().or_else(|| built.clone());
        Ok(Self {
            loadgen: release.join(LOADGEN),
            built,
            zajil,
            folder,
        })
    }

    /// A data folder that nothing has used yet.
    fn data_folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("{} is left behind: {error}", self.folder.display());
        }
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let options = Options::parse(arguments)?;
    let bench = Bench::prepare(&options)?;
    let json = options.what.run(&bench, &options)?;
    if let Some(path) = &options.json {
        write(path, &json)?;
    }
    Ok(true)
}

fn write(path: &Path, json: &str) -> Result<()> {
    fs::write(path, format!("{json}\n")).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_come_in_any_order() {
        let options = parse("--json out.json queue --quick --rounds 3").expect("all are known");
        let expected = Options {
            what: What::Queue,
            quick: true,
            rounds: Some(3),
            json: Some("out.json".into()),
            ..Options::default()
        };
        assert_eq!(options, expected);
        assert_eq!((options.rounds(), options.seconds()), (3, 2));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let error = |line: &str| parse(line).expect_err("a bad line").to_string();
        assert_eq!(error("--fast"), "bench does not know '--fast'");
        assert_eq!(
            error("smpp idle"),
            "bench measures one thing at a time, not 'idle' too"
        );
        assert_eq!(error("--json"), "--json needs a value");
        assert_eq!(error("--rounds many"), "--rounds needs a number");
        assert_eq!(error("--rounds 0"), "--rounds needs a positive number");
    }
}
