//! The file as it is written: everything optional, unknown keys refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Invalid;
use super::keys::keys;
use super::place::line_of;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) node: NodeSection,
    pub(super) api: ApiSection,
    pub(super) rate_limits: RateSection,
    pub(super) oidc: OidcSection,
    pub(super) metrics: MetricsSection,
    pub(super) store: StoreSection,
    pub(super) messages: MessagesSection,
    #[serde(rename = "enum")]
    pub(super) number_lookup: EnumSection,
    pub(super) charging: ChargingSection,
    pub(super) cdr: CdrSection,
    pub(super) live: LiveSection,
    pub(super) webhooks: WebhooksSection,
    pub(super) smpp: SmppSection,
    pub(super) log: LogSection,
    pub(super) traces: TracesSection,
    pub(super) sms_routes: Vec<toml::Table>,
    pub(super) translation_rules: Vec<toml::Table>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LiveSection {
    pub(super) max_streams: Option<u32>,
    pub(super) kept_events: Option<u32>,
    pub(super) mask_numbers: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WebhooksSection {
    pub(super) enabled: Option<bool>,
    pub(super) allowed_networks: Vec<String>,
    pub(super) ca_file: Option<String>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) concurrency: Option<u32>,
    pub(super) max_attempts: Option<u32>,
    pub(super) max_age_hours: Option<u64>,
    pub(super) max_waiting: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SmppSection {
    pub(super) enabled: Option<bool>,
    pub(super) listen: Option<String>,
    pub(super) tls_listen: Option<String>,
    pub(super) tls_cert_path: Option<String>,
    pub(super) tls_key_path: Option<String>,
    pub(super) system_id: Option<String>,
    pub(super) max_connections: Option<u32>,
    pub(super) session_init_seconds: Option<u64>,
    pub(super) enquire_link_seconds: Option<u64>,
    pub(super) inactivity_seconds: Option<u64>,
    pub(super) response_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NodeSection {
    pub(super) smsc_node_name: Option<String>,
    pub(super) number: Option<u8>,
    pub(super) cluster_nodes: Vec<String>,
    pub(super) dns_cluster_query: Option<String>,
    pub(super) dns_cluster_servers: Vec<DnsServer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ApiSection {
    pub(super) listen_ip: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) enable_tls: Option<bool>,
    pub(super) application: Option<String>,
    pub(super) max_body_kib: Option<u32>,
    pub(super) max_connections: Option<u32>,
    pub(super) max_connections_per_ip: Option<u32>,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) tls_cert_path: Option<String>,
    pub(super) tls_key_path: Option<String>,
    pub(super) tls_client_ca_path: Option<String>,
    pub(super) tls_client_auth: Option<String>,
    pub(super) access: Option<String>,
    pub(super) allowed_networks: Vec<String>,
    pub(super) audit_retention_days: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RateSection {
    pub(super) enabled: Option<bool>,
    pub(super) submit: Option<u32>,
    pub(super) submit_async: Option<u32>,
    pub(super) read: Option<u32>,
    pub(super) change: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OidcSection {
    pub(super) issuer: Option<String>,
    pub(super) audience: Vec<String>,
    pub(super) jwks_url: Option<String>,
    pub(super) jwks_file: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) algorithms: Option<Vec<String>>,
    pub(super) scope_claim: Option<String>,
    pub(super) scope_map: BTreeMap<String, Vec<String>>,
    pub(super) leeway_seconds: Option<u64>,
    pub(super) refresh_seconds: Option<u64>,
    pub(super) min_refresh_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricsSection {
    pub(super) enabled: Option<bool>,
    pub(super) listen: Option<String>,
}

/// Without `Debug`: the URL may hold a password.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreSection {
    pub(super) directory: Option<String>,
    pub(super) cache_mib: Option<u32>,
    pub(super) url: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) pool_size: Option<u32>,
    pub(super) writers: Option<u32>,
    pub(super) connect_timeout_ms: Option<u64>,
    pub(super) statement_timeout_ms: Option<u64>,
}

impl std::fmt::Debug for StoreSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreSection").finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MessagesSection {
    pub(super) dead_letter_time_minutes: Option<u64>,
    pub(super) fingerprint_ttl_minutes: Option<u64>,
    pub(super) message_retention_hours: Option<u64>,
    pub(super) receipt_retention_hours: Option<u64>,
    pub(super) retention_check_interval_minutes: Option<u64>,
    pub(super) event_ttl_days: Option<u64>,
    pub(super) frontend_history_days: Option<u64>,
    pub(super) number_check: Option<String>,
    pub(super) intake_capacity: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EnumSection {
    pub(super) enum_enabled: Option<bool>,
    pub(super) enum_domains: Vec<String>,
    pub(super) enum_dns_servers: Vec<DnsServer>,
    pub(super) enum_timeout: Option<u64>,
    pub(super) enum_services: Option<Vec<String>>,
    pub(super) enum_cache_size: Option<u32>,
    pub(super) enum_cache_min_seconds: Option<u64>,
    pub(super) enum_cache_max_seconds: Option<u64>,
}

/// A name server: `["192.0.2.1", 53]` as in the reference, or `"192.0.2.1:53"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum DnsServer {
    Pair(String, u16),
    Text(String),
}

