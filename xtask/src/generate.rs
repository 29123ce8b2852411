//! Files that the programs of this workspace write about themselves; committed, and kept fresh.

use std::process::Command;

use anyhow::Result;

use crate::step::{cargo, succeeds};
use crate::workspace::{BINARY, Workspace};

/// A program that writes files, and with `--check` says which of them are stale.
#[derive(Debug)]
struct Generator {
    package: &'static str,
    arguments: &'static [&'static str],
}

const GENERATORS: &[Generator] = &[Generator {
    package: BINARY,
    arguments: &["gen-docs"],
}];

/// Writes every generated file again.
pub(crate) fn write() -> Result<bool> {
    run_all(&[])
}

/// True when every generated file equals what would be written now.
pub(crate) fn check() -> Result<bool> {
    let fresh = run_all(&["--check"])?;
    if !fresh {
        println!("generated files are stale; write them again with: cargo xtask gen");
    }
    Ok(fresh)
}

fn run_all(extra: &[&str]) -> Result<bool> {
    let workspace = Workspace::load()?;
    let mut good = true;
    for generator in GENERATORS {
        if workspace.has(generator.package) {
            good &= succeeds(&mut generator.command(&workspace, extra))?;
        } else {
            println!(
                "there is no package {} yet, so it has no files",
                generator.package
            );
        }
    }
    Ok(good)
}

impl Generator {
    fn command(&self, workspace: &Workspace, extra: &[&str]) -> Command {
        let mut command = cargo(["run", "--quiet", "--package", self.package, "--"]);
        command
            .args(self.arguments)
            .args(extra)
            .current_dir(&workspace.root);
        command
    }
}
