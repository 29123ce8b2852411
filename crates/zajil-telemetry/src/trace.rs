//! Traces: the steps of a message's way as spans for an OpenTelemetry collector (OTLP over HTTP).
//!
//! A span is made where a fact is told, never where work is done. The ids of a trace come from the
//! id of its message, so that every node puts its steps into the same trace and every node leaves
//! out the same messages, and nothing has to be handed on. Spans hold ids, never texts or numbers
//! (S10.4).

#[cfg(feature = "otel")]
mod otlp;
#[cfg(feature = "otel")]
mod send;
#[cfg(feature = "otel")]
mod tracer;

#[cfg(feature = "otel")]
pub(crate) use tracer::Tracer;

/// Whether this build can send traces: the feature `otel`.
pub const BUILT: bool = cfg!(feature = "otel");

/// Where traces go, and of which messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The URL of an OTLP/HTTP collector, as `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: String,
    /// Of how many messages, from 0 to 1.
    pub sampling: f64,
    /// The name of this node.
    pub node: String,
}

#[cfg(feature = "otel")]
#[cfg(test)]
mod tests;
