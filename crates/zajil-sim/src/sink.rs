//! The CDR database of a run: it fails before, after or in the middle, and keeps what it has.

use std::sync::Arc;

use tokio::time::sleep;
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrSink, Unwritten, Written};

use crate::history::What;
use crate::line::Line;
use crate::rng::Rng;
use crate::stage::Stage;

/// The database as one life of a node reaches it.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) stage: Arc<Stage>,
    pub(crate) line: Arc<Line>,
    pub(crate) rng: Rng,
}

impl CdrSink for Sink {
    fn write<'a>(&'a self, rows: &'a [Cdr], _now: Timestamp) -> Written<'a> {
        Box::pin(async move {
            self.line.pass().await;
            sleep(self.rng.millis(1..40)).await;
            self.line.pass().await;
            let fate = if self.stage.is_calm() {
                0
            } else {
                self.rng.below(100)
            };
            let written = match fate {
                0..85 => rows.len(),
                85..90 => 0,
                90..95 => self.rng.index(rows.len().max(1)),
                _ => rows.len(),
            };
            for row in rows.iter().take(written) {
                self.stage.add(What::Row(Box::new(row.clone())));
            }
            self.line.pass().await;
            if fate < 85 {
                Ok(())
            } else {
                Err(Unwritten::Down("the connection broke".into()))
            }
        })
    }
}
