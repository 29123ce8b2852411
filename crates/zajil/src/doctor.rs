//! `zajil doctor`: checks all that a server needs, each within a time, each with a remedy.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::cli::{self, FAILED, UNREACHABLE, say};
use crate::client::{self, Remote};
use crate::config::{self, Config, Overrides};
use crate::tls::Files;

mod check;
mod disk;
mod limits;
mod outside;
mod server;
mod shared;
mod store;

use check::{Check, Level, in_time};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is well (warnings included), 1 something is wrong, \
    3 nothing else is wrong, but the server cannot be reached."
)]
pub(crate) struct DoctorArgs {
    /// The configuration that the server runs with.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Its data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server; the address of the configuration when left out.
    #[arg(long, env = "ZAJIL_SERVER")]
    server: Option<String>,
    /// An API key or bearer token, for --message.
    #[arg(long, env = "ZAJIL_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Trust the certificates of this file (PEM), in place of the system's.
    #[arg(long, env = "ZAJIL_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Only say why this message is where it is.
    #[arg(long, value_name = "ID")]
    message: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `zajil doctor`.
pub(crate) fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        data: args.data,
        ..Overrides::default()
    };
    let loaded = config::load(args.config.as_deref(), &cli::environment(), &overrides);
    let configured = loaded.as_ref().ok().map(server::base);
    let base = args.server.or(configured);
    let base = base.unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let remote = Remote::at(base, args.json).with(args.api_key, args.ca);
    if let Some(id) = args.message {
        return client::why(&remote, id);
    }
    let checks = match loaded {
        Ok(config) => all(config, remote),
        Err(invalid) => {
            let mut checks = vec![
                Check::fail("configuration", invalid.to_string().replace('\n', "; "))
                    .remedy("mend it; zajil config check FILE says the same, line by line"),
            ];
            checks.extend(server::checks(&remote, None));
            checks
        }
    };
    say(&if args.json {
        as_json(&checks)
    } else {
        as_text(&checks)
    })?;
    Ok(code(&checks))
}

/// Every check, the machine first.
fn all(config: Config, remote: Remote) -> Vec<Check> {
    let mut checks = vec![configuration(&config)];
    let quick = Duration::from_secs(5);
    let directory = config.store.directory.clone();
    let cdr = config.cdr_file();
    checks.extend(in_time("data directory", quick, {
        let directory = directory.clone();
        move || disk::directory(&directory)
    }));
    checks.extend(in_time("disk", quick, {
        let (directory, cdr) = (directory.clone(), cdr.clone());
        move || disk::room(&directory, cdr.as_deref())
    }));
    checks.extend(in_time("fsync", Duration::from_secs(20), {
        let directory = directory.clone();
        move || disk::sync_latency(&directory)
    }));
    checks.extend(in_time("store", Duration::from_secs(60), {
        let (directory, shared) = (directory.clone(), config.store.shared.clone());
        move || match shared {
            Some(shared) => shared::checks(&shared),
            None => store::checks(&directory),
        }
    }));
    let holder = limits::holder(&directory);
    let connections = config.api.max_connections;
    checks.push(limits::descriptors(holder, connections));
    checks.extend(in_time("clock", quick, limits::clock));
    checks.extend(in_time("log file", quick, {
        let log = config.log.file.clone();
        move || disk::log_file(log.as_deref())
    }));
    if let Some(path) = cdr {
        checks.extend(in_time("CDR file", quick, move || store::cdr(&path)));
    }
    if let Some(files) = config.api.tls.clone() {
        checks.extend(in_time("certificate", quick, move || certificate(&files)));
    }
    let held = store::held(&directory);
    checks.extend(server::ports(&config, held));
    checks.extend(server::checks(&remote, config.metrics));
    checks.extend(outside::checks(config));
    checks
}

fn configuration(config: &Config) -> Check {
    if config.notes.is_empty() {
        return Check::ok("configuration", "it can be used");
    }
    Check::warn("configuration", config.notes.join("; "))
        .remedy("see docs/config.md, and docs/ops/security.md for what others can reach")
}

/// Whether the certificate can be served, and for how long.
fn certificate(files: &Files) -> Vec<Check> {
    const NAME: &str = "certificate";
    let loaded = match files.check() {
        Ok(loaded) => loaded,
        Err(error) => {
            let remedy = "the chain, the server's own certificate first, and its key, both PEM";
            return vec![Check::fail(NAME, format!("{error:#}")).remedy(remedy)];
        }
    };
    let days = loaded.days_left();
    let sentence = match days {
        ..0 => format!("it ended {} days ago", -days),
        _ => format!("it is good for {days} days"),
    };
    vec![match days {
        ..0 => Check::fail(NAME, sentence).remedy("renew it; the server takes it up by itself"),
        0..14 => Check::warn(NAME, sentence).remedy("renew it; the server takes it up by itself"),
        _ => Check::ok(NAME, sentence),
    }]
}

fn as_text(checks: &[Check]) -> String {
    checks.iter().map(ToString::to_string).collect()
}

fn as_json(checks: &[Check]) -> String {
    let shown: Vec<_> = checks.iter().map(Check::shown).collect();
    let count = |level: Level| checks.iter().filter(|check| check.level == level).count();
    let report = json!({
        "data": {
            "checks": shown,
            "ok": count(Level::Ok),
            "warn": count(Level::Warn),
            "fail": count(Level::Fail) + count(Level::Unreachable),
        }
    });
    format!("{report:#}\n")
}

fn code(checks: &[Check]) -> ExitCode {
    let any = |level: Level| checks.iter().any(|check| check.level == level);
    if any(Level::Fail) {
        ExitCode::from(FAILED)
    } else if any(Level::Unreachable) {
        ExitCode::from(UNREACHABLE)
    } else {
        ExitCode::SUCCESS
    }
}
