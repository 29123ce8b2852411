//! The keys of what the node tells: CDRs, live streams, webhooks, logs, traces.

use super::{Key, key};

pub(super) const KEYS: &[Key] = &[
    key("cdr", "cdr_enabled", "true", "Whether CDRs are written."),
    key(
        "cdr",
        "delete_message_body_after_delivery",
        "false",
        "Leaves message_body null.",
    ),
    key(
        "cdr",
        "hide_message_body_in_export",
        "false",
        "Whether GET /api/cdrs and zajil cdr export leave texts out.",
    ),
    key(
        "cdr",
        "cdr_retention_days",
        "0",
        "Days after its submission when a row is deleted; 0: never.",
    ),
    key(
        "cdr",
        "batch_insert_batch_size",
        "100",
        "Rows a batch; ten times that in a backlog.",
    ),
    key(
        "cdr",
        "batch_insert_flush_interval_ms",
        "100",
        "How long a row waits for company.",
    ),
    key(
        "cdr",
        "cdr_database",
        "\"<what cdr_url says; sqlite without>\"",
        "Where they are written: sqlite, postgres or mysql (MariaDB too); docs/ops/cdr.md.",
    ),
    key(
        "cdr",
        "cdr_url",
        "\"<none>\"",
        "The server, as postgres://user:password@host:5432/name or mysql://…; DB_HOSTNAME, \
         DB_PORT, DB_NAME, DB_USERNAME, DB_PASSWORD win over its parts, or do without it.",
    ),
    key(
        "cdr",
        "cdr_tls",
        "\"prefer\"",
        "TLS to the server: disable, prefer, require, verify-full (its certificate is checked).",
    ),
    key(
        "cdr",
        "cdr_ca_file",
        "\"<those of the system>\"",
        "Certificates (PEM) that sign the server's, for verify-full.",
    ),
    key(
        "cdr",
        "cdr_pool_size",
        "10",
        "Connections to the server at most (DB_POOL_SIZE).",
    ),
    key(
        "cdr",
        "cdr_connect_timeout_ms",
        "5000",
        "Milliseconds for a connection.",
    ),
    key(
        "cdr",
        "cdr_statement_timeout_ms",
        "30000",
        "Milliseconds for an answer.",
    ),
    key(
        "cdr",
        "sqlite_path",
        "\"<store.directory>/cdr.db\"",
        "The CDR database file.",
    ),
    key(
        "live",
        "max_streams",
        "1000",
        "Live streams (GET /api/stream) open at a time; more are refused with 503.",
    ),
    key(
        "live",
        "kept_events",
        "65536",
        "Events kept in memory, while somebody listens, for clients that come back.",
    ),
    key(
        "live",
        "mask_numbers",
        "false",
        "Whether live streams and webhooks never show the last four characters of numbers.",
    ),
    key(
        "webhooks",
        "enabled",
        "true",
        "Whether events are sent to subscriptions (/api/webhooks).",
    ),
    key(
        "webhooks",
        "allowed_networks",
        "[]",
        "Networks that may be reached although they are not public, over plain HTTP too.",
    ),
    key(
        "webhooks",
        "ca_file",
        "\"<those of the system>\"",
        "Certificates (PEM) that sign those of receivers.",
    ),
    key(
        "webhooks",
        "timeout_ms",
        "10000",
        "How long one attempt may take.",
    ),
    key(
        "webhooks",
        "concurrency",
        "8",
        "Attempts at once, of one subscription.",
    ),
    key(
        "webhooks",
        "max_attempts",
        "30",
        "After so many a delivery is given up.",
    ),
    key(
        "webhooks",
        "max_age_hours",
        "24",
        "After so long a delivery is given up.",
    ),
    key(
        "webhooks",
        "max_waiting",
        "100000",
        "So many deliveries of one subscription wait or are dead; more are lost.",
    ),
    key(
        "log",
        "level",
        "\"info\"",
        "error to trace, or directives as info,zajil_engine=debug.",
    ),
    key("log", "format", "\"text\"", "text or json."),
    key(
        "log",
        "file",
        "\"<standard error>\"",
        "A file, device or pipe to append to; opened again at SIGHUP.",
    ),
    key(
        "log",
        "rotate",
        "\"never\"",
        "never, daily (UTC) or size: when a regular file is put aside under a name with the time.",
    ),
    key(
        "log",
        "keep_days",
        "30",
        "How long files that were put aside stay.",
    ),
    key(
        "log",
        "max_size_mib",
        "100",
        "How large a file becomes where rotate says size.",
    ),
    key(
        "traces",
        "endpoint",
        "\"\"",
        "OTLP/HTTP collector that gets traces, as http://127.0.0.1:4318/v1/traces; needs a build \
         with the feature otel.",
    ),
    key(
        "traces",
        "sampling",
        "0.01",
        "Of how many messages, from 0 to 1.",
    ),
];
