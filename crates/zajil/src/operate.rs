//! Commands of the night shift: frontends paused and resumed, CDRs listed and exported.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{Remote, cell, encoded, list, present, rows};
use crate::export::{self, ExportArgs};
use crate::report::{self, ReportArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum FrontendCommand {
    /// List frontends and whether they are paused.
    List,
    /// Give a frontend nothing for now; its messages keep their place.
    Pause {
        /// Its name.
        name: String,
        /// Why, for whoever asks.
        #[arg(long)]
        reason: Option<String>,
        /// For so many seconds; until it is resumed without.
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// End a pause.
    Resume {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CdrCommand {
    /// Write CDRs to the standard output, newest first.
    Export(ExportArgs),
    /// Ask the configured CDR database for a report; the server need not run.
    Report(ReportArgs),
}

/// Runs `zajil frontend …`.
pub(crate) fn frontend(server: &Remote, command: FrontendCommand) -> anyhow::Result<ExitCode> {
    let path = |name: &str, what: &str| format!("/api/frontends/{}/{what}", encoded(name));
    match command {
        FrontendCommand::List => server.show(("GET", "/api/frontends"), None, |data| {
            let keys = ["frontend_name", "frontend_type", "status", "last_seen_at"];
            let mut items = list(data).to_vec();
            for item in &mut items {
                let reason = item["paused"]["reason"].take();
                item["paused"] = reason;
            }
            rows(&items, &[&keys[..], &["paused"]].concat())
        }),
        FrontendCommand::Pause {
            name,
            reason,
            seconds,
        } => {
            let body = present(json!({ "reason": reason, "seconds": seconds }));
            let told = |data: &Value| {
                let until = cell(&data["paused"]["until"]);
                format!("'{name}' is paused, until {until}\n")
            };
            server.show(("POST", &path(&name, "pause")), Some(&body), told)
        }
        FrontendCommand::Resume { name } => {
            server.show(("POST", &path(&name, "resume")), None, |_| {
                format!("'{name}' is resumed\n")
            })
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// The nodes that share the store, and how they are.
    Status,
    /// Let a node take no new submits, and its load balancer know.
    Drain {
        /// Its name.
        name: String,
    },
    /// Let it take them again.
    Resume {
        /// Its name.
        name: String,
    },
}

/// Runs `zajil cluster …`.
pub(crate) fn cluster(server: &Remote, command: ClusterCommand) -> anyhow::Result<ExitCode> {
    let told = |data: &Value| {
        let keys = [
            "name",
            "number",
            "status",
            "version",
            "address",
            "last_seen_at",
        ];
        let missing = list(&data["missing"]).iter();
        let missing: String = missing
            .map(|name| format!("missing: {}\n", cell(name)))
            .collect();
        rows(list(&data["nodes"]), &keys) + &missing
    };
    let (method, path) = match command {
        ClusterCommand::Status => ("GET", "/api/cluster".to_owned()),
        ClusterCommand::Drain { name } => ("POST", path_of(&name, "drain")),
        ClusterCommand::Resume { name } => ("POST", path_of(&name, "resume")),
    };
    server.show((method, &path), None, told)
}

fn path_of(node: &str, what: &str) -> String {
    format!("/api/cluster/{}/{what}", encoded(node))
}

/// Runs `zajil cdr …`.
pub(crate) fn cdr(server: &Remote, command: CdrCommand) -> anyhow::Result<ExitCode> {
    match command {
        CdrCommand::Export(args) => export::run(server, args),
        CdrCommand::Report(args) => report::run(args, server.shows_json()),
    }
}
