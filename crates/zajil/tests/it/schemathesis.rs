//! Schemathesis over the whole description of the API against the real binary (S3). Slow: runs
//! with `SLOW_TESTS=1`, for half a minute, or for the time that `SCHEMATHESIS_SECONDS` says; 1200
//! is the long run. `cargo xtask test` brings it; without it the test uses what it finds.

use std::path::Path;
use std::process::Command;

use crate::brought::{program, variable};
use crate::command_line::text;
use crate::server::Server;

/// What it is told beyond the description, each exception with its reason.
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/schemathesis");
const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

/// Seconds of the run that every run of the slow tests has: each page is tried some times.
const SHORT_RUN: &str = "35";

#[test]
fn s3_what_the_description_says_is_what_the_server_does() {
    let seconds = variable("SCHEMATHESIS_SECONDS").unwrap_or_else(|| SHORT_RUN.to_owned());
    let Some(program) = program("SCHEMATHESIS_PYTHON", "schemathesis") else {
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
