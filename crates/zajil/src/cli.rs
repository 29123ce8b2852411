//! The command line: sub-commands a person guesses (D3).

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::{Value, json};
use zajil_telemetry::log::Log;

use crate::client::{self, MessageCommand};
use crate::config::{self, Config, Overrides};
use crate::keys::{self, AuditArgs, KeyCommand};
use crate::operate::{self, CdrCommand, ClusterCommand, FrontendCommand};
use crate::pdu::{self, PduCommand};
use crate::route_command::{self, RouteCommand};
use crate::serve::{self, Server, Signals};
use crate::smpp_command::{self, SmppCommand};
use crate::tail::{self, TailArgs};

/// The server refused, or something else failed.
pub(crate) const FAILED: u8 = 1;
/// The server cannot be reached.
pub(crate) const UNREACHABLE: u8 = 3;

/// Where shells look for it.
const COMPLETIONS_HELP: &str = "bash: zajil completions bash > \
    /usr/share/bash-completion/completions/zajil\n\
    zsh:  zajil completions zsh > /usr/local/share/zsh/site-functions/_zajil\n\
    fish: zajil completions fish > ~/.config/fish/completions/zajil.fish";

/// Zajil, an SMS centre: REST in, frontends out, nothing accepted is lost.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, \
    3 the server cannot be reached."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Show a message's whole life in a few seconds, on a server of its own.
    Demo(crate::demo::DemoArgs),
    /// Check or print a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Send and look at messages.
    Message {
        #[command(flatten)]
        server: client::Remote,
        #[command(subcommand)]
        command: MessageCommand,
    },
    /// Look at and edit routes.
    Route {
        #[command(flatten)]
        server: client::Remote,
        #[command(subcommand)]
        command: RouteCommand,
    },
    /// Look at frontends, pause and resume them.
    Frontend {
        #[command(flatten)]
        server: client::Remote,
        #[command(subcommand)]
        command: FrontendCommand,
    },
    /// Make, look at and revoke API keys.
    Key {
        #[command(flatten)]
        server: client::Remote,
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Show who changed what.
    Audit {
        #[command(flatten)]
        server: client::Remote,
        #[command(flatten)]
        args: AuditArgs,
    },
    /// Look at the nodes that share a store, take one out of service.
    Cluster {
        #[command(flatten)]
        server: client::Remote,
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// Export call detail records, and report on them.
    Cdr {
        #[command(flatten)]
        server: client::Remote,
        #[command(subcommand)]
        command: CdrCommand,
    },
    /// Look at the accounts of SMPP applications and edit them.
    Smpp {
        #[command(flatten)]
        server: client::Remote,
        #[command(subcommand)]
        command: SmppCommand,
    },
    /// Be a carrier that accepts SMPP binds, healthy or troubled, to try settings with.
    SmppSim(crate::smpp_sim::SimArgs),
    /// Print what happens, while it happens.
    Tail {
        #[command(flatten)]
        server: client::Remote,
        #[command(flatten)]
        filter: TailArgs,
    },
    /// Check everything that a server needs, and say what to do about what is wrong.
    Doctor(crate::doctor::DoctorArgs),
    /// Copy a node's data, while it runs, into a new directory.
    Backup(crate::backup::BackupArgs),
    /// Make a data directory from a backup.
    Restore(crate::restore::RestoreArgs),
    /// Move everything from one store to another while no node runs.
    Migrate(crate::migrate::MigrateArgs),
    /// Look at the octets of short messages, and write them.
    Pdu {
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
        #[command(subcommand)]
        command: PduCommand,
    },
    /// Write the manual: a page of roff for each command.
    #[command(after_help = "copy them to /usr/local/share/man/man1, or read \
        one with man ./zajil.1")]
    Man {
        /// The directory that they are written into; it is made.
        directory: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what makes a shell complete these commands and options.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the generated pages of the manual.
    #[command(hide = true)]
    GenDocs {
        /// Only say whether they are fresh.
        #[arg(long)]
        check: bool,
    },
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Configuration file (TOML); without one the defaults hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address of the REST API.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Address of /metrics.
    #[arg(long, value_name = "IP:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// Address of SMPP.
    #[arg(long, value_name = "IP:PORT")]
    smpp_listen: Option<SocketAddr>,
    /// Say as JSON that it is ready, and where.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with a file: place, key and rule.
    Check {
        /// The file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a file with every key at its default.
    Example,
}

/// Runs a command.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve(args),
        Command::Demo(args) => crate::demo::run(&args),
        Command::Config(ConfigCommand::Example) => say(&config::example()),
        Command::Config(ConfigCommand::Check { file, json }) => check(&file, json),
        Command::Message { server, command } => client::message(&server, command),
        Command::Route { server, command } => route_command::run(&server, command),
        Command::Frontend { server, command } => operate::frontend(&server, command),
        Command::Key { server, command } => keys::run(&server, command),
        Command::Audit { server, args } => keys::audit(&server, &args),
        Command::Cluster { server, command } => operate::cluster(&server, command),
        Command::Cdr { server, command } => operate::cdr(&server, command),
        Command::Smpp { server, command } => smpp_command::run(&server, command),
        Command::SmppSim(args) => crate::smpp_sim::run(&args),
        Command::Tail { server, filter } => tail::run(&server, &filter),
        Command::Doctor(args) => crate::doctor::run(args),
        Command::Backup(args) => crate::backup::run(&args),
        Command::Restore(args) => crate::restore::run(&args),
        Command::Migrate(args) => crate::migrate::run(args),
        Command::Pdu { json, command } => pdu::run(command, json),
        Command::Man { directory, json } => manual(&directory, json),
        Command::Completions { shell } => completions(shell),
        Command::GenDocs { check } => {
            let fresh = crate::docs::generate(Path::new("."), check)?;
            Ok(if fresh {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(FAILED)
            })
        }
    }
}

fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "zajil", &mut script);
    say(std::str::from_utf8(&script)?)
}

