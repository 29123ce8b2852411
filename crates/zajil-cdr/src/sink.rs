//! The sink of an installation that keeps no CDRs.

use std::future::{Future, ready};
use std::pin::Pin;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrSink;

/// Takes every row and keeps none (`cdr_enabled = false`), so that the outbox stays empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullSink;

impl CdrSink for NullSink {
    fn write<'a>(
        &'a self,
        _rows: &'a [Cdr],
        _now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(ready(Ok(())))
    }
}
