//! The CDR database as the metrics see it: how long it takes, and whether it works.

use std::sync::Arc;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrSink, Unwritten, Written};
use zajil_telemetry::{Stopwatch, Telemetry};

/// A file whose writes are measured; a server's pool measures by itself.
#[derive(Debug)]
pub(crate) struct Timed {
    sink: Arc<dyn CdrSink>,
    telemetry: Arc<Telemetry>,
}

impl Timed {
    /// A sink that has just been opened.
    pub(crate) fn new(sink: Arc<dyn CdrSink>, telemetry: Arc<Telemetry>) -> Self {
        telemetry.metrics.database_opened();
        Self { sink, telemetry }
    }
}

impl CdrSink for Timed {
    fn write<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Written<'a> {
        Box::pin(async move {
            let watch = Stopwatch::start();
            let written = self.sink.write(rows, now).await;
            let worked = match &written {
                Err(Unwritten::Down(why)) => Err(why.as_str()),
                Ok(()) | Err(Unwritten::BadRows(_)) => Ok(()),
            };
            let metrics = &self.telemetry.metrics;
            metrics.database_used(watch.elapsed(), worked);
            written
        })
    }
}
