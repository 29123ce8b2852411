//! The store of one node: SQLite behind one group-committing writer (D20).
//!
//! One process owns a data directory. Every change is synced before it is answered; restart needs
//! no index to be rebuilt, and memory does not grow with the queue.

mod accept;
mod awaited;
mod checkpoint;
mod depth;
mod error;
pub mod inspect;
mod list;
mod offer;
mod open;
mod pack;
mod parts;
mod reader;
mod receipts;
mod refund;
mod report;
mod row;
mod run;
mod schema;
mod shelf;
mod store;
mod sweep;
mod tables;
mod transfer;
mod turn;
mod writer;

pub use error::OpenError;
pub use open::{EmbeddedStore, Options};
pub use transfer::EmbeddedPort;
