//! Connections to PostgreSQL, with what the sink's statements count on.

use std::fmt;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Statement};
use zajil_database::postgres::{Dial, Link, NoLink, told};

use crate::adopt::Guard;
use crate::pool::Connect;
use crate::server::Server;
use crate::sink::{Answer, Fault};

pub(crate) struct Connector {
    dial: Dial,
    /// Before the first statement of a connection.
    prepare: String,
}

/// A connection with the statement that it knows already.
pub(crate) struct Connection {
    link: Link,
    pub(super) insert: Option<(Guard, Statement)>,
}

impl Connection {
    pub(super) fn client(&self) -> &Client {
        &self.link.client
    }

    pub(super) fn client_mut(&mut self) -> &mut Client {
        &mut self.link.client
    }
}

impl Connector {
    pub(crate) fn new(server: &Server) -> Result<Self, String> {
        // The database gives up first, so that its reason is the one that is told.
        let millis = server.statement_timeout.as_millis().saturating_mul(9) / 10;
        let prepare = format!(
            "SET TIME ZONE 'UTC'; SET statement_timeout = {millis}; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'"
        );
        Ok(Self {
            dial: Dial::new(server)?,
            prepare,
        })
    }
}

/// Where, without who.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dial.fmt(f)
    }
}

impl Connect for Connector {
    type Connection = Connection;

    fn connect(&self) -> Answer<'_, Connection> {
        Box::pin(async move {
            let link = self.dial.connect(None).await.map_err(|error| {
                let why = match error {
                    NoLink::Refused(error) => fault(error).text(),
                    NoLink::Silent => error.to_string(),
                };
                Fault::Down(format!("cannot connect to {self:?}: {why}"))
            })?;
            let prepared = link.client.batch_execute(&self.prepare).await;
            prepared.map_err(fault)?;
            Ok(Connection { link, insert: None })
        })
    }

    fn is_open(connection: &Connection) -> bool {
        !connection.client().is_closed()
    }
}

/// Whether an error is about the rows. Details are left out: they show the values of the row.
pub(super) fn fault(error: tokio_postgres::Error) -> Fault {
    let text = told(&error);
    let Some(told) = error.as_db_error() else {
        return Fault::Down(text);
    };
    let code = told.code().code();
    // A row for which there is no partition violates no constraint that has a name: an operator
    // makes the partition, and the row fits.
    let homeless = *told.code() == SqlState::CHECK_VIOLATION && told.constraint().is_none();
    match code.get(..2) {
        Some("22" | "23" | "P0") if !homeless => Fault::Data(text),
        _ => Fault::Down(text),
    }
}
