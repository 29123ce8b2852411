//! Rows that the CDR database refuses for what they hold: kept in an SQLite file with the same
//! table, where any tool reads them and from where an operator can carry them over.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrSink as _, Unwritten};
use zajil_telemetry::Telemetry;

use crate::SqliteSink;

/// The file for refused rows. It is made when the first one comes.
#[derive(Debug)]
pub struct Aside {
    path: PathBuf,
    telemetry: Arc<Telemetry>,
}

impl Aside {
    /// At this path.
    #[must_use]
    pub fn new(path: PathBuf, telemetry: Arc<Telemetry>) -> Self {
        Self { path, telemetry }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the rows, on stable storage when this answers; a row that is there stays as it is.
    pub(super) async fn keep(&self, rows: Vec<Cdr>, now: Timestamp) -> Result<(), String> {
        let path = self.path.clone();
        let opened = tokio::task::spawn_blocking(move || SqliteSink::open(&path)).await;
        let sink = match opened {
            Ok(Ok(sink)) => sink,
            Ok(Err(error)) => return Err(zajil_telemetry::chain(&error)),
            Err(failure) => return Err(format!("refused CDRs cannot be kept: {failure}")),
        };
        let kept = sink.write(&rows, now).await;
        kept.map_err(|error| match error {
            Unwritten::Down(why) => format!("refused CDRs cannot be kept: {why}"),
            Unwritten::BadRows(bad) => format!("{} refused CDRs cannot be kept", bad.len()),
        })?;
        self.telemetry
            .metrics
            .cdr_bad_rows
            .inc_by(rows.len() as u64);
        Ok(())
    }
}
