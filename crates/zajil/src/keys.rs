//! `zajil key` and `zajil audit`: who may call the API, and who changed what (S3.8).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zajil_core::clock::Clock as _;
use zajil_store::{Cluster as _, Store as _};
use zajil_store_embedded::EmbeddedStore;
use zajil_store_postgres::PostgresStore;

use crate::cli::{self, say, say_data};
use crate::client::{Remote, cell, encoded, list, present, rows};
use crate::config::{self, Overrides, Shared};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it, this once.
    Create(Box<CreateArgs>),
    /// List keys, without their secrets.
    List,
    /// Revoke a key: it opens nothing from now on.
    Revoke {
        /// Its id, the part after zjl_.
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "The first key of a server that asks for one is made while the server is \
    stopped, with --data or --config: who may write the data directory may make keys. Where \
    nodes share a store, --config with its store.url makes it in the database, and nodes that \
    run take it within seconds: who may write the database may make keys."
)]
pub(crate) struct CreateArgs {
    /// Whose key it is.
    #[arg(long)]
    name: String,
    /// admin, read, submit, locations, unrouted or frontend:NAME; may be repeated.
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// It may be used from this network only; may be repeated.
    #[arg(long = "network")]
    networks: Vec<String>,
    /// Calls a second.
    #[arg(long)]
    rate: Option<u32>,
    /// It opens nothing after this time (RFC 3339).
    #[arg(long)]
    expires: Option<String>,
    /// Instead of a secret, the name in a client certificate: DNS name, URI or common name.
    #[arg(long, value_name = "CERTIFICATE-NAME")]
    certificate: Option<String>,
    /// Make it in the data directory of a server that is stopped.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The same, with the data directory of this configuration, or with the database of its
    /// store.url, whether nodes run or not.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which entries of the audit log are shown.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only changes of this: route, translation rule, frontend, api_key, message …
    #[arg(long)]
    what: Option<String>,
    /// Only of the one with this id.
    #[arg(long)]
    id: Option<String>,
    /// Only by somebody whose name has this in it.
    #[arg(long)]
    who: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Only entries below this one.
    #[arg(long)]
    before: Option<u64>,
}

/// Runs `zajil key …`.
pub(crate) fn run(server: &Remote, command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Create(args) => create(server, &args),
        KeyCommand::List => server.show(("GET", "/api/keys"), None, |data| {
            let mut items = list(data).to_vec();
            for item in &mut items {
                let words: Vec<String> = list(&item["scopes"]).iter().map(cell).collect();
                item["scopes"] = json!(words.join(" "));
            }
            rows(
                &items,
                &[
                    "id",
                    "name",
                    "scopes",
                    "certificate",
                    "expires_at",
                    "last_used_at",
                ],
            )
        }),
        KeyCommand::Revoke { id } => {
            let path = format!("/api/keys/{}", encoded(&id));
            server.show(("DELETE", &path), None, |_| format!("key {id} revoked\n"))
        }
    }
}

fn create(server: &Remote, args: &CreateArgs) -> anyhow::Result<ExitCode> {
    let body = present(json!({
        "name": args.name,
        "scopes": args.scopes,
        "networks": args.networks,
        "rate_per_second": args.rate,
        "expires_at": args.expires,
        "certificate": args.certificate,
    }));
    if args.data.is_none() && args.config.is_none() {
        return server.show(("POST", "/api/keys"), Some(&body), |data| {
            told(&cell(&data["id"]), data["key"].as_str())
        });
    }
    let overrides = Overrides {
        data: args.data.clone(),
        ..Overrides::default()
    };
    let config = config::load(args.config.as_deref(), &cli::environment(), &overrides)?;
    let body = body.to_string();
    let (id, key) = cli::runtime()?.block_on(async {
        match &config.store.shared {
            Some(shared) => create_shared(shared, body.as_bytes()).await,
            None => create_embedded(&config.store.directory, body.as_bytes()).await,
        }
    })?;
    if server.shows_json() {
        return say_data(present(json!({ "id": id, "key": key })));
    }
    say(&told(&id, key.as_deref()))
}

/// In the data directory of a server that is stopped.
async fn create_embedded(
    directory: &Path,
    body: &[u8],
) -> anyhow::Result<(String, Option<String>)> {
    let shown = directory.display();
    if !directory.is_dir() {
        bail!("data directory {shown}: there is none");
    }
    let options = zajil_store_embedded::Options::default();
    let store = EmbeddedStore::open(directory, &options).with_context(|| {
        format!("data directory {shown}; while the server runs, make keys without --data")
    })?;
    let now = zajil_engine::system::SystemClock.now();
    let made = zajil_api::create_offline(&store, body, now).await;
    store.close().await?;
    made.map_err(anyhow::Error::msg)
}

/// In the database of nodes that may run: each hears of it as of a key that another node made.
async fn create_shared(shared: &Shared, body: &[u8]) -> anyhow::Result<(String, Option<String>)> {
    let options = zajil_store_postgres::Options {
        schema: shared.schema.clone(),
        ..zajil_store_postgres::Options::default()
    };
    let store = PostgresStore::open(&shared.server, options).await;
    let store = store.context("store.url")?;
    let now = store.time().await.context("store.url")?;
    let made = zajil_api::create_offline(&store, body, now).await;
    store.close().await?;
    made.map_err(anyhow::Error::msg)
}

/// The key on a line of its own, so that it can be taken from the standard output.
fn told(id: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => {
            cli::complain(&format!(
                "key {id} is made; this is the only time it is shown"
            ));
            format!("{key}\n")
        }
        None => format!("key {id} is made for the certificate\n"),
    }
}

/// Runs `zajil audit`.
pub(crate) fn audit(server: &Remote, args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let mut path = format!("/api/audit?limit={}", args.limit);
    let before = args.before.map(|entry| entry.to_string());
    for (name, value) in [
        ("what", &args.what),
        ("id", &args.id),
        ("who", &args.who),
        ("before", &before),
    ] {
        if let Some(value) = value {
            path += &format!("&{name}={}", encoded(value));
        }
    }
    server.show(("GET", &path), None, |data| {
        let mut items = list(data).to_vec();
        for item in &mut items {
            let changed = changed(&item["before"], &item["after"]);
            item["changed"] = Value::String(changed);
        }
        rows(
            &items,
            &[
                "entry", "at", "who", "address", "action", "what", "id", "outcome", "changed",
            ],
        )
    })
}

/// What differs, field by field.
fn changed(before: &Value, after: &Value) -> String {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        return String::new();
    };
    let fields = new
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(*value) && *name != "updated_at");
    let fields = fields.map(|(name, value)| {
        let old = old.get(name).unwrap_or(&Value::Null);
        format!("{name}: {} -> {}", cell(old), cell(value))
    });
    fields.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_8_an_audit_line_says_what_differs() {
        let before = json!({ "priority": 100, "dest_smsc": "a", "updated_at": 1 });
        let after = json!({ "priority": 5, "dest_smsc": "a", "updated_at": 2, "weight": 7 });
        assert_eq!(
            changed(&before, &after),
            "priority: 100 -> 5, weight: - -> 7"
        );
        assert_eq!(changed(&Value::Null, &after), "");
    }
}
