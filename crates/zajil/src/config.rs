//! The configuration: a TOML file, then the environment over it, resolved once into real types.
//!
//! Every subsystem gets only its own part. What operators edit at run time (routes, rules) is in
//! the store; the file only seeds an empty table (S4.4).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zajil_core::event::NodeName;
use zajil_core::id::NodeNumber;
use zajil_core::number::Strictness;
use zajil_core::route::Terms;
use zajil_core::translate::RuleTerms;
use zajil_telemetry::{log, trace};

use crate::discovery::Dns;

mod access;
mod env;
mod file;
mod keys;
mod manual;
mod oidc;
mod outside;
mod place;
mod records;
mod resolve;
mod seed;
mod shared;
mod smpp;
mod webhooks;

pub(crate) use access::Api;
pub(crate) use env::Variable;
pub(crate) use manual::{example, reference};
pub(crate) use oidc::{KeySet, Oidc};

/// What a process runs with. Nothing in it is optional that has a default.
#[derive(Debug)]
pub(crate) struct Config {
    /// Name and number of this node.
    pub(crate) node: Node,
    /// The REST listener.
    pub(crate) api: Api,
    /// Whose tokens are taken beside keys; none = nobody's.
    pub(crate) oidc: Option<Oidc>,
    /// The metrics listener; none = switched off.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where messages are stored.
    pub(crate) store: Store,
    /// How long messages live and are kept.
    pub(crate) messages: Messages,
    /// ENUM; none = switched off.
    pub(crate) number_lookup: Option<zajil_enum::Options>,
    /// Which messages are charged and how.
    pub(crate) charging: zajil_engine::Charging,
    /// The charging system; none = not configured.
    pub(crate) ocs: Option<zajil_ocs::Options>,
    /// Call detail records.
    pub(crate) cdr: Cdr,
    /// Live streams.
    pub(crate) live: Live,
    /// Webhooks; none = switched off.
    pub(crate) webhooks: Option<zajil_webhook::Options>,
    /// SMPP.
    pub(crate) smpp: Smpp,
    /// Logging.
    pub(crate) log: log::Options,
    /// Traces; none = not made.
    pub(crate) traces: Option<trace::Options>,
    /// Routes for an empty table.
    pub(crate) routes: Vec<Terms>,
    /// Translation rules for an empty table.
    pub(crate) rules: Vec<RuleTerms>,
    /// What the operator should know: settings without effect in this version.
    pub(crate) notes: Vec<String>,
}

/// Name and number of a node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// `event_source` and the node columns of CDRs.
    pub(crate) name: NodeName,
    /// Part of each id it hands out.
    pub(crate) number: NodeNumber,
}

/// Where messages are stored.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// The data directory: the embedded store, and what is this node's own.
    pub(crate) directory: PathBuf,
    /// The embedded writer's page cache.
    pub(crate) cache_mib: u32,
    /// The store that this node shares with others; none = the embedded one.
    pub(crate) shared: Option<Shared>,
}

/// A store that nodes share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Where it is.
    pub(crate) server: zajil_database::Server,
    /// `store.schema`.
    pub(crate) schema: String,
    /// `store.writers`.
    pub(crate) writers: u32,
    /// `cluster_nodes`: who should be there.
    pub(crate) expected: Vec<String>,
    /// `dns_cluster_query`: likewise, by a name service.
    pub(crate) discovery: Option<Dns>,
}

/// The life of messages (S9).
#[derive(Debug, Clone)]
pub(crate) struct Messages {
    /// `dead_letter_time_minutes`.
    pub(crate) dead_letter_time: Duration,
    /// `fingerprint_ttl_minutes`.
    pub(crate) fingerprint_ttl: Duration,
    /// `message_retention_hours`.
    pub(crate) retention: Duration,
    /// `receipt_retention_hours`.
    pub(crate) receipt_retention: Duration,
    /// `retention_check_interval_minutes`.
    pub(crate) retention_check: Duration,
    /// `event_ttl_days`.
    pub(crate) event_ttl: Duration,
    /// `frontend_history_days`.
    pub(crate) frontend_history: Duration,
    /// `number_check`.
    pub(crate) strictness: Strictness,
    /// `intake_capacity`.
    pub(crate) intake_capacity: usize,
}

