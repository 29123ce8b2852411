//! The store: one contract, its stored forms, its in-memory model and its conformance suite.
//!
//! Engines of storage live in `zajil-store-*` and implement [`contract::Store`].

pub mod awaited;
pub mod cluster;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contract;
pub mod memory;
pub mod receipts;
pub mod record;
mod refusal;
pub mod scales;
pub mod shelf;
pub mod transfer;
pub mod watch;

pub use awaited::AwaitedParts;
pub use cluster::Cluster;
pub use contract::{Endings, Error, Reply, Store};
pub use receipts::Receipts;
pub use shelf::Shelf;
