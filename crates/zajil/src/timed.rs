//! The CDR database as the metrics see it: how long it takes, and whether it works.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrSink;
use zajil_telemetry::{Stopwatch, Telemetry};

/// A sink whose writes are measured.
#[derive(Debug)]
pub(crate) struct Timed<S> {
    sink: S,
    telemetry: Arc<Telemetry>,
}

impl<S> Timed<S> {
    /// A sink that has just been opened.
    pub(crate) fn new(sink: S, telemetry: Arc<Telemetry>) -> Self {
        telemetry.metrics.database_opened();
        Self { sink, telemetry }
    }
}

impl<S: CdrSink> CdrSink for Timed<S> {
    fn write<'a>(
        &'a self,
        rows: &'a [Cdr],
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let watch = Stopwatch::start();
            let written = self.sink.write(rows, now).await;
            let worked = written.as_ref().copied().map_err(String::as_str);
            let metrics = &self.telemetry.metrics;
            metrics.database_used(watch.elapsed(), worked);
            written
        })
    }
}
