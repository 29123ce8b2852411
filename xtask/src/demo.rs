//! The demo: the real binary, built as it is shipped.

use anyhow::{Result, ensure};

use crate::step::{cargo, succeeds};
use crate::workspace::{BINARY, Workspace};

pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    ensure!(
        Workspace::load()?.has(BINARY),
        "there is no package {BINARY} yet"
    );
    let mut demo = cargo([
        "run",
        "--quiet",
        "--release",
        "--package",
        BINARY,
        "--",
        "demo",
    ]);
    succeeds(demo.args(arguments))
}
