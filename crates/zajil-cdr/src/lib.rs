//! Call detail records: from the store's outbox to the CDR database (S10, D16).
//!
//! A message's final state and its outbox entry commit together in the store; [`outbox`] carries
//! the entries to a sink and forgets them only when the sink has them. While the sink is away they
//! wait in the store, so none is lost and delivery goes on.

mod adopt;
pub mod database;
mod filter;
mod mysql;
pub mod outbox;
mod pool;
mod postgres;
pub mod report;
pub mod retention;
pub mod schema;
pub mod sink;
pub mod sqlite;
mod time;

pub use database::Database;
pub use outbox::Outbox;
pub use sink::NullSink;
pub use sqlite::SqliteSink;
pub use zajil_database::{Server, server};

use zajil_database::tls;
