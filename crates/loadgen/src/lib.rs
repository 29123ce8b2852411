//! Open-loop load over HTTP and SMPP with HDR latencies, and the null servers that show what the
//! machine can do.
//!
//! The generator is meant to cost little next to the server it measures: request bytes are made
//! once and patched, answers are scanned and not copied, a connection is one task on a
//! single-threaded runtime.

pub mod attack;
mod clock;
mod connection;
mod drain;
pub mod http;
mod lifecycle;
mod listen;
pub mod null;
pub mod null_smpp;
pub mod polls;
mod process;
pub mod report;
mod schedule;
pub mod smpp;
mod wire;
mod workers;
