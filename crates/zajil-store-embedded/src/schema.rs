//! The tables of the embedded store, and how older files become this form.
//!
//! `msg` is written once. A new message stands in a run (`run`), the order of offers of those that
//! nothing has happened to; what changes while a message waits is its slim row in `q`, whose index
//! `(dest, due)` is the order of the others. A finished message has neither, but a row in `fin`
//! (its end) and one in `finished` (the outbox, and the order of retention).

use rusqlite::Connection;

use crate::error::OpenError;

/// Marks the file as ours (`PRAGMA application_id`): "Zajl".
const APPLICATION_ID: i32 = 0x5A61_6A6C;

/// Every step from an empty file to this version's form, in order. A released step never changes.
const STEPS: &[&str] = &[V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11];

const V1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dest (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE msg (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  destination TEXT NOT NULL,
  body TEXT NOT NULL,
  source_smsc TEXT,
  dest_smsc TEXT,
  parts INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  charge_failed INTEGER NOT NULL,
  origin_node TEXT NOT NULL,
  extra TEXT,
  events TEXT NOT NULL
);
CREATE TABLE q (
  id INTEGER PRIMARY KEY,
  dest INTEGER NOT NULL,
  due INTEGER NOT NULL,
  located INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  deliver_after INTEGER,
  leased_until INTEGER,
  updated_at INTEGER NOT NULL
);
CREATE INDEX q_due ON q (dest, due);
CREATE TABLE expiry (at INTEGER, id INTEGER, PRIMARY KEY (at, id)) WITHOUT ROWID;
CREATE TABLE waiting (number TEXT, id INTEGER, PRIMARY KEY (number, id)) WITHOUT ROWID;
CREATE TABLE fin (
  id INTEGER PRIMARY KEY,
  how TEXT NOT NULL,
  at INTEGER NOT NULL,
  node TEXT NOT NULL,
  dest_smsc TEXT,
  attempts INTEGER NOT NULL,
  deliver_after INTEGER,
  updated_at INTEGER NOT NULL,
  hidden INTEGER NOT NULL,
  after_event INTEGER NOT NULL,
  events TEXT NOT NULL
);
CREATE TABLE finished (seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE INDEX finished_at ON finished (at);
CREATE TABLE event (
  message_id INTEGER, n INTEGER, events TEXT NOT NULL, PRIMARY KEY (message_id, n)
) WITHOUT ROWID;
CREATE TABLE log (message_id INTEGER PRIMARY KEY, last INTEGER NOT NULL, events TEXT NOT NULL);
CREATE INDEX log_last ON log (last);
CREATE TABLE dedupe (
  key BLOB PRIMARY KEY, body BLOB NOT NULL, message_id INTEGER NOT NULL, until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX dedupe_until ON dedupe (until);
CREATE TABLE location (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  imsi TEXT NOT NULL UNIQUE,
  number TEXT,
  updated_at INTEGER NOT NULL,
  serves_until INTEGER,
  record TEXT NOT NULL
);
CREATE INDEX location_number ON location (number, updated_at);
CREATE INDEX location_serves ON location (serves_until) WHERE serves_until IS NOT NULL;
CREATE TABLE frontend (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  swept INTEGER NOT NULL,
  registrations INTEGER NOT NULL,
  record TEXT NOT NULL
);
CREATE INDEX frontend_name ON frontend (name, id);
CREATE INDEX frontend_unswept ON frontend (expires_at) WHERE swept = 0;
CREATE TABLE route (id INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
CREATE TABLE rule (id INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
";

/// Refunds wait here for the charging system; the queue of messages that wait for their charge has
/// the number -1.
const V2: &str = "
CREATE TABLE refund (id INTEGER PRIMARY KEY, begun INTEGER, record TEXT NOT NULL);
";

/// The messages that are parts of a text, found by what its parts have in common. Parts that an
/// older file holds are not there: their messages are shown as they are.
const V3: &str = "
CREATE TABLE part (id INTEGER PRIMARY KEY, key TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX part_key ON part (key, at);
";

/// What operators have decided about frontends.
const V4: &str = "
CREATE TABLE policy (frontend TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
";

/// Refunds can be put off; messages that failed are found by number when their subscriber returns.
const V5: &str = "
ALTER TABLE refund ADD COLUMN next_try INTEGER NOT NULL DEFAULT 0;
CREATE TABLE retrying (number TEXT, id INTEGER, PRIMARY KEY (number, id)) WITHOUT ROWID;
";

/// The shelf, and how far each kind's ids and revisions have come.
const V6: &str = "
CREATE TABLE shelf (
  kind TEXT NOT NULL,
  id INTEGER NOT NULL,
  name TEXT,
  revision INTEGER NOT NULL,
  added_at INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX shelf_name ON shelf (kind, name) WHERE name IS NOT NULL;
CREATE TABLE shelf_kind (
  kind TEXT PRIMARY KEY, last_id INTEGER NOT NULL, revision INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Receipts that applications are owed, one a message at the most.
const V7: &str = "
CREATE TABLE receipt (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id INTEGER NOT NULL UNIQUE,
  account TEXT NOT NULL,
  due INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  record TEXT NOT NULL
);
CREATE INDEX receipt_due ON receipt (account, due, seq);
CREATE INDEX receipt_made ON receipt (made_at);
";

/// The mark of a move between stores, if the data are part of one.
const V8: &str = "
CREATE TABLE transfer (one INTEGER PRIMARY KEY CHECK (one = 1), mark TEXT NOT NULL);
";

/// Parts that carriers took and have not told the end of.
const V9: &str = "
CREATE TABLE awaited (
  carrier TEXT NOT NULL,
  id TEXT NOT NULL,
  message_id INTEGER NOT NULL,
  tail TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  parts INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (carrier, id)
) WITHOUT ROWID;
CREATE INDEX awaited_message ON awaited (message_id);
CREATE INDEX awaited_until ON awaited (until);
";

/// Messages that wait and that their applications look for by their addresses.
const V10: &str = "
CREATE TABLE findable (place TEXT, id INTEGER, PRIMARY KEY (place, id)) WITHOUT ROWID;
";

/// The order of offers of messages that nothing has happened to yet, and turns that are far off:
/// many in a row. What an older file holds stays in `q` and `expiry`.
const V11: &str = "
CREATE TABLE run (
  dest INTEGER, due INTEGER, id INTEGER,
  count INTEGER NOT NULL, top INTEGER NOT NULL, rest BLOB NOT NULL,
  PRIMARY KEY (dest, due, id)
) WITHOUT ROWID;
CREATE TABLE turn (
  at INTEGER, id INTEGER, count INTEGER NOT NULL, rest BLOB NOT NULL, PRIMARY KEY (at, id)
) WITHOUT ROWID;
";

/// Brings the file to this version's form; a fresh one gets all steps.
///
/// # Errors
/// [`OpenError::Foreign`] for a database of something else, [`OpenError::Newer`] for one that a
/// later version has written: neither is touched.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    let done = usize::try_from(check(db)?).unwrap_or(usize::MAX);
    for (number, step) in STEPS.iter().enumerate().skip(done) {
        let tx = db.transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(
            None,
            "user_version",
            i64::try_from(number + 1).unwrap_or(i64::MAX),
        )?;
        tx.commit()?;
    }
    Ok(())
}

/// The newest form that this version knows.
pub(crate) const KNOWN: usize = STEPS.len();

/// The form of a file that this version can work with. Changes nothing.
///
/// # Errors
/// As [`migrate`].
pub(crate) fn check(db: &Connection) -> Result<i64, OpenError> {
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || version > 0) {
        return Err(OpenError::Foreign);
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(OpenError::Newer {
            found: version,
            known: STEPS.len(),
        });
    }
    Ok(version)
}
