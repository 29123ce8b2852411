//! `loadgen http …` and `loadgen smpp …` send load to a server, `loadgen null` and
//! `loadgen null-smpp` are the servers it is compared with.

mod arguments;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use loadgen::http::{self, Options};
use loadgen::null_smpp::{self, Receipts, Ways};
use loadgen::report::Report;
use loadgen::{attack, null, polls, smpp};

use crate::arguments::{Run, Smpp};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Open-loop load over HTTP and SMPP, and null servers to compare with.
#[derive(Debug, Parser)]
#[command(name = "loadgen")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send load and report rates, latencies and CPU.
    Http(Box<Http>),
    /// Bind, submit, match receipts, and report the same.
    Smpp(Box<Smpp>),
    /// Let thousands of frontends wait, and measure what they cost and how soon they wake.
    Polls {
        /// The server, as http://host:port.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
        /// Frontends that wait.
        #[arg(long, default_value_t = 5_000)]
        polls: usize,
        /// Messages, each for another one of them.
        #[arg(long, default_value_t = 500)]
        wakes: usize,
        /// Messages a second.
        #[arg(long, default_value_t = 20.0)]
        rate: f64,
        /// Whose memory is looked at.
        #[arg(long)]
        server_pid: u32,
    },
    /// Mean no good, from other addresses of this machine, until the time is over.
    Attack {
        #[arg(value_enum)]
        kind: attack::Kind,
        /// The server, as http://host:port.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
        /// How long, such as 10s; it says on a line of its own when it is in full swing.
        #[arg(long, default_value = "10s", value_parser = arguments::parse_duration)]
        duration: Duration,
    },
    /// Parse submits, answer 201, store nothing.
    Null {
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
    /// Decode `submit_sm`, answer with an id, store nothing.
    NullSmpp {
        #[arg(long, default_value = "127.0.0.1:2776")]
        listen: SocketAddr,
        /// Send a receipt behind the response, where one is asked for.
        #[arg(long)]
        receipts: bool,
        /// So long after it, such as 200ms.
        #[arg(long, value_parser = arguments::parse_duration, requires = "receipts")]
        receipt_delay: Option<Duration>,
        /// Acknowledge what comes at once (`TCP_QUICKACK`).
        #[arg(long)]
        quick_ack: bool,
    },
}

#[derive(Debug, Args)]
struct Http {
    scenario: Scenario,
    #[command(flatten)]
    run: Run,
    /// The server, as http://host:port.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A key to call with.
    #[arg(long)]
    api_key: Option<String>,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// JSON of a submit; %07d in it stands for the running number.
    #[arg(long)]
    body_template: Option<String>,
    /// Where `post` posts it.
    #[arg(long, default_value = "/api/locations")]
    path: String,
    /// Running numbers are those below this, neighbours far apart; without, they count upwards.
    #[arg(long)]
    numbers: Option<u64>,
    /// The frontend that is registered, addressed and polled.
    #[arg(long, default_value = "bench_gw")]
    frontend: String,
    /// Messages asked for in one listing.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Messages in one batch.
    #[arg(long, default_value_t = 500)]
    batch: usize,
    /// Connections that lease messages (lifecycle).
    #[arg(long, default_value_t = 2)]
    pollers: usize,
    /// Connections that report messages delivered (lifecycle).
    #[arg(long, default_value_t = 64)]
    deliverers: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scenario {
    Submit,
    SubmitAsync,
    Batch,
    Lifecycle,
    List,
    Lease,
    Post,
    Drain,
}

impl From<Scenario> for http::Scenario {
    fn from(scenario: Scenario) -> Self {
        match scenario {
            Scenario::Submit => Self::Submit,
            Scenario::SubmitAsync => Self::SubmitAsync,
            Scenario::Batch => Self::Batch,
            Scenario::Lifecycle => Self::Lifecycle,
            Scenario::List => Self::List,
            Scenario::Lease => Self::Lease,
            Scenario::Post => Self::Post,
            Scenario::Drain => Self::Drain,
        }
    }
}

/// Exit code 0: every request was sent and answered 2xx; 1: some were not, see the report;
/// 2: there is no report.
fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Http(http) => send_load(&http),
        Command::Smpp(smpp) => send_smpp(&smpp),
        Command::Polls {
            url,
            polls,
            wakes,
            rate,
            server_pid,
        } => measure_polls(&polls::Options {
            url,
            polls,
            wakes,
            rate,
            server_pid,
        }),
        Command::Attack {
            kind,
            url,
            duration,
        } => attack(kind, &url, duration),
        Command::Null { listen } => serve_null(listen).map(|()| ExitCode::SUCCESS),
        Command::NullSmpp {
            listen,
            receipts,
            receipt_delay,
            quick_ack,
        } => serve_null_smpp(listen, (receipts, receipt_delay), quick_ack)
            .map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        // Nothing is left to do when even this cannot be said.
        writeln!(io::stderr(), "loadgen: {error:#}").ok();
        ExitCode::from(2)
    })
}

