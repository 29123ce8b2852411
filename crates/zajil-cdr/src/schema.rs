//! The table `cdrs` of S10.1, once: its columns, indexes and versions.
//!
//! The names are a contract: reports, billing jobs and dashboards read this table. Type names are
//! those of the specification; SQLite keeps them as text and applies their affinity.

/// The columns that a row brings, in the order of its parameters. `id` is the database's own.
pub const COLUMNS: [&str; 17] = [
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
    "inserted_at",
    "updated_at",
];

/// What brings an SQLite file from version n to n + 1. Forward only; never edit a released step.
pub const SQLITE_STEPS: [&str; 1] = ["
CREATE TABLE cdrs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id BIGINT NOT NULL,
  calling_number VARCHAR(255) NOT NULL,
  called_number VARCHAR(255) NOT NULL,
  source_smsc VARCHAR(255),
  dest_smsc VARCHAR(255),
  origin_node VARCHAR(255),
  destination_node VARCHAR(255),
  submission_time DATETIME NOT NULL,
  delivery_time DATETIME,
  expiry_time DATETIME,
  status VARCHAR(50) NOT NULL,
  delivery_attempts INT DEFAULT 0,
  message_parts INT,
  deadletter BOOLEAN DEFAULT FALSE,
  message_body TEXT,
  inserted_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX idx_cdrs_message_id ON cdrs (message_id);
CREATE INDEX idx_cdrs_calling_number ON cdrs (calling_number);
CREATE INDEX idx_cdrs_called_number ON cdrs (called_number);
CREATE INDEX idx_cdrs_status ON cdrs (status);
CREATE INDEX idx_cdrs_submission_time ON cdrs (submission_time);
CREATE INDEX idx_cdrs_dest_smsc ON cdrs (dest_smsc);
"];

/// Inserts one row; a row whose `message_id` is there already is left as it is (D16).
#[must_use]
pub fn sqlite_insert() -> String {
    let parameters: Vec<String> = (1..=COLUMNS.len()).map(|n| format!("?{n}")).collect();
    format!(
        "INSERT INTO cdrs ({}) VALUES ({}) ON CONFLICT(message_id) DO NOTHING",
        COLUMNS.join(", "),
        parameters.join(", "),
    )
}
