//! Open-loop HTTP load with HDR latencies, and the null server that shows what the machine can do.
//!
//! The generator is meant to cost little next to the server it measures: request bytes are made
//! once and patched, answers are scanned and not copied, a connection is one task on a
//! single-threaded runtime.

mod clock;
mod connection;
pub mod http;
mod lifecycle;
pub mod null;
mod process;
pub mod report;
mod schedule;
mod wire;