/// Without `Debug`: the URL may hold a password.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChargingSection {
    pub(super) default_charging_enabled: Option<bool>,
    pub(super) charging_failure_action: Option<String>,
    pub(super) charging_mode: Option<String>,
    pub(super) ocs_url: Option<String>,
    pub(super) ocs_tenant: Option<String>,
    pub(super) ocs_account: Option<String>,
    pub(super) ocs_subject: Option<String>,
    pub(super) ocs_destination: Option<String>,
    pub(super) ocs_source: Option<String>,
    pub(super) ocs_category: Option<String>,
    pub(super) ocs_request_type: Option<String>,
    pub(super) ocs_attributes: Option<bool>,
    pub(super) ocs_timeout: Option<u64>,
    pub(super) ocs_pool_size: Option<u32>,
    pub(super) ocs_max_concurrent: Option<u32>,
    pub(super) ocs_one_per_account: Option<bool>,
    pub(super) ocs_ca_file: Option<String>,
    pub(super) refund_on: Vec<String>,
    pub(super) refund_method: Option<String>,
}

impl std::fmt::Debug for ChargingSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChargingSection").finish_non_exhaustive()
    }
}

/// Without `Debug`: the URL may hold a password.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CdrSection {
    pub(super) cdr_enabled: Option<bool>,
    pub(super) delete_message_body_after_delivery: Option<bool>,
    pub(super) hide_message_body_in_export: Option<bool>,
    pub(super) cdr_retention_days: Option<u64>,
    pub(super) batch_insert_batch_size: Option<u32>,
    pub(super) batch_insert_flush_interval_ms: Option<u64>,
    pub(super) sqlite_path: Option<String>,
    pub(super) cdr_database: Option<String>,
    pub(super) cdr_url: Option<String>,
    pub(super) cdr_tls: Option<String>,
    pub(super) cdr_ca_file: Option<String>,
    pub(super) cdr_pool_size: Option<u32>,
    pub(super) cdr_connect_timeout_ms: Option<u64>,
    pub(super) cdr_statement_timeout_ms: Option<u64>,
    #[serde(skip)]
    pub(super) variables: DatabaseVariables,
}

impl std::fmt::Debug for CdrSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CdrSection").finish_non_exhaustive()
    }
}

/// The variables `DB_USERNAME` and its like.
#[derive(Default)]
pub(super) struct DatabaseVariables {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogSection {
    pub(super) level: Option<String>,
    pub(super) format: Option<String>,
    pub(super) file: Option<String>,
    pub(super) rotate: Option<String>,
    pub(super) keep_days: Option<u64>,
    pub(super) max_size_mib: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TracesSection {
    pub(super) endpoint: Option<String>,
    pub(super) sampling: Option<f64>,
}

/// Parses the text; an error names the line and, for an unknown key, the nearest known one.
pub(super) fn parse(text: &str, name: &str) -> Result<File, Invalid> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let message = error.message().replace('\n', " ");
        Invalid(vec![format!("{name}:{line}: {}", with_hint(&message))])
    })
}

/// An unknown key with the sections that have it, else with the nearest that can stand there, else
/// with the nearest of all.
fn with_hint(message: &str) -> String {
    let unknown = message.strip_prefix("unknown field `");
    let Some((unknown, expected)) = unknown.and_then(|rest| rest.split_once('`')) else {
        return message.to_owned();
    };
    let told = |hint: &str| format!("unknown key '{unknown}'{hint}");
    let of_sections = || keys().filter(|key| !key.section.is_empty());
    let elsewhere: BTreeSet<String> = of_sections()
        .filter(|key| key.name == unknown)
        .map(|key| format!("[{}]", key.section))
        .collect();
    if !elsewhere.is_empty() {
        let sections = Vec::from_iter(elsewhere).join(" and ");
        return told(&format!("; it belongs to {sections}, not here"));
    }
    // Between backquotes.
    let here = expected.split('`').skip(1).step_by(2).map(|key| (key, ""));
    let near = nearest(unknown, here);
    let near = near.or_else(|| nearest(unknown, of_sections().map(|key| (key.name, key.section))));
    match near {
        Some((known, "")) => told(&format!("; did you mean '{known}'?")),
        Some((known, section)) => told(&format!("; did you mean '{known}' of [{section}]?")),
        None => told(""),
    }
}

/// The nearest of some keys with their sections, if one is near.
fn nearest<'a>(
    unknown: &str,
    keys: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<(&'a str, &'a str)> {
    keys.map(|key| (distance(unknown, key.0), key))
        .min()
        .filter(|(distance, _)| *distance <= unknown.len().div_ceil(2))
        .map(|(_, key)| key)
}

/// The number of single-character edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let edit = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = edit.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