/// Live streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Live {
    /// How many may be open at a time.
    pub(crate) max_streams: usize,
    /// How many events are kept in memory.
    pub(crate) kept_events: usize,
    /// Whether numbers are never shown in full (S10.4).
    pub(crate) mask_numbers: bool,
}

/// Where SMPP is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmppListen {
    /// Nowhere.
    Off,
    /// Where nobody said: where that is taken, nowhere.
    Default(SocketAddr),
    /// There.
    Chosen(SocketAddr),
}

/// SMPP.
#[derive(Debug, Clone)]
pub(crate) struct Smpp {
    /// Where applications bind.
    pub(crate) listen: SmppListen,
    /// Where they bind over TLS, with which certificate.
    pub(crate) tls: Option<(std::net::SocketAddr, crate::tls::Files)>,
    /// How sessions are kept.
    pub(crate) server: zajil_smpp::server::Options,
}

/// Call detail records (S10).
#[derive(Debug, Clone)]
pub(crate) struct Cdr {
    /// `cdr_enabled`.
    pub(crate) enabled: bool,
    /// Not `delete_message_body_after_delivery`.
    pub(crate) keep_bodies: bool,
    /// Not `hide_message_body_in_export`.
    pub(crate) show_bodies: bool,
    /// `cdr_retention_days`; none = rows are kept.
    pub(crate) retention: Option<Duration>,
    /// `batch_insert_batch_size`.
    pub(crate) batch_size: u32,
    /// `batch_insert_flush_interval_ms`.
    pub(crate) flush_interval: Duration,
    /// The database server; none = the SQLite file.
    pub(crate) server: Option<zajil_cdr::Server>,
    /// The SQLite file.
    pub(crate) path: PathBuf,
}

impl Config {
    /// The file that CDRs go to, if they go to one.
    pub(crate) fn cdr_file(&self) -> Option<PathBuf> {
        let to_file = self.cdr.enabled && self.cdr.server.is_none();
        to_file.then(|| self.cdr.path.clone())
    }
}

/// Why there is no configuration: one line for each thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) Vec<String>);

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Invalid {}

/// What the command line says; it wins over the environment, which wins over the file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Overrides {
    /// `--data`.
    pub(crate) data: Option<PathBuf>,
    /// `--listen`.
    pub(crate) listen: Option<SocketAddr>,
    /// `--metrics-listen`.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// `--smpp-listen`.
    pub(crate) smpp_listen: Option<SocketAddr>,
}

/// Reads a file, if one is named, and lays the variables of S11 and the command line over it.
///
/// # Errors
/// [`Invalid`]: every line names the place (`file:line` or the variable), the key and the rule.
pub(crate) fn load(
    path: Option<&Path>,
    variables: &[Variable],
    overrides: &Overrides,
) -> Result<Config, Invalid> {
    let (mut settings, mut places) = match path {
        None => (file::File::default(), place::Places::default()),
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Invalid(vec![format!("{name}: {error}")]))?;
            let settings = file::parse(&text, &name)?;
            (settings, place::Places::of(name, text))
        }
    };
    let notes = env::apply(&mut settings, &mut places, variables)?;
    let mut config = resolve::resolve(settings, &places)?;
    config.notes.extend(notes);
    if let Some(data) = &overrides.data {
        if config.cdr.path.starts_with(&config.store.directory) {
            config.cdr.path = data.join("cdr.db");
        }
        config.store.directory.clone_from(data);
    }
    config.api.listen = overrides.listen.unwrap_or(config.api.listen);
    config.metrics = overrides.metrics_listen.or(config.metrics);
    let notes = config.api.notes();
    config.notes.extend(notes);
    if config.oidc.is_some() && config.api.mode() == zajil_api::Mode::Open {
        let note = "[oidc] has no effect: api.access is open";
        config.notes.push(note.to_owned());
    }
    if let Some(address) = overrides.smpp_listen {
        config.smpp.listen = SmppListen::Chosen(address);
    }
    Ok(config)
}

#[cfg(test)]
mod tests;
