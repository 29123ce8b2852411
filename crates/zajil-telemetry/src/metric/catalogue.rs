//! The catalogue: name, kind, labels and meaning of every metric.

use super::{Entry, Kind, carrier, live, webhook};

const MILLIS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0,
    10_000.0,
];
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];
const LIFE_MILLIS: &[f64] = &[
    10.0,
    50.0,
    100.0,
    500.0,
    1_000.0,
    5_000.0,
    30_000.0,
    120_000.0,
    600_000.0,
    3_600_000.0,
    21_600_000.0,
    86_400_000.0,
];
const ATTEMPTS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
const JOBS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

pub(super) const fn counter(name: &'static str, help: &'static str) -> Entry {
    Entry {
        name,
        kind: Kind::Counter,
        labels: &[],
        help,
    }
}

pub(super) const fn gauge(name: &'static str, help: &'static str) -> Entry {
    Entry {
        name,
        kind: Kind::Gauge,
        labels: &[],
        help,
    }
}

const fn histogram(name: &'static str, bounds: &'static [f64], help: &'static str) -> Entry {
    Entry {
        name,
        kind: Kind::Histogram(bounds),
        labels: &[],
        help,
    }
}

pub(super) const fn labelled(mut entry: Entry, labels: &'static [&'static str]) -> Entry {
    entry.labels = labels;
    entry
}

pub(super) const RECEIVED: Entry = counter(
    "sms_c_message_received_count",
    "Messages accepted; replies of ours do not count.",
);
pub(super) const PROCESSING: Entry = histogram(
    "sms_c_message_processing_stop_duration",
    MILLIS,
    "Milliseconds from a submit to its durable storage.",
);
pub(super) const MATCHED: Entry = labelled(
    counter(
        "sms_c_routing_route_matched_count",
        "Messages a route took, by route id.",
    ),
    &["route"],
);
pub(super) const UNMATCHED: Entry =
    counter("sms_c_routing_failed_count", "Messages that no route took.");
pub(super) const ROUTING: Entry = histogram(
    "sms_c_routing_stop_duration",
    MILLIS,
    "Milliseconds to translate and route.",
);
pub(super) const ENUM_ASKED: Entry = labelled(
    histogram(
        "sms_c_enum_lookup_stop_duration",
        MILLIS,
        "Milliseconds that name servers took, by whether they answered.",
    ),
    &["success"],
);
pub(super) const ENUM_HITS: Entry = counter(
    "sms_c_enum_cache_hit_count",
    "ENUM look-ups answered from the cache.",
);
pub(super) const ENUM_MISSES: Entry = counter(
    "sms_c_enum_cache_miss_count",
    "ENUM look-ups that were not in the cache.",
);
pub(super) const ENUM_SIZE: Entry =
    gauge("sms_c_enum_cache_size_size", "Numbers in the ENUM cache.");
pub(super) const CHARGED: Entry = counter(
    "sms_c_charging_succeeded_count",
    "Messages that the charging system granted.",
);
pub(super) const CHARGED_IN: Entry = histogram(
    "sms_c_charging_succeeded_duration",
    MILLIS,
    "Milliseconds until the charging system granted.",
);
pub(super) const CHARGING_FAILED: Entry = counter(
    "sms_c_charging_failed_count",
    "Messages that were refused by the charging system or could not be charged.",
);
pub(super) const CHARGING_FAILED_IN: Entry = histogram(
    "zajil_charging_failed_seconds",
    SECONDS,
    "Seconds until charging was refused or failed.",
);
pub(super) const CHARGER_USABLE: Entry = gauge(
    "zajil_charger_usable",
    "1 while the charging system answers, 0 while its breaker is open or none is configured.",
);
pub(super) const QUEUED: Entry = counter(
    "sms_c_delivery_queued_count",
    "Messages queued for delivery.",
);
pub(super) const ATTEMPTED: Entry = counter(
    "sms_c_delivery_attempted_count",
    "Delivery attempts, failed ones included.",
);
pub(super) const SUCCEEDED: Entry =
    counter("sms_c_delivery_succeeded_count", "Messages delivered.");