fn measure_polls(options: &polls::Options) -> Result<ExitCode> {
    let measured = polls::run(options)?;
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&measured)?)?;
    Ok(ExitCode::SUCCESS)
}

fn attack(kind: attack::Kind, url: &str, duration: Duration) -> Result<ExitCode> {
    let begun = || writeln!(io::stdout(), "in full swing");
    let told = attack::run(kind, url, duration, begun)?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&told)?)?;
    Ok(ExitCode::SUCCESS)
}

fn serve_null(listen: SocketAddr) -> Result<()> {
    let ready = |address| writeln!(io::stdout(), "null server on http://{address}");
    null::run(listen, ready).with_context(|| format!("cannot serve on {listen}"))
}

fn serve_null_smpp(
    listen: SocketAddr,
    (receipts, delay): (bool, Option<Duration>),
    quick_ack: bool,
) -> Result<()> {
    let ready = |address| writeln!(io::stdout(), "null SMPP server on {address}");
    let receipts = match delay {
        _ if !receipts => Receipts::Never,
        None => Receipts::AtOnce,
        Some(delay) => Receipts::After(delay),
    };
    let ways = Ways {
        receipts,
        quick_ack,
    };
    null_smpp::run(listen, ways, ready).with_context(|| format!("cannot serve on {listen}"))
}

fn send_load(http: &Http) -> Result<ExitCode> {
    say(&http::run(&options(http))?, http.run.json.as_deref())
}

fn send_smpp(arguments: &Smpp) -> Result<ExitCode> {
    let options = arguments.options()?;
    if let Some(hold) = arguments.idle {
        let idle = smpp::idle(&options, hold)?;
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&idle)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&smpp::run(&options)?, arguments.run.json.as_deref())
}

fn say(report: &Report, json: Option<&Path>) -> Result<ExitCode> {
    match json {
        Some(path) if path == Path::new("-") => {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(report)?)?;
        }
        Some(path) => {
            write_json(path, report)?;
            write!(io::stdout(), "{report}")?;
        }
        None => write!(io::stdout(), "{report}")?,
    }
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn write_json(path: &Path, report: &Report) -> Result<()> {
    let json = serde_json::to_string_pretty(report)?;
    std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
}

fn options(http: &Http) -> Options {
    Options {
        api_key: http.api_key.clone(),
        connections: http.connections,
        threads: http.run.threads,
        rate: http.run.rate,
        limit: http.run.limit(),
        body: http.body_template.clone(),
        path: http.path.clone(),
        numbers: http.numbers,
        frontend: http.frontend.clone(),
        page: http.limit,
        batch: http.batch,
        pollers: http.pollers,
        deliverers: http.deliverers,
        server_pids: http.run.server_pids.clone(),
        ..Options::new(http.scenario.into(), &http.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
