//! Connections to PostgreSQL: the first host that takes writes, protected as the operator says.

use std::fmt;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::adopt::Guard;
use crate::pool::Connect;
use crate::server::{Encryption, Server};
use crate::sink::{Answer, Fault};
use crate::tls;

pub(crate) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    /// Before the first statement of a connection.
    prepare: String,
    shown: String,
}

/// A connection with the statement that it knows already. Dropped, it is closed at once, whatever
/// the other end does.
pub(crate) struct Connection {
    pub(super) client: Client,
    pub(super) insert: Option<(Guard, Statement)>,
    driver: AbortHandle,
}

impl Connector {
    pub(crate) fn new(server: &Server) -> Result<Self, String> {
        let mut config = Config::new();
        config
            .user(&server.user)
            .password(&server.password.0)
            .dbname(&server.database)
            .application_name("zajil")
            .connect_timeout(server.connect_timeout)
            .tcp_user_timeout(server.statement_timeout)
            .keepalives_idle(Duration::from_secs(60))
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        for host in &server.hosts {
            config.host(&host.name).port(host.port);
        }
        let by_socket = server.hosts.iter().all(|host| host.name.starts_with('/'));
        config.ssl_mode(match server.encryption {
            _ if by_socket => SslMode::Disable,
            Encryption::Disable => SslMode::Disable,
            Encryption::Prefer => SslMode::Prefer,
            Encryption::Require | Encryption::VerifyFull => SslMode::Require,
        });
        // The database gives up first, so that its reason is the one that is told.
        let millis = server.statement_timeout.as_millis().saturating_mul(9) / 10;
        let prepare = format!(
            "SET TIME ZONE 'UTC'; SET statement_timeout = {millis}; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'"
        );
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls::client(server)?),
            prepare,
            shown: server.to_string(),
        })
    }
}

/// Where, without who.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Connect for Connector {
    type Connection = Connection;

    fn connect(&self) -> Answer<'_, Connection> {
        Box::pin(async move {
            let made = self.config.connect(self.tls.clone()).await;
            let (client, driver) = made.map_err(|error| {
                let why = fault(error).text();
                Fault::Down(format!("cannot connect to {self:?}: {why}"))
            })?;
            let connection = Connection {
                client,
                insert: None,
                driver: drive(driver),
            };
            let prepared = connection.client.batch_execute(&self.prepare).await;
            prepared.map_err(fault)?;
            Ok(connection)
        })
    }

    fn is_open(connection: &Connection) -> bool {
        !connection.client.is_closed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the half of a connection that reads its socket; ends with the connection"
)]
fn drive(
    driver: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
) -> AbortHandle {
    let task = tokio::spawn(async move {
        // Whoever waits for an answer hears of it.
        if let Err(error) = driver.await {
            tracing::debug!(
                error = zajil_telemetry::chain(&error),
                "a connection to the CDR database ended"
            );
        }
    });
    task.abort_handle()
}

/// Whether an error is about the rows. Details are left out: they show the values of the row.
pub(super) fn fault(error: tokio_postgres::Error) -> Fault {
    let Some(told) = error.as_db_error() else {
        return Fault::Down(zajil_telemetry::chain(&error));
    };
    let code = told.code().code();
    let text = format!("{} (SQLSTATE {code})", told.message());
    // A row for which there is no partition violates no constraint that has a name: an operator
    // makes the partition, and the row fits.
    let homeless = *told.code() == SqlState::CHECK_VIOLATION && told.constraint().is_none();
    match code.get(..2) {
        Some("22" | "23" | "P0") if !homeless => Fault::Data(text),
        _ => Fault::Down(text),
    }
}
