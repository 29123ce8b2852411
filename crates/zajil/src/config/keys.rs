//! Every key of the file with its default and meaning: one table that feeds the example, the manual
//! and the hint for a misspelt key.

mod oidc;
mod outward;
mod smpp;

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// As TOML.
    pub(super) default: &'static str,
    pub(super) help: &'static str,
}

const fn key(
    section: &'static str,
    name: &'static str,
    default: &'static str,
    help: &'static str,
) -> Key {
    Key {
        section,
        name,
        default,
        help,
    }
}

/// Every key, in the order of the manual.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    INWARD
        .iter()
        .chain(oidc::KEYS)
        .chain(smpp::KEYS)
        .chain(outward::KEYS)
}

/// What comes in, and how it is kept and decided.
const INWARD: &[Key] = &[
    key(
        "node",
        "smsc_node_name",
        "\"zajil@localhost\"",
        "Name in events and CDRs (NODE_NAME).",
    ),
    key(
        "node",
        "number",
        "0",
        "0-31; part of each message id, different on every node.",
    ),
    key(
        "node",
        "cluster_nodes",
        "[]",
        "Nodes that share the store; doctor and GET /api/cluster say which are missing.",
    ),
    key(
        "node",
        "dns_cluster_query",
        "\"\"",
        "Name whose SRV records (where it begins with _) or addresses say who should be there.",
    ),
    key(
        "node",
        "dns_cluster_servers",
        "[]",
        "Name servers for it as [\"192.0.2.1\", 53]; those of the system when empty.",
    ),
    key(
        "api",
        "listen_ip",
        "\"127.0.0.1\"",
        "Address of the REST API (API_LISTEN_IP).",
    ),
    key(
        "api",
        "port",
        "<8080, or 8443 with TLS>",
        "Its port (API_PORT).",
    ),
    key(
        "api",
        "enable_tls",
        "<true when tls_cert_path is set>",
        "Whether it speaks HTTPS and nothing else (API_ENABLE_TLS).",
    ),
    key(
        "api",
        "tls_cert_path",
        "<none>",
        "Certificate chain (PEM), the server's own first; read again when it changes.",
    ),
    key("api", "tls_key_path", "<none>", "Its private key (PEM)."),
    key(
        "api",
        "tls_client_ca_path",
        "<none>",
        "Authorities (PEM) of client certificates; without it none is asked for.",
    ),
    key(
        "api",
        "tls_client_auth",
        "<required with tls_client_ca_path>",
        "Whether a client certificate is required, or optional beside keys and tokens.",
    ),
    key(
        "api",
        "access",
        "\"auto\"",
        "required (callers need a key), open, or auto: open on loopback without proxies.",
    ),
    key(
        "api",
        "allowed_networks",
        "[]",
        "The only networks that are served; all when empty.",
    ),
    key(
        "api",
        "audit_retention_days",
        "400",
        "How long the audit log is kept.",
    ),
    key(
        "api",
        "application",
        "\"Zajil\"",
        "Name that GET /api/status reports.",
    ),
    key(
        "api",
        "max_body_kib",
        "1024",
        "Larger requests are refused with 413.",
    ),
    key(
        "api",
        "max_connections",
        "10000",
        "More connections are answered 503 at once, over TLS closed.",
    ),
    key(
        "api",
        "max_connections_per_ip",
        "<1000, or 0 on loopback>",
        "More connections of one address are refused likewise; 0 sets no limit.",
    ),
    key(
        "api",
        "trusted_proxies",
        "[]",
        "Addresses or networks of proxies whose X-Forwarded-For is believed.",
    ),
    key(
        "rate_limits",
        "enabled",
        "<true unless on loopback>",
        "Whether calls of an address are limited.",
    ),
    key(
        "rate_limits",
        "submit",
        "100",
        "Submits a second that are answered when stored.",
    ),
    key(
        "rate_limits",
        "submit_async",
        "1000",
        "Submits a second that are stored later.",
    ),
    key(
        "rate_limits",
        "read",
        "1000",
        "Calls a second that only look.",
    ),
    key(
        "rate_limits",
        "change",
        "1000",
        "All other calls a second: reports, registrations, edits.",
    ),
    key("metrics", "enabled", "true", "Whether /metrics is served."),
    key(
        "metrics",
        "listen",
        "\"127.0.0.1:9568\"",
        "Address and port of /metrics.",
    ),
    key(
        "store",
        "directory",
        "\"zajil-data\"",
        "Data directory; one process owns it.",
    ),
    key(
        "store",
        "cache_mib",
        "64",
        "Page cache of the writer; each reader takes a quarter.",
    ),
    key(
        "store",
        "url",
        "\"\"",
        "postgres://user:password@host1,host2/database: the store of a cluster (STORE_URL).",
    ),
    key(
        "store",
        "schema",
        "\"zajil\"",
        "Schema of its tables; one for each cluster.",
    ),
    key(
        "store",
        "pool_size",
        "10",
        "Connections of this node to it.",
    ),
    key(
        "store",
        "writers",
        "2",
        "Of those, how many write; more pay when the database has cores to spare.",
    ),
    key(
        "store",
        "connect_timeout_ms",
        "1000",
        "How long each host has to answer.",
    ),
    key(
        "store",
        "statement_timeout_ms",
        "5000",
        "How long a statement may take; clients are answered 503 after 2 s.",
    ),
    key(
        "messages",
        "dead_letter_time_minutes",
        "1440",
        "Life of a message without expires.",
    ),
    key(
        "messages",
        "fingerprint_ttl_minutes",
        "5",
        "How long a repeated submit is recognised.",
    ),
    key(
        "messages",
        "message_retention_hours",
        "24",
        "How long finished messages can be read.",
    ),
    key(
        "messages",
        "receipt_retention_hours",
        "72",
        "How long a delivery receipt waits for its application.",
    ),
    key(
        "messages",
        "retention_check_interval_minutes",
        "60",
        "How often they are removed.",
    ),
    key(
        "messages",
        "event_ttl_days",
        "7",
        "How long event logs are kept.",
    ),
    key(
        "messages",
        "frontend_history_days",
        "30",
        "How long vanished frontends are listed.",
    ),
    key(
        "messages",
        "number_check",
        "\"digits\"",
        "Check of destinations: off, digits, e164.",
    ),
    key(
        "messages",
        "intake_capacity",
        "10000",
        "create_async submits that may wait for the disk.",
    ),
    key(
        "enum",
        "enum_enabled",
        "<true when enum_domains is set>",
        "Whether numbers are looked up; only for routes with enum_domain.",
    ),
    key(
        "enum",
        "enum_domains",
        "[]",
        "Domains under which numbers are looked up, tried in order.",
    ),
    key(
        "enum",
        "enum_dns_servers",
        "[]",
        "Name servers as [\"192.0.2.1\", 53]; those of the system when empty.",
    ),
    key(
        "enum",
        "enum_timeout",
        "5000",
        "Milliseconds for one look-up in all; with ocs_timeout less than 30 s.",
    ),
    key(
        "enum",
        "enum_services",
        "[\"E2U+sip\", \"E2U+pstn\", \"E2U+sms\"]",
        "Services whose records are followed.",
    ),
    key(
        "enum",
        "enum_cache_size",
        "100000",
        "Numbers whose answers are kept.",
    ),
    key(
        "enum",
        "enum_cache_min_seconds",
        "5",
        "An answer is kept at least so long,",
    ),
    key(
        "enum",
        "enum_cache_max_seconds",
        "86400",
        "and at most so long, whatever its TTL.",
    ),
    key(
        "charging",
        "default_charging_enabled",
        "false",
        "Whether messages are charged whose route says default, or that no route took.",
    ),
    key(
        "charging",
        "charging_failure_action",
        "\"allow\"",
        "When the charging system fails: allow (marked charge_failed) or deny.",
    ),
    key(
        "charging",
        "charging_mode",
        "\"authorize\"",
        "authorize: it is asked; debit: it takes the price.",
    ),
    key(
        "charging",
        "ocs_url",
        "\"<none>\"",
        "The charging system, as http://host:2080/jsonrpc (OCS_URL); none is asked without it.",
    ),
    key(
        "charging",
        "ocs_tenant",
        "\"cgrates.org\"",
        "Its tenant (OCS_TENANT).",
    ),
    key(
        "charging",
        "ocs_account",
        "\"{calling}\"",
        "Who pays (OCS_ACCOUNT); {calling}, {called}, {source_smsc} are filled in.",
    ),
    key(
        "charging",
        "ocs_subject",
        "\"{calling}\"",
        "Whose tariff counts.",
    ),
    key(
        "charging",
        "ocs_destination",
        "\"{called}\"",
        "What the tariff is for.",
    ),
    key("charging", "ocs_source", "\"zajil\"", "Source of its CDRs."),
    key(
        "charging",
        "ocs_category",
        "\"sms\"",
        "Category of the rating profiles.",
    ),
    key(
        "charging",
        "ocs_request_type",
        "\"*prepaid\"",
        "*prepaid, *pseudoprepaid, *postpaid, *rated or *none.",
    ),
    key(
        "charging",
        "ocs_attributes",
        "false",
        "Whether its attribute service is used.",
    ),
    key(
        "charging",
        "ocs_timeout",
        "5000",
        "Milliseconds for one call in all; with enum_timeout less than 30 s.",
    ),
    key("charging", "ocs_pool_size", "16", "Connections kept open."),
    key(
        "charging",
        "ocs_max_concurrent",
        "256",
        "Calls under way at once; more wait, within ocs_timeout.",
    ),
    key(
        "charging",
        "ocs_one_per_account",
        "<true in debit mode when ocs_account names the calling number>",
        "Whether calls for one account wait for each other; slow where many senders share one.",
    ),
    key(
        "charging",
        "ocs_ca_file",
        "\"<those of the system>\"",
        "Certificates (PEM) that sign its own.",
    ),
    key(
        "charging",
        "refund_on",
        "[]",
        "Endings after which a debit is given back: failed, expired; debit with *prepaid only.",
    ),
    key(
        "charging",
        "refund_method",
        "\"balance\"",
        "balance: units are added to the account; cdr: the stored CDR is refunded.",
    ),
];
