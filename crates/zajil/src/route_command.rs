//! `zajil route …`: routes listed, added, moved as a file, and tried out.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{Remote, list, present, rows};

#[derive(Debug, Subcommand)]
pub(crate) enum RouteCommand {
    /// List routes.
    List,
    /// Add a route to a frontend.
    Add {
        /// The frontend.
        dest_smsc: String,
        /// Numbers that begin so; all when left out.
        #[arg(long)]
        called_prefix: Option<String>,
        /// Senders that begin so.
        #[arg(long)]
        calling_prefix: Option<String>,
        /// Only messages from this frontend or client.
        #[arg(long)]
        source_smsc: Option<String>,
        /// 1-255, the lowest wins.
        #[arg(long)]
        priority: Option<u8>,
        /// 1-100, the share among equals.
        #[arg(long)]
        weight: Option<u8>,
        /// A frontend that follows when the first does not take a message; may be repeated.
        #[arg(long)]
        fallback: Vec<String>,
        /// How many seconds each has, 5 to 86400.
        #[arg(long)]
        fallback_after: Option<u64>,
        /// yes, no or default.
        #[arg(long)]
        charged: Option<String>,
        /// For people.
        #[arg(long)]
        description: Option<String>,
    },
    /// Add the routes of an export, or replace all by them.
    Import {
        /// The export.
        file: PathBuf,
        /// Remove all other routes.
        #[arg(long)]
        replace: bool,
    },
    /// Print all routes as JSON.
    Export,
    /// Say what would become of a message, and why each route won or lost.
    Simulate {
        /// Recipient.
        called_number: String,
        /// Sender.
        #[arg(long)]
        from: Option<String>,
        /// The frontend or client that it comes from.
        #[arg(long)]
        source_smsc: Option<String>,
        /// IMS, circuit_switched or SMPP.
        #[arg(long)]
        source_type: Option<String>,
        /// Take ENUM to have given this domain, and do not ask.
        #[arg(long)]
        enum_domain: Option<String>,
        /// Decide the draw among equals, as 0 for the first of them.
        #[arg(long)]
        draw: Option<u64>,
    },
}

/// Runs `zajil route …`.
pub(crate) fn run(server: &Remote, command: RouteCommand) -> anyhow::Result<ExitCode> {
    match command {
        RouteCommand::List => server.show(("GET", "/api/routes"), None, |data| routes(list(data))),
        RouteCommand::Add {
            dest_smsc,
            called_prefix,
            calling_prefix,
            source_smsc,
            priority,
            weight,
            fallback,
            fallback_after,
            charged,
            description,
        } => {
            let body = present(json!({
                "dest_smsc": dest_smsc,
                "called_prefix": called_prefix,
                "calling_prefix": calling_prefix,
                "source_smsc": source_smsc,
                "priority": priority,
                "weight": weight,
                "fallback": fallback,
                "fallback_after": fallback_after,
                "charged": charged,
                "description": description,
            }));
            let one = |data: &Value| routes(std::slice::from_ref(data));
            server.show(("POST", "/api/routes"), Some(&body), one)
        }
        RouteCommand::Import { file, replace } => {
            let text =
                std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let mut body: Value = serde_json::from_str(&text)
                .with_context(|| format!("{} is not JSON", file.display()))?;
            // An export is the API's answer; an import is its `data` with a mode.
            if let Some(data) = body.get_mut("data") {
                body = data.take();
            }
            if body.is_array() {
                body = json!({ "routes": body });
            }
            body["mode"] = json!(if replace { "replace" } else { "merge" });
            let shown = |data: &Value| routes(list(data.get("routes").unwrap_or(data)));
            server.show(("POST", "/api/routes/import"), Some(&body), shown)
        }
        RouteCommand::Simulate {
            called_number,
            from,
            source_smsc,
            source_type,
            enum_domain,
            draw,
        } => {
            let body = present(json!({
                "called_number": called_number,
                "calling_number": from,
                "source_smsc": source_smsc,
                "source_type": source_type,
                "enum_domain": enum_domain,
                "draw": draw,
            }));
            server.show(
                ("POST", "/api/routes/simulate"),
                Some(&body),
                crate::simulation::shown,
            )
        }
        RouteCommand::Export => server.show(("GET", "/api/routes/export"), None, |data| {
            format!("{data:#}\n")
        }),
    }
}

fn routes(items: &[Value]) -> String {
    rows(
        items,
        &[
            "id",
            "called_prefix",
            "calling_prefix",
            "source_smsc",
            "dest_smsc",
            "priority",
            "weight",
            "enabled",
            "description",
        ],
    )
}
