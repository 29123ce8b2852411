//! The store of a cluster: PostgreSQL 13 or newer, plain SQL, nothing to install there.
//!
//! Nodes share the tables and nothing else. Each has writers that gather what its callers want into
//! few transactions ([`lane`], [`hot`]), readers, and hints by NOTIFY. Whatever two nodes may both
//! want is locked in the database, in one order.

mod accept;
mod awaited;
mod cluster;
mod conn;
mod endings;
mod error;
mod front;
mod held;
mod hot;
mod lane;
mod lease;
mod location;
mod look;
mod notify;
mod open;
mod pooler;
mod pulse;
mod read;
mod receipts;
mod report;
mod row;
mod run;
mod schema;
mod shelf;
mod store;
mod sweep;
mod tables;
mod ticket;
mod transfer;
mod turn;

pub use open::{OpenError, Options, PostgresStore};
pub use transfer::PostgresPort;