pub(super) const SUCCEEDED_AFTER: Entry = histogram(
    "sms_c_delivery_succeeded_duration",
    LIFE_MILLIS,
    "Milliseconds from acceptance to delivery.",
);
pub(super) const SUCCEEDED_IN: Entry = histogram(
    "sms_c_delivery_succeeded_attempt_count",
    ATTEMPTS,
    "Attempts that a delivered message took.",
);
pub(super) const DEAD_LETTER: Entry = counter(
    "sms_c_delivery_dead_letter_count",
    "Messages that expired undelivered.",
);
pub(super) const QUEUE_SIZE: Entry = gauge(
    "sms_c_queue_size_size",
    "Messages in the queue store, finished ones included.",
);
pub(super) const QUEUE_PENDING: Entry = gauge(
    "sms_c_queue_size_pending",
    "Messages that wait for delivery.",
);
pub(super) const QUEUE_OLDEST: Entry = gauge(
    "sms_c_queue_oldest_message_age_seconds",
    "Seconds since the message that is due longest fell due; 0 when none is due.",
);
pub(super) const FRONTENDS: Entry = labelled(
    gauge(
        "sms_c_frontend_status_count",
        "Frontends, connected and disconnected.",
    ),
    &["status"],
);
pub(super) const OUTBOX: Entry = gauge(
    "zajil_cdr_outbox",
    "Finished messages whose CDR is not written yet.",
);
pub(super) const INTAKE: Entry =
    gauge("zajil_intake_depth", "Asynchronous submits not stored yet.");
pub(super) const INTAKE_WAITING: Entry = gauge(
    "zajil_intake_waiting",
    "Asynchronous submits that wait for room in the intake, 250 ms at most.",
);
pub(super) const REFUSALS: Entry = labelled(
    counter(
        "zajil_refusals_total",
        "Requests refused, by door and reason.",
    ),
    &["door", "reason"],
);
pub(super) const CLOSED_EARLY: Entry = labelled(
    counter(
        "zajil_connections_closed_early_total",
        "Connections closed before a request: handshake, too_many_of_one address.",
    ),
    &["why"],
);
pub(super) const CERTIFICATE_DAYS: Entry = gauge(
    "zajil_tls_certificate_days_left",
    "Whole days until the certificate of the API ends; 36500 without TLS.",
);
pub(super) const CERTIFICATE_BAD: Entry = counter(
    "zajil_tls_certificate_failures_total",
    "Changed certificate files that could not be used; the old certificate stayed.",
);
pub(super) const SPANS: Entry = labelled(
    counter(
        "zajil_trace_spans_total",
        "Spans by outcome: sent, failed (the collector did not take them), dropped (too many \
         waited).",
    ),
    &["outcome"],
);
pub(super) const LATE: Entry = counter(
    "zajil_late_reports_total",
    "Reports about messages that had ended.",
);
pub(super) const PANICS: Entry = counter(
    "zajil_panics_total",
    "Bugs caught: each cost one request or task turn.",
);

