//! The gate: what must hold for every commit, besides the tests.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::step::{Steps, cargo, succeeds};
use crate::{generate, install, tidy};

pub(crate) fn run() -> Result<bool> {
    let mut steps = Steps::default();
    steps.run("fmt", || succeeds(&mut cargo(["fmt", "--all", "--check"])));
    steps.run("tidy", tidy::run);
    steps.run("clippy", clippy);
    steps.run("generated files", generate::check);
    steps.run("dependencies", dependencies);
    steps.run("advisories", advisories);
    Ok(steps.finish())
}

fn clippy() -> Result<bool> {
    let mut clippy = cargo(["clippy", "--quiet", "--workspace", "--all-targets"]);
    if !succeeds(clippy.args(["--", "-D", "warnings"]))? {
        return Ok(false);
    }
    // What an everyday build leaves out.
    let mut traces = cargo([
        "clippy",
        "--quiet",
        "-p",
        "zajil-telemetry",
        "--all-targets",
    ]);
    succeeds(traces.args(["--features", "otel", "--", "-D", "warnings"]))
}

fn dependencies() -> Result<bool> {
    install::ensure_cargo_tool("deny")?;
    let mut deny = cargo(["deny", "--log-level", "error", "check"]);
    succeeds(deny.args(["bans", "licenses", "sources"]))
}

/// The advisories come from the network; the gate does not, so only a copy already here is used.
fn advisories() -> Result<bool> {
    let database = advisory_database()?;
    if !database.is_dir() {
        println!("skipped: no database here; fetch one with `cargo deny fetch db`");
        return Ok(true);
    }
    install::ensure_cargo_tool("deny")?;
    let mut deny = cargo(["deny", "--log-level", "error", "--offline", "check"]);
    succeeds(deny.arg("advisories"))
}

/// Where cargo-deny keeps its copy unless told otherwise.
fn advisory_database() -> Result<PathBuf> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let folder = cargo_home.or(home).context("there is no home directory")?;
    Ok(folder.join("advisory-dbs"))
}
