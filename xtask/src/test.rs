//! Every test of the workspace, the slow ones too, with what they need from outside.

use std::path::Path;

use anyhow::Result;

use crate::install;
use crate::step::{cargo, succeeds};
use crate::workspace::Workspace;

/// A program that tests call, and the Debian package that has it.
#[derive(Debug)]
struct Need {
    binary: &'static str,
    package: &'static str,
}

/// Rust builds nothing without a C compiler's linker; the bundled SQLite needs the compiler too.
/// The walk-through of the README calls curl; tshark is asked what PDUs mean, and is fed by
/// text2pcap, which comes with it. ENUM asks real name servers: Knot serves zones, BIND recurses.
/// CDRs go into real database servers, which the tests start as Debian's users for them, with
/// certificates that openssl makes.
/// Nodes are cut off from their database in network namespaces, by a router that drops packets.
/// promtool tests the alerts, and a Prometheus asks our metrics what the dashboard shows: a process
/// of the test, not the service that the package brings.
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
        binary: "tshark",
        package: "tshark",
    },
    Need {
        binary: "knotd",
        package: "knot",
    },
    Need {
        binary: "named",
        package: "bind9",
    },
    Need {
        binary: "mariadbd",
        package: "mariadb-server",
    },
    Need {
        binary: "postgres",
        package: "postgresql",
    },
    Need {
        binary: "pgbouncer",
        package: "pgbouncer",
    },
    Need {
        binary: "faketime",
        package: "faketime",
    },
    Need {
        binary: "openssl",
        package: "openssl",
    },
    Need {
        binary: "bearerbox",
        package: "kannel",
    },
    // It comes with drive_smpp, which is on nobody's path.
    Need {
        binary: "mtbatch",
        package: "kannel-extras",
    },
    Need {
        binary: "ip",
        package: "iproute2",
    },
    Need {
        binary: "sysctl",
        package: "procps",
    },
    Need {
        binary: "nft",
        package: "nftables",
    },
    Need {
        binary: "haproxy",
        package: "haproxy",
    },
    Need {
        binary: "promtool",
        package: "prometheus",
    },
];

/// Asked what PDUs mean. Another version may know other errors: change it with the list of what
/// the test does not compare.
const PYCRATE: &str = "pycrate==0.8.1";

/// Where the tests find the interpreter that has pycrate.
const PYCRATE_PYTHON: &str = "PYCRATE_PYTHON";

/// An SMPP client of the field, which the tests bind to us.
const SMPPLIB: &str = "smpplib==2.2.4";

/// Where the tests find the interpreter that has smpplib.
const SMPPLIB_PYTHON: &str = "SMPPLIB_PYTHON";

/// Where the tests find the interpreter that has Jasmin.
const JASMIN_PYTHON: &str = "JASMIN_PYTHON";

/// Another client, of JavaScript.
const SMPP: &str = "smpp@0.5.1";

/// Where the tests find it.
const SMPP_NODE_MODULES: &str = "SMPP_NODE_MODULES";

/// A third, on a crate of Rust: a package of its own, so that nothing of ours depends on it.
const ESME_RUSMPP_PACKAGE: &str = "crates/zajil/tests/peers/esme_rusmpp";

/// Where the tests find it.
const ESME_RUSMPP: &str = "ESME_RUSMPP";

/// Tries the whole description of the API out. Another version tries other things: change it and
/// mend what it finds.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Grades our TLS listeners. Another version may know other weaknesses.
const SSLYZE: &str = "sslyze==6.3.1";

/// Where the tests find the interpreter that has sslyze.
const SSLYZE_PYTHON: &str = "SSLYZE_PYTHON";

/// The leader of a Patroni is killed so often when this is set.
const PATRONI_KILLS: &str = "PATRONI_KILLS";

/// What that takes.
const PATRONI_NEEDS: [Need; 2] = [
    Need {
        binary: "etcd",
        package: "etcd-server",
    },
    Need {
        binary: "patroni",
        package: "patroni",
    },
];

/// Where the tests find the interpreter that has schemathesis.
const SCHEMATHESIS_PYTHON: &str = "SCHEMATHESIS_PYTHON";

/// Tests that start real processes run only when this is set.
const SLOW_TESTS: &str = "SLOW_TESTS";

fn names_packages(arguments: &[String]) -> bool {
    let names = |argument: &String| {
        argument == "--package" || argument.starts_with("--package=") || argument.starts_with("-p")
    };
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(names)
}

/// Documentation examples first, so that the last lines are the runner's own summary.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let patroni = std::env::var_os(PATRONI_KILLS).map_or(&[][..], |_| &PATRONI_NEEDS[..]);
    for need in NEEDS.iter().chain(patroni) {
        install::ensure_debian_package(need.binary, need.package)?;
    }
    install::ensure_cargo_tool("nextest")?;
    let target = Workspace::load()?.target_directory;
    let python = |package: &str, module| {
        install::ensure_python_package(&target.join(package), package, module)
    };
    let (pycrate, smpplib) = (
        python(PYCRATE, "pycrate_mobile")?,
        python(SMPPLIB, "smpplib")?,
    );
    let jasmin = install::ensure_jasmin(&target)?;
    let smpp = install::ensure_npm_package(&target.join(SMPP), SMPP)?;
    let rusmpp = install::ensure_binary(Path::new(ESME_RUSMPP_PACKAGE), &target.join("peers"))?;
    let schemathesis = python(SCHEMATHESIS, "schemathesis")?;
    let sslyze = python(SSLYZE, "sslyze")?;
    let examples_good = !arguments.is_empty()
        || succeeds(cargo(["test", "--quiet", "--workspace", "--doc"]).env(SLOW_TESTS, "1"))?;
    if !examples_good {
        println!("examples in the documentation failed; the other tests follow");
    }
    let mut nextest = cargo(["nextest", "run"]);
    // With it cargo would take every package, whichever are named.
    if !names_packages(arguments) {
        nextest.arg("--workspace");
    }
    nextest
        .args(arguments)
        .env(SLOW_TESTS, "1")
        .env(PYCRATE_PYTHON, pycrate)
        .env(SMPPLIB_PYTHON, smpplib)
        .env(JASMIN_PYTHON, jasmin)
        .env(SMPP_NODE_MODULES, smpp)
        .env(ESME_RUSMPP, rusmpp)
        .env(SCHEMATHESIS_PYTHON, schemathesis)
        .env(SSLYZE_PYTHON, sslyze);
    // What an everyday build leaves out; before the others, whose summary comes last.
    let traces_good = !arguments.is_empty() || {
        let mut traces = cargo(["nextest", "run", "-p", "zajil-telemetry", "-p", "zajil"]);
        succeeds(traces.args(["--features", "zajil/otel", "-E", "test(trace)"]))?
    };
    let tests_good = succeeds(&mut nextest)?;
    Ok(examples_good && traces_good && tests_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_package_is_the_only_one() {
        let names = |text: &str| {
            let arguments: Vec<String> = text.split(' ').map(str::to_owned).collect();
            names_packages(&arguments)
        };
        for named in [
            "-p sms-codec",
            "-psms-codec",
            "--package zajil",
            "x --package=zajil",
        ] {
            assert!(names(named), "{named}");
        }
        for other in ["s9_3", "--profile ci", "x -- -p", "-E test(x)"] {
            assert!(!names(other), "{other}");
        }
    }
}