pub(super) const POOL_QUERY: Entry = histogram(
    "ecto_pools_query_time",
    MILLIS,
    "Milliseconds that the CDR database took for an answer; with an SQLite file, for a batch.",
);
pub(super) const POOL_QUEUE: Entry = histogram(
    "ecto_pools_queue_time",
    MILLIS,
    "Milliseconds of waiting for a free connection to the CDR database; 0 with an SQLite file.",
);
pub(super) const POOL_CONNECTED: Entry = gauge(
    "ecto_pools_connected_count",
    "Connections to the CDR database; with an SQLite file 1 while the last batch was written.",
);
pub(super) const CDR_BAD_ROWS: Entry = counter(
    "zajil_cdr_bad_rows_total",
    "CDRs that the database refused for what they hold; they are in cdr-aside.db.",
);
pub(super) const CDR_FAILURES: Entry = counter(
    "zajil_cdr_write_failures_total",
    "Batches of CDRs that could not be written; they wait and are tried again.",
);
pub(super) const AUTO_REPLIES: Entry = counter(
    "zajil_auto_replies_total",
    "Replies that routes answered with.",
);
pub(super) const FALLBACKS: Entry = counter(
    "zajil_fallbacks_total",
    "Messages that moved to the next frontend of their route: refused, or not taken in time.",
);
pub(super) const LEASE_RETURNS: Entry = counter(
    "zajil_lease_returns_total",
    "Leases that ran out without a report, counted when the message is leased again.",
);
pub(super) const QUEUES: Entry = labelled(
    gauge(
        "zajil_queue_messages",
        "Pending messages by frontend (the 20 longest queues, the rest as `(other)`) and state: \
         `due`, `waiting`, `leased`. Counted every 15 s.",
    ),
    &["frontend", "state"],
);
pub(super) const REFUNDS_WAITING: Entry = gauge(
    "zajil_refunds_waiting",
    "Debits of undelivered messages that have not been given back yet.",
);
pub(super) const REFUNDS: Entry = labelled(
    counter(
        "zajil_refunds_total",
        "Refunds that ended, by outcome: `done`, or `unknown` and left to a human.",
    ),
    &["outcome"],
);
pub(super) const RECEIPTS_WAITING: Entry = gauge(
    "zajil_receipts_waiting",
    "Delivery receipts that their applications have not taken yet. Counted every 5 s.",
);
pub(super) const RECEIPTS: Entry = labelled(
    counter(
        "zajil_receipts_total",
        "What became of delivery receipts that were sent: `taken`, `refused` for good, put off \
         (`later`), `unsent` with their session; and `given_up` when nobody took them in time.",
    ),
    &["outcome"],
);
pub(super) const SMPP_SESSIONS: Entry = labelled(
    gauge(
        "zajil_smpp_sessions",
        "Sessions of applications that are bound, by `bind_type`.",
    ),
    &["bind_type"],
);
pub(super) const SMPP_OUTBINDS: Entry = labelled(
    counter(
        "zajil_smpp_outbinds_total",
        "Calls of applications that something waited for, by `outcome`, counted when they end: \
         `bound`; `not_bound` in time, or as another; `unreached`; `no_room` for a connection.",
    ),
    &["outcome"],
);
pub(super) const SMPP_SUBMITS: Entry = labelled(
    counter(
        "zajil_smpp_submits_total",
        "Submits of applications that were answered, by `status`; `ESME_RTHROTTLED` are those \
         above their rate, or while the node was overloaded.",
    ),
    &["status"],
);
pub(super) const SMPP_UNREADABLE: Entry = labelled(
    gauge(
        "zajil_smpp_unreadable_records",
        "Accounts and carriers (`kind`) whose record this version cannot read, since a later one \
         has written it or it is damaged: who is bound stays, and nobody binds anew.",
    ),
    &["kind"],
);
pub(super) const SMPP_ALERTS_OWED: Entry = gauge(
    "zajil_smpp_alerts_owed",
    "Alerts (`set_dpf`) that accounts are owed and nobody has sent yet, as far as this node knows: \
     read every second, and anew every 10 minutes.",
);
pub(super) const SMPP_ALERTS: Entry = labelled(
    counter(
        "zajil_smpp_alerts_total",
        "What became of alerts (`set_dpf`) that were owed: `sent`, `unsent` with their session and \
         owed still, `forgotten` after seven days; and `refused`: asked for and not promised, most \
         likely since too many are.",
    ),
    &["outcome"],
);
pub(super) const SMPP_UNDER_WAY: Entry = gauge(
    "zajil_smpp_requests_under_way",
    "Messages and receipts that were sent to applications and not answered yet.",
);
pub(super) const COMMIT: Entry = histogram(
    "zajil_store_commit_seconds",
    SECONDS,
    "Seconds of a transaction of the store, its sync included.",
);
pub(super) const BATCH: Entry = histogram(
    "zajil_store_batch_jobs",
    JOBS,
    "Jobs that shared a transaction of the store.",
);
pub(super) const WRITER_QUEUE: Entry = gauge(
    "zajil_store_writer_queue",
    "Jobs that wait for the store's writer; beyond 8,192 requests are refused.",
);
pub(super) const UNDONE: Entry = counter(
    "zajil_store_undone_total",
    "Transactions of the store that were undone; their jobs run again one by one.",
);
pub(super) const READY: Entry = labelled(
    gauge(
        "zajil_part_ready",
        "1 while the part works, as `/readyz` says: `node`, `store`, and where configured \
         `charging`, `enum` and `cdrs`. Asked every 15 s.",
    ),
    &["part"],
);
pub(super) const BUILD: Entry = labelled(
    gauge("zajil_build_info", "Always 1; the label has the version."),
    &["version"],
);

