//! `loadgen http …` sends load to a server, `loadgen null` is the server it is compared with.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use loadgen::http::{self, Limit, Options, Rate};
use loadgen::null;
use loadgen::report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Open-loop load for the REST API, and a null server to compare with.
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
    /// Parse submits, answer 201, store nothing.
    Null {
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
}

#[derive(Debug, Args)]
struct Http {
    scenario: Scenario,
    /// The server, as http://host:port.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Client threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Requests per second over all connections, or `max`.
    #[arg(long, default_value = "max", value_parser = parse_rate)]
    rate: Rate,
    /// How long to send, such as 10s, 500ms or 2m.
    #[arg(long, default_value = "10s", value_parser = parse_duration, conflicts_with = "count")]
    duration: Duration,
    /// How many requests to send.
    #[arg(long)]
    count: Option<u64>,
    /// JSON of a submit; %07d in it stands for the running number.
    #[arg(long)]
    body_template: Option<String>,
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
    /// Report this process's CPU time as the server's.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Write the report as JSON to this file, `-` for standard output instead of the text.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scenario {
    Submit,
    SubmitAsync,
    Batch,
    Lifecycle,
    List,
}

impl From<Scenario> for http::Scenario {
    fn from(scenario: Scenario) -> Self {
        match scenario {
            Scenario::Submit => Self::Submit,
            Scenario::SubmitAsync => Self::SubmitAsync,
            Scenario::Batch => Self::Batch,
            Scenario::Lifecycle => Self::Lifecycle,
            Scenario::List => Self::List,
        }
    }
}

/// Exit code 0: every request was sent and answered 2xx; 1: some were not, see the report;
/// 2: there is no report.
fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Http(http) => send_load(&http),
        Command::Null { listen } => serve_null(listen).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        // Nothing is left to do when even this cannot be said.
        writeln!(io::stderr(), "loadgen: {error:#}").ok();
        ExitCode::from(2)
    })
}

fn serve_null(listen: SocketAddr) -> Result<()> {
    let ready = |address| writeln!(io::stdout(), "null server on http://{address}");
    null::run(listen, ready).with_context(|| format!("cannot serve on {listen}"))
}

fn send_load(http: &Http) -> Result<ExitCode> {
    let report = http::run(&options(http))?;
    match http.json.as_deref() {
        Some(path) if path == Path::new("-") => {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
        }
        Some(path) => {
            write_json(path, &report)?;
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
        connections: http.connections,
        threads: http.threads,
        rate: http.rate,
        limit: http
            .count
            .map_or(Limit::Duration(http.duration), Limit::Count),
        body: http.body_template.clone(),
        frontend: http.frontend.clone(),
        page: http.limit,
        batch: http.batch,
        pollers: http.pollers,
        deliverers: http.deliverers,
        server_pid: http.server_pid,
        ..Options::new(http.scenario.into(), &http.url)
    }
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Rate::PerSecond(rate)),
        _ => Err("neither a positive number nor 'max'".to_owned()),
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
    let seconds = units
        .iter()
        .find_map(|(unit, seconds)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * seconds));
    seconds
        .filter(|&seconds| seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "not a duration such as 10s, 500ms or 2m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_a_unit() {
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["10", "s", "-1s", "0s", "NaNs", "1h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_is_a_positive_number_or_max() {
        assert_eq!(parse_rate("max"), Ok(Rate::Max));
        assert_eq!(parse_rate("20000"), Ok(Rate::PerSecond(20_000.0)));
        for bad in ["", "0", "-5", "inf", "full"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
