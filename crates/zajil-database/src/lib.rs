//! Database servers of operators: how they are named, trusted and reached.
//!
//! Shared by the CDR sinks and the cluster's store, which differ in all that comes after that.

pub mod postgres;
pub mod server;
pub mod tls;

pub use server::Server;
