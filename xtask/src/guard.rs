//! The instructions that a repetition of each hot path takes, held against a table: what makes a
//! path dearer shows on any machine, however busy it is.
//!
//! Each path runs twice under callgrind, the second time for longer; the difference is what the
//! repetitions cost, without what starting costs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::install;
use crate::step::cargo;
use crate::workspace::Workspace;

/// Below the root.
const TABLE: &str = "crates/zajil-api/benches/instructions.json";
/// Processors differ in the copy routines that the system chooses for them, compilers in what they
/// unroll; and the writer's thread now and then has a turn more.
const TOLERANCE: u64 = 15;
/// Repetitions of the first run; the second has twice as many.
const TIMES: u64 = 100;

/// By path.
type Table = BTreeMap<String, u64>;

/// `guard` compares with the table, `guard --write` writes it.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let write = match arguments {
        [] => false,
        [word] if word == "--write" => true,
        _ => bail!("guard takes --write or nothing"),
    };
    install::ensure_debian_package("valgrind", "valgrind")?;
    let bench = build()?;
    let names = Command::new(&bench).output()?;
    let names = String::from_utf8(names.stdout)?;
    let mut counted = Table::new();
    for path in names.lines() {
        let (short, long) = (count(&bench, path, TIMES)?, count(&bench, path, 2 * TIMES)?);
        let each = long.saturating_sub(short) / TIMES;
        println!("{path:<16} {each:>10} instructions");
        counted.insert(path.to_owned(), each);
    }
    let file = Workspace::load()?.root.join(TABLE);
    if write {
        let json = serde_json::to_string_pretty(&counted)?;
        fs::write(&file, format!("{json}\n"))?;
        return Ok(true);
    }
    let table: Table = serde_json::from_slice(&read(&file)?)?;
    let complaints = judge(&table, &counted);
    complaints.iter().for_each(|text| println!("{text}"));
    Ok(complaints.is_empty())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What is dearer than the table allows, or not in it. What became cheaper is worth a new table,
/// but is no fault.
fn judge(table: &Table, counted: &Table) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, now) in counted {
        let Some(then) = table.get(path) else {
            complaints.push(format!(
                "{path} is not in {TABLE}: cargo xtask guard --write"
            ));
            continue;
        };
        if *now > then + then * TOLERANCE / 100 {
            complaints.push(format!(
                "{path} takes {now} instructions, more than {TOLERANCE} % above {then}: make it \
                 cheaper, or say in the commit why it must cost that and cargo xtask guard --write"
            ));
        } else if *now < then - then * TOLERANCE / 100 {
            println!("{path} takes {now} instructions, not {then}: cargo xtask guard --write");
        }
    }
    complaints
}

/// A line of what cargo tells of a build.
#[derive(Debug, Deserialize)]
struct Built {
    executable: Option<PathBuf>,
}

fn build() -> Result<PathBuf> {
    let mut build = cargo(["build", "--quiet", "--profile", "guard", "-p", "zajil-api"]);
    build.args(["--bench", "instructions"]);
    build.args(["--message-format", "json-render-diagnostics"]);
    let output = build.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the build failed");
    let lines = String::from_utf8(output.stdout)?;
    let built = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Built>(line).ok());
    let executable = built.filter_map(|built| built.executable).next_back();
    executable.context("cargo named no executable")
}

/// The instructions of a whole process.
fn count(bench: &Path, path: &str, times: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(bench).args([path, &times.to_string()]);
    let output = valgrind.output().context("cannot run valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{path} failed:\n{said}");
    collected(&said).with_context(|| format!("valgrind's summary is new:\n{said}"))
}

fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(figures: &[(&str, u64)]) -> Table {
        let own = |(path, count): &(&str, u64)| ((*path).to_owned(), *count);
        figures.iter().map(own).collect()
    }

    #[test]
    fn the_summary_of_callgrind_is_read() {
        let said = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(said), Some(1_234_567));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn what_became_dearer_is_named_and_what_became_cheaper_is_not_a_fault() {
        let then = table(&[("a", 100), ("b", 100), ("c", 1_000)]);
        let now = table(&[("a", 115), ("b", 116), ("c", 10), ("d", 1)]);
        let complaints = judge(&then, &now);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(
            complaints[0].starts_with("b takes 116 instructions"),
            "{complaints:?}"
        );
        assert!(complaints[1].starts_with("d is not in"), "{complaints:?}");
    }
}