/// Writes a page for each command and each of its own, and says which.
fn manual(directory: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let shown = || directory.display().to_string();
    std::fs::create_dir_all(directory).with_context(shown)?;
    clap_mangen::generate_to(Cli::command(), directory).with_context(shown)?;
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(shown)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("zajil") && name.ends_with(".1") {
            pages.push(name);
        }
    }
    pages.sort();
    if as_json {
        return say_data(json!({ "directory": directory, "pages": pages }));
    }
    say(&format!("{}: {} pages\n", shown(), pages.len()))
}

/// Prints an answer in the shape of the API's.
pub(crate) fn say_data(data: impl Into<Value>) -> anyhow::Result<ExitCode> {
    say(&format!("{:#}\n", json!({ "data": data.into() })))
}

/// Writes to the standard output; a reader that has gone is no error.
pub(crate) fn say(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Writes one line to the standard error output.
pub(crate) fn complain(text: &str) {
    // Nowhere is left to report to when this fails.
    drop(writeln!(std::io::stderr().lock(), "zajil: {text}"));
}

fn check(file: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    match config::load(Some(file), &environment(), &Overrides::default()) {
        Ok(config) if as_json => say_data(json!({ "file": file, "notes": config.notes })),
        Err(invalid) if as_json => {
            let errors = json!({ "detail": invalid.to_string(), "lines": invalid.0 });
            say(&format!("{:#}\n", json!({ "errors": errors })))?;
            Ok(ExitCode::from(FAILED))
        }
        Ok(config) => {
            for note in config.notes {
                complain(&note);
            }
            say(&format!("{}: fine\n", file.display()))
        }
        Err(invalid) => {
            say(&format!("{invalid}\n"))?;
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// The environment, read once, here.
pub(crate) fn environment() -> Vec<config::Variable> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The threads that serve: one a core.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("zajil")
        .build()
}

fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        data: args.data,
        listen: args.listen,
        metrics_listen: args.metrics_listen,
        smpp_listen: args.smpp_listen,
    };
    let config = config::load(args.config.as_deref(), &environment(), &overrides)?;
    let clock = std::sync::Arc::new(zajil_engine::system::SystemClock);
    let log = zajil_telemetry::log::init(&config.log, clock)?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    runtime()?.block_on(serve_until_signal(config, log, args.json))
}

async fn serve_until_signal(config: Config, log: Log, as_json: bool) -> anyhow::Result<ExitCode> {
    serve::reopen_at_hangup(log)?;
    let server = Server::start(config).await?;
    // Who reads that the server is ready may end it at once.
    let mut signals = Signals::new()?;
    say(&match as_json {
        true => format!("{}\n", ready(&server)),
        false => ready_line(&server),
    })?;
    let code = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping");
            ExitCode::SUCCESS
        }
        () = server.until_expelled() => ExitCode::from(FAILED),
    };
    tokio::select! {
        stopped = server.stop() => {
            stopped?;
            tracing::info!("stopped");
            Ok(code)
        }
        again = signals.next() => {
            // What is accepted is on disk: the next start takes it up.
            tracing::warn!(signal = again, "stopping at once");
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// On one line: a supervisor reads so far, and no further.
fn ready(server: &Server) -> Value {
    let metrics = server
        .metrics
        .map(|address| format!("http://{address}/metrics"));
    json!({ "data": {
        "api": format!("{}://{}", server.scheme, server.api),
        "metrics": metrics,
        "smpp": server.smpp.map(|address| address.to_string()),
        "data": server.data,
    } })
}

fn ready_line(server: &Server) -> String {
    let metrics = match server.metrics {
        Some(address) => format!("http://{address}/metrics"),
        None => "off".to_owned(),
    };
    let smpp = match server.smpp {
        Some(address) => address.to_string(),
        None => "off".to_owned(),
    };
    let data = server.data.display();
    format!(
        "zajil ready: api {}://{} metrics {metrics} smpp {smpp} data {data}\n",
        server.scheme, server.api
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these print is a script, a file and a page: it has a form of its own.
    const WITHOUT: [&str; 3] = [
        "zajil config example",
        "zajil completions",
        "zajil gen-docs",
    ];

    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, bool)>) {
        let commands = command.get_subcommands();
        let commands: Vec<_> = commands.filter(|c| c.get_name() != "help").collect();
        if commands.is_empty() {
            let json = command
                .get_arguments()
                .any(|argument| argument.get_long() == Some("json"));
            found.push((path.to_owned(), json));
        }
        for below in commands {
            leaves(below, &format!("{path} {}", below.get_name()), found);
        }
    }

    #[test]
    fn d3_every_command_prints_json_when_asked() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        leaves(&command, "zajil", &mut found);
        assert!(found.len() > 30, "{found:?}");
        let without = found.iter().filter(|(_, json)| !json);
        let without: Vec<&str> = without.map(|(path, _)| path.as_str()).collect();
        assert_eq!(without, WITHOUT);
    }
}
