//! Connections to PostgreSQL: the first host that takes writes, protected as the operator says.

use std::fmt;
use std::time::Duration;

use futures_util::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;
use zajil_telemetry::chain;

use crate::server::{Encryption, Server};
use crate::tls;

/// Makes connections to one server, wherever it is just now.
pub struct Dial {
    config: Config,
    tls: MakeRustlsConnect,
    shown: String,
}

/// A connection. Dropped, it is closed at once, whatever the other end does.
pub struct Link {
    /// What statements go to.
    pub client: Client,
    driver: AbortHandle,
}

/// Who hears of notifications: channel and payload.
pub type Heard = Box<dyn FnMut(&str, &str) + Send>;

impl Dial {
    /// Prepares connections; none is made.
    ///
    /// # Errors
    /// What is wrong with the certificates, as the end of a sentence.
    pub fn new(server: &Server) -> Result<Self, String> {
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
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls::client(server)?),
            shown: server.to_string(),
        })
    }

    /// A new connection; `heard` is told of the notifications that it gets.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect(&self, heard: Option<Heard>) -> Result<Link, Error> {
        let (client, driver) = self.config.connect(self.tls.clone()).await?;
        Ok(Link {
            client,
            driver: drive(driver, heard),
        })
    }
}

/// Where, without who.
impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("closed", &self.client.is_closed())
            .finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the half of a connection that reads its socket; ends with the connection"
)]
fn drive<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    mut heard: Option<Heard>,
) -> AbortHandle
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let task = tokio::spawn(async move {
        loop {
            let message = poll_fn(|context| connection.poll_message(context));
            match message.await {
                Some(Ok(AsyncMessage::Notification(told))) => {
                    if let Some(heard) = &mut heard {
                        heard(told.channel(), told.payload());
                    }
                }
                Some(Ok(AsyncMessage::Notice(notice))) => {
                    tracing::debug!(notice = notice.message(), "the database says");
                }
                Some(Ok(_)) => {}
                // Whoever waits for an answer hears of it.
                Some(Err(error)) => {
                    tracing::debug!(error = chain(&error), "a connection to a database ended");
                    return;
                }
                None => return,
            }
        }
    });
    task.abort_handle()
}

/// What the database itself says is wrong. Details are left out: they show the values of rows.
#[must_use]
pub fn told(error: &Error) -> String {
    match error.as_db_error() {
        Some(told) => format!("{} (SQLSTATE {})", told.message(), told.code().code()),
        None => chain(error),
    }
}
