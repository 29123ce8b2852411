//! Poolers that give a connection to somebody else after each transaction.
//!
//! Prepared statements, settings, advisory locks and LISTEN belong to a connection of the database.
//! Behind PgBouncer in transaction mode they would be somebody else's now and then: a node would
//! count as alive that is dead, and another schema would be written to. So it is refused at the
//! start, where an operator reads it.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;
use zajil_database::postgres::{Dial, Link};
use zajil_store::Error;

use crate::error::{Done, Fault};

/// How often two connections are asked in turn: others may use the same pool meanwhile.
const ROUNDS: u32 = 10;

const TOLD: &str = "hands connections on after each transaction, as PgBouncer does with \
     pool_mode = transaction: the store needs connections that last. Name the database itself, or \
     a pool with pool_mode = session";

/// Asks two connections who serves them.
///
/// # Errors
/// [`Error::Conflict`] when it is the same process, or not always the same one.
pub(crate) async fn keep_out(dial: &Dial, within: Duration) -> Done<()> {
    let looked = tokio::time::timeout(within, look(dial)).await;
    looked.unwrap_or(Err(Fault::Silent("answer")))
}

async fn look(dial: &Dial) -> Done<()> {
    let (one, other) = (dial.connect(None).await?, dial.connect(None).await?);
    let mut first = None;
    for _ in 0..ROUNDS {
        let served = (server(&one).await?, server(&other).await?);
        let known = first.get_or_insert_with(|| served.clone());
        if *known != served || served.0 == served.1 {
            return Err(Error::Conflict(TOLD.to_owned()).into());
        }
    }
    Ok(())
}

/// The process that serves a connection just now; as text, so that nothing is prepared.
async fn server(link: &Link) -> Done<Option<String>> {
    let told = link.client.simple_query("SELECT pg_backend_pid()").await?;
    Ok(told.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