/// The names that Prometheus' own clients use.
pub(super) mod process {
    use super::{Entry, counter, gauge};

    pub(in super::super) const CPU: Entry = counter(
        "process_cpu_seconds_total",
        "Seconds of CPU that the process has used.",
    );
    pub(in super::super) const OPEN_FDS: Entry =
        gauge("process_open_fds", "Open files and connections.");
    pub(in super::super) const MAX_FDS: Entry = gauge(
        "process_max_fds",
        "How many the system allows; at that point connections are refused.",
    );
    pub(in super::super) const RESIDENT: Entry =
        gauge("process_resident_memory_bytes", "Memory in use, in bytes.");
    pub(in super::super) const VIRTUAL: Entry = gauge(
        "process_virtual_memory_bytes",
        "Address space in use, in bytes.",
    );
    pub(in super::super) const THREADS: Entry = gauge("process_threads", "Threads.");
    pub(in super::super) const STARTED: Entry = gauge(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970.",
    );
}

/// Every metric, in the order of the manual.
pub const CATALOGUE: &[Entry] = &[
    RECEIVED,
    PROCESSING,
    MATCHED,
    UNMATCHED,
    ROUTING,
    ENUM_ASKED,
    ENUM_HITS,
    ENUM_MISSES,
    ENUM_SIZE,
    CHARGED,
    CHARGED_IN,
    CHARGING_FAILED,
    CHARGING_FAILED_IN,
    CHARGER_USABLE,
    REFUNDS_WAITING,
    REFUNDS,
    RECEIPTS_WAITING,
    RECEIPTS,
    SMPP_SESSIONS,
    SMPP_OUTBINDS,
    SMPP_SUBMITS,
    SMPP_UNREADABLE,
    SMPP_ALERTS_OWED,
    SMPP_ALERTS,
    SMPP_UNDER_WAY,
    QUEUED,
    ATTEMPTED,
    SUCCEEDED,
    SUCCEEDED_AFTER,
    SUCCEEDED_IN,
    DEAD_LETTER,
    AUTO_REPLIES,
    FALLBACKS,
    LEASE_RETURNS,
    LATE,
    QUEUE_SIZE,
    QUEUE_PENDING,
    QUEUE_OLDEST,
    QUEUES,
    FRONTENDS,
    OUTBOX,
    CDR_BAD_ROWS,
    CDR_FAILURES,
    POOL_QUERY,
    POOL_QUEUE,
    POOL_CONNECTED,
    INTAKE,
    INTAKE_WAITING,
    REFUSALS,
    CLOSED_EARLY,
    CERTIFICATE_DAYS,
    CERTIFICATE_BAD,
    SPANS,
    COMMIT,
    BATCH,
    WRITER_QUEUE,
    UNDONE,
    READY,
    PANICS,
    BUILD,
    live::STREAMS,
    live::STREAMS_ENDED,
    live::LOST,
    webhook::ATTEMPTS,
    webhook::GIVEN_UP,
    webhook::LOST,
    webhook::WAITING,
    webhook::DEAD,
    webhook::RESTING,
    carrier::SESSIONS,
    carrier::SUBMITS,
    carrier::RECEIPTS,
    process::CPU,
    process::OPEN_FDS,
    process::MAX_FDS,
    process::RESIDENT,
    process::VIRTUAL,
    process::THREADS,
    process::STARTED,
];
