//! Where call detail records go, opened from the configuration (S10).

use std::sync::Arc;

use anyhow::Context as _;
use zajil_cdr::{Database, NullSink, SqliteSink, database};
use zajil_core::port::{CdrSearch, CdrSink};
use zajil_telemetry::Telemetry;

use crate::config::Cdr;
use crate::timed::Timed;

/// What is written to, and where it is found again.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) sink: Arc<dyn CdrSink>,
    /// None when no CDRs are kept.
    pub(crate) search: Option<Arc<dyn CdrSearch>>,
}

impl Records {
    /// A server need not be there yet: CDRs wait for it in the outbox.
    pub(crate) fn open(cdr: &Cdr, telemetry: &Arc<Telemetry>) -> anyhow::Result<Self> {
        if !cdr.enabled {
            return Ok(Self {
                sink: Arc::new(NullSink),
                search: None,
            });
        }
        let Some(server) = &cdr.server else {
            let opened = SqliteSink::open(&cdr.path);
            let place = || format!("CDR file {}", cdr.path.display());
            let mut records = Self::of(Arc::new(opened.with_context(place)?));
            records.sink = Arc::new(Timed::new(records.sink, Arc::clone(telemetry)));
            return Ok(records);
        };
        let opened = database::open(server, Arc::clone(telemetry));
        Ok(Self::of(opened.context("CDR database")?))
    }

    fn of(database: Arc<dyn Database>) -> Self {
        Self {
            sink: Arc::clone(&database) as Arc<dyn CdrSink>,
            search: Some(database),
        }
    }
}
