//! Chores of the repository, one sub-command each: `cargo xtask <chore>`.
#![expect(
    clippy::print_stdout,
    reason = "a command line tool talks on standard output"
)]

mod bench;
mod check;
mod demo;
mod generate;
mod guard;
mod install;
mod step;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask <chore>

  check             the gate: format, clippy, tidy, licences, generated files
  test [ARGS]       every test, the slow ones too; ARGS go to `cargo nextest run`
  demo [ARGS]       build and run `zajil demo`
  bench [OPTIONS]   submit and life-cycle rates next to the null server, in interleaved rounds
  bench queue       listing latency, memory and restart time with a long queue
  bench outside     submits while charging and ENUM do not answer
  bench smpp        submit_sm and whole lives with receipts next to the null SMPP server
  bench jasmin      whole lives with receipts through Jasmin and through Zajil, in turns
  bench idle        size, start, memory and CPU of a server that has nothing to do
  bench scale       10,000 frontends, 100,000 routes and 1,000,000 locations against few
  bench overload    three times as many submits as the server can take
  bench idle-binds  memory of 1,000 and 10,000 binds that do nothing
  bench idle-polls  memory of 5,000 polls that wait, and how soon a message wakes its own
  bench attack      latency of an honest client alone and while others mean no good
  bench telling     CDRs, metrics and log on against off
  guard [--write]   instructions of the hot paths, held against their table
  gen               write the generated files again
  tidy              only the tidy step of check

bench options: --quick, --rounds N, --seconds N, --json FILE,
               --binary FILE (this zajil in place of the one built here),
               --profile NAME (of the build; release without),
               --built (measure what was built before),
               --memory (keep the data in /dev/shm, where others keep the disk busy)
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let chore = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match run(&chore, &rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("xtask {chore}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when the chore ran and found nothing wrong.
fn run(chore: &str, arguments: &[String]) -> Result<bool> {
    match (chore, arguments) {
        ("check", []) => check::run(),
        ("test", arguments) => test::run(arguments),
        ("demo", arguments) => demo::run(arguments),
        ("bench", arguments) => bench::run(arguments),
        ("guard", arguments) => guard::run(arguments),
        ("gen", []) => generate::write(),
        ("tidy", []) => tidy::run(),
        ("help" | "--help" | "-h", _) => {
            print!("{USAGE}");
            Ok(true)
        }
        ("", _) => bail!("which chore?\n\n{USAGE}"),
        (chore, []) => bail!("there is no chore '{chore}'\n\n{USAGE}"),
        (chore, arguments) => {
            bail!(
                "'{chore} {}' is not understood\n\n{USAGE}",
                arguments.join(" ")
            )
        }
    }
}
