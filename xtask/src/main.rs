//! Chores of the repository, one sub-command each: `cargo xtask <chore>`.

use std::process::{Command, ExitCode};

fn main() -> anyhow::Result<ExitCode> {
    let chore = std::env::args().nth(1).unwrap_or_default();
    match chore.as_str() {
        "fmt" => {
            let ok = Command::new("cargo")
                .args(["fmt", "--all"])
                .status()?
                .success();
            Ok(if ok {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        other => anyhow::bail!("unknown chore '{other}'; known: fmt"),
    }
}
