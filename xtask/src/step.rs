//! Running the parts of a chore: each says its name and its time, failures are collected.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Real time, for telling people how long something took.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool's own timing is no rule of the product"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The steps of one chore, as they are run.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    failed: Vec<&'static str>,
}

impl Steps {
    /// Runs one step; that it fails does not stop the next.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<bool>) {
        println!("== {name}");
        let start = now();
        let good = step().unwrap_or_else(|error| {
            println!("{error:#}");
            false
        });
        println!(
            "== {name}: {} in {}",
            if good { "ok" } else { "FAILED" },
            time(start.elapsed())
        );
        if !good {
            self.failed.push(name);
        }
    }

    /// Says how it went; true when nothing failed.
    pub(crate) fn finish(self) -> bool {
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        self.failed.is_empty()
    }
}

fn time(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// Runs a command to its end with our own output; true when it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command.status();
    let status = status
        .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
    Ok(status.success())
}

/// `cargo` with these arguments. What `cargo xtask` says of xtask's own package is kept from it:
/// build scripts that look at it would run again, and what depends on them be built again.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo.args(arguments);
    cargo
}
