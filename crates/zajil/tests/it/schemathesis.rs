//! Schemathesis over the whole description of the API against the real binary (S3). Slow: runs
//! with `SLOW_TESTS=1`, for half a minute, or for the time that `SCHEMATHESIS_SECONDS` says; 1200
//! is the long run. `cargo xtask test` brings it; without it the test uses what it finds.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::command_line::text;
use crate::server::Server;

/// What it is told beyond the description, each exception with its reason.
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/schemathesis");
const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

/// Seconds of the run that every run of the slow tests has: each page is tried some times.
const SHORT_RUN: &str = "35";

#[expect(
    clippy::disallowed_methods,
    reason = "what a run of the tests is given"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The program; none when the test is not to run, and why is said.
fn program() -> Option<String> {
    if variable("SLOW_TESTS").as_deref() != Some("1") {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return None;
    }
    let brought = variable("SCHEMATHESIS_PYTHON");
    let beside = brought.as_ref().map(|python| {
        let folder = Path::new(python).parent().unwrap();
        folder.join("schemathesis").to_str().unwrap().to_owned()
    });
    let program = beside.unwrap_or_else(|| "schemathesis".to_owned());
    let mut command = Command::new(&program);
    command.arg("--version").stdout(Stdio::null());
    let starts = command.status().is_ok_and(|status| status.success());
    assert!(starts || brought.is_none(), "{program} must start");
    if !starts {
        println!("SKIPPED: there is no {program}");
    }
    starts.then_some(program)
}

#[test]
fn s3_what_the_description_says_is_what_the_server_does() {
    let seconds = variable("SCHEMATHESIS_SECONDS").unwrap_or_else(|| SHORT_RUN.to_owned());
    let Some(program) = program() else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    for name in ["checks.py", "rules.py", "schemathesis.toml"] {
        std::fs::copy(Path::new(PEER).join(name), place.path().join(name)).unwrap();
    }
    let server = Server::start(&place.path().join("data"));
    let run = Command::new(program)
        .args(["run", DESCRIPTION, "--url", &server.base, "--no-color"])
        .args(["--max-time", &seconds])
        .env("ZAJIL_OPENAPI", DESCRIPTION)
        .current_dir(place.path())
        .output()
        .unwrap();
    let told = text(&run.stdout) + &text(&run.stderr);
    println!("{told}");
    assert!(run.status.success(), "{told}");
    // A tool that has tried nothing has found nothing.
    assert!(told.contains("generated"), "{told}");
    assert_eq!(server.stop(), Some(0));
}
