//! Every test of the workspace, the slow ones too, with what they need from outside.

use anyhow::Result;

use crate::install;
use crate::step::{cargo, succeeds};

/// A program that tests call, and the Debian package that has it.
#[derive(Debug)]
struct Need {
    binary: &'static str,
    package: &'static str,
}

/// Rust builds nothing without a C compiler's linker; the bundled SQLite needs the compiler too.
/// The walk-through of the README calls curl. ENUM asks real name servers: Knot serves zones, BIND
/// recurses.
const NEEDS: &[Need] = &[
    Need {
        binary: "cc",
        package: "gcc",
    },
    Need {
        binary: "curl",
        package: "curl",
    },
    Need {
        binary: "knotd",
        package: "knot",
    },
    Need {
        binary: "named",
        package: "bind9",
    },
];

/// Tests that start real processes run only when this is set.
const SLOW_TESTS: &str = "SLOW_TESTS";

/// Documentation examples first, so that the last lines are the runner's own summary.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    for need in NEEDS {
        install::ensure_debian_package(need.binary, need.package)?;
    }
    install::ensure_cargo_tool("nextest")?;
    let examples_good = !arguments.is_empty()
        || succeeds(cargo(["test", "--quiet", "--workspace", "--doc"]).env(SLOW_TESTS, "1"))?;
    if !examples_good {
        println!("examples in the documentation failed; the other tests follow");
    }
    let mut nextest = cargo(["nextest", "run", "--workspace"]);
    let tests_good = succeeds(nextest.args(arguments).env(SLOW_TESTS, "1"))?;
    Ok(examples_good && tests_good)
}
