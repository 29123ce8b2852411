//! Commands of the night shift: frontends paused and resumed, CDRs listed and exported.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::{FAILED, UNREACHABLE, complain, say};
use crate::client::{Remote, cell, encoded, list, present, rows};
use crate::report::{self, ReportArgs};
use crate::table;

/// The columns of an export, in the order of S10.1.
const COLUMNS: [&str; 16] = [
    "id",
    "message_id",
    "calling_number",
    "called_number",
    "source_smsc",
    "dest_smsc",
    "origin_node",
    "destination_node",
    "submission_time",
    "delivery_time",
    "expiry_time",
    "status",
    "delivery_attempts",
    "message_parts",
    "deadletter",
    "message_body",
];

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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated, with a header (RFC 4180).
    Csv,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CdrCommand {
    /// Write CDRs to the standard output, newest first.
    Export(ExportArgs),
    /// Ask the configured CDR database for a report; the server need not run.
    Report(ReportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Submitted at or after this time (RFC 3339).
    #[arg(long)]
    from: Option<String>,
    /// Submitted before this time.
    #[arg(long)]
    to: Option<String>,
    /// Only this calling or called number.
    #[arg(long)]
    number: Option<String>,
    /// Only this status.
    #[arg(long)]
    status: Option<String>,
    /// jsonl or csv.
    #[arg(long, default_value = "csv")]
    format: Format,
    /// Hide the last four digits of numbers.
    #[arg(long)]
    masked: bool,
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
    let export = match command {
        CdrCommand::Export(export) => export,
        CdrCommand::Report(args) => return report::run(args),
    };
    let mut query = format!("/api/cdrs?limit=1000&masked={}", export.masked);
    for (name, value) in [
        ("from", export.from),
        ("to", export.to),
        ("number", export.number),
        ("status", export.status),
    ] {
        if let Some(value) = value {
            query += &format!("&{name}={}", encoded(&value));
        }
    }
    if let Format::Csv = export.format {
        say(&table::csv(COLUMNS.into_iter()))?;
    }
    let mut before = String::new();
    loop {
        let answer = match server.call("GET", &(query.clone() + &before), None) {
            Ok(answer) => answer,
            Err(error) => {
                complain(&format!("{error:#}"));
                return Ok(ExitCode::from(UNREACHABLE));
            }
        };
        if answer.status >= 400 {
            complain(&cell(&answer.body["errors"]["detail"]));
            return Ok(ExitCode::from(FAILED));
        }
        let lines = list(&answer.body["data"])
            .iter()
            .map(|row| match export.format {
                Format::Jsonl => format!("{row}\n"),
                Format::Csv => csv(row),
            });
        say(&lines.collect::<String>())?;
        match answer.body["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// A row as CSV; null is an empty field.
fn csv(row: &Value) -> String {
    let field = |column: &&str| match &row[*column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let fields: Vec<String> = COLUMNS.iter().map(field).collect();
    table::csv(fields.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_3_a_field_is_quoted_where_it_must_be() {
        let row = json!({ "id": 1, "message_body": "a \"b\", c\nd", "deadletter": false });
        let line = csv(&row);
        assert!(line.starts_with("1,,"), "{line}");
        assert!(line.ends_with(",false,\"a \"\"b\"\", c\nd\"\r\n"), "{line}");
        assert_eq!(encoded("gw 1/é+"), "gw%201%2F%C3%A9%2B");
    }
}
