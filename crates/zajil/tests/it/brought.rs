//! Programs of Python that `cargo xtask test` brings into environments of their own.

use std::path::Path;
use std::process::{Command, Stdio};

#[expect(
    clippy::disallowed_methods,
    reason = "what a run of the tests is given"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The program beside the interpreter that `python` names, or the one on the path; none when the
/// test is not to run, and why is said.
pub(crate) fn program(python: &str, name: &str) -> Option<String> {
    if variable("SLOW_TESTS").as_deref() != Some("1") {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return None;
    }
    let brought = variable(python);
    let beside = brought.as_ref().map(|python| {
        let folder = Path::new(python).parent().unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    });
    let program = beside.unwrap_or_else(|| name.to_owned());
    let mut command = Command::new(&program);
    command.arg("--help").stdout(Stdio::null());
    let starts = command.status().is_ok_and(|status| status.success());
    assert!(starts || brought.is_none(), "{program} must start");
    if !starts {
        println!("SKIPPED: there is no {program}");
    }
    starts.then_some(program)
}
